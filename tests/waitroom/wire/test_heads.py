"""Heads: what is read, what is kept as it came, and what is refused (RFC 9112, sections 2 to 5)."""

import pytest

from waitroom.wire import heads
from waitroom.wire.errors import RequestError, ResponseError
from waitroom.wire.heads import (
    LONGEST_REMEMBERED,
    LOOKALIKE,
    METHODS,
    MOST_REMEMBERED,
    MOST_REMEMBERED_BYTES,
    Remembered,
    is_hopeless,
    request_head,
    response_head,
)


def get(*lines: bytes, first: bytes = b"GET / HTTP/1.1") -> bytes:
    return b"\r\n".join([first, *lines, b"\r\n"])


def test_a_request_is_kept_as_it_came() -> None:
    """RFC 9110, sections 5.3 and 5.5: names in their case, values in their bytes, lines in their order and count."""
    lines = [b"Host: shop", b"X-D: 1", b"x-d:2", b"X-D:\t3 ", b"Accept: caf\xe9"]
    head = request_head(get(*lines, first=b"POST /a%2fb?x HTTP/1.0"))
    assert (head.method, head.target, head.minor) == (b"POST", b"/a%2fb?x", 0)
    assert head.fields == list(zip([b"host", b"x-d", b"x-d", b"x-d", b"accept"], lines, strict=True))
    assert head.looked == {b"host": [b"shop"], b"accept": [b"caf\xe9"]}


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        pytest.param(get(first=b"GET  / HTTP/1.1"), 400, "bad_request_line", id="two spaces (3)"),
        pytest.param(get(first=b"GET\t/ HTTP/1.1"), 400, "bad_request_line", id="a tab (3)"),
        pytest.param(get(first=b" GET / HTTP/1.1"), 400, "bad_request_line", id="a space before (3)"),
        pytest.param(get(first=b"GET / HTTP/1.1 "), 400, "bad_request_line", id="a space behind (3)"),
        pytest.param(get(first=b"GET /a b HTTP/1.1"), 400, "bad_request_line", id="a space in the target (3.2)"),
        pytest.param(get(first=b"GET / http/1.1"), 400, "bad_request_line", id="a version in lower case (2.3)"),
        pytest.param(get(first=b"GET /"), 400, "bad_request_line", id="HTTP/0.9"),
        pytest.param(get(first=b"G(T / HTTP/1.1"), 400, "bad_request_line", id="a method that is no token (3.1)"),
        pytest.param(get(first=b"GET / HTTP/1.10"), 400, "bad_request_line", id="a version of two digits (2.3)"),
        pytest.param(get(first=b"GET / HTTP/2.0"), 505, "bad_version", id="another version (9110, 15.6.6)"),
        pytest.param(get(first=b"GET / HTTP/1.2"), 505, "bad_version", id="a later version"),
        pytest.param(get(first=b"CONNECT a:1 HTTP/1.1"), 501, "bad_method", id="a tunnel to anywhere (9110, 9.3.6)"),
        pytest.param(get(first=b"TRACE / HTTP/1.1"), 501, "bad_method", id="an echo (9110, 9.3.8)"),
        pytest.param(get(first=b"get / HTTP/1.1"), 501, "bad_method", id="a method in lower case (9110, 9.1)"),
        pytest.param(get(b"Host : shop"), 400, "bad_field", id="a space before the colon (5.1)"),
        pytest.param(get(b"Host"), 400, "bad_field", id="no colon (5)"),
        pytest.param(get(b": x"), 400, "bad_field", id="no name (5)"),
        pytest.param(get(b"X\xe9: x"), 400, "bad_field", id="a name that is no token (9110, 5.1)"),
        pytest.param(get(b"X: a", b" b"), 400, "bad_field", id="a folded line (5.2)"),
        pytest.param(get(b"X: a\nY: b"), 400, "bad_field", id="a bare LF (2.2)"),
        pytest.param(get(b"X: a\rY: b"), 400, "bad_field", id="a bare CR (2.2)"),
        pytest.param(get(b"X: a\0"), 400, "bad_field", id="a NUL (9110, 5.5)"),
        pytest.param(get(b"X: a\x7f"), 400, "bad_field", id="a DEL (9110, 5.5)"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(data: bytes, status: int, code: str) -> None:
    with pytest.raises(RequestError) as refused:
        request_head(data)
    assert (refused.value.status, refused.value.code) == (status, code)


def test_all_other_methods_that_llhttp_knows_pass() -> None:
    assert {request_head(get(first=method + b" / HTTP/1.1")).method for method in METHODS} == METHODS


@pytest.mark.parametrize(
    "name",
    [b"X_Waitroom_Admission", b"X-Waitroom_Admission", b"x_forwarded_for", b"X_FORWARDED_PROTO", b"X_Request_Id"],
)
def test_names_that_an_origin_might_take_for_ours_are_known(name: bytes) -> None:
    """CGI and WSGI read "_" as "-" (RFC 3875, section 4.1.18)."""
    assert request_head(get(name + b": 1")).fields == [(LOOKALIKE, name + b": 1")]


def test_names_are_remembered_within_bounds() -> None:
    for number in range(10_000):
        name = b"X-%d" % number
        assert request_head(get(name + b": 1")).fields[0][0] == name.lower()


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"HTTP/1.1 200 OK", (200, b"OK", 1)),
        (b"HTTP/1.0 404 Not \xe9", (404, b"Not \xe9", 0)),
        (b"HTTP/1.1 204 ", (204, b"", 1)),
        (b"HTTP/1.1 204", (204, b"", 1)),
    ],
)
def test_a_response_is_read(first: bytes, expected: tuple[int, bytes, int]) -> None:
    """RFC 9112, section 4; some leave the space behind the status out."""
    head = response_head(get(b"Set-Cookie: a=1", b"set-cookie: b=2", first=first))
    assert (head.status, head.reason, head.minor) == expected
    assert head.looked == {b"set-cookie": [b"a=1", b"b=2"]}


