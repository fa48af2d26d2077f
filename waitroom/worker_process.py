"""A worker as its supervisor sees it: a process that was started, serves, is dismissed, and ends."""

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

from waitroom.errors import WorkerError
from waitroom.orders import READY, Orders
from waitroom.sockets import Sockets

# What it may take to read the configuration and to serve, on a busy machine.
READY_TIMEOUT_S = 60.0


class WorkerProcess:
    """`index` says which of the workers it is."""

    def __init__(self, index: int, process: asyncio.subprocess.Process) -> None:
        self.index = index
        self.is_dismissed = False
        self._started_s = time.monotonic()
        self._process = process

    @classmethod
    async def start(
        cls, index: int, config: Path, sockets: Sockets, store_url: str, generation: int, worker_deaths: int
    ) -> "WorkerProcess":
        """Returns when it serves. Raises WorkerError with what it says is wrong."""
        told, telling = os.pipe()
        descriptors = {address: [one.fileno() for one in some] for address, some in sockets.items()}
        orders = Orders(str(config), descriptors, telling, store_url, generation, worker_deaths)
        try:
            # A session of its own, so that Ctrl-C at a terminal reaches the supervisor alone.
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "waitroom", "worker", orders.to_text(),
                stdin=asyncio.subprocess.PIPE, pass_fds=orders.descriptors, start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(telling)
        worker = cls(index, process)
        word = await _word(told)
        if word != READY:
            worker.kill()
            code = await worker.ended()
            raise WorkerError(word.decode() or f"a worker ended before it served (exit code {code})")
        return worker

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._started_s

    async def ended(self) -> int:
        """Waits for the end; gives the exit code, negative for a signal."""
        return await self._process.wait()

    def dismiss(self) -> None:
        """Has it finish what it does, and end; the second time, end at once."""
        self.is_dismissed = True
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


async def _word(told: int) -> bytes:
    """What is said through a pipe until it ends, or nothing in time."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(told, "rb")
    )
    try:
        async with asyncio.timeout(READY_TIMEOUT_S):
            return await reader.read()
    except TimeoutError:
        return b"a worker did not serve in time"
    finally:
        transport.close()
