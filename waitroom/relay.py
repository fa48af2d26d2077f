"""Carries one exchange to an origin and back: picks a connection, streams both bodies, and keeps each side at the
pace of the other. What fails before any of the response came is tried once more, where that can do no harm (RFC 9110,
9.2.2).
"""

import asyncio
import logging
from functools import partial
from typing import Protocol

from waitroom.errors import OriginError, OriginTimeoutError
from waitroom.exchange import Exchange
from waitroom.judge import Carry
from waitroom.origin import Origin
from waitroom.origin_connection import BUFFER_BYTES, OriginConnection
from waitroom.rooms import Room
from waitroom.wire.bodies import LAST_CHUNK, Body, Pieces, chunk
from waitroom.wire.heads import ResponseHead
from waitroom.wire.rewriting import COMMAND, to_origin, upgrade_of

log = logging.getLogger(__name__)

# Asking twice for these is like asking once (RFC 9110, section 9.2.2).
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PROPFIND", b"REPORT", b"SEARCH", b"QUERY"))
# How long a visitor that wants to be asked for its body waits for the origin to ask.
INVITE_S = 1.0


OriginOf = Origin[OriginConnection]


class Sender(Protocol):
    """Who sends requests on. `choose` gives an origin other than the one that failed, None where there is none; `asked`
    counts that a response is waited for, and `answered` that its head came, or that none will, after so many seconds;
    `obey` does what the origin commands, and gives cookies to set; `origin_failed` counts; `fail` answers with 502, 503
    or 504; `keep` looks after a tunnel."""

    def now_s(self) -> float: ...

    def choose(self, room: Room, failed: OriginOf | None) -> OriginOf | None: ...
    def asked(self, room: str) -> None: ...
    def answered(self, room: str, seconds: float, *, is_error: bool) -> None: ...
    async def obey(self, exchange: Exchange, room: Room, carry: Carry, command: str) -> list[str]: ...
    def origin_failed(self, exchange: Exchange, why: str) -> None: ...
    def fail(self, exchange: Exchange, room: Room, carry: Carry, status: int) -> None: ...
    def keep(self, exchange: Exchange, room: Room, carry: Carry) -> None: ...


