"""Bodies: where they end (RFC 9112, section 6), and their content as it comes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from waitroom.wire.errors import FramingError, RequestError, ResponseError
from waitroom.wire.heads import TOKEN, RequestHead, ResponseHead

LENGTH = re.compile(rb"[0-9]{1,18}")
# RFC 9112, section 7.1: a size, and extensions, which nobody needs to understand; without the whitespace that it calls
# bad, since not all readers take it for that.
QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;" + TOKEN + rb"(?:=(?:" + TOKEN + rb"|" + QUOTED + rb"))?)*")
# What most chunks begin with, the first of a body and every other, where it has come whole.
FIRST_START = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
NEXT_START = re.compile(rb"\r\n([0-9A-Fa-f]{1,15})\r\n")
# RFC 9110, section 6.5.1: framing is never a trailer's matter.
TRAILER = re.compile(rb"(?!content-length:|transfer-encoding:)" + TOKEN + rb":[\t -~\x80-\xff]*", re.IGNORECASE)
# Statuses of responses that never have a body.
BODILESS = frozenset((204, 304))
LONGEST_LINE = 4096
MOST_TRAILERS = 8192
LAST_CHUNK = b"0\r\n\r\n"
# Content up to this size is copied into one piece, since a small copy costs less than to write several pieces.
COPIED_BYTES = 8192
# Of one read, at most so many pieces are passed on by themselves.
MOST_PIECES = 64

# Content in its order; a view is of what was read, which lives as long as it.
Pieces = Sequence[bytes | memoryview]


class LengthBody:
    """A body of a known length."""

    def __init__(self, length: int) -> None:
        self.left = length

    @property
    def is_done(self) -> bool:
        return self.left == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Gives what of the data is content, and what comes after the body."""
        left = self.left
        if len(data) <= left:
            self.left = left - len(data)
            return data, b""
        self.left = 0
        return data[:left], data[left:]


class CloseBody:
    """A body that ends with its connection."""

    is_done: ClassVar[bool] = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """All of it is content."""
        return data, b""


@dataclass(slots=True)
class ChunkedBody:
    """A chunked body; its extensions and trailers are dropped."""

    is_done: bool = False
    _left: int = 0  # of the chunk under way
    _line: bytes = b""  # begun, and not ended
    _state: str = "size"
    _trailers: int = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Gives what of the data is content, and what comes after the body. Raises FramingError."""
        if len(data) < self._left:
            self._left -= len(data)
            return data, b""
        views, at = self._read(data)
        return b"".join(views), data[at:]

    def pieces(self, data: bytes) -> tuple[Pieces, bytes]:
        """Gives the content as `feed` does, but large content without a copy."""
        if len(data) < self._left:
            self._left -= len(data)
            return (data,), b""
        views, at = self._read(data)
        size = sum(map(len, views))
        # Views of a little content would keep much that is none, and is not counted as unsent.
        if COPIED_BYTES < size >= len(data) // 2 and len(views) <= MOST_PIECES:
            return views, data[at:]
        return (b"".join(views),) if size else (), data[at:]

    def _read(self, data: bytes) -> tuple[list[memoryview], int]:
        """Gives the content, and where it stopped: at the body's end, or the data's."""
        views: list[memoryview] = []
        whole = memoryview(data)
        at, end = 0, len(data)  # what is left is never copied: there may be thousands of chunks in what came at once
        while at < end and not self.is_done:
            if self._left:
                view = whole[at : at + self._left]
                views.append(view)
                at += len(view)
                self._left -= len(view)
                if not self._left:
                    self._state = "end"
            else:
                at = self._read_start(data, at)
        return views, at

    def _read_start(self, data: bytes, at: int) -> int:
        """Reads what is before a chunk's content, and tells where that begins; of an unusual start, one line."""
        if not self._line and self._state != "trailers":
            start = (FIRST_START if self._state == "size" else NEXT_START).match(data, at)
            if start:
                self._begin(int(start[1], 16))
                return start.end()
        return self._read_line(data, at)

    def _read_line(self, data: bytes, at: int) -> int:
        """Reads up to the end of a line, and tells where the next begins."""
        end = data.find(b"\n", at)
        begun = self._line + (data[at:] if end < 0 else data[at:end])
        if len(begun) > LONGEST_LINE or b"\r" in begun[:-1]:
            raise FramingError("bad_chunk")
        if end < 0:
            self._line = begun
            return len(data)
        if not begun.endswith(b"\r"):
            raise FramingError("bad_chunk")
        self._line = b""
        self._end_line(begun[:-1])
        return end + 1

    def _end_line(self, line: bytes) -> None:
        if self._state == "size":
            match = CHUNK_LINE.fullmatch(line)
            if match is None:
                raise FramingError("bad_chunk")
            self._begin(int(match[1], 16))
        elif self._state == "end":
            if line:
                raise FramingError("bad_chunk")
            self._state = "size"
        elif line:
            self._drop_trailer(line)
        else:
            self.is_done = True

    def _begin(self, size: int) -> None:
        self._left = size
        self._state = "data" if size else "trailers"

    def _drop_trailer(self, line: bytes) -> None:
        self._trailers += len(line)
        if TRAILER.fullmatch(line) is None or self._trailers > MOST_TRAILERS:
            raise FramingError("bad_trailer")


