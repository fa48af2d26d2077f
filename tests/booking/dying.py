"""A whole site in a process of its own, which kills itself at a named point: before a COMMIT or a call, or right after.

The product knows nothing of it: what it calls is wrapped in that process, before it serves.
"""

import functools
import multiprocessing
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from booking import worker
from booking.app import build
from booking.db import Database
from booking.sandbox_gateway import SandboxGateway
from booking.settings import read
from booking.smtp import Server
from tests.booking.bench import NOW_S
from tests.servers import wait_until

Work = Callable[..., Awaitable[Any]]

# What it can die at that is no transaction. A transaction is called by the name of its function.
CALLS = {
    "open": (SandboxGateway, "open"),
    "ask": (SandboxGateway, "ask"),
    "refund": (SandboxGateway, "refund"),
    "send": (Server, "send"),
}

# It has all imports, and each site is forked from it in a moment.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.booking.dying"])


@dataclass(frozen=True)
class Point:
    """Before or after a COMMIT of a function's transaction, or a call of one of `CALLS`."""

    is_after: bool
    what: str

    def __str__(self) -> str:
        return f"{'after' if self.is_after else 'before'} {self.what}"


class FileClock:
    """Stands still until a test moves it, for all processes that know the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._show(NOW_S)

    def __call__(self) -> float:
        return float(self._path.read_text())

    def pass_s(self, seconds: int) -> None:
        self._show(int(self()) + seconds)

    def _show(self, now_s: int) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(str(now_s))
        new.replace(self._path)


class MortalSite:
    """Serves at a URL, dies at a point, and can be started again; then it lives."""

    def __init__(self, environment: dict[str, str], url: str, clock: FileClock) -> None:
        self._environment = environment
        self._port = int(url.rpartition(":")[2])
        self._clock = clock
        self._process: multiprocessing.process.BaseProcess | None = None

    def start(self, point: Point | None = None) -> None:
        """Returns when it accepts."""
        self._process = _FORKS.Process(target=serve, args=(self._environment, self._port, self._clock, point))
        self._process.start()
        wait_until(self._accepts, timeout_s=60)

    @property
    def has_died(self) -> bool:
        """Whether it has killed itself; fails where it ended in any other way."""
        assert self._process
        assert self._process.exitcode in {None, -signal.SIGKILL}
        return self._process.exitcode is not None

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._process = None

    def _accepts(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self._port)) == 0


def serve(environment: dict[str, str], port: int, clock: FileClock, point: Point | None) -> None:
    """What the process does."""
    if point:
        _prepare(point)
    # Nobody wants to wait for what is found by looking.
    worker.LOOK_EVERY_S = 1
    app = build(read(environment), clock)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


def _prepare(point: Point) -> None:
    if point.what in CALLS:
        owner, name = CALLS[point.what]
        setattr(owner, name, _deadly(getattr(owner, name), point))
    else:
        _have_write_die(point)


def _have_write_die(point: Point) -> None:
    write = Database.write

    async def deadly_write(db: Database, work: Work, *args: Any, **kwargs: Any) -> Any:
        if work.__name__.strip("_") != point.what:
            return await write(db, work, *args, **kwargs)
        if point.is_after:
            return await _deadly(write, point)(db, work, *args, **kwargs)
        # All is done but the COMMIT.
        return await write(db, _deadly(work, Point(is_after=True, what=point.what)), *args, **kwargs)

    setattr(Database, "write", deadly_write)  # noqa: B010 mypy lets nobody assign to a method


def _deadly(work: Work, point: Point) -> Work:
    @functools.wraps(work)
    async def last(*args: Any, **kwargs: Any) -> Any:
        if point.is_after:
            await work(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    return last
