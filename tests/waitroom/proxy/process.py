"""A waitroom as operators run it: `waitroom serve` in a process of its own, whose memory can be read."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.waitroom.running import Waitroom

# JupyterLab takes ten seconds where nothing runs beside.
START_S = 120
STOP_S = 60


@dataclass(frozen=True, slots=True)
class Process:
    """A running process, as /proc tells of it."""

    pid: int

    @property
    def resident_bytes(self) -> int:
        """What it has of the machine's memory."""
        return self._status("VmRSS")

    @property
    def peak_bytes(self) -> int:
        """The most that it had at a time since it was last forgotten."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        """The peak begins anew at what it has now (proc(5), clear_refs)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _status(self, field: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
        assert found, status
        return int(found[1]) * 1024


@asynccontextmanager
async def serving(waitroom: Waitroom) -> AsyncIterator[Process]:
    """Runs a configured waitroom of one worker, and gives the worker; fails with what it printed if it can't start."""
    command = (sys.executable, "-m", "waitroom", "serve", "--config", str(waitroom.config))
    async with process_of(command, waitroom.folder / "log", f"{waitroom.url}/.waitroom/ready"):
        (worker,) = (await waitroom.status())["workers"]
        yield Process(worker)


@asynccontextmanager
async def process_of(command: Sequence[str], output: Path, ready_url: str, **environment: str) -> AsyncIterator[None]:
    """Runs a server from when it answers at `ready_url`; what it prints goes to the file `output`."""
    with output.open("wb") as log:
        child = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, env=os.environ | environment)
    try:
        async with asyncio.timeout(START_S):
            while not await _answers(ready_url):
                assert child.returncode is None, output.read_text()
                await asyncio.sleep(0.05)
        yield
    finally:
        await _stop(child)


async def _stop(child: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        child.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
