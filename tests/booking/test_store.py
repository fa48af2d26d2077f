"""The store: one border where all that can happen to Redis becomes one error."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from booking.errors import StoreUnavailable
from booking.store import Store
from tests.booking.conftest import PATIENCE_S
from tests.servers import PrivateRedis, free_port


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[PrivateRedis]:
    """A Redis that may be killed."""
    server = PrivateRedis(tmp_path)
    server.start()
    yield server
    server.thaw()
    server.close()


async def test_a_redis_that_answers_is_reached(store: Store) -> None:
    await store.ping()
    with store.reached() as redis:
        assert await redis.echo("word") == "word"


async def test_where_there_is_no_redis_it_is_unavailable() -> None:
    async with Store(f"redis://127.0.0.1:{free_port()}") as store:
        with pytest.raises(StoreUnavailable):
            await store.ping()


async def test_a_redis_that_was_restarted_is_reached_at_once(mortal: PrivateRedis) -> None:
    """The connections of before are dead, and nobody is told."""
    async with Store(mortal.url, PATIENCE_S) as store:
        await store.ping()
        mortal.kill()
        with pytest.raises(StoreUnavailable):
            await store.ping()
        mortal.start()
        await store.ping()


async def test_a_redis_that_hangs_is_unavailable(mortal: PrivateRedis) -> None:
    async with Store(mortal.url, timeout_s=1) as store:
        await store.ping()
        mortal.freeze()
        with pytest.raises(StoreUnavailable):
            await store.ping()


async def test_a_redis_that_refuses_is_unavailable(mortal: PrivateRedis) -> None:
    """It is full, it loads, it is a replica: what counts is that it does not serve."""
    async with Store(mortal.url) as store:
        mortal.client.config_set("maxmemory", "1")
        with pytest.raises(StoreUnavailable), store.reached() as redis:
            await redis.set("word", "kept")


async def test_what_went_wrong_elsewhere_is_not_laid_on_redis(store: Store) -> None:
    with pytest.raises(KeyError), store.reached():
        raise KeyError


async def test_the_error_names_redis_and_the_setting(caplog: pytest.LogCaptureFixture) -> None:
    async with Store(f"redis://:geheim@127.0.0.1:{free_port()}") as store:
        with pytest.raises(StoreUnavailable):
            await store.ping()
    assert "BOOKING_REDIS_URL" in caplog.text
    assert "geheim" not in caplog.text
