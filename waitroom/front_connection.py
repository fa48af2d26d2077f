"""A visitor's connection: reads requests in their order, and has each answered before it reads the next.

It guards what one visitor may take: the size of heads, what is read ahead, and the time for each step. Only a message
that was read without doubt becomes an exchange; anything else is refused, and the connection ends.
"""

import asyncio
import contextlib
import socket
import struct
from typing import Protocol, cast

from waitroom.exchange import Asker, Exchange
from waitroom.listener import address_of
from waitroom.wire.bodies import Body, Pieces
from waitroom.wire.errors import FramingError, RequestError
from waitroom.wire.heads import NO_FIELDS, RequestHead
from waitroom.wire.limits import WireLimits
from waitroom.wire.requests import read_first, without_empty_lines
from waitroom.wire.targets import Target

BUFFER_BYTES = 65_536
# How long a connection is read on after a last answer, so that a reset does not swallow it (RFC 9112, section 9.6).
LINGER_S = 2.0
LINGER_BYTES = 1_048_576
# Of a request, what is kept to see whether the next one is the same.
REPEATED_BYTES = 4096
# A visitor that has closed its side is asked now and then whether it still reads.
FIRST_ASK_S = 1.0
NEXT_ASK_S = 10.0
# How long a connection may be silent while the process ends: who has just connected is about to ask, and who was
# answered most likely not.
NEW_S = 5.0
ANSWERED_S = 1.0
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Host(Protocol):
    """Who has the connections: what it allows, and who takes their requests."""

    limits: WireLimits
    is_draining: bool

    def now_s(self) -> float: ...

    def opened(self, connection: "FrontConnection") -> bool: ...
    def closed(self, connection: "FrontConnection") -> None: ...
    def handle(self, exchange: Exchange) -> None: ...
    def refuse(self, exchange: Exchange, error: RequestError) -> None: ...
    def finished(self, exchange: Exchange, now_s: float) -> None: ...


