"""A log that other programs read: whole lines, appended by a thread of its own, so that a slow disk stops nobody."""

import asyncio
import contextlib
import logging
import os
import select
import stat
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import TypeAlias

log = logging.getLogger(__name__)

STANDARD_OUTPUT = "-"
MODE = 0o640
# Orders that the thread has not begun; who has more waits.
MOST_ORDERS = 4
# A pipe that nobody reads must not keep the process from ending.
CLOSE_S = 5.0

# What the thread does next; None ends it.
Order: TypeAlias = Callable[[], None] | None


class LogFile:
    """Appends to the file at `target`, or to standard output if that is -. Lines that can't be written are dropped, and
    counted in `dropped`."""

    def __init__(self, target: str) -> None:
        """Raises OSError where the file can't be opened."""
        self.dropped = 0
        self._target = target
        self._fd = _open(target)
        self._most_bytes = _most_bytes(self._fd)
        self._is_torn = False
        self._dropped_before = 0
        self._orders: SimpleQueue[Order] = SimpleQueue()
        # A daemon, so that nobody waits at exit for a write that never ends.
        Thread(target=self._work, name="log file", daemon=True).start()

    @property
    def is_behind(self) -> bool:
        """The thread has enough to do: what comes now would only take memory."""
        return self._orders.qsize() >= MOST_ORDERS

    def append(self, lines: bytes) -> None:
        """Writes whole lines, soon."""
        self._orders.put(lambda: self._append(lines))

    def reopen(self) -> None:
        """Goes on in a new file of the same name, once what was appended before is in the old one."""
        if self._target != STANDARD_OUTPUT:
            self._orders.put(self._reopen)

    async def close(self) -> None:
        """Returns once all is written, or the disk has had its time."""
        loop, written = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has not waited so long
                loop.call_soon_threadsafe(written.set)

        self._orders.put(tell)
        self._orders.put(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await written.wait()

    def _work(self) -> None:
        while order := self._orders.get():
            order()
        self._close_file()

    def _append(self, lines: bytes) -> None:
        rest = lines
        try:
            if self._is_torn:
                os.write(self._fd, b"\n")
                self._is_torn = False
            while rest:
                written = os.write(self._fd, self._piece(rest))
                self._is_torn = rest[written - 1 : written] != b"\n"
                rest = rest[written:]
        except OSError as exc:
            self._drop(rest.count(b"\n"), exc)
        else:
            self._tell_of_recovery()

    def _piece(self, lines: bytes) -> bytes:
        if len(lines) <= self._most_bytes:
            return lines
        return lines[: lines.rfind(b"\n", 0, self._most_bytes) + 1 or self._most_bytes]

    def _drop(self, lines: int, exc: OSError) -> None:
        if self.dropped == self._dropped_before:
            log.error("%s can't be written, lines are dropped until it can: %s", self._target, exc.strerror)
        self.dropped += lines

    def _tell_of_recovery(self) -> None:
        if self.dropped > self._dropped_before:
            log.warning("%s is written again: %d lines were dropped", self._target, self.dropped - self._dropped_before)
            self._dropped_before = self.dropped

    def _reopen(self) -> None:
        try:
            fd = _open(self._target)
        except OSError as exc:
            log.error("%s can't be opened anew, the old file goes on: %s", self._target, exc.strerror)
            return
        self._close_file()
        self._fd, self._is_torn, self._most_bytes = fd, False, _most_bytes(fd)

    def _close_file(self) -> None:
        if self._target != STANDARD_OUTPUT:
            with contextlib.suppress(OSError):
                os.close(self._fd)


def _open(target: str) -> int:
    if target == STANDARD_OUTPUT:
        return 1
    return os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)


def _most_bytes(fd: int) -> int:
    """What the system writes in one piece, where several processes write: a file takes anything, a pipe little."""
    return select.PIPE_BUF if stat.S_ISFIFO(os.fstat(fd).st_mode) else 1 << 20