def test_responses_are_remembered_within_bounds() -> None:
    for number in range(3 * MOST_REMEMBERED):
        assert response_head(get(b"Age: %d" % number, first=b"HTTP/1.1 200 OK")).fields == [
            (b"age", b"Age: %d" % number)
        ]
    assert len(heads._heads) <= MOST_REMEMBERED


@pytest.mark.parametrize(
    "line", [b"Set-Cookie: a=1", b"X-Waitroom-Command: release", b"X-Large: " + b"x" * LONGEST_REMEMBERED]
)
def test_responses_that_will_not_come_again_drive_out_none(line: bytes) -> None:
    before = dict(heads._heads)
    response_head(get(line, first=b"HTTP/1.1 200 OK"))
    assert heads._heads == before


@pytest.mark.parametrize(
    ("lines", "minor", "goes_on"),
    [
        ([], 1, True),
        ([], 0, False),
        ([b"keep-alive"], 1, True),
        ([b"Keep-Alive"], 0, True),
        ([b"close"], 1, False),
        ([b"x", b"Close"], 1, False),
        ([b"x"], 0, False),
    ],
)
def test_whether_a_connection_goes_on_is_what_both_the_version_and_connection_say(
    lines: list[bytes], minor: int, *, goes_on: bool
) -> None:
    """RFC 9112, section 9.3."""
    data = get(*(b"Connection: " + line for line in lines), first=b"HTTP/1.%d 200 OK" % minor)
    assert response_head(data).goes_on == goes_on


def test_a_space_before_the_colon_is_mended_in_a_response() -> None:
    """RFC 9112, section 5.1: a proxy must remove it."""
    head = response_head(get(b"Content-Length \t: 5", first=b"HTTP/1.1 200 OK"))
    assert head.fields == [(b"content-length", b"Content-Length: 5")]
    assert head.looked == {b"content-length": [b"5"]}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (get(first=b"HTTP/2 200 OK"), "bad_status_line"),
        (get(first=b"HTTP/1.1 20 OK"), "bad_status_line"),
        (get(first=b"HTTP/1.1  200 OK"), "bad_status_line"),
        (get(first=b"HTTP/1.1 099 No"), "bad_status_line"),
        (get(b"X: a\nY: b", first=b"HTTP/1.1 200 OK"), "bad_field"),
        (get(b"X: a", b" b", first=b"HTTP/1.1 200 OK"), "bad_field"),
        (get(b"X", first=b"HTTP/1.1 200 OK"), "bad_field"),
    ],
)
def test_a_response_that_could_be_read_in_two_ways_is_not_passed_on(data: bytes, code: str) -> None:
    with pytest.raises(ResponseError) as refused:
        response_head(data)
    assert refused.value.code == code


@pytest.mark.parametrize("data", [b"\x16\x03\x01", b"GET / HTTP/1.1\n", b"GET\rx", b"a\r\r", b"X: \0"])
def test_what_can_become_no_head_is_known_at_once(data: bytes) -> None:
    assert is_hopeless(data)


def test_a_good_head_may_be_cut_anywhere() -> None:
    whole = get(b"Host: shop", b"X:\tcaf\xe9")
    assert not any(is_hopeless(whole[:end]) for end in range(len(whole)))


@pytest.mark.parametrize("size", [10, 700, LONGEST_REMEMBERED])
def test_what_is_remembered_is_bounded_by_its_count_and_its_bytes(size: int) -> None:
    """Of a million visitors, each of whom sends a head of its own."""
    remembered: Remembered[int] = Remembered()
    most = 0
    for number in range(3 * MOST_REMEMBERED):
        remembered.add(b"%d:" % number + b"x" * (size - len(b"%d:" % number)), number)
        most = max(most, len(remembered))
        assert len(remembered) * size <= MOST_REMEMBERED_BYTES
    assert most == min(MOST_REMEMBERED, MOST_REMEMBERED_BYTES // size)


def test_what_comes_again_counts_once() -> None:
    remembered: Remembered[int] = Remembered()
    remembered.add(b"first", 1)
    for _ in range(MOST_REMEMBERED_BYTES):
        remembered.add(b"again", 2)
    assert remembered == {b"first": 1, b"again": 2}


def test_what_is_too_long_is_not_remembered() -> None:
    remembered: Remembered[int] = Remembered()
    remembered.add(b"x" * (LONGEST_REMEMBERED + 1), 1)
    assert not remembered
