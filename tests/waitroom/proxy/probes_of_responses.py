"""Rows 4 to 20: what becomes of responses, from their fields to their trailers."""

from tests.waitroom.proxy.probe import Probe, Run, returned, status
from tests.waitroom.proxy.probe import request as a_request
from tests.waitroom.proxy.probes_of_requests import GZIP
from tests.waitroom.proxy.scripted_origin import DATE, chunked, ok
from tests.waitroom.proxy.stage import Stage

OLD = a_request(version=b"HTTP/1.0")
OLD_KEPT = a_request(b"/", b"Connection: keep-alive\r\n", version=b"HTTP/1.0")
CHUNKED = b"HTTP/1.1 200 OK\r\n" + DATE + b"Transfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n" + DATE + b"\r\n"
SHORT = ok(b"0123456789")[:-4]
FRAMES = "content-length transfer-encoding"


def _large(size: int) -> bytes:
    """A response whose fields have about that many bytes, in lines of 1,000."""
    return ok(fields=(b"X-D: %b\r\n" % (b"a" * 993)) * (size // 1000))


def _dates(fields: bytes) -> Run:
    """Counts the dates of a response with these fields."""

    async def run(stage: Stage) -> str:
        stage.origin.answers(b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 2\r\n\r\nok")
        head = (await stage.ask(a_request())).last.head
        return f"{head.status}; {len(head.all(b'date'))} Date"

    return run


def _bad_coding(name: str, answer: bytes) -> Probe:
    return Probe(9, f"response: {name}", status(a_request(), answer), "502 open")


FIELDS = (
    Probe(
        4,
        "response: X-D and Set-Cookie, several of each",
        returned(
            ok(fields=b"X-D: 1\r\nSet-Cookie: a=1\r\nx-d: 2\r\nSet-Cookie: b=2; Expires=Sun, 06 Nov 1994\r\n"),
            "x-d set-cookie",
        ),
        "200 open; X-D: 1, Set-Cookie: a=1, x-d: 2, Set-Cookie: b=2; Expires=Sun, 06 Nov 1994, ok",
    ),
    Probe(
        5,
        "response: every byte above 127",
        returned(ok(fields=b"X-D: caf\xe9 caf\xc3\xa9 %b\r\n" % bytes(range(128, 256))), "x-d"),
        f"200 open; X-D: caf\xe9 caf\xc3\xa9 {bytes(range(128, 256)).decode('latin-1')}, ok",
    ),
    Probe(
        6,
        "response: hop-by-hop fields",
        returned(
            ok(
                fields=b"Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authenticate: Basic\r\n"
                b"Trailer: X\r\nUpgrade: h2c\r\nConnection: X-One, x-two\r\nX-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\n"
            ),
            "keep-alive proxy-connection proxy-authenticate trailer upgrade x-one x-two x-three",
        ),
        "200 open; X-Three: 3, ok",
    ),
    Probe(
        6,
        "response: Connection names what it can't remove",
        returned(
            ok(fields=b"Connection: Content-Length, Set-Cookie\r\nSet-Cookie: a=1\r\n"),
            "content-length set-cookie",
        ),
        "200 open; Set-Cookie: a=1, Content-Length: 2, ok",
    ),
    Probe(
        7,
        "response: Server, Date and Via",
        returned(ok(fields=b"Server: s\r\nVia: 1.0 inner\r\n"), "server date via"),
        "200 open; Date: Sun, 06 Nov 1994 08:49:37 GMT, Server: s, Via: 1.0 inner, Via: 1.1 waitroom, ok",
    ),
    Probe(7, "response: Connection: Date", _dates(DATE + b"Connection: Date\r\n"), "200; 1 Date"),
    Probe(7, "response: no Date", _dates(b""), "200; 1 Date"),
    Probe(
        7,
        "response: no Server, no Content-Type",
        returned(ok(), "server content-type accept-ranges vary cache-control"),
        "200 open; ok",
    ),
    Probe(
        7,
        "response: the reason",
        returned(b"HTTP/1.1 299 Quite \xe9 fine\r\n" + DATE + b"Content-Length: 2\r\n\r\nok", "date"),
        "299 open; Date: Sun, 06 Nov 1994 08:49:37 GMT, ok",
    ),
    Probe(
        7,
        "response: Via of HTTP/1.0",
        returned(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "via", close=True),
        "200 open; Via: 1.0 waitroom, ok",
    ),
)

FRAMING = (
    _bad_coding("gzip, chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + chunked(GZIP)),
    _bad_coding("chunked of HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"ok")),
    _bad_coding(
        "chunked, and a length",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n" + chunked(b"ok"),
    ),
    _bad_coding("two lengths", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
    _bad_coding("a length of +2", b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"),
    Probe(12, "response: fields of 32,000 bytes", status(a_request(), _large(32_000)), "200 open"),
    Probe(
        12,
        "response: one field of 32,000 bytes",
        status(a_request(), ok(fields=b"X-D: %b\r\n" % (b"a" * 32_000))),
        "200 open",
    ),
    Probe(
        13,
        "response: a gzip body, unasked",
        returned(ok(GZIP, b"Content-Encoding: gzip\r\n"), "content-encoding"),
        f"200 open; Content-Encoding: gzip, {GZIP.decode('latin-1')}",
    ),
    Probe(
        13,
        "response: a body that is no gzip as it says",
        returned(ok(b"\x00\xffab", b"Content-Encoding: gzip\r\n"), "content-encoding"),
        "200 open; Content-Encoding: gzip, \x00\xffab",
    ),
    Probe(
        13,
        "response: chunks",
        returned(CHUNKED + chunked(b"ab", b"\r\n0\r\n\r\nc"), FRAMES),
        "200 open; Transfer-Encoding: chunked, ab\r\n0\r\n\r\nc",
    ),
    Probe(
        13,
        "response: delimited by close",
        returned(UNTIL_CLOSE + b"abc", FRAMES, close=True),
        "200 open; Transfer-Encoding: chunked, abc",
    ),
    Probe(13, "response: a body of nothing", returned(ok(b""), FRAMES), "200 open; Content-Length: 0"),
    Probe(
        14,
        "response: a redirect",
        returned(
            b"HTTP/1.1 302 Found\r\n" + DATE + b"Location: http://elsewhere.example/x\r\nContent-Length: 0\r\n\r\n",
            "location",
        ),
        "302 open; Location: http://elsewhere.example/x",
    ),
)

BODIES = (
    Probe(
        15,
        "HEAD of a length",
        returned(UNTIL_CLOSE.removesuffix(b"\r\n") + b"Content-Length: 1234\r\n\r\n", FRAMES, method=b"HEAD"),
        "200 open; Content-Length: 1234",
    ),
    Probe(15, "HEAD of chunks", returned(CHUNKED, "content-length", method=b"HEAD"), "200 open; no content"),
    Probe(15, "204", returned(b"HTTP/1.1 204 No Content\r\n" + DATE + b"\r\n", FRAMES), "204 open; no content"),
    Probe(
        15,
        "304 of a length",
        returned(b"HTTP/1.1 304 Not Modified\r\n" + DATE + b"Content-Length: 1234\r\nETag: x\r\n\r\n", "etag"),
        "304 open; ETag: x",
    ),
    Probe(16, "shorter than its length, then closed", returned(SHORT, close=True), "200 closed; 012345, cut off"),
    Probe(
        16,
        "chunks without the last, then closed",
        returned(CHUNKED + b"3\r\nabc\r\n", close=True),
        "200 closed; abc, cut off",
    ),
    Probe(16, "half a chunk, then closed", returned(CHUNKED + b"6\r\nabc", close=True), "200 closed; abc, cut off"),
    Probe(
        16, "a chunk that is none, at once", status(a_request(), CHUNKED + b"3\r\nabc\r\nx\r\n", close=True), "502 open"
    ),
    Probe(
        16,
        "HTTP/1.0: shorter than its length, then closed",
        returned(SHORT, sent=OLD, close=True),
        "200 closed; 012345, cut off",
    ),
    Probe(17, "chunks", returned(CHUNKED + chunked(b"ab", b"c"), FRAMES, sent=OLD), "200 closed; abc"),
    Probe(17, "chunks, keep-alive", returned(CHUNKED + chunked(b"ab", b"c"), FRAMES, sent=OLD_KEPT), "200 closed; abc"),
    Probe(17, "a length", returned(ok(b"abc"), FRAMES, sent=OLD), "200 closed; Content-Length: 3, abc"),
    Probe(
        17,
        "a length, keep-alive",
        returned(ok(b"abc"), f"{FRAMES} connection", sent=OLD_KEPT),
        "200 open; Content-Length: 3, Connection: keep-alive, abc",
    ),
    Probe(17, "delimited by close", returned(UNTIL_CLOSE + b"abc", FRAMES, sent=OLD, close=True), "200 closed; abc"),
    Probe(
        19,
        "103, then 200",
        returned(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok(), "link"),
        "103 200 open; Link: </a>; ok",
    ),
    Probe(
        19,
        "102 twice, then 200",
        returned(b"HTTP/1.1 102 Processing\r\n\r\n" * 2 + ok()),
        "102 102 200 open; no content; no content; ok",
    ),
    Probe(
        19,
        "103 to HTTP/1.0",
        returned(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok(), sent=OLD),
        "200 closed; ok",
    ),
    Probe(
        20,
        "trailers of a response",
        returned(
            CHUNKED.removesuffix(b"\r\n") + b"Trailer: X-T\r\n\r\n" + chunked(b"abc", trailers=b"X-T: 1\r\n"),
            "trailer x-t",
        ),
        "200 open; abc",
    ),
)

RESPONSES = (*FIELDS, *FRAMING, *BODIES)
