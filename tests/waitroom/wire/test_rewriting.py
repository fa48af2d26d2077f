"""Heads on their way on: what stays, what is removed, and what is added (RFC 9110, section 7.6)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waitroom.wire.messages import SPECIAL, tokens, values
from waitroom.wire.heads import request_head, response_head
from waitroom.wire.rewriting import OURS, to_origin, to_visitor, upgrade_of
from waitroom.wire.targets import target_of

ADMISSION = b"X-Waitroom-Admission: ours"


def sent_on(*lines: bytes, first: bytes = b"GET /a HTTP/1.1", is_chunked: bool = False) -> list[bytes]:
    """The lines that the origin gets for a request with these."""
    head = request_head(b"\r\n".join([first, *lines, b"\r\n"]))
    ours = ADMISSION + b"\r\n"
    sent = to_origin(head, target_of(head), ours, authority=b"origin:80", is_chunked=is_chunked)
    assert sent.endswith(b"\r\n\r\n")
    return sent[:-4].split(b"\r\n")


def passed_on(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK", is_private: bool = False) -> list[bytes]:
    """The lines that a visitor gets for a response with these."""
    head = response_head(b"\r\n".join([first, *lines, b"\r\n"]))
    ours = b"Set-Cookie: wr-site=new\r\n" if is_private else b""
    passed = to_visitor(head, ours, is_private=is_private)
    assert passed.endswith(b"\r\n\r\n")
    return passed[:-4].split(b"\r\n")


HOST = b"Host: shop"
end_to_end = st.lists(
    st.tuples(tokens.filter(lambda name: name.lower() not in SPECIAL and b"_" not in name), values), max_size=8
).filter(lambda fields: not any(name.lower() in OURS for name, _ in fields))


@given(end_to_end)
def test_end_to_end_fields_keep_their_count_order_and_case(fields: list[tuple[bytes, bytes]]) -> None:
    """RFC 9110, section 5.3, in both directions; and nothing is invented."""
    lines = [b"%b:%b" % field for field in fields]
    assert sent_on(HOST, *lines) == [b"GET /a HTTP/1.1", HOST, *lines, ADMISSION, b"Via: 1.1 waitroom"]
    assert passed_on(*lines) == [b"HTTP/1.1 200 OK", *lines, b"Via: 1.1 waitroom"]


HOP_BY_HOP = [b"Keep-Alive: 5", b"Proxy-Connection: x", b"TE: trailers", b"Trailer: X", b"Proxy-Authorization: x"]


@pytest.mark.parametrize("line", [*HOP_BY_HOP, b"Proxy-Authenticate: x", b"Upgrade: h2c", b"X-Own: 1", b"x-own:2"])
def test_what_is_for_one_hop_goes_no_further(line: bytes) -> None:
    """RFC 9110, section 7.6.1: known ones, and those that Connection names, in whatever case."""
    assert sent_on(HOST, b"Connection: close, X-OWN", line) == sent_on(HOST)
    assert passed_on(b"Connection: X-OWN", line) == passed_on()


@pytest.mark.parametrize(
    "line", [b"Cookie: a=1", b"Authorization: x", b"Content-Length: 5", b"Host: shop"], ids=lambda line: line.decode()
)
def test_connection_cannot_remove_what_an_origin_decides_by(line: bytes) -> None:
    name = line.partition(b":")[0]
    assert line in sent_on(*{HOST, line}, b"Connection: " + name.lower())


def test_connection_cannot_remove_a_cookie_from_a_response() -> None:
    assert b"Set-Cookie: a=1" in passed_on(b"Set-Cookie: a=1", b"Connection: set-cookie")


@pytest.mark.parametrize(
    "line",
    [
        b"X-Waitroom-Admission: forged",
        b"x-waitroom-admission:forged",
        b"X_Waitroom_Admission: forged",
        b"X-Waitroom_Admission: forged",
        b"X-Waitroom-Command: release",
        b"X-Request-Id: forged",
        b"X-Forwarded-For: 6.6.6.6",
        b"X_Forwarded_For: 6.6.6.6",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Host: evil",
        b"Forwarded: for=6.6.6.6",
    ],
)
def test_what_is_ours_cannot_be_forged(line: bytes) -> None:
    assert sent_on(HOST, line) == sent_on(HOST)


def test_what_is_ours_cannot_be_removed() -> None:
    assert ADMISSION in sent_on(HOST, b"Connection: x-waitroom-admission, via, transfer-encoding")


def test_our_cookies_do_not_reach_the_origin() -> None:
    cookies = b"Cookie: a=1; wr-site=t; b=wr-x;;__Host-wr-site.admission=u; WR-SITE=v; __hOsT-wr-x=w; c"
    assert b"Cookie: a=1; b=wr-x; c" in sent_on(HOST, cookies)
    assert not any(line.lower().startswith(b"cookie") for line in sent_on(HOST, b"Cookie: wr-site=t"))
    assert b"cookie:a=1;  b=2" in sent_on(HOST, b"cookie:a=1;  b=2")


@pytest.mark.parametrize("value", [b"wr-site=x", b" WR-site=x", b"__Host-wr-site.admission=x; Path=/", b"=wr-site=x"])
def test_an_origin_does_not_set_cookies_of_ours(value: bytes) -> None:
    """The last is one without a name, which some browsers send back as ours (RFC 6265bis, section 5.7)."""
    assert passed_on(b"Set-Cookie:" + value, b"Set-Cookie: own=1") == passed_on(b"Set-Cookie: own=1")


def test_commands_are_between_the_origin_and_us() -> None:
    assert passed_on(b"X-Waitroom-Command: release", b"X_Waitroom_Command: revoke") == passed_on()


def test_an_absolute_target_brings_its_own_host() -> None:
    """RFC 9112, section 3.2.2."""
    sent = sent_on(HOST, first=b"GET http://real:81/a HTTP/1.1")
    assert sent[:2] == [b"GET /a HTTP/1.1", b"Host: real:81"]
    assert HOST not in sent


def test_who_names_no_host_means_the_origin() -> None:
    sent = sent_on(b"Expect: 100-continue", first=b"GET /a HTTP/1.0")
    assert sent == [b"GET /a HTTP/1.1", b"Host: origin:80", ADMISSION, b"Via: 1.0 waitroom"]


def test_chunks_are_announced_once() -> None:
    sent = sent_on(HOST, b"transfer-encoding: chunked", is_chunked=True)
    assert [line for line in sent if line.lower().startswith(b"transfer")] == [b"Transfer-Encoding: chunked"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"Connection: keep-alive, Upgrade", b"Upgrade: websocket"], b"websocket"),
        ([b"Connection: upgrade", b"Upgrade: a", b"Upgrade: b/1"], b"a, b/1"),
        ([b"Upgrade: websocket"], b""),
        ([b"Connection: Upgrade"], b""),
        ([b"Connection: Upgrade", b"Upgrade: h2c"], b""),
        ([b"Connection: Upgrade", b"Upgrade: websocket, HTTP/2.0"], b""),
        ([b"Connection: Upgrade", b"Upgrade: TLS/1.0"], b""),
    ],
)
def test_only_protocols_that_carry_no_requests_are_tunnelled(lines: list[bytes], expected: bytes) -> None:
    """RFC 9110, section 7.8: a request through a tunnel would go past the gate."""
    head = request_head(b"\r\n".join([b"GET / HTTP/1.1", *lines, b"\r\n"]))
    assert upgrade_of(head) == expected
    tail = [b"Connection: Upgrade", b"Upgrade: " + expected] if expected else []
    assert sent_on(HOST, *lines) == [*sent_on(HOST), *tail]


def test_http_1_0_is_never_tunnelled() -> None:
    head = request_head(b"GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
    assert upgrade_of(head) == b""


def test_a_response_with_our_cookies_is_for_nobody_else() -> None:
    """RFC 9111, section 5.2.2.7."""
    passed = passed_on(b"Cache-Control: public, max-age=9", is_private=True)
    assert [line for line in passed if line.startswith(b"Cache-Control")] == [b"Cache-Control: private, no-store"]


def test_what_one_visitor_alone_gets_is_no_others() -> None:
    """The same head comes to many: with our cookies to one, and without to the next."""
    lines = b"Cache-Control: max-age=9", b"ETag: x"
    alone = [b"HTTP/1.1 200 OK", b"ETag: x", b"Set-Cookie: wr-site=new", b"Cache-Control: private, no-store"]
    for is_private in (True, False, True, False):
        expected = alone if is_private else [b"HTTP/1.1 200 OK", *lines]
        assert passed_on(*lines, is_private=is_private) == [*expected, b"Via: 1.1 waitroom"]


@pytest.mark.parametrize("status", [b"103 Hints", b"204 No Content"])
def test_no_length_is_told_where_there_is_no_body_to_have_one(status: bytes) -> None:
    """RFC 9110, section 8.6."""
    assert passed_on(b"Content-Length: 5", first=b"HTTP/1.1 " + status) == passed_on(first=b"HTTP/1.1 " + status)


def test_a_response_to_head_keeps_its_length() -> None:
    """RFC 9110, section 9.3.2."""
    assert b"Content-Length: 5" in passed_on(b"Content-Length: 5")
