"""Asks an origin how it is: one GET over a connection of its own, made as those of visitors are."""

import asyncio
import re
from typing import cast

from waitroom.dialler import Dialler
from waitroom.errors import OriginError

STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r\n]")
# More than any status line has.
MOST_BYTES = 4096


async def fault_of(dialler: Dialler, path: str, authority: bytes, within_s: float) -> str:
    """What is wrong with an origin; "" where it answers `path` with 2xx or 3xx in time."""
    try:
        async with asyncio.timeout(within_s):
            status = await _ask(dialler, path, authority)
    except TimeoutError:
        return f"no answer within {within_s:g} s"
    except OriginError as exc:
        return exc.fault
    if status is None:
        return "it sends no HTTP"
    return "" if 200 <= status < 400 else f"it answers {status}"


async def _ask(dialler: Dialler, path: str, authority: bytes) -> int | None:
    request = b"GET %b HTTP/1.1\r\nHost: %b\r\nUser-Agent: waitroom\r\nConnection: close\r\n\r\n"
    question = await dialler.dial(lambda: _Question(request % (path.encode(), authority)))
    try:
        return await question.status
    finally:
        question.end()


class _Question(asyncio.Protocol):
    """Asks once it is connected; `status` is that of the answer, None where it is no HTTP."""

    def __init__(self, request: bytes) -> None:
        self.status: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if b"\n" in self._received or len(self._received) > MOST_BYTES:
            self._conclude()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._conclude()

    def end(self) -> None:
        """Nothing that still comes is of interest."""
        if self._transport:
            self._transport.abort()
        self.status.cancel()

    def _conclude(self) -> None:
        if not self.status.done():
            line = STATUS_LINE.match(self._received)
            self.status.set_result(int(line[1]) if line else None)
