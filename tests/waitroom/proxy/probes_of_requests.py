"""Rows 1 to 13: what becomes of requests, from the target to the coding of the body."""

from tests.waitroom.proxy.probe import Probe, names, outcome, passed, request, status
from tests.waitroom.proxy.scripted_origin import chunked

# Each reaches the origin as it stands.
RAW_TARGETS = (
    b"/",
    b"/a?",
    b"/a??b=c?d",
    b"/a/%2e%2e/b",
    b"/a/../b/./c",
    b"/a%2Fb%2fc",
    b"/%zz%",
    b"//a//b",
    b"/A%c3%a9?q=%41+%20",
    b"/a;b=c:d@e",
    b'/a|b"<>^`{}[]\\c',
    b"/caf\xc3\xa9?\xe9",
)
METHODS = (
    b"DELETE GET HEAD POST PUT OPTIONS COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL "
    b"REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK SOURCE "
    b"QUERY"
).split()
GZIP = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x4b\x04\x00\x43\xbe\xb7\xe8\x01\x00\x00\x00"
ADDED = "forwarded host via x-forwarded-for x-forwarded-host x-forwarded-proto x-request-id x-waitroom-admission"
REFUSED = "400 closed; origin: nothing"
NOT_IMPLEMENTED = "501 closed; origin: nothing"
UNKNOWN_VERSION = "505 closed; origin: nothing"
PASSED = "200 open; origin: GET /"


def _target(raw: bytes) -> Probe:
    text = raw.decode("latin-1")
    return Probe(1, text, outcome(request(raw)), f"200 open; origin: GET {text}")


def _absolute(raw: bytes, ours: str, *, method: bytes = b"GET", host: bytes = b"Host: a\r\n") -> Probe:
    return Probe(2, f"{method.decode()} {raw.decode()}", outcome(request(raw, method=method, host=host), method), ours)


def _replaced(raw: bytes, ours: str) -> Probe:
    return Probe(2, f"Host of {raw.decode()}", passed(request(raw), "host"), ours)


def _host(name: str, host: bytes, ours: str, version: bytes = b"HTTP/1.1") -> Probe:
    return Probe(3, name, outcome(request(host=host, version=version)), ours)


def _method(method: bytes) -> Probe:
    name = method.decode()
    return Probe(11, name, outcome(request(method=method), method), f"200 open; origin: {name} /")


def _unknown(method: bytes, target: bytes = b"/") -> Probe:
    return Probe(11, method.decode(), outcome(request(target, method=method), method), NOT_IMPLEMENTED)


def _version(line: bytes, ours: str) -> Probe:
    return Probe(10, line.decode("latin-1"), outcome(line + b"\r\nHost: a\r\n\r\n"), ours)


def _coding(coding: bytes, ours: str, version: bytes = b"HTTP/1.1", name: str = "") -> Probe:
    sent = request(b"/", b"Transfer-Encoding: %b\r\n" % coding, chunked(b"abc"), method=b"POST", version=version)
    return Probe(9, name or f"Transfer-Encoding: {coding.decode()}", outcome(sent, b"POST"), ours)


def _bad(name: str, fields: bytes, body: bytes = b"") -> Probe:
    return Probe(8, name, outcome(request(b"/", fields, body, method=b"POST"), b"POST"), REFUSED)


def _body(name: str, fields: bytes, body: bytes, told: bytes) -> Probe:
    sent = request(b"/", fields, body, method=b"POST")
    return Probe(13, name, outcome(sent, b"POST"), f"200 open; origin: POST / {told.decode('latin-1')}".rstrip())


TARGETS = (
    *map(_target, RAW_TARGETS),
    Probe(1, "/a#b", outcome(request(b"/a#b")), REFUSED),
    Probe(1, "a", outcome(request(b"a")), REFUSED),
    _absolute(b"http://b.example/x?y", "200 open; origin: GET /x?y"),
    _absolute(b"http://b.example", "200 open; origin: GET /"),
    _absolute(b"http://b.example?y", "200 open; origin: GET /?y"),
    _absolute(b"HTTP://b.example:8080/%2e", "200 open; origin: GET /%2e"),
    _absolute(b"http://u@b.example/", REFUSED),
    _absolute(b"http://u:p@b.example/", REFUSED),
    _absolute(b"http:///x", REFUSED),
    _absolute(b"ftp://b.example/", REFUSED),
    _absolute(b"http://b.example/", REFUSED, host=b""),
    _absolute(b"b.example:443", NOT_IMPLEMENTED, method=b"CONNECT"),
    _absolute(b"*", "200 open; origin: OPTIONS *", method=b"OPTIONS"),
    _absolute(b"*", REFUSED),
    _replaced(b"http://b.example/x", "Host: b.example"),
    _replaced(b"http://b.example:81/x", "Host: b.example:81"),
    _host("none", b"", REFUSED),
    _host("two that differ", b"Host: a\r\nHost: b\r\n", REFUSED),
    _host("two alike", b"Host: a\r\nHost: a\r\n", REFUSED),
    _host("empty", b"Host: \r\n", REFUSED),
    _host("a, b", b"Host: a, b\r\n", REFUSED),
    _host("a b", b"Host: a b\r\n", REFUSED),
    _host("a/c?d", b"Host: a/c?d\r\n", REFUSED),
    _host("u@a", b"Host: u@a\r\n", REFUSED),
    _host("a:port", b"Host: a:port\r\n", REFUSED),
    _host("[::1", b"Host: [::1\r\n", REFUSED),
    _host("a:80", b"Host: a:80\r\n", PASSED),
    _host("[::1]:80", b"Host: [::1]:80\r\n", PASSED),
    _host("none, HTTP/1.0", b"", "200 closed; origin: GET /", b"HTTP/1.0"),
)

