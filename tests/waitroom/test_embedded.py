"""The embedded Redis: found, started, kept alive, and never two on one folder."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from tests.servers import eventually
from waitroom import embedded
from waitroom.embedded import EmbeddedRedis, find_server
from waitroom.errors import EmbeddedStoreError


def client(store: EmbeddedRedis) -> Redis:
    return Redis.from_url(store.url, retry_on_error=[ConnectionError])


async def test_it_keeps_what_it_was_told_over_a_restart(tmp_path: Path) -> None:
    for expected in (None, b"kept"):
        store = EmbeddedRedis(tmp_path)
        await store.start()
        with client(store) as redis:
            assert redis.get("word") == expected
            redis.set("word", "kept")
        await store.stop()


async def test_it_is_started_again_when_it_dies(tmp_path: Path) -> None:
    store = EmbeddedRedis(tmp_path)
    await store.start()
    with client(store) as redis:
        redis.set("word", "kept")
        first = redis.info("server")["process_id"]
        os.kill(first, signal.SIGKILL)

        def another() -> bool:
            try:
                return bool(redis.info("server")["process_id"] != first)
            except (OSError, RedisError):
                return False

        await eventually(another)
    await store.stop()


async def test_one_that_is_stopped_as_it_is_started_again_leaves_no_connection_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aclose, begun, ended = AsyncRedis.aclose, [], []

    async def slow_aclose(redis: AsyncRedis) -> None:
        begun.append(redis)
        await asyncio.sleep(0.2)
        await aclose(redis)
        ended.append(redis)

    store = EmbeddedRedis(tmp_path)
    await store.start()
    monkeypatch.setattr(AsyncRedis, "aclose", slow_aclose)
    with client(store) as redis:
        os.kill(redis.info("server")["process_id"], signal.SIGKILL)
    await eventually(lambda: len(begun) == 2)  # of the one that died, and of the one that answers
    assert len(ended) == 1
    await store.stop()
    await eventually(lambda: ended == begun)


async def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    store = EmbeddedRedis(tmp_path)
    await store.start()
    with pytest.raises(EmbeddedStoreError, match="another waitroom"):
        await EmbeddedRedis(tmp_path).start()
    await store.stop()


async def test_a_deep_folder_is_no_obstacle(tmp_path: Path) -> None:
    """Sockets have short paths: the socket goes elsewhere, the data stays."""
    store = EmbeddedRedis(tmp_path / ("deep" * 40))
    await store.start()
    with client(store) as redis:
        assert redis.ping()
    await store.stop()


def test_without_any_server_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "ON_PATH", ())
    monkeypatch.setattr(embedded, "IN_WHEELS", (("no_such_wheel", "*"),))
    with pytest.raises(EmbeddedStoreError, match=r"waitroom\[embedded\]"):
        find_server()


def test_without_a_server_on_the_path_the_wheel_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "site-packages" in find_server()
