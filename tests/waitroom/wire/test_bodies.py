"""Bodies: where they end, and their content (RFC 9112, sections 6 and 7)."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waitroom.wire.messages import chunked
from waitroom.wire.bodies import (
    COPIED_BYTES,
    LONGEST_LINE,
    MOST_PIECES,
    ChunkedBody,
    CloseBody,
    LengthBody,
    chunk,
    is_whole,
    request_body,
    response_body,
)
from waitroom.wire.errors import FramingError, RequestError, ResponseError
from waitroom.wire.heads import request_head, response_head


def framed(*lines: bytes, version: bytes = b"1.1") -> LengthBody | ChunkedBody | None:
    return request_body(request_head(b"\r\n".join([b"POST / HTTP/" + version, *lines, b"\r\n"])))


def answered(*lines: bytes, status: int = 200, method: bytes = b"GET", version: bytes = b"1.1") -> object:
    return response_body(response_head(b"\r\n".join([b"HTTP/%b %d OK" % (version, status), *lines, b"\r\n"])), method)


CHUNKED = b"Transfer-Encoding: chunked"


def test_a_request_without_framing_has_no_body() -> None:
    """RFC 9112, section 6.3, the seventh case."""
    assert framed() is None
    assert framed(b"Content-Length: 0") is None


@pytest.mark.parametrize("value", [b"5", b"005", b" \t5\t"])
def test_a_length_is_counted(value: bytes) -> None:
    body = framed(b"Content-Length:" + value)
    assert isinstance(body, LengthBody)
    assert body.feed(b"ab") == (b"ab", b"")
    assert not body.is_done
    assert body.feed(b"cdefgh") == (b"cde", b"fgh")
    assert body.is_done


@pytest.mark.parametrize("line", [CHUNKED, b"transfer-encoding:CHUNKED\t"])
def test_chunks_are_read(line: bytes) -> None:
    assert isinstance(framed(line), ChunkedBody)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        pytest.param([b"Content-Length: 5", b"Content-Length: 5"], 400, id="a length said twice"),
        pytest.param([b"Content-Length: 5, 5"], 400, id="a list of lengths"),
        pytest.param([b"Content-Length: 5", b"content-length: 6"], 400, id="two lengths"),
        pytest.param([b"Content-Length: +5"], 400, id="a sign"),
        pytest.param([b"Content-Length: -5"], 400, id="a negative length"),
        pytest.param([b"Content-Length: 0x5"], 400, id="hexadecimal"),
        pytest.param([b"Content-Length: 5 5"], 400, id="a space within"),
        pytest.param([b"Content-Length: 1_0"], 400, id="an underscore"),
        pytest.param([b"Content-Length: \xb2"], 400, id="a digit above ASCII"),
        pytest.param([b"Content-Length:"], 400, id="nothing"),
        pytest.param([b"Content-Length: " + b"9" * 19], 400, id="more than anybody has"),
        pytest.param([b"Content-Length: 5", CHUNKED], 400, id="both (6.1)"),
        pytest.param([CHUNKED, CHUNKED], 501, id="chunked twice (6.1)"),
        pytest.param([b"Transfer-Encoding: gzip, chunked"], 501, id="a coding that we would have to undo (6.1)"),
        pytest.param([b"Transfer-Encoding: chunked, identity"], 501, id="chunked, but not at last (6.1)"),
        pytest.param([b"Transfer-Encoding: identity"], 501, id="what is no coding any more"),
        pytest.param([b"Transfer-Encoding:"], 501, id="no coding"),
        pytest.param([b"Transfer-Encoding: chunked;q=1"], 501, id="with a parameter"),
        pytest.param([b"Transfer-Encoding: xchunked"], 501, id="almost chunked"),
    ],
)
def test_what_does_not_tell_the_end_of_a_request_for_sure_is_refused(lines: list[bytes], status: int) -> None:
    with pytest.raises(RequestError) as refused:
        framed(*lines)
    assert refused.value.status == status


def test_http_1_0_knows_no_chunks() -> None:
    """RFC 9112, section 6.1: the framing is to be taken as faulty."""
    with pytest.raises(RequestError):
        framed(CHUNKED, version=b"1.0")
    with pytest.raises(ResponseError):
        answered(CHUNKED, version=b"1.0")


@pytest.mark.parametrize(("status", "method"), [(200, b"HEAD"), (204, b"GET"), (304, b"GET"), (103, b"GET")])
@pytest.mark.parametrize("line", [b"Content-Length: 5", CHUNKED, b"X: y"])
def test_some_responses_have_no_body_whatever_they_say(status: int, method: bytes, line: bytes) -> None:
    """RFC 9112, section 6.3, the first case."""
    assert answered(line, status=status, method=method) is None


def test_a_response_without_framing_ends_with_its_connection() -> None:
    """RFC 9112, section 6.3, the last case."""
    body = answered()
    assert isinstance(body, CloseBody)
    assert body.feed(b"any") == (b"any", b"")
    assert not body.is_done


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Content-Length: 5"],
        [b"Content-Length: x"],
        [b"Content-Length: 5", CHUNKED],
        [b"Transfer-Encoding: gzip"],
    ],
)
def test_what_does_not_tell_the_end_of_a_response_for_sure_is_not_passed_on(lines: list[bytes]) -> None:
    with pytest.raises(ResponseError):
        answered(*lines)


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_length_that_is_none_is_never_passed_on(method: bytes) -> None:
    with pytest.raises(ResponseError):
        answered(b"Content-Length: x", method=method)


def feed(body: ChunkedBody, data: bytes) -> tuple[bytes, bytes]:
    return body.feed(data)


def feed_in_pieces(body: ChunkedBody, data: bytes) -> tuple[bytes, bytes]:
    pieces, behind = body.pieces(data)
    return b"".join(pieces), behind


@pytest.mark.parametrize("read", [feed, feed_in_pieces])
@given(data=st.data(), content=st.binary(max_size=200), size=st.integers(1, 20))
def test_chunks_of_any_size_give_the_content_and_what_follows(
    read: Callable[[ChunkedBody, bytes], tuple[bytes, bytes]], data: st.DataObject, content: bytes, size: int
) -> None:
    whole = data.draw(chunked(content)) + b"NEXT"
    body, got = ChunkedBody(), b""
    behind = b""
    for at in range(0, len(whole), size):
        piece = whole[at : at + size]
        if body.is_done:
            behind += piece
        else:
            part, behind = read(body, piece)
            got += part
    assert (got, behind, body.is_done) == (content, b"NEXT", True)


@given(st.lists(st.binary(max_size=100), max_size=3), st.sampled_from([0, COPIED_BYTES]))
def test_what_is_sent_in_chunks_is_read_again(pieces: list[bytes], more: int) -> None:
    """As small content is sent, and as large content is."""
    pieces.append(b"x" * more)
    content, body = b"".join(pieces), ChunkedBody()
    assert body.feed(b"".join(chunk(pieces, len(content))) + b"0\r\n\r\n") == (content, b"")
    assert body.is_done


def test_large_content_is_not_copied() -> None:
    """Copies of some hundred KB each have the C library give memory back and ask for it again, page by page."""
    data = b"5000\r\n%b\r\n" % (b"x" * 0x5000) * 3 + b"10000\r\n" + b"y" * 0x8000
    body = ChunkedBody()
    views, behind = body.pieces(data)
    assert all(isinstance(view, memoryview) and view.obj is data for view in views)
    assert (b"".join(views), behind) == (b"x" * 0xF000 + b"y" * 0x8000, b"")
    (rest,), _ = body.pieces(data := b"y" * 0x7FFF)
    assert rest is data


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"1\r\na\r\n" * (COPIED_BYTES + 1), id="many small chunks"),
        pytest.param(b"400\r\n%b\r\n" % (b"a" * 1024) * (MOST_PIECES + 1), id="more chunks than are passed on"),
        pytest.param((b"200;a=%b\r\n%b\r\n" % (b"a" * 1000, b"a" * 512)) * 32, id="mostly extensions"),
    ],
)
def test_content_that_is_little_of_what_came_or_finely_cut_is_copied(data: bytes) -> None:
    """Thousands of pieces cost more than a copy, and views of a little content would keep all that came with it."""
    pieces, _ = ChunkedBody().pieces(data)
    assert [type(piece) for piece in pieces] == [bytes]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"5\nhello\r\n", id="a bare LF"),
        pytest.param(b"5\rx", id="a bare CR"),
        pytest.param(b"5\r\r\n", id="two CR"),
        pytest.param(b"\r\n", id="no size"),
        pytest.param(b"+5\r\n", id="a sign"),
        pytest.param(b"0x5\r\n", id="a prefix"),
        pytest.param(b"5 \r\n", id="a space"),
        pytest.param(b" 5\r\n", id="a space before"),
        pytest.param(b"5_0\r\n", id="an underscore"),
        pytest.param(b"g\r\n", id="no digit"),
        pytest.param(b"1" * 16 + b"\r\n", id="more than anybody has"),
        pytest.param(b"5;\r\n", id="an extension without a name"),
        pytest.param(b"5 ;a\r\n", id="an extension behind bad whitespace"),
        pytest.param(b"5;a=\x00\r\n", id="a control in an extension"),
        pytest.param(b'5;a="\r\n', id="an extension that is not ended"),
        pytest.param(b"5;" + b"a" * LONGEST_LINE, id="an endless extension"),
        pytest.param(b"2\r\nabc\r\n", id="more than the size says"),
        pytest.param(b"2\r\nab0\r\n", id="no line end behind the data"),
        pytest.param(b"2\r\nab\n0\r\n", id="half a line end behind the data"),
        pytest.param(b"0\r\nX\r\n", id="a trailer without a colon"),
        pytest.param(b"0\r\nX : y\r\n", id="a trailer with a space before the colon"),
        pytest.param(b"0\r\nX: y\r\n z\r\n", id="a folded trailer"),
        pytest.param(b"0\r\nX: \x00\r\n", id="a control in a trailer"),
        pytest.param(b"0\r\n" + b"X: 0123456789\r\n" * 1000, id="endless trailers"),
    ],
)
@pytest.mark.parametrize("size", [1, 100_000])
def test_broken_chunks_are_refused(data: bytes, size: int) -> None:
    """RFC 9112, section 7.1. A bare CR that ends what has come may still be followed by its LF."""
    with pytest.raises(FramingError):
        read(data, size)


def read(data: bytes, size: int) -> None:
    body = ChunkedBody()
    for at in range(0, len(data), size):
        body.feed(data[at : at + size])


def test_many_small_chunks_cost_no_more_than_they_are() -> None:
    """Whoever cuts finely must not keep everybody waiting: what is left is never copied for each chunk."""

    class Counted(bytes):
        copied = 0

        def __getitem__(self, key: object) -> bytes:  # type: ignore[override]
            piece = bytes(self)[key]  # type: ignore[call-overload]
            Counted.copied += len(piece)
            return Counted(piece)

    data = Counted(b"1\r\na\r\n" * 1000)
    content, _ = ChunkedBody().feed(data)
    assert content == b"a" * 1000
    assert Counted.copied < 2 * len(data)


@pytest.mark.parametrize("status", [200, 204, 206, 304, 404])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("lengths", [[], [b"0"], [b"2"], [b"02"], [b"+2"], [b"2", b"2"]])
@pytest.mark.parametrize("codings", [[], [CHUNKED]])
def test_what_is_whole_at_once_is_what_its_framing_says(
    status: int, method: bytes, lengths: list[bytes], codings: list[bytes]
) -> None:
    lines = [*(b"Content-Length: " + length for length in lengths), *codings]
    head = response_head(b"\r\n".join([b"HTTP/1.1 %d OK" % status, *lines, b"\r\n"]))
    for content in (b"", b"a", b"ab", b"abc"):
        if is_whole(head, method, content):
            body = response_body(head, method)
            assert (body.feed(content) if body else (b"", content)) == (content, b"")
            assert body is None or body.is_done
