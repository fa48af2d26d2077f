"""The workers of one supervisor among themselves: each answers at a socket of its own, in the state folder."""

import asyncio
import contextlib
import os
import socket
from pathlib import Path

import aiohttp

from waitroom import local_sockets

TIMEOUT_S = 2.0


class Siblings:
    """Of this process: those that have the same parent, and are of the same generation."""

    def __init__(self, folder: Path, generation: int) -> None:
        self._folder = folder
        self._pattern = f"worker-{os.getppid()}-{generation}-*.sock"
        self._own = folder / self._pattern.replace("*", str(os.getpid()))

    def listen(self) -> socket.socket:
        """Where this one answers. Raises OSError."""
        for left in self._folder.glob("worker-*.sock"):
            if not _runs(int(left.stem.rpartition("-")[2])):
                left.unlink(missing_ok=True)
        return local_sockets.listen(self._own)

    def close(self) -> None:
        self._own.unlink(missing_ok=True)

    async def ask(self, path: str) -> dict[str, str]:
        """What the others answer to a GET, by their names; those that do not are left out."""
        others = [found for found in self._folder.glob(self._pattern) if found.name != self._own.name]
        answers = await asyncio.gather(*(self._ask(other, path) for other in others))
        named = zip(others, answers, strict=True)
        return {other.name: answer for other, answer in named if answer is not None}

    async def _ask(self, other: Path, path: str) -> str | None:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        with contextlib.suppress(aiohttp.ClientError, OSError), local_sockets.short(other) as where:
            async with (
                aiohttp.ClientSession(connector=aiohttp.UnixConnector(where), timeout=timeout) as session,
                session.get(f"http://worker{path}") as response,
            ):
                return await response.text()
        return None


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
