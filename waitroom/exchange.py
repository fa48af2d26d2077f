"""One request of a visitor's and its response, at the visitor's end: what was asked, and the way to answer it.

Bodies come and go as they are, framed for the visitor: chunked for HTTP/1.1 where no length is known, for HTTP/1.0 up
to the end of the connection. A response that breaks off looks broken off (RFC 9112, section 8).
"""

from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol

from waitroom.dates import date_line
from waitroom.headers import Client, forwarded_lines
from waitroom.response import Field, Response
from waitroom.wire.bodies import COPIED_BYTES, LAST_CHUNK, Body, ChunkedBody, CloseBody, LengthBody, Pieces, chunk
from waitroom.wire.heads import RequestHead, ResponseHead
from waitroom.wire.rewriting import to_visitor
from waitroom.wire.targets import Target

REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
MOST_STARTS = 512
WITHOUT_CONTENT = (204, 304)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
# Of a request's body, what is kept while nobody takes it yet.
HELD_BYTES = 65_536


class Asker:
    """Who asks, for which host (lower case, no port). `authority` is what this was found out for."""

    __slots__ = ("_lines", "authority", "client", "host", "is_secure")

    def __init__(self, authority: bytes, client: Client, host: str) -> None:
        self.authority = authority
        self.client = client
        self.host = host
        self.is_secure = client.is_secure
        self._lines = b""

    @property
    def lines(self) -> bytes:
        """What tells an origin so, once it is asked for: many ask only waitroom."""
        if not self._lines:
            self._lines = forwarded_lines(self.client)
        return self._lines


class Visitor(Protocol):
    """What an exchange needs of the visitor's connection."""

    asker: Asker | None

    @property
    def address(self) -> str: ...
    @property
    def is_tls(self) -> bool: ...
    @property
    def is_draining(self) -> bool: ...

    def write(self, data: bytes) -> None: ...
    def writelines(self, pieces: Pieces) -> None: ...
    def write_eof(self) -> None: ...
    def take_read_ahead(self) -> bytes: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def ended(self, exchange: "Exchange") -> None: ...
    def break_off(self, *, unmistakably: bool) -> None: ...