FIELDS = (
    Probe(
        4,
        "request: X-D three times, in three spellings",
        passed(request(b"/", b"X-D: 1\r\nOther: 2\r\nx-d: 3\r\nX-d: 4, 5\r\n"), "x-d other"),
        "X-D: 1, Other: 2, x-d: 3, X-d: 4, 5",
    ),
    Probe(
        4,
        "request: two Cookie fields",
        passed(request(b"/", b"Cookie: a=1; b=2\r\nCookie: c=3\r\n"), "cookie"),
        "Cookie: a=1; b=2, Cookie: c=3",
    ),
    Probe(
        4,
        "request: an empty value, and one with inner spaces",
        passed(request(b"/", b"X-Empty:\r\nX-Inner: a  b\tc \r\n"), "x-empty x-inner"),
        "X-Empty: , X-Inner: a  b\tc",
    ),
    Probe(
        5,
        "request: Latin-1, UTF-8 and every other byte above 127",
        passed(request(b"/", b"X-D: caf\xe9 caf\xc3\xa9 %b\r\n" % bytes(range(128, 256))), "x-d"),
        f"X-D: caf\xe9 caf\xc3\xa9 {bytes(range(128, 256)).decode('latin-1')}",
    ),
    Probe(
        6,
        "request: hop-by-hop fields",
        passed(
            request(
                b"/",
                b"Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nTrailer: X\r\n"
                b"Proxy-Authorization: Basic x\r\nUpgrade: h2c\r\nConnection: close, TE, X-One , x-two\r\n"
                b"X-One: 1\r\nX-Two: 2\r\nX-Three: 3\r\n",
            ),
            "keep-alive proxy-connection te trailer proxy-authorization upgrade x-one x-two x-three",
        ),
        "X-Three: 3",
    ),
    Probe(
        6,
        "request: Connection names what it can't remove",
        passed(
            request(
                b"/",
                b"Connection: Host, Cookie, Authorization, Content-Length, X-Forwarded-For, Via, "
                b"X-Waitroom-Admission\r\nCookie: a=1\r\nAuthorization: Basic x\r\n",
            ),
            "host cookie authorization",
        ),
        "Host: a, Cookie: a=1, Authorization: Basic x",
    ),
    Probe(
        6,
        "request: Connection names Content-Length, of a body",
        outcome(request(b"/", b"Connection: Content-Length\r\nContent-Length: 3\r\n", b"abc", method=b"POST"), b"POST"),
        "200 open; origin: POST / abc",
    ),
    Probe(
        6,
        "request: Connection names our own",
        names(request(b"/", b"Connection: X-Forwarded-For, Forwarded, Via, X-Request-Id, X-Waitroom-Admission\r\n")),
        ADDED,
    ),
    Probe(7, "request: fields added", names(request()), ADDED),
    Probe(
        7,
        "request: Via",
        passed(request(b"/", b"Via: 1.0 before, 1.1 other\r\nVia: 1.1 third\r\n"), "via"),
        "Via: 1.0 before, 1.1 other, Via: 1.1 third, Via: 1.1 waitroom",
    ),
    Probe(7, "request: Via of HTTP/1.0", passed(request(version=b"HTTP/1.0"), "via"), "Via: 1.0 waitroom"),
)

