"""`waitroom serve` as processes of their own, and visitors who count each request that is not answered."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.waitroom.running import Waitroom

END_S = 60
# A worker that stops closes connections on which nothing was asked for a second: on a machine that stood still for so
# long, a visitor asks on another. Counted from the request before: its answer may have lain here unread.
STOOD_STILL_S = 0.5


@dataclass
class Served:
    """A supervisor, by its process; its workers are its children."""

    process: asyncio.subprocess.Process
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def workers(self) -> set[int]:
        """The processes that serve, or are about to."""
        return workers_of(self.pid)

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def told(self, words: str) -> int:
        """How often the log has these words."""
        return self.log.read_text().count(words)

    async def ended(self) -> int:
        async with asyncio.timeout(END_S):
            return await self.process.wait()


@asynccontextmanager
async def serve(waitroom: Waitroom, *options: str) -> AsyncIterator[Served]:
    """Entered when it listens; at the end it is killed with all its workers, if it still runs."""
    log = waitroom.folder / f"log-{os.urandom(4).hex()}"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "waitroom", "serve", "--config", str(waitroom.config), *options, stderr=file
        )
    served = Served(process, log)
    try:
        async with asyncio.timeout(END_S):
            while not served.told("waitroom listens"):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.02)
        yield served
    finally:
        if process.returncode is None:
            kill(process.pid)
        await process.wait()


@dataclass
class Load:
    """Visitors who never stop: some on connections that they keep, some on a new one each time."""

    port: int
    answered: int = 0
    failures: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def running(self, *, kept: int = 4, new: int = 4) -> AsyncIterator[None]:
        stop = asyncio.Event()
        visitors = [asyncio.create_task(self._visit(stop, keeps=i < kept)) for i in range(kept + new)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*visitors)

    async def _visit(self, stop: asyncio.Event, *, keeps: bool) -> None:
        while not stop.is_set():
            try:
                async with asyncio.timeout(END_S):
                    await self._connection(stop, keeps=keeps)
            except (OSError, asyncio.IncompleteReadError, AssertionError) as exc:
                self.failures.append(f"{'kept' if keeps else 'new'}: {exc!r}")

    async def _connection(self, stop: asyncio.Event, *, keeps: bool) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            again, asked_s = True, time.monotonic()
            while again and not stop.is_set():
                if (now_s := time.monotonic()) - asked_s > STOOD_STILL_S:
                    return
                asked_s = now_s
                writer.write(b"GET /seat HTTP/1.1\r\nHost: site\r\n\r\n")
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                assert head.startswith(b"http/1.1 200 "), head
                await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
                self.answered += 1
                again = keeps and b"connection: close" not in head
                # Enough for a machine that must start processes beside.
                await asyncio.sleep(0.01)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def workers_of(supervisor: int) -> set[int]:
    return {child for child in _children(supervisor) if b"worker" in _command(child)}


def kill(supervisor: int) -> None:
    """With all its workers, as when a machine loses its power."""
    workers = workers_of(supervisor)
    for pid in (supervisor, *workers):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _command(pid: int) -> bytes:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def runs(pid: int) -> bool:
    """Whether a process has not ended yet."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def watches(pid: int, folder: Path) -> bool:
    """Whether a process is told by the system when something in a folder changes."""
    watch = f" ino:{folder.stat().st_ino:x} "
    for open_file in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            if watch in open_file.read_text():
                return True
    return False
