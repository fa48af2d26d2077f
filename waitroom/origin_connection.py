"""A connection to an origin: carries one exchange after another, and is fit for the next only behind a clean end."""

import asyncio
from typing import Protocol, cast

from waitroom import unread
from waitroom.wire.bodies import Body, ChunkedBody, CloseBody, Pieces, is_whole, response_body
from waitroom.wire.errors import FramingError, ResponseError
from waitroom.wire.heads import END, ResponseHead, response_head

BUFFER_BYTES = 65_536
# Of a response's head: some sites set many cookies.
HEAD_BYTES = 65_536


class Receiver(Protocol):
    """Who takes the response."""

    def informed(self, head: ResponseHead) -> None: ...
    def switched(self, head: ResponseHead) -> None: ...
    def begun(self, head: ResponseHead, body: Body | None, content: bytes, *, is_whole: bool) -> None: ...
    def more(self, pieces: Pieces, *, is_whole: bool) -> None: ...
    def half_closed_by_origin(self) -> None: ...
    def broken(self, why: str) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def pause_upload(self) -> None: ...
    def resume_upload(self) -> None: ...


class OriginConnection(asyncio.Protocol):
    """`has_answered` tells that a byte of the response under way has come."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.is_usable = True
        self.has_answered = False
        self._receiver: Receiver | None = None
        self._method = b""
        self._buffer = b""
        self._body: Body | None = None
        self._is_in_body = False
        self._is_tunnel = False
        self._goes_on = False

    def __repr__(self) -> str:
        return f"<OriginConnection usable={self.is_usable} {self._receiver!r}>"

    def begin(self, receiver: Receiver, method: bytes, data: bytes) -> None:
        """Sends a request's head, with what of its body is there."""
        self._receiver = receiver
        self._method = method
        self.has_answered = self._is_in_body = False
        if self.transport:
            self.transport.write(data)

    def end(self) -> bool:
        """Lets go of the exchange; says whether another one may follow."""
        self._receiver = None
        if self.transport is None or not self.is_usable or not self._goes_on:
            return False
        self.transport.resume_reading()  # the visitor may have been slow
        return not self.transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        if self.transport:
            self.transport.write(data)

    def writelines(self, pieces: Pieces) -> None:
        if self.transport:
            self.transport.writelines(pieces)

    def write_eof(self) -> None:
        if self.transport and self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.close()

    def close(self) -> None:
        """Ends it. What a tunnel has taken is still sent; the rest of a request is of no use to anybody, and an origin
        that takes nothing must not keep the connection."""
        self.is_usable = False
        if self.transport is None:
            return
        if self._is_tunnel or not self.transport.get_write_buffer_size():
            self.transport.close()
        else:
            self.transport.abort()

    def abort(self) -> None:
        """Ends it without sending what waits to be sent."""
        self.is_usable = False
        if self.transport:
            self.transport.abort()

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        receiver = self._receiver
        if receiver is None:  # nobody has asked: what follows can't be told from an answer to somebody else
            self.abort()
            return
        self.has_answered = True
        try:
            if self._is_tunnel:
                receiver.more((data,), is_whole=False)
            elif self._is_in_body:
                self._read_body(receiver, data)
            else:
                self._read_heads(receiver, self._buffer + data if self._buffer else data)
        except (ResponseError, FramingError) as exc:
            self._break(exc.code)

    def eof_received(self) -> bool:
        receiver = self._receiver
        if self._is_tunnel and receiver:
            receiver.half_closed_by_origin()
            return self.transport is not None and self.transport.can_write_eof()  # TLS knows no half
        self.is_usable = False
        if receiver and self._is_in_body and isinstance(self._body, CloseBody):
            self._goes_on = False
            receiver.more((), is_whole=True)
        else:  # nothing more will come, even if something is still to be sent
            self._break("connection_closed")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_usable = False
        transport, self.transport = self.transport, None
        if exc and transport:
            self._hear_out(transport)
        self._break("connection_reset" if exc else "connection_closed")

    def pause_writing(self) -> None:
        if self._receiver:
            self._receiver.pause_upload()

    def resume_writing(self) -> None:
        if self._receiver:
            self._receiver.resume_upload()

    def _hear_out(self, transport: asyncio.Transport) -> None:
        """What we write may fail because the origin has answered, and closed."""
        for data in unread.rest(transport):
            if self._receiver is None:
                break
            self.data_received(data)

    def _break(self, why: str) -> None:
        self.is_usable = False
        receiver, self._receiver = self._receiver, None
        if receiver:
            receiver.broken(why)
        if self.transport:
            self.transport.abort()

    def _read_heads(self, receiver: Receiver, data: bytes) -> None:
        """Reads interim heads and the final one."""
        while (end := data.find(END) + len(END)) >= len(END):
            head = response_head(data[:end])
            data = data[end:]
            if head.status >= 200:
                self._begin_body(receiver, head, data)
                return
            if head.status == 101:
                self._switch(receiver, head, data)
                return
            receiver.informed(head)
        self._buffer = data
        if len(data) > HEAD_BYTES:
            raise ResponseError("head_too_large")

    def _begin_body(self, receiver: Receiver, head: ResponseHead, data: bytes) -> None:
        self._is_in_body = True
        self._buffer = b""
        self._body = None
        self._goes_on = head.goes_on
        if is_whole(head, self._method, data):
            receiver.begun(head, None, data, is_whole=True)
            return
        body = self._body = response_body(head, self._method)
        content, rest = body.feed(data) if body else (b"", data)
        self._check_rest(rest)
        receiver.begun(head, body, content, is_whole=body is None or body.is_done)

    def _read_body(self, receiver: Receiver, data: bytes) -> None:
        body = self._body
        if body is None or body.is_done:
            self.abort()
            return
        pieces: Pieces
        if isinstance(body, ChunkedBody):
            pieces, rest = body.pieces(data)
        else:
            content, rest = body.feed(data)
            pieces = (content,)
        self._check_rest(rest)
        receiver.more(pieces, is_whole=body.is_done)

    def _check_rest(self, rest: bytes) -> None:
        """Behind a response nothing may follow that nobody has asked for."""
        if rest:
            self.is_usable = False

    def _switch(self, receiver: Receiver, head: ResponseHead, rest: bytes) -> None:
        self._is_tunnel = self._is_in_body = True
        self.is_usable = False
        self._buffer = b""
        receiver.switched(head)
        if rest and self._receiver:
            receiver.more((rest,), is_whole=False)