class FrontConnection(asyncio.Protocol):
    """`address` is the visitor's where somebody in front has told it, else the peer's."""

    def __init__(self, host: Host, address: str = "", *, is_tls: bool = False) -> None:
        self.address = address
        self.is_tls = is_tls
        self.asker: Asker | None = None
        self._host = host
        self._limits = host.limits
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._body: Body | None = None
        self._buffer = b""
        # The last request, if it was nothing but a head: who waits asks the same again and again, and what follows from
        # the same bytes need not be found out again.
        self._last: tuple[bytes, RequestHead, Target] | None = None
        self._is_reading_ahead = False
        self._is_paused = False
        self._is_stalled = False  # too much is unsent
        self._is_closing = False
        self._has_closed_its_side = False
        self._since_s = 0.0  # the step under way: an idle connection, a head, a body's last part
        self._last_silence_s = NEW_S
        self._ask_s = 0.0
        self._lingered = 0
        self._unsent = 0
        self._unsent_since_s = 0.0

    def __repr__(self) -> str:
        return f"<FrontConnection {self.address} buffered={len(self._buffer)} {self._exchange!r}>"

    @property
    def is_draining(self) -> bool:
        """Whether this answer is the connection's last."""
        return self._host.is_draining or (self._has_closed_its_side and not self._buffer)

    @property
    def is_idle(self) -> bool:
        return self._exchange is None and not self._buffer

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=BUFFER_BYTES)
        self.address = self.address or address_of(transport)
        self._since_s = self._host.now_s()
        if not self._host.opened(self):
            self._refuse_unread(RequestError(503, "too_many_connections"))

    def data_received(self, data: bytes) -> None:
        if self._exchange is None:
            if self._is_closing:
                self._linger(len(data))
                return
            now_s = self._host.now_s()
            if self._buffer:
                self._buffer += data
            elif self._last is not None and self._last[0] == data and not self._is_stalled:
                self._since_s = now_s
                self._begin(self._last[1], self._last[2], now_s)
                return
            else:
                self._buffer = data
                self._since_s = now_s
            self._read_requests(now_s)
            if self._is_stalled:
                self._bound_read_ahead()
        elif self._exchange.is_tunnel:
            self._since_s = self._host.now_s()
            self._exchange.receive(data)
        elif self._body is not None:
            self._read_body(self._body, data)
        else:
            self._buffer += data
            self._bound_read_ahead()

    def eof_received(self) -> bool:
        """A visitor may close its side and still read (RFC 9112, section 9.6)."""
        self._has_closed_its_side = True
        exchange = self._exchange
        if exchange is None:
            return self._is_stalled and bool(self._buffer) and not self.is_tls  # requests that came before
        if self._body is not None:
            return False
        if exchange.is_tunnel and exchange.carrier:
            exchange.carrier.half_closed()
        else:
            exchange.invite()
            self._ask_s = self._host.now_s() + FIRST_ASK_S
        return not self.is_tls

    def connection_lost(self, _: Exception | None) -> None:
        self._is_closing = True
        self._transport = None
        self._host.closed(self)
        if self._exchange:
            self._exchange.gone()

    def pause_writing(self) -> None:
        self._is_stalled = True
        self._unsent_since_s = self._host.now_s()
        if self._exchange and self._exchange.carrier:
            self._exchange.carrier.pause()

    def resume_writing(self) -> None:
        self._is_stalled = False
        self._unsent = 0
        if self._exchange is None:
            if not self._is_closing:
                self._go_on(self._host.now_s())
        elif self._exchange.carrier:
            self._exchange.carrier.resume()

    # What the exchange asks for.

    def write(self, data: bytes) -> None:
        if self._transport and data:
            self._transport.write(data)

    def writelines(self, pieces: Pieces) -> None:
        if self._transport:
            if len(pieces) == 1:  # costs less, and most are one
                self._transport.write(pieces[0])
            else:
                self._transport.writelines(pieces)

    def write_eof(self) -> None:
        """Closes our side, where the transport can; else the whole connection."""
        if self._transport and self._transport.can_write_eof():
            self._transport.write_eof()
        elif self._transport:
            self._transport.close()

    def take_read_ahead(self) -> bytes:
        """What has come behind the request under way: through a tunnel, it goes on."""
        ahead, self._buffer = self._buffer, b""
        self.resume_reading()
        return ahead

    def pause_reading(self) -> None:
        if self._transport and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._since_s = self._host.now_s()
            if self._transport:
                self._transport.resume_reading()

    def break_off(self, *, unmistakably: bool) -> None:
        """Ends the connection in the midst of a response; `unmistakably` where a mere end would look whole."""
        if self._transport is None:
            return
        self._is_closing = True
        if not unmistakably:
            self._transport.close()
            return
        if peer := self._transport.get_extra_info("socket"):
            with contextlib.suppress(OSError):
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._transport.abort()

    def ended(self, exchange: Exchange) -> None:
        """The exchange is over: the next one may begin, if the connection goes on."""
        now_s = self._host.now_s()
        self._host.finished(exchange, now_s)
        self._exchange = None
        if self._transport is None or self._is_closing:
            return
        if exchange.will_close or (self._has_closed_its_side and not self._buffer):
            self._close(is_quiet=self._body is None and not self._buffer)
        elif not self._is_stalled:
            self._go_on(now_s)

    # What time brings.

    def check(self, now_s: float) -> None:
        """Ends what takes too long; called about every second."""
        limits = self._limits
        exchange = self._exchange
        if self._is_closing:
            if self._lingered and now_s - self._since_s > LINGER_S:
                self.close()
        elif exchange is None:
            self._check_head(now_s)
        elif self._body is not None and not self._is_paused and now_s - self._since_s > limits.body_s:
            self._refuse(exchange, RequestError(408, "body_timeout"))
        elif exchange.carrier:
            exchange.carrier.check(now_s)
        if self._has_closed_its_side and exchange and not exchange.is_tunnel and now_s > self._ask_s:
            self._ask_s = now_s + NEXT_ASK_S
            exchange.invite()
        self._check_unsent(now_s)

    def close(self) -> None:
        """Ends the connection once all is sent."""
        self._is_closing = True
        if self._transport:
            self._transport.close()

    def abort(self) -> None:
        """Ends the connection at once."""
        self._is_closing = True
        if self._transport:
            self._transport.abort()

    def _check_head(self, now_s: float) -> None:
        if self._transport and self._transport.get_write_buffer_size():
            self._since_s = now_s  # it is the visitor's turn to read
        elif not self._buffer:
            if now_s - self._since_s > (self._last_silence_s if self._host.is_draining else self._limits.idle_s):
                self.close()
        elif now_s - self._since_s > self._limits.head_s:
            self._refuse_unread(RequestError(408, "head_timeout"))

    def _check_unsent(self, now_s: float) -> None:
        """A visitor that takes nothing of what it was sent for too long is gone, or means harm: by a reset, the system
        forgets at once what it has not taken."""
        if self._transport is None:
            return
        unsent = self._transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since_s = unsent, now_s
        elif now_s - self._unsent_since_s > self._limits.send_s:
            self.break_off(unmistakably=True)

    # Reading.

    def _go_on(self, now_s: float) -> None:
        """The next request may begin."""
        self._since_s = now_s
        self._last_silence_s = ANSWERED_S
        if self._is_paused:
            self.resume_reading()
        if self._buffer and not self._is_reading_ahead:
            self._read_requests(now_s)

    def _bound_read_ahead(self) -> None:
        if len(self._buffer) > BUFFER_BYTES:
            self.pause_reading()

    def _read_requests(self, now_s: float) -> None:
        """Reads as many requests as are answered at once; the others wait for their turn, and until the answers before
        them are taken."""
        self._is_reading_ahead = True
        try:
            while self._exchange is None and self._buffer and not (self._is_closing or self._is_stalled):
                if not self._read_request(now_s):
                    break
        finally:
            self._is_reading_ahead = False
        if self._has_closed_its_side and self._exchange is None and not (self._is_closing or self._is_stalled):
            self.close()  # the rest will never come

    def _read_request(self, now_s: float) -> bool:
        """Reads a request, if its head has come; says whether it had."""
        data = self._buffer
        if data.startswith(b"\r\n"):
            data = self._buffer = without_empty_lines(data)
        try:
            request = read_first(data, self._limits)
        except RequestError as exc:
            self._refuse_unread(exc)
            return False
        if request is None:
            return False
        head, target, body, end = request
        self._buffer = data[end:]
        if body is None:
            if end == len(data) <= REPEATED_BYTES:
                self._last = data, head, target
            self._begin(head, target, now_s)
            return True
        self._body = body
        self._exchange = exchange = Exchange(self, head, target, body, now_s)
        if self._buffer:
            self._read_body(body, self._buffer)
        if not exchange.is_over:
            self._host.handle(exchange)
        return True

    def _begin(self, head: RequestHead, target: Target, now_s: float) -> None:
        """A request has come that is nothing but a head."""
        self._body = None
        self._exchange = exchange = Exchange(self, head, target, None, now_s)
        self._host.handle(exchange)

    def _read_body(self, body: Body, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            self._linger(len(data))
            return
        self._since_s = self._host.now_s()
        try:
            content, self._buffer = body.feed(data)
        except FramingError as exc:
            self._refuse(exchange, RequestError(400, exc.code))
            return
        if self._limits.body_bytes and exchange.bytes_in + len(content) > self._limits.body_bytes:
            self._refuse(exchange, RequestError(413, "body_too_large"))
            return
        if content:
            exchange.receive(content)
        if body.is_done:
            self._body = None
            exchange.received()

    # Ending.

    def _refuse_unread(self, error: RequestError) -> None:
        """Refuses what did not become a request."""
        nothing = RequestHead(b"", b"", 1, b"", NO_FIELDS)
        self._exchange = exchange = Exchange(self, nothing, Target(b"", b"", "", b""), None, self._host.now_s())
        self._refuse(exchange, error)

    def _refuse(self, exchange: Exchange, error: RequestError) -> None:
        exchange.will_close = True
        if exchange.is_begun:
            exchange.break_off()
        else:
            self._host.refuse(exchange, error)

    def _close(self, *, is_quiet: bool) -> None:
        """Ends the connection behind a last answer. Where more is still to come, it is read for a while."""
        self._is_closing = True
        self._since_s = self._host.now_s()
        if is_quiet:
            self.close()
        else:
            self.resume_reading()
            self._lingered = 1
            self.write_eof()

    def _linger(self, size: int) -> None:
        self._lingered += size
        if self._lingered > LINGER_BYTES:
            self.abort()