class Carrier(Protocol):
    """Who takes the request further: it gets the body, and hears what becomes of the visitor."""

    def receive(self, content: bytes) -> None: ...
    def received(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def half_closed(self) -> None: ...
    def cancel(self) -> None: ...
    def check(self, now_s: float) -> None: ...


class Cancellable(Protocol):
    """Work that nobody may want any more."""

    def cancel(self) -> object: ...


class Trace(Protocol):
    """What is told to a trace of how its exchange went."""

    def origin_failed(self, why: str) -> None: ...
    def end(self, exchange: "Exchange") -> None: ...


class Exchange:
    """`body` is the framing of the request's body, None for none; `started_s` is by a steady clock. What stands in the
    class is what most exchanges never change, or only once."""

    held = b""
    is_begun = False  # the final head is written
    is_tunnel = False
    was_broken_off = False
    # For the access log and the metrics.
    request_id = b""
    room = ""
    key = ""
    outcome = ""
    origin = ""
    status = 0

    def __init__(
        self, connection: Visitor, head: RequestHead, target: Target, body: Body | None, started_s: float
    ) -> None:
        self.connection = connection
        self.head = head
        self.target = target
        self.started_s = started_s
        self.will_close = not head.goes_on
        self.carrier: Carrier | None = None
        self.task: Cancellable | None = None  # that will answer, or give it to a carrier
        self.response_body: Body | None = None
        self.asker: Asker | None = None
        self.trace: Trace | None = None
        self.is_over = self.is_chunked = False
        self.bytes_in = self.bytes_out = 0
        self.origin_s = 0.0
        self.has_body = body is not None
        self.is_upload_chunked = isinstance(body, ChunkedBody)
        self.was_received = not self.has_body

    def __repr__(self) -> str:
        return f"<Exchange {self.head.method!r} {self.target.raw!r} status={self.status} over={self.is_over}>"

    # From the visitor.

    def receive(self, content: bytes) -> None:
        """Takes a part of the request's body."""
        self.bytes_in += len(content)
        if self.carrier:
            self.carrier.receive(content)
        else:
            self.held += content
            if len(self.held) >= HELD_BYTES:
                self.connection.pause_reading()

    def received(self) -> None:
        """The request's body has come whole."""
        self.was_received = True
        if self.carrier:
            self.carrier.received()

    def carry(self, carrier: Carrier) -> None:
        """Gives the request to a carrier: what has come of its body at once, the rest as it comes."""
        self.carrier = carrier
        if self.held:
            held, self.held = self.held, b""
            self.connection.resume_reading()  # first: the carrier may have it paused again
            carrier.receive(held)
        if self.was_received:
            carrier.received()

    def gone(self) -> None:
        """The visitor is gone: nobody waits for a response."""
        if not self.is_over:
            self.was_broken_off = True
            if self.task:
                self.task.cancel()
            self._end()

    # To the visitor.

    def answer(self, response: Response, cookies: Sequence[str] = ()) -> None:
        """Answers with what waitroom itself has to say."""
        if self.is_over:
            return
        connection = self.connection
        self.status = response.status
        self.is_begun = True
        if self.has_body or connection.is_draining:
            self._decide_to_close()
        body = response.body
        # RFC 9110, section 8.6: none where there can be no content.
        length = b"" if response.status in WITHOUT_CONTENT else b"Content-Length: %d\r\n" % len(body)
        if self.head.method == b"HEAD":
            body = b""
        self.bytes_out += len(body)
        head = b"%b%b%b%b%b%b\r\n" % (
            start_of(response.status, response.fields),
            lines_of(response.own) if response.own else b"",
            length,
            date_line(),
            b"".join([b"Set-Cookie: %b\r\n" % cookie.encode() for cookie in cookies]) if cookies else b"",
            self._connection_line() if self.will_close or not self.head.minor else b"",
        )
        connection.write(head + body)
        if self.carrier:
            self._end()
        else:
            self.is_over = True
            connection.ended(self)

    def answer_prepared(self, start: bytes, body: bytes) -> None:
        """Answers as `answer` does, with 200, by a start that `start_of` has made."""
        if self.is_over:
            return
        connection = self.connection
        self.status = 200
        self.is_begun = True
        if self.has_body or connection.is_draining:
            self._decide_to_close()
        last = self._connection_line() if self.will_close or not self.head.minor else b""
        size = len(body)
        if self.head.method == b"HEAD":
            body = b""
        self.bytes_out += len(body)
        connection.write(b"%bContent-Length: %d\r\n%b%b\r\n%b" % (start, size, date_line(), last, body))
        self.is_over = True
        connection.ended(self)

    def inform(self, head: ResponseHead) -> None:
        """Passes an interim response on (RFC 9110, section 15.2), to those who know of such."""
        if self.head.minor and not self.is_begun:
            self.connection.write(to_visitor(head, b""))

    def invite(self) -> None:
        """Asks for the body of a visitor who waits to be asked; one who closed its side finds out so if it is gone."""
        if self.head.minor and not self.is_begun:
            self.connection.write(CONTINUE)

    def begin(self, head: ResponseHead, body: Body | None, cookies: Sequence[str], content: bytes) -> None:
        """Passes the head of the origin's response on, and what of its body came with it."""
        connection = self.connection
        self.status = head.status
        self.is_begun = True
        if self.has_body or connection.is_draining:
            self._decide_to_close()
        ours = b"".join([b"Set-Cookie: %b\r\n" % cookie.encode() for cookie in cookies]) if cookies else b""
        if body is not None:
            ours += self._framing_line(body)
        if self.will_close or not self.head.minor:
            ours += self._connection_line()
        if b"date" not in head.looked:
            ours += date_line()
        self.bytes_out += len(content)
        rewritten = to_visitor(head, ours, is_private=bool(cookies))
        if self.is_chunked:
            connection.writelines((rewritten, *chunk((content,), len(content))))
        elif len(content) <= COPIED_BYTES:
            connection.write(rewritten + content)
        else:
            connection.write(rewritten)
            connection.write(content)

    def write(self, pieces: Pieces) -> None:
        """Passes a part of the response's body on."""
        size = sum(map(len, pieces))
        self.bytes_out += size
        self.connection.writelines(chunk(pieces, size) if self.is_chunked else pieces)

    def end(self) -> None:
        """The response is whole."""
        if self.is_chunked:
            self.connection.write(LAST_CHUNK)
        self.carrier = None
        self.is_over = True
        self.connection.ended(self)

    def open_tunnel(self, head: ResponseHead) -> None:
        """Switches protocols: from here on all bytes pass as they are."""
        self.status = head.status
        self.is_begun = self.is_tunnel = self.will_close = True
        upgrade = b", ".join(head.looked.get(b"upgrade", ()))
        self.connection.write(to_visitor(head, b"Connection: Upgrade\r\nUpgrade: %b\r\n" % upgrade))
        if ahead := self.connection.take_read_ahead():
            self.receive(ahead)

    def break_off(self) -> None:
        """Ends a response that can't be whole so that it looks like that."""
        if self.is_over:
            return
        self.was_broken_off = True
        ends_by_close = isinstance(self.response_body, ChunkedBody | CloseBody) and not self.is_chunked
        self.connection.break_off(unmistakably=ends_by_close)
        self._end()

    def _end(self) -> None:
        self.is_over = True
        carrier = self.carrier
        if carrier:
            self.carrier = None
            carrier.cancel()
        self.connection.ended(self)

    def _decide_to_close(self) -> None:
        """A connection goes on only behind a request that has come whole: what follows could be its rest."""
        self.will_close = self.will_close or not self.was_received or self.connection.is_draining

    def _framing_line(self, body: Body) -> bytes:
        """What frames a body for the visitor, where its length does not: that one came as a field of the origin's."""
        self.response_body = body
        if isinstance(body, LengthBody):
            return b""
        if not self.head.minor:
            self.will_close = True
            return b""
        self.is_chunked = True
        return b"Transfer-Encoding: chunked\r\n"

    def _connection_line(self) -> bytes:
        if self.will_close:
            return b"Connection: close\r\n"
        return b"" if self.head.minor else b"Connection: keep-alive\r\n"


@lru_cache(MOST_STARTS)
def start_of(status: int, fields: tuple[Field, ...]) -> bytes:
    """The start of an answer of our own, whose fields come again and again."""
    return b"HTTP/1.1 %d %b\r\n%b" % (status, REASONS.get(status, b""), lines_of(fields))


def lines_of(fields: tuple[Field, ...]) -> bytes:
    """The fields as lines, with their ends."""
    return "".join([f"{name}: {value}\r\n" for name, value in fields]).encode()
