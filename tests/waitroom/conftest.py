"""Fixtures of the waiting room's tests: a private Redis, and a line whose clock the test holds."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop
from hypothesis import settings
from playwright.async_api import Browser

from tests.browser import chromium
from tests.servers import PrivateRedis
from tests.waitroom.line_bench import LineBench
from tests.waitroom.running import Origin, Waitroom
from tests.waitroom.running import origin as an_origin
from tests.waitroom.visitors import Come, coming

# No test asserts on how long something took: not these either, on a machine that others use, too.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_asyncio_loop_factories(item: pytest.Item) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests that name their loops run on each of them; the others on asyncio's own."""
    loops = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    marker = item.get_closest_marker("asyncio")
    return loops if marker and "loop_factories" in marker.kwargs else {"asyncio": loops["asyncio"]}


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    redis = PrivateRedis(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield redis
    redis.client.close()
    redis.kill()


@pytest.fixture
def redis(shared_redis: PrivateRedis) -> PrivateRedis:
    """An empty Redis, shared by the tests that do not kill it."""
    shared_redis.client.flushall()
    return shared_redis


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[PrivateRedis]:
    """A Redis that the test may kill."""
    redis = PrivateRedis(tmp_path)
    redis.start()
    yield redis
    redis.client.close()
    redis.kill()


@pytest.fixture
def line(redis: PrivateRedis) -> LineBench:
    return LineBench(redis)


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with an_origin() as told:
        yield told


@pytest.fixture
async def waitroom(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> AsyncIterator[Waitroom]:
    """A waitroom with room for two."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(cap=2)
    async with waitroom.serving():
        yield waitroom


@pytest.fixture
async def come() -> AsyncIterator[Come]:
    async with AsyncExitStack() as stack:
        yield coming(stack)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium for all tests of a module, on whose loop they run."""
    async with chromium() as browser:
        yield browser
