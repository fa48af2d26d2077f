"""Other readers of HTTP/1.1: llhttp, which is node's, and h11. What they read stands against what waitroom read."""

from typing import Any

import h11
import httptools

from tests.waitroom.wire.messages import Message


class Heard:
    """Collects what llhttp calls out; `messages` are those that it read whole."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.parser: Any = None
        self.on_message_begin()

    def on_message_begin(self) -> None:
        self._url = self._content = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self.is_under_way = False  # the head was read

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.is_under_way:  # those behind are trailers
            self._fields.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.is_under_way = True

    def on_body(self, content: bytes) -> None:
        self._content += content

    def on_message_complete(self) -> None:
        version = self.parser.get_http_version().encode()
        start: tuple[bytes, ...]
        if isinstance(self.parser, httptools.HttpRequestParser):
            start = self.parser.get_method(), self._url, version
        else:
            start = b"%d" % self.parser.get_status_code(), version
        self.is_under_way = False
        self.messages.append(Message(start, tuple(self._fields), self._content))


def llhttp_requests(data: bytes) -> tuple[list[Message], str]:
    """The requests in a stream, and why there are no more."""
    heard, fault = Heard(), ""
    while data:
        heard.parser = httptools.HttpRequestParser(heard)
        try:
            heard.parser.feed_data(data)
        except httptools.HttpParserUpgrade as exc:  # what follows need not be HTTP, but here it is
            data = data[exc.args[0] :]
        except httptools.HttpParserError as exc:
            return heard.messages, str(exc) or type(exc).__name__
        else:
            break
    return heard.messages, fault


def llhttp_responses(data: bytes) -> tuple[list[Message], str]:
    """The responses in a stream that ends there, and why there are no more."""
    heard = Heard()
    heard.parser = httptools.HttpResponseParser(heard)
    try:
        heard.parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
        return heard.messages, str(exc) or type(exc).__name__
    if heard.is_under_way:
        heard.on_message_complete()
    return heard.messages, ""


def h11_request(data: bytes) -> tuple[Message | None, bytes]:
    """The request that data is, None where it is not whole, and what comes behind it. Raises
    h11.RemoteProtocolError."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(data)
    return _message(server), server.trailing_data[0]


def h11_response(method: bytes, data: bytes, *, is_closed: bool) -> tuple[Message | None, bytes]:
    """The final response that data is, None where it is not whole, and what comes behind it. Raises
    h11.RemoteProtocolError."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"shop")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    if is_closed:
        client.receive_data(b"")
    return _message(client), client.trailing_data[0]


def _message(reader: h11.Connection) -> Message | None:
    start: tuple[bytes, ...] = ()
    fields: tuple[tuple[bytes, bytes], ...] = ()
    content = b""
    while True:
        match reader.next_event():
            case h11.Request() as head:
                start, fields = (head.method, head.target), tuple(head.headers)
            case h11.Response() as response:
                start, fields = (b"%d" % response.status_code,), tuple(response.headers)
            case h11.Data() as part:
                content += bytes(part.data)
            case h11.EndOfMessage():
                return Message(start, fields, content)
            case h11.InformationalResponse():
                pass
            case _:
                return None
