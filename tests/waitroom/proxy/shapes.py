"""Shapes of requests by which one may smuggle another past a proxy that reads them differently than the origin does."""

from dataclasses import dataclass

from tests.waitroom.proxy.probe import Probe, Run, request
from tests.waitroom.proxy.stage import Seen, Stage

LAST = request(b"/last")
SMUGGLED = request(b"/smuggled", b"Content-Length: 5\r\n")
CHUNKED = b"Transfer-Encoding: chunked\r\n"
END = b"0\r\n\r\n"
BAD = frozenset({400})
BAD_CODING = frozenset({400, 501})


@dataclass(frozen=True, slots=True)
class Shape:
    """`sent` may be refused with one of the statuses, or else is read as `reads`: what each request asks for. Of a
    refused one, what comes before the fault is."""

    name: str
    sent: bytes
    refused: frozenset[int] = BAD
    reads: tuple[str, ...] = ()


def post(fields: bytes, body: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    return request(b"/a", fields, body, method=b"POST", version=version)


def _coding(line: bytes, refused: frozenset[int] = BAD_CODING) -> Shape:
    """A Transfer-Encoding in disguise, before a length that covers what a chunked reader would take for a request."""
    return Shape(ascii(line.decode("latin-1")), post(line + b"\r\n", END + SMUGGLED), refused)


def _length(value: bytes) -> Shape:
    return Shape(f"Content-Length:{value.decode('latin-1')!a}", post(b"Content-Length:%b\r\n" % value, b"abcde"))


def _chunk(name: str, body: bytes) -> Shape:
    return Shape(name, post(CHUNKED, body))


def _field(name: str, fields: bytes, refused: frozenset[int] = BAD) -> Shape:
    return Shape(name, request(b"/a", fields), refused)


def _line(line: bytes, refused: frozenset[int] = BAD, *reads: str) -> Shape:
    return Shape(ascii(line.decode("latin-1")), line + b"\r\nHost: a\r\n\r\n", refused, reads)


BOTH = tuple(
    Shape(f"{version.decode()}, {name}", post(fields, body, version))
    for version in (b"HTTP/1.1", b"HTTP/1.0")
    for name, fields, body in (
        ("CL.TE", b"Content-Length: %d\r\n" % len(END + SMUGGLED) + CHUNKED, END + SMUGGLED),
        ("TE.CL", CHUNKED + b"Content-Length: 4\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)),
        ("CL.0", b"Content-Length: 0\r\n" + CHUNKED, END),
    )
)

CODINGS = (
    *map(
        _coding,
        (
            b"Transfer-Encoding: xchunked",
            b"Transfer-Encoding: chunkedx",
            b"Transfer-Encoding: chunked, identity",
            b"Transfer-Encoding: identity, chunked",
            b"Transfer-Encoding: chunked, chunked",
            b"Transfer-Encoding: chunked;q=1",
            b"Transfer-Encoding: chunked,",
            b"Transfer-Encoding: , chunked",
            b'Transfer-Encoding: "chunked"',
            b"Transfer-Encoding: 'chunked'",
            b"Transfer-Encoding:",
            b"Transfer-Encoding: identity",
            b"Transfer-Encoding: x",
            b"Transfer-Encoding: cow",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            b"Transfer-Encoding: chunked\r\nTransfer-encoding: x",
            b"Transfer-Encoding: chun\xc5\xbfked",
            b"Transfer-Encoding: \x80chunked",
            b"Transfer-Encoding: chunked\xa0",
        ),
    ),
    *(
        _coding(line, BAD)
        for line in (
            b"Transfer-Encoding : chunked",
            b"Transfer-Encoding\t: chunked",
            b" Transfer-Encoding: chunked",
            b"\tTransfer-Encoding: chunked",
            b"X: y\nTransfer-Encoding: chunked",
            b"X: y\rTransfer-Encoding: chunked",
            b"X: y\r\r\nTransfer-Encoding: chunked",
            b"X: y\r\n\rTransfer-Encoding: chunked",
            b"Transfer-Encoding:\x0bchunked",
            b"Transfer-Encoding:\x0cchunked",
            b"Transfer-Encoding: \x00chunked",
            b"Transfer-Encoding: chunked\x00",
            b"Transfer-Encoding:\x1fchunked",
            b"Transfer-Encoding: chunked\x7f",
            b"Transfer-Encoding:\r\n chunked",
            b"Transfer-Encoding:\n chunked",
            b"Transfer-\x00Encoding: chunked",
            b"Transfer\xa0Encoding: chunked",
            b"Transfer-Encoding",
            b"\x00Transfer-Encoding: chunked",
        )
    ),
)

LENGTHS = tuple(
    map(
        _length,
        (
            b" +5",
            b" -5",
            b" 0x5",
            b" 5 5",
            b" 5, 5",
            b" 5,5",
            b" 5, 6",
            b" 5;x",
            b' "5"',
            b" 5.0",
            b" 5e0",
            b" five",
            b"",
            b" ",
            b" ,",
            b" 5,",
            b"\x0b5",
            b" 5\x00",
            b" \xb25",
            b" 5\r\nContent-Length: 5",
            b" 5\r\nContent-Length: 6",
            b" 5\r\nContent-Length:",
            b" 5\r\ncontent-length: 0",
            b" 5\r\n 5",
            b" 18446744073709551621",
            b" 4294967301" + b"0" * 30,
        ),
    )
)

CHUNKS = (
    _chunk("a size that overflows", b"fffffffffffffffff1\r\nabc\r\n" + END),
    _chunk("a size that wraps 64 bits to 3", b"10000000000000003\r\nabc\r\n" + END),
    _chunk("a size with a sign", b"+3\r\nabc\r\n" + END),
    _chunk("a size below nothing", b"-3\r\nabc\r\n" + END),
    _chunk("a size with 0x", b"0x3\r\nabc\r\n" + END),
    _chunk("a size with an underscore", b"0_3\r\nabc\r\n" + END),
    _chunk("a size after a space", b" 3\r\nabc\r\n" + END),
    _chunk("a size before a space", b"3 \r\nabc\r\n" + END),
    _chunk("no size", b"\r\nabc\r\n" + END),
    _chunk("no size but an extension", b";a=b\r\nabc\r\n" + END),
    _chunk("a size that a bare LF ends", b"3\nabc\r\n" + END),
    _chunk("a size that a bare CR ends", b"3\rabc\r\n" + END),
    _chunk("a size that CR CR LF ends", b"3\r\r\nabc\r\n" + END),
    _chunk("content that a bare LF ends", b"3\r\nabc\n" + END),
    _chunk("content that nothing ends", b"3\r\nabc" + END),
    _chunk("content that two others end", b"3\r\nabcXX" + END),
    _chunk("an extension with a bare LF", b"3;a\nb\r\nabc\r\n" + END),
    _chunk("an extension with a bare CR", b"3;a\rb\r\nabc\r\n" + END),
    _chunk("an extension with NUL", b"3;a\x00b\r\nabc\r\n" + END),
    _chunk("an end with bare LF", b"3\r\nabc\r\n0\n\n"),
    _chunk("an end with one bare LF", b"3\r\nabc\r\n0\r\n\n"),
    _chunk("a trailer that is none", b"3\r\nabc\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n"),
    _chunk("a trailer with a bare LF", b"3\r\nabc\r\n0\r\nX: y\nGET /smuggled HTTP/1.1\r\n\r\n"),
    _chunk("a trailer with a folded line", b"3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n"),
    _chunk("a trailer with NUL", b"3\r\nabc\r\n0\r\nX: \x00\r\n\r\n"),
    Shape("an extension", post(CHUNKED, b"3;a=b;c\r\nabc\r\n" + END), reads=("POST /a abc",)),
    Shape("a size with zeros", post(CHUNKED, b"0003\r\nabc\r\n000\r\n\r\n"), reads=("POST /a abc",)),
    Shape(
        "trailers that would frame",
        post(CHUNKED, b"0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n"),
        reads=("POST /a",),
    ),
)

FIELDS = (
    Shape("no Host", request(b"/a", host=b"")),
    Shape("two Hosts", request(b"/a", host=b"Host: a\r\nHost: b\r\n")),
    Shape("Host and a disguised one", request(b"/a", host=b"Host: a\r\nHost : b\r\n")),
    Shape("a folded Host", request(b"/a", host=b"Host: a\r\n b\r\n")),
    Shape("an absolute target with two Hosts", request(b"http://b/a", host=b"Host: a\r\nHost: b\r\n")),
    Shape("an absolute target with another Host", request(b"http://b/a"), frozenset(), ("GET /a",)),
    _field("a bare LF ends a field", b"X: y\nZ: z\r\n"),
    _field("a bare LF ends the head", b"X: y\n\nGET /smuggled HTTP/1.1\r\nHost: a\r\n"),
    _field("a bare CR ends a field", b"X: y\rZ: z\r\n"),
    _field("CR CR LF ends the head", b"X: y\r\n\r\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n"),
    _field("obs-fold", b"X: y\r\n GET /smuggled HTTP/1.1\r\n"),
    _field("obs-fold with a tab", b"X: y\r\n\tz\r\n"),
    _field("NUL in a value", b"X: y\x00z\r\n"),
    _field("NUL in a name", b"X\x00: y\r\n"),
    _field("DEL in a name", b"X\x7f: y\r\n"),
    _field("a tab in a name", b"X\tY: y\r\n"),
    _field("UTF-8 in a name", b"X\xc3\xa9: y\r\n"),
    _field("a space before the colon", b"X : y\r\n"),
    _field("a name of nothing", b": y\r\n"),
    _field("no colon", b"X\r\n"),
    _field("a parenthesis in a name", b"X(: y\r\n"),
    Shape("a first line that is folded", b"GET /a HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n"),
    Shape(
        "Connection that names Content-Length",
        post(b"Connection: Content-Length\r\nContent-Length: %d\r\n" % len(SMUGGLED), SMUGGLED),
        frozenset(),
        (f"POST /a {SMUGGLED.decode()}".rstrip(),),
    ),
    Shape(
        "Connection that names Transfer-Encoding",
        post(b"Connection: Transfer-Encoding\r\n" + CHUNKED, b"3\r\nabc\r\n" + END),
        frozenset(),
        ("POST /a abc",),
    ),
    Shape(
        "Transfer_Encoding, which is another field",
        post(b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", END),
        BAD,
        (f"POST /a {END.decode()}".rstrip(),),
    ),
    Shape(
        "Content_Length, which is another field",
        post(b"Content_Length: 50\r\nContent-Length: 3\r\n", b"abc"),
        BAD,
        ("POST /a abc",),
    ),
    Shape(
        "an upgrade to h2c",
        request(b"/a", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
        frozenset(),
        ("GET /a",),
    ),
    Shape(
        "an Expect that is none, with a request as body",
        post(b"Expect: x\r\nContent-Length: %d\r\n" % len(SMUGGLED), SMUGGLED),
        frozenset({417}),
        (f"POST /a {SMUGGLED.decode()}".rstrip(),),
    ),
)

LINES = (
    _line(b"GET  /a HTTP/1.1"),
    _line(b"GET /a  HTTP/1.1"),
    _line(b"GET /a HTTP/1.1 "),
    _line(b" GET /a HTTP/1.1"),
    _line(b"GET\t/a\tHTTP/1.1"),
    _line(b"GET\x0b/a HTTP/1.1"),
    _line(b"GET /a\x00 HTTP/1.1"),
    _line(b"GET /a b HTTP/1.1"),
    _line(b"GET /a\rHTTP/1.1"),
    _line(b"GET /a HTTP/1.1\r"),
    _line(b"GET /a HTTP/1.1\nX: y"),
    _line(b"GET /a HTTP/1.1 HTTP/1.1"),
    _line(b"GET /a HTTP/1.1, HTTP/1.0"),
    _line(b"GET /a HTTP/01.1"),
    _line(b"GET /a HTTP/1.01"),
    _line(b"GET /a HTTP/1"),
    _line(b"GET /a HTTP/1,1"),
    _line(b"GET /a HTTP /1.1"),
    _line(b"GET /a http/1.1"),
    _line(b"GET /a HTTP/0.9", frozenset({400, 505})),
    _line(b"GET /a HTTP/2.0", frozenset({505})),
    _line(b"GET /a", BAD),
    _line(b"GET", BAD),
    _line(b"", BAD),
    _line(b"G\xc3\xa9T /a HTTP/1.1"),
    _line(b"GET: /a HTTP/1.1"),
    _line(b"FOO /a HTTP/1.1", frozenset({501})),
    _line(b"\r\nGET /a HTTP/1.1", BAD, "GET /a"),
    _line(b"\nGET /a HTTP/1.1", BAD),
    Shape("PRI, and what is behind it", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frozenset({400, 505})),
    Shape("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    Shape("HTTP/0.9, and a second line", b"GET /a\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
)

PREFIXES = (
    Shape("two in one write", request(b"/a") + request(b"/b"), frozenset(), ("GET /a", "GET /b")),
    Shape(
        "a GET with a body",
        request(b"/a", b"Content-Length: 3\r\n", b"abc") + request(b"/b"),
        BAD,
        ("GET /a abc", "GET /b"),
    ),
    Shape(
        "a GET whose body is a request",
        request(b"/a", b"Content-Length: %d\r\n" % len(SMUGGLED), SMUGGLED),
        BAD,
        (f"GET /a {SMUGGLED.decode()}".rstrip(),),
    ),
    Shape("a POST without a length", post(b"") + request(b"/b"), frozenset({411}), ("POST /a", "GET /b")),
    Shape(
        "a length of nothing, and a request",
        post(b"Content-Length: 0\r\n") + request(b"/b"),
        frozenset(),
        ("POST /a", "GET /b"),
    ),
    Shape("a length with zeros", post(b"Content-Length: 0010\r\n", b"0123456789"), BAD, ("POST /a 0123456789",)),
    Shape("a good one before a bad one", request(b"/a") + request(b"/b", b"X : y\r\n"), BAD, ("GET /a",)),
    Shape("an empty line between two", request(b"/a") + b"\r\n" + request(b"/b"), BAD, ("GET /a", "GET /b")),
    Shape("rubbish between two", request(b"/a") + b"abc" + SMUGGLED, frozenset({400, 501}), ("GET /a",)),
    Shape(
        "a close, and what is behind it", request(b"/a", b"Connection: close\r\n") + SMUGGLED, frozenset(), ("GET /a",)
    ),
    Shape("HTTP/1.0, and what is behind it", request(b"/a", version=b"HTTP/1.0") + SMUGGLED, frozenset(), ("GET /a",)),
)

SHAPES = (*BOTH, *CODINGS, *LENGTHS, *CHUNKS, *FIELDS, *LINES, *PREFIXES)


async def smuggle(stage: Stage, shape: Shape, *parts: bytes) -> Seen:
    """Sends a shape with a last good request behind it; sees all answers up to the last request's."""
    async with stage.visitor() as end:
        await end.send(*parts)
        return await stage.see(end, *[b"GET"] * (len(shape.reads) + 1))


def is_refused(seen: Seen) -> bool:
    """Whether the connection ended with a refusal; a visitor who was still sending may have missed it."""
    return not seen.answers or seen.last.head.status >= 400


def _tells(shape: Shape) -> Run:
    async def run(stage: Stage) -> str:
        seen = await smuggle(stage, shape, shape.sent + LAST)
        return f"{seen.words}; origin: {', '.join([*stage.origin.told, *stage.origin.unclear]) or 'nothing'}"

    return run


def probe_of(shape: Shape) -> Probe:
    """A shape as a probe of any proxy."""
    return Probe(8, shape.name, _tells(shape), "")
