"""Private servers for tests: each on a port or socket of its own, in a folder of its own, so that it can be killed."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from waitroom.embedded import find_server


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class PrivateRedis:
    """A redis-server of a test's own, without persistence: killing it loses everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.client = Redis(port=self.port)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", str(self.port), "--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        self._process = subprocess.Popen([find_server(), *options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(RedisError):
                self.client.ping()
                return
            time.sleep(0.01)
        raise RuntimeError("redis-server did not start")

    def kill(self) -> None:
        """As a crash would: no save, no goodbye."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It keeps its connections, and answers nothing."""
        if self._process:
            os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process:
            os.kill(self._process.pid, signal.SIGCONT)


async def eventually(condition: Callable[[], object], timeout_s: float = 20) -> None:
    """Waits until a condition holds; fails if it does not in time."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)
