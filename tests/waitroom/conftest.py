"""Fixtures of the waiting room's tests: a private Redis, and a line whose clock the test holds."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from tests.servers import PrivateRedis
from tests.waitroom.line_bench import LineBench
from tests.waitroom.running import Origin, Waitroom
from tests.waitroom.running import origin as an_origin
from tests.waitroom.visitors import Come, coming

# No test asserts on how long something took: not these either, on a machine that others use, too.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


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
