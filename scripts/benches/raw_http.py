"""The client's side of HTTP/1.1, for generators of load: requests go out as the bytes that they are, and what comes
back is cut up as little as can be. One request at a time on a connection; no HEAD, and no upgrade."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

# RFC 9112, section 6.3.
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
BODILESS = {204, 304}


@dataclass(slots=True)
class Reply:
    """What came back. `head` is the status line and the fields; `first_s` and `whole_s` are when its first byte and
    its last were there, by the monotonic clock: a loop's own may stand still for a millisecond."""

    status: int
    head: bytes
    body: bytes
    first_s: float
    whole_s: float

    def field(self, name: bytes) -> bytes:
        """The first field of this name, which is to be in lower case; empty if there is none."""
        return next(iter(self.fields(name)), b"")

    def fields(self, name: bytes) -> list[bytes]:
        """All fields of this name, which is to be in lower case."""
        lines = self.head.split(b"\r\n")[1:]
        return [line[len(name) + 1 :].strip() for line in lines if line[: len(name) + 1].lower() == name + b":"]


# None: the connection was lost before the whole reply was there.
OnReply: TypeAlias = Callable[[Reply | None], None]


class Connection(asyncio.Protocol):
    """One connection. `on_lost` is called when it is gone, by whomever it was closed."""

    def __init__(self, on_lost: Callable[["Connection"], None] | None = None) -> None:
        self._on_lost = on_lost
        self._on_reply: OnReply | None = None
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._first_s = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether it can be asked something now."""
        return self._transport is not None and self._on_reply is None

    def ask(self, request: bytes, on_reply: OnReply) -> None:
        """Sends a whole request. It must be idle."""
        assert self._transport
        assert not self._on_reply
        self._on_reply = on_reply
        self._received = b""
        self._transport.write(request)

    def close(self) -> None:
        """An answer that is under way is given up."""
        if self._transport:
            self._transport.abort() if self._on_reply else self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # asyncio's own protocols do the same

    def data_received(self, data: bytes) -> None:
        if not self._on_reply:
            self.close()  # nobody asked
            return
        if not self._received:
            self._first_s = time.monotonic()
        self._received = self._received + data if self._received else data
        if whole := cut(self._received):
            self._reply(*whole)

    def eof_received(self) -> None:
        """RFC 9112, section 6.3: a body without a length ends with the connection."""
        if self._on_reply and (whole := cut(self._received, is_all=True)):
            self._reply(*whole)

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        if on_reply := self._on_reply:
            self._on_reply = None
            on_reply(None)
        if self._on_lost:
            self._on_lost(self)

    def _reply(self, status: int, head: bytes, body: bytes) -> None:
        on_reply, self._on_reply = self._on_reply, None
        assert on_reply
        if CLOSES.search(head) and self._transport:
            self._transport.close()
            self._transport = None
        on_reply(Reply(status, head, body, self._first_s, time.monotonic()))


def cut(received: bytes, *, is_all: bool = False) -> tuple[int, bytes, bytes] | None:
    """The status, the head and the body of a reply, once all of it was received; `is_all`: nothing more will come."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    status, start = int(received[9:12]), end + 4
    if status < 200:  # RFC 9110, section 15.2: the answer is yet to come
        return cut(received[start:], is_all=is_all)
    head = received[:end]
    if status in BODILESS:
        return status, head, b""
    if length := LENGTH.search(head):
        body = received[start : start + int(length[1])]
        return (status, head, body) if len(body) == int(length[1]) else None
    if CHUNKED.search(head):
        content = joined(received[start:])
        return None if content is None else (status, head, content)
    return (status, head, received[start:]) if is_all else None


def joined(chunks: bytes) -> bytes | None:
    """The content of a chunked body (RFC 9112, section 7.1), once all of it is there."""
    content, at = b"", 0
    while (line := chunks.find(b"\r\n", at)) >= 0:
        size = int(chunks[at:line].partition(b";")[0], 16)
        if not size:
            is_there = chunks.startswith(b"\r\n", line + 2) or chunks.find(b"\r\n\r\n", line + 2) >= 0
            return content if is_there else None
        content += chunks[line + 2 : line + 2 + size]
        at = line + 4 + size
    return None
