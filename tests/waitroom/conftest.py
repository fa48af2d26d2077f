"""Fixtures of the waiting room's tests: a private Redis, and a line whose clock the test holds."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.line_bench import LineBench


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
def own_redis(tmp_path: Any) -> Iterator[PrivateRedis]:
    """A Redis that the test may kill."""
    redis = PrivateRedis(tmp_path)
    redis.start()
    yield redis
    redis.client.close()
    redis.kill()


@pytest.fixture
def line(redis: PrivateRedis) -> LineBench:
    return LineBench(redis)
