"""The embedded Redis: found, started, shared, started again, and never two on one folder."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvloop
from redis import Redis
from redis.exceptions import RedisError

from booking import embedded
from booking.embedded import EmbeddedStoreError, find_server, redis_in
from booking.refresh import RefreshToken
from booking.sessions import Sessions
from booking.store import Store
from tests.booking.bench import NOW_S
from tests.servers import eventually


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with a short path: a socket stands in it."""
    return tmp_path_factory.mktemp("state")


@asynccontextmanager
async def sessions_at(url: str) -> AsyncIterator[Sessions]:
    async with Store(url) as store:
        yield Sessions(store)


def process_id(url: str) -> int | None:
    try:
        with Redis.from_url(url) as redis:
            return int(redis.info("server")["process_id"])
    except (RedisError, OSError):
        return None


async def killed(url: str) -> None:
    """Kills it as a crash would; returns when another serves."""
    first = process_id(url)
    assert first
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: process_id(url) not in {None, first})


async def user(folder: Path) -> asyncio.subprocess.Process:
    """Another process that uses the same folder."""
    command = (sys.executable, "-m", "tests.booking.embedded_user", str(folder))
    return await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout
    return (await process.stdout.readline()).decode()


async def test_sessions_outlast_a_restart(folder: Path) -> None:
    async with redis_in(folder) as url, sessions_at(url) as sessions:
        token = await sessions.begin(1, "", NOW_S)
    assert process_id(url) is None, "it has ended with its last user"
    async with redis_in(folder) as url, sessions_at(url) as sessions:
        assert await sessions.rotate(token, NOW_S)


async def test_when_it_is_killed_it_comes_back_with_the_sessions(folder: Path) -> None:
    async with redis_in(folder) as url, sessions_at(url) as sessions:
        token = await sessions.begin(1, "", NOW_S)
        await killed(url)
        assert await sessions.rotate(token, NOW_S) == RefreshToken(1, token.family, 2)


async def test_two_on_one_folder_share_one_and_the_last_ends_it(folder: Path) -> None:
    async with redis_in(folder) as url:
        first = process_id(url)
        async with redis_in(folder) as same_url:
            assert (same_url, process_id(url)) == (url, first)
        assert process_id(url) == first
    assert process_id(url) is None


async def test_as_long_as_it_runs_nobody_starts_another_on_its_folder(folder: Path) -> None:
    """It holds the lock itself: whoever started it may be gone."""
    async with redis_in(folder):
        with (folder / "redis.lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    await eventually(lambda: is_unlocked(folder / "redis.lock"))


def is_unlocked(file: Path) -> bool:
    """A process that ends closes its connections first, and then lets go of its locks."""
    with file.open() as lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


async def test_whoever_is_left_starts_it_again(folder: Path) -> None:
    """The one that started it may have gone."""
    left = redis_in(folder)
    async with redis_in(folder):
        url = await left.__aenter__()
    await killed(url)
    await left.__aexit__(None, None, None)


async def test_many_processes_that_start_at_once_share_one(folder: Path) -> None:
    users = [await user(folder) for _ in range(3)]
    told = {await line_of(each) for each in users}
    for each in users:
        await each.communicate(b"")
    assert len(told) == 1
    assert process_id(f"unix://{folder}/redis.sock") is None


async def test_what_a_killed_process_leaves_behind_serves_the_next(folder: Path) -> None:
    first = await user(folder)
    orphan = int(await line_of(first))
    first.kill()
    await first.wait()

    async with redis_in(folder) as url:
        assert process_id(url) == orphan
    assert process_id(url) is None


def test_it_runs_beside_the_loop_that_serves(folder: Path) -> None:
    """uvloop starts processes in its own way."""

    async def serve() -> int | None:
        async with redis_in(folder) as url:
            return process_id(url)

    assert uvloop.run(serve())


async def test_nobody_else_may_look_into_its_folder(folder: Path) -> None:
    async with redis_in(folder / "own"):
        assert (folder / "own").stat().st_mode & 0o077 == 0
        assert (folder / "own" / "redis.sock").stat().st_mode & 0o077 == 0


async def test_a_folder_too_deep_for_a_socket_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedStoreError, match=r"BOOKING_STATE_FOLDER.*BOOKING_REDIS_URL"):
        async with redis_in(tmp_path / ("deep" * 30)):
            pass


async def test_a_server_that_does_not_start_is_told_with_its_log(folder: Path) -> None:
    (folder / "appendonlydir").write_text("in the way")  # of Redis 7
    (folder / "appendonly.aof").mkdir()  # and of Redis 6
    with pytest.raises(EmbeddedStoreError, match=r"redis\.log"):
        async with redis_in(folder):
            pass


def test_without_any_server_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "ON_PATH", ())
    monkeypatch.setattr(embedded, "IN_WHEELS", (("no_such_wheel", "*"),))
    with pytest.raises(EmbeddedStoreError, match="BOOKING_REDIS_URL"):
        find_server()


def test_without_a_server_on_the_path_the_wheel_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "site-packages" in find_server()