FRAMING = (
    _bad("Content-Length and Transfer-Encoding", b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", chunked()),
    _bad("Content-Length twice, differing", b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abc"),
    _bad("Content-Length twice, alike", b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"),
    _bad("Content-Length: 3, 3", b"Content-Length: 3, 3\r\n", b"abc"),
    _bad("Content-Length: +3", b"Content-Length: +3\r\n", b"abc"),
    _bad("Content-Length: -3", b"Content-Length: -3\r\n", b"abc"),
    _bad("Content-Length: 3a", b"Content-Length: 3a\r\n", b"abc"),
    _bad("Content-Length of nothing", b"Content-Length:\r\n", b"abc"),
    _bad("Content-Length of 30 digits", b"Content-Length: 1%b\r\n" % (b"0" * 29), b"abc"),
    _bad("a bare LF ends a field", b"X-D: 1\nX-E: 2\r\n"),
    _bad("a bare CR within a field", b"X-D: 1\rX-E: 2\r\n"),
    _bad("NUL within a field", b"X-D: 1\x002\r\n"),
    _bad("obs-fold", b"X-D: 1\r\n 2\r\n"),
    _bad("a space before the colon", b"X-D : 1\r\n"),
    _bad("no colon", b"X-D\r\n"),
    _bad("no name", b": 1\r\n"),
    _bad("a chunk's size is no number", b"Transfer-Encoding: chunked\r\n", b"x\r\nabc\r\n0\r\n\r\n"),
    _bad("a chunk is longer than it says", b"Transfer-Encoding: chunked\r\n", b"2\r\nabc\r\n0\r\n\r\n"),
    _bad("a bare LF ends a chunk's size", b"Transfer-Encoding: chunked\r\n", b"3\nabc\r\n0\r\n\r\n"),
    _coding(b"chunked", "200 open; origin: POST / abc"),
    _coding(b"Chunked", "200 open; origin: POST / abc"),
    _coding(b"gzip, chunked", NOT_IMPLEMENTED),
    _coding(b"gzip", NOT_IMPLEMENTED),
    _coding(b"identity", NOT_IMPLEMENTED),
    _coding(b"chunked, chunked", NOT_IMPLEMENTED),
    _coding(b"chunked", REFUSED, b"HTTP/1.0", "Transfer-Encoding: chunked, HTTP/1.0"),
    _version(b"GET / HTTP/0.9", UNKNOWN_VERSION),
    _version(b"GET / HTTP/1.2", UNKNOWN_VERSION),
    _version(b"GET / HTTP/2.0", UNKNOWN_VERSION),
    _version(b"PRI * HTTP/2.0", UNKNOWN_VERSION),
    _version(b"GET / HTTP/3.0", UNKNOWN_VERSION),
    _version(b"GET / HTTP/1.10", REFUSED),
    _version(b"GET / http/1.1", REFUSED),
    _version(b"GET / ICY/1.1", REFUSED),
    _version(b"GET /", REFUSED),
    *map(_method, METHODS),
    *map(_unknown, (b"FOO", b"get", b"TRACE", b"X-Y!")),
    _unknown(b"CONNECT", b"a:443"),
    Probe(12, "a target of 8,192 bytes", status(request(b"/" + b"a" * 8191)), "200 open"),
    Probe(12, "a target of 8,193 bytes", status(request(b"/" + b"a" * 8192)), "414 closed"),
    Probe(12, "a target of 100,000 bytes", status(request(b"/" + b"a" * 99_999)), "414 closed"),
    Probe(12, "a field of 30,000 bytes", status(request(b"/", b"X-D: %b\r\n" % (b"a" * 30_000))), "200 open"),
    Probe(12, "a field of 40,000 bytes", status(request(b"/", b"X-D: %b\r\n" % (b"a" * 40_000))), "431 closed"),
    Probe(12, "fields of 40,000 bytes", status(request(b"/", (b"X-D: %b\r\n" % (b"a" * 992)) * 40)), "431 closed"),
    Probe(12, "100 fields", status(request(b"/", b"X-D: 1\r\n" * 99)), "200 open"),
    Probe(12, "101 fields", status(request(b"/", b"X-D: 1\r\n" * 100)), "431 closed"),
    _body("a gzip body", b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(GZIP), GZIP, GZIP),
    _body(
        "a body that is no gzip as it says",
        b"Content-Encoding: gzip\r\nContent-Length: 4\r\n",
        b"\x00\xffab",
        b"\x00\xffab",
    ),
    _body("chunks", b"Transfer-Encoding: chunked\r\n", chunked(b"ab", b"c", b"\r\n0\r\n\r\nd"), b"abc\r\n0\r\n\r\nd"),
    _body(
        "chunks with extensions",
        b"Transfer-Encoding: chunked\r\n",
        b'2;a="b"\r\nab\r\n01;c\r\nc\r\n0;d\r\n\r\n',
        b"abc",
    ),
    _body("chunks of nothing", b"Transfer-Encoding: chunked\r\n", chunked(), b""),
    Probe(
        13,
        "a GET with a body",
        outcome(request(b"/", b"Content-Length: 3\r\n", b"abc")),
        "200 open; origin: GET / abc",
    ),
)

REQUESTS = (*TARGETS, *FIELDS, *FRAMING)