class Relay:
    """One exchange under way. All times are by a steady clock. What stands in the class is what most relays have, so
    that none has to set it."""

    _has_sent_body = False
    _is_ended = False
    _is_half_closed = False  # one side of the tunnel
    _is_paused = False
    _is_upload_paused = False
    _is_reused = False
    _is_tried_again = False
    _deadline_s = 0.0
    _sent_s = 0.0
    _invite_s = 0.0

    def __init__(self, exchange: Exchange, room: Room, carry: Carry, ours: bytes, sender: Sender) -> None:
        """`ours` are the lines that are added to the request, with their ends."""
        self._exchange = exchange
        self._room = room
        self._carry = carry
        self._ours = ours
        self._sender = sender
        self._terms = room.origin_terms
        self._origin: OriginOf | None = None
        self._connection: OriginConnection | None = None
        self._task: asyncio.Task[OriginConnection] | asyncio.Task[None] | None = None
        self._pending: list[bytes | memoryview] | None = None  # of the body, while there is no connection
        self._obeying: tuple[ResponseHead, Body | None, list[bytes | memoryview], bool] | None = None
        self._asked_s = 0.0  # while no head has come

    def __repr__(self) -> str:
        return f"<Relay to {self._origin!r} ended={self._is_ended}>"

    def start(self) -> None:
        """Sends the request to an origin."""
        exchange = self._exchange
        self._asked_s = now_s = self._sender.now_s()
        self._sender.asked(self._room.name)
        if not exchange.has_body:
            exchange.carrier = self
            self._try(now_s)
            return
        self._try(now_s)
        if not self._is_ended:
            exchange.carry(self)

    def _try(self, now_s: float) -> None:
        origin = self._sender.choose(self._room, None)
        if origin:
            self._go(origin, now_s)
        else:
            self._fail(503)

    def _try_another(self, failed: OriginOf) -> bool:
        """Sends the request to another origin, where there is one: nothing of it has been sent yet."""
        self._is_tried_again = True
        origin = self._sender.choose(self._room, failed)
        if origin:
            self._go(origin, self._sender.now_s())
        return origin is not None

    def _go(self, origin: OriginOf, now_s: float) -> None:
        self._origin = origin
        self._exchange.origin = origin.url
        # An origin that has closed one idle connection has closed the others, too.
        connection = None if self._is_tried_again else origin.take()
        self._is_reused = connection is not None
        if connection:
            self._send(connection, origin, now_s)
        else:
            self._task = task = origin.connect()
            task.add_done_callback(partial(self._connected, origin))

    def _connected(self, origin: OriginOf, task: asyncio.Task[OriginConnection]) -> None:
        self._task = None
        if task.cancelled():
            return
        exc = task.exception()
        if isinstance(exc, OriginError):
            self._unreachable(origin, exc)
        elif self._is_ended:
            origin.give_back(task.result(), reusable=False)
        else:
            self._send(task.result(), origin, self._sender.now_s())

    def _unreachable(self, origin: OriginOf, exc: OriginError) -> None:
        origin.failed()
        self._sender.origin_failed(self._exchange, _kind(exc))
        log.warning("%s (request %s)", exc, self._exchange.request_id.decode())
        if not self._is_ended and not (self._may_try_again() and self._try_another(origin)):
            self._fail(exc.status)

    def _send(self, connection: OriginConnection, origin: OriginOf, now_s: float) -> None:
        exchange = self._exchange
        self._connection = connection
        request = exchange.head
        head = to_origin(
            request, exchange.target, self._ours, authority=origin.authority, is_chunked=exchange.is_upload_chunked
        )
        self._sent_s = now_s
        self._deadline_s = now_s + self._terms.response_s
        if exchange.has_body:
            head += self._begin_upload(now_s)
        connection.begin(self, request.method, head)

    def _begin_upload(self, now_s: float) -> bytes:
        """What of the request's body goes with its head."""
        exchange = self._exchange
        if not exchange.was_received and b"expect" in exchange.head.looked:
            self._invite_s = now_s + INVITE_S
        pending, self._pending = self._pending, None
        if not pending:
            return b""
        self._has_sent_body = True
        exchange.connection.resume_reading()  # first: the origin may have it paused again
        return b"".join(pending)

    def _may_try_again(self) -> bool:
        return not (self._has_sent_body or self._is_tried_again or self._is_ended)

    # From the visitor.

    def receive(self, content: bytes) -> None:
        """A part of the request's body, or of what goes through a tunnel."""
        if self._exchange.is_upload_chunked and not self._exchange.is_tunnel:
            self._forward(chunk((content,), len(content)))
        else:
            self._forward((content,))

    def received(self) -> None:
        """The request's body is whole."""
        if self._exchange.is_upload_chunked:
            self._forward((LAST_CHUNK,))

    def half_closed(self) -> None:
        """The visitor has closed its side of a tunnel."""
        if self._is_half_closed:
            self._finish()
        elif self._connection:
            self._is_half_closed = True
            self._connection.write_eof()

    def pause(self) -> None:
        """The visitor does not keep up."""
        self._is_paused = True
        if self._connection and self._connection.transport:
            self._connection.transport.pause_reading()

    def resume(self) -> None:
        self._is_paused = False
        if self._connection and self._connection.transport and not self._obeying:
            self._deadline_s = self._sender.now_s() + self._terms.stall_s
            self._connection.transport.resume_reading()

    def cancel(self) -> None:
        """Nobody waits for the rest any more: the origin is told by the end of the connection."""
        if self._is_ended:
            return
        self._is_ended = True
        self._answered(is_error=False)
        if self._task and not self._obeying:  # what the origin has commanded is done all the same
            self._task.cancel()
        self._let_go(reusable=False)

    def check(self, now_s: float) -> None:
        """Ends what the origin lets wait for too long."""
        if self._invite_s and now_s > self._invite_s:
            self._invite_s = 0.0
            if not self._has_sent_body:
                self._exchange.invite()
        connection = self._connection
        if connection is None or now_s <= self._deadline_s or self._obeying or self._waits_for_visitor:
            return
        if self._exchange.is_tunnel:  # nobody has failed: nobody has said anything
            self._is_ended = True
            self._let_go(reusable=False)
            self._exchange.break_off()
        else:
            self._broke("timeout", 504)

    @property
    def _waits_for_visitor(self) -> bool:
        """To take more of the response, or to send more of the request."""
        exchange = self._exchange
        return self._is_paused or not (exchange.was_received or exchange.is_begun or self._is_upload_paused)

    def _forward(self, pieces: Pieces) -> None:
        connection = self._connection
        if connection is None:
            self._pending = [*(self._pending or ()), *pieces]
            if sum(map(len, self._pending)) > BUFFER_BYTES:
                self._exchange.connection.pause_reading()
            return
        self._has_sent_body = True
        self._progress()
        connection.writelines(pieces)

    def _progress(self) -> None:
        limit_s = self._terms.stall_s if self._exchange.is_begun else self._terms.response_s
        self._deadline_s = self._sender.now_s() + limit_s

    # From the origin.

    def pause_upload(self) -> None:
        """The origin does not keep up."""
        self._is_upload_paused = True
        self._exchange.connection.pause_reading()

    def resume_upload(self) -> None:
        self._is_upload_paused = False
        self._progress()
        self._exchange.connection.resume_reading()

    def informed(self, head: ResponseHead) -> None:
        """An interim response."""
        self._invite_s = 0.0
        self._exchange.inform(head)

    def switched(self, head: ResponseHead) -> None:
        """The origin agrees to another protocol."""
        exchange = self._exchange
        if not upgrade_of(exchange.head) or not exchange.was_received:
            self._broke("bad_upgrade", 502)
            return
        self._succeed(head)
        self._deadline_s = self._sender.now_s() + self._terms.stall_s
        exchange.open_tunnel(head)
        if self._is_upload_paused:
            self.pause_upload()
        self._sender.keep(exchange, self._room, self._carry)

    def begun(self, head: ResponseHead, body: Body | None, content: bytes, *, is_whole: bool) -> None:
        """The head of the response, and what of its body came with it."""
        self._succeed(head)
        if COMMAND in head.looked:
            self._obeying = head, body, [content], is_whole
            self.pause()
            self._task = asyncio.create_task(self._obey(head.looked[COMMAND][-1].decode("latin-1").lower()))
            return
        self._exchange.begin(head, body, self._carry.cookies, content)
        self._began(is_whole=is_whole)

    def more(self, pieces: Pieces, *, is_whole: bool) -> None:
        """A part of the response's body, or of what comes through a tunnel."""
        if self._obeying:
            head, body, contents, _ = self._obeying
            self._obeying = head, body, [*contents, *pieces], is_whole
            return
        self._deadline_s = self._sender.now_s() + self._terms.stall_s
        if pieces:
            self._exchange.write(pieces)
        if is_whole:
            self._finish()

    def half_closed_by_origin(self) -> None:
        """The origin has closed its side of a tunnel."""
        if self._is_half_closed:
            self._finish()
        else:
            self._is_half_closed = True
            self._exchange.connection.write_eof()

    def broken(self, why: str) -> None:
        """The connection ended, or what came on it was no response."""
        connection, origin = self._connection, self._origin
        if connection is None or origin is None or self._is_ended:
            return
        if self._exchange.is_tunnel:
            self._finish()
        elif self._obeying and self._obeying[-1]:
            pass  # the response had come whole
        elif (
            self._is_reused
            and not connection.has_answered
            and self._may_try_again()
            and self._exchange.head.method in IDEMPOTENT
        ):
            self._let_go(reusable=False)
            self._is_tried_again = True
            self._try(self._sender.now_s())
        else:
            self._broke(why, 502)

    async def _obey(self, command: str) -> None:
        obeyed = await self._sender.obey(self._exchange, self._room, self._carry, command)
        cookies = [*self._carry.cookies, *obeyed]
        self._task = None
        if self._obeying is None or self._is_ended:
            return
        head, body, contents, is_whole = self._obeying
        self._obeying = None
        self.resume()
        self._exchange.begin(head, body, cookies, b"".join(contents))
        self._began(is_whole=is_whole)

    def _began(self, *, is_whole: bool) -> None:
        if is_whole:
            self._finish()
        else:
            self._deadline_s = self._sender.now_s() + self._terms.stall_s

    # Ends.

    def _succeed(self, head: ResponseHead) -> None:
        self._invite_s = 0.0
        self._answered(is_error=head.status >= 500)
        if self._origin:
            self._origin.succeeded()

    def _finish(self) -> None:
        exchange = self._exchange
        self._is_ended = True
        self._let_go(reusable=exchange.was_received)
        exchange.end()

    def _broke(self, why: str, status: int) -> None:
        """The origin failed in the midst of an exchange."""
        if self._origin:
            self._origin.failed()
        self._sender.origin_failed(self._exchange, why)
        log.warning("%s: %s (request %s)", self._exchange.origin, why, self._exchange.request_id.decode())
        if self._exchange.is_begun:
            self._is_ended = True
            self._let_go(reusable=False)
            self._exchange.break_off()
        else:
            self._fail(status)

    def _answered(self, *, is_error: bool) -> None:
        """The origin has answered, or never will. Who leaves before has found it slow, and no more than that."""
        if self._asked_s:
            self._sender.answered(self._room.name, self._sender.now_s() - self._asked_s, is_error=is_error)
            self._asked_s = 0.0

    def _fail(self, status: int) -> None:
        self._is_ended = True
        self._answered(is_error=True)
        self._let_go(reusable=False)
        self._sender.fail(self._exchange, self._room, self._carry, status)

    def _let_go(self, *, reusable: bool) -> None:
        connection, origin = self._connection, self._origin
        if connection and origin:
            self._connection = None
            self._exchange.origin_s += self._sender.now_s() - self._sent_s
            goes_on = connection.end()
            origin.give_back(connection, reusable=reusable and goes_on)


def _kind(exc: OriginError) -> str:
    return "timeout" if isinstance(exc, OriginTimeoutError) else "unreachable"