Body = LengthBody | ChunkedBody | CloseBody


def request_body(head: RequestHead) -> LengthBody | ChunkedBody | None:
    """The body of a request, None where there is none. Raises RequestError."""
    if not head.block.has_body:
        return None
    codings, lengths = head.looked.get(b"transfer-encoding"), head.looked.get(b"content-length")
    if codings is None:
        if lengths is None:
            return None
        length = _length(lengths)
        if length is None:
            raise RequestError(400, "bad_content_length")
        return LengthBody(length) if length else None
    if lengths is not None or head.minor == 0:
        raise RequestError(400, "bad_transfer_encoding")
    if not _is_chunked(codings):
        raise RequestError(501, "bad_transfer_encoding")
    return ChunkedBody()


def response_body(head: ResponseHead, method: bytes) -> Body | None:
    """The body of a response to a method, None where there is none. Raises ResponseError."""
    codings, lengths = head.looked.get(b"transfer-encoding"), head.looked.get(b"content-length")
    length = _length(lengths) if lengths is not None else 0
    if length is None:
        raise ResponseError("bad_content_length")
    if method == b"HEAD" or head.status < 200 or head.status in BODILESS:
        return None
    if codings is not None:
        if lengths is not None or not head.minor or not _is_chunked(codings):
            raise ResponseError("bad_transfer_encoding")
        return ChunkedBody()
    if lengths is None:
        return CloseBody()
    return LengthBody(length) if length else None


def is_whole(head: ResponseHead, method: bytes, content: bytes) -> bool:
    """Whether a response's body, by its length, is just what came behind its head: so do most, and nothing more need be
    known of their framing."""
    length = head.length
    if length is None:
        length = head.length = _counted(head)
    return length == len(content) and method != b"HEAD"


def _counted(head: ResponseHead) -> int:
    """The size of a body that nothing but Content-Length frames, -1 for another."""
    looked = head.looked
    if b"transfer-encoding" in looked or head.status < 200 or head.status in BODILESS:
        return -1
    length = _length(looked.get(b"content-length", []))
    return -1 if length is None else length


def chunk(pieces: Pieces, size: int) -> Pieces:
    """Content of that size as one chunk, to be written as it comes; of no bytes, since that would be the last one,
    none."""
    if size > COPIED_BYTES:
        return b"%x\r\n" % size, *pieces, b"\r\n"
    return (b"%x\r\n%b\r\n" % (size, b"".join(pieces)),) if size else ()


def _length(values: list[bytes]) -> int | None:
    return int(values[0]) if len(values) == 1 and LENGTH.fullmatch(values[0]) else None


def _is_chunked(values: list[bytes]) -> bool:
    return len(values) == 1 and values[0].lower() == b"chunked"
