"""One end of a connection at the level of bytes, the visitor's or the origin's. It keeps all that it got."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.waitroom.proxy.messages import Field, Head, Message, chunk_size, field_of, framing, head_of

LINGER_NOT = struct.pack("ii", 1, 0)


class Ended(Exception):  # noqa: N818  # it says what the other end did
    """The other end closed before what was waited for had come."""


class End:
    """Sends bytes as they are told, and reads strictly: messages, or plain bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.got = bytearray()
        self.ending = ""
        self._taken = 0
        self._reader = reader
        self._writer = writer

    async def send(self, *parts: bytes) -> None:
        """Sends each part in a write of its own, which another end in this process reads before the next. A connection
        that is gone is noticed by reading."""
        for part in parts:
            with contextlib.suppress(ConnectionError):
                self._writer.write(part)
                await self._writer.drain()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def half_close(self) -> None:
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()

    def abandon(self) -> None:
        """Closes at once, whatever was still to be sent; where nothing is, closing is enough."""
        transport = self._writer.transport
        if transport.get_write_buffer_size():
            transport.abort()
        else:
            transport.close()

    def reset(self) -> None:
        """Ends without a goodbye: the other end's next read or write fails."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        self._writer.transport.abort()

    @property
    def socket(self) -> socket.socket:
        found: socket.socket = self._writer.get_extra_info("socket")
        return found

    async def more(self) -> bool:
        """Waits for some bytes; False when there will be none."""
        try:
            data = await self._reader.read(65_536)
        except ConnectionError:
            self.ending = "reset"
            return False
        if not data:
            self.ending = "closed"
        self.got += data
        return bool(data)

    async def until(self, mark: bytes) -> bytes:
        """What comes before a mark, which is taken, too. Raises Ended."""
        while (found := self.got.find(mark, self._taken)) < 0:
            if not await self.more():
                raise Ended(bytes(self.got[self._taken :]))
        taken, self._taken = bytes(self.got[self._taken : found]), found + len(mark)
        return taken

    async def exactly(self, size: int) -> bytes:
        """Raises Ended."""
        while len(self.got) - self._taken < size:
            if not await self.more():
                raise Ended(bytes(self.got[self._taken :]))
        taken = bytes(self.got[self._taken : self._taken + size])
        self._taken += size
        return taken

    async def rest(self) -> bytes:
        """All that comes until the other end closes."""
        while await self.more():
            pass
        taken = bytes(self.got[self._taken :])
        self._taken = len(self.got)
        return taken

    async def head(self) -> Head:
        """Raises Ended, and Unclear."""
        return head_of(await self.until(b"\r\n\r\n"))

    async def message(self, answers: bytes = b"") -> Message:
        """The next request or, with the method that it `answers`, response. Raises Ended before its head was whole,
        and Unclear."""
        head = await self.head()
        return await self.content(head, answers)

    async def content(self, head: Head, answers: bytes = b"") -> Message:
        """The message to a head. Raises Unclear."""
        parts: list[bytes] = []
        trailers: list[Field] = []
        try:
            match framing(head, answers):
                case "chunked":
                    while size := chunk_size(await self.until(b"\r\n")):
                        parts.append(await self.exactly(size))
                        assert await self.until(b"\r\n") == b"", "a chunk is longer than it says"
                    while line := await self.until(b"\r\n"):
                        trailers.append(field_of(line))
                case "until close":
                    parts.append(await self.rest())
                case size:
                    parts.append(await self.exactly(size))
        except Ended as exc:
            return Message(head, b"".join(parts) + exc.args[0], tuple(trailers), whole=False)
        return Message(head, b"".join(parts), tuple(trailers), whole=self.ending != "reset")


@asynccontextmanager
async def connected(port: int, source: str = "127.0.0.1") -> AsyncIterator[End]:
    """A connection to a proxy on this machine, from an address of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    end = End(reader, writer)
    try:
        yield end
    finally:
        end.abandon()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
