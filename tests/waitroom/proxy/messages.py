"""A reader of HTTP/1.1 heads that knows one reading or none (RFC 9112): what a strict origin makes of bytes. Pure."""

import re
from dataclasses import dataclass
from typing import Literal

NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]+")
BODILESS = (b"204", b"304")

Framing = int | Literal["chunked", "until close"]
Field = tuple[bytes, bytes]


class Unclear(Exception):  # noqa: N818  # it says what the bytes are
    """Bytes that a strict reader refuses, since another reader could see something else in them."""


@dataclass(frozen=True, slots=True)
class Head:
    """The start line, and the fields as they were spelt, in order."""

    start: bytes
    fields: tuple[Field, ...]

    def all(self, name: bytes) -> list[bytes]:
        """The values of a field, by its name in lower case, in order."""
        return [value for key, value in self.fields if key.lower() == name]

    @property
    def names(self) -> list[str]:
        return [name.decode().lower() for name, _ in self.fields]

    @property
    def method(self) -> bytes:
        return self.start.partition(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.start.split(b" ")[1]

    @property
    def status(self) -> int:
        return int(self.start.split(b" ")[1])


@dataclass(frozen=True, slots=True)
class Message:
    """A head, and its content without framing. `whole` says that it ended as its framing said it would."""

    head: Head
    body: bytes
    trailers: tuple[Field, ...] = ()
    whole: bool = True


def head_of(raw: bytes) -> Head:
    """Reads a head, without the empty line that ends it. Raises Unclear."""
    start, *lines = raw.split(b"\r\n")
    if start.count(b" ") < 2 or not VALUE.fullmatch(start):
        raise Unclear(f"start line {start!r}")
    return Head(start, tuple(map(field_of, lines)))


def field_of(line: bytes) -> Field:
    """Reads a field line. Raises Unclear."""
    name, colon, value = line.partition(b":")
    if not (colon and NAME.fullmatch(name) and VALUE.fullmatch(value)):
        raise Unclear(f"field {line!r}")
    return name, value.strip(b" \t")


def framing(head: Head, answers: bytes = b"") -> Framing:
    """How the content ends (RFC 9112, section 6.3). `answers` is the method that a response answers, empty for a
    request. Raises Unclear."""
    codings, lengths = head.all(b"transfer-encoding"), head.all(b"content-length")
    if (codings and lengths) or len(codings) > 1 or len(lengths) > 1:
        raise Unclear(f"framing {codings} {lengths}")
    if codings and codings[0].lower() != b"chunked":
        raise Unclear(f"coding {codings}")
    if lengths and not re.fullmatch(rb"[0-9]+", lengths[0]):
        raise Unclear(f"length {lengths}")
    if answers and (answers == b"HEAD" or str(head.status).encode() in BODILESS or head.status < 200):
        return 0
    if codings:
        return "chunked"
    return int(lengths[0]) if lengths else "until close" if answers else 0


def chunk_size(line: bytes) -> int:
    """The size that a chunk's first line gives; extensions are ignored. Raises Unclear."""
    size, _, extension = line.partition(b";")
    if not CHUNK_SIZE.fullmatch(size) or len(size) > 8 or not VALUE.fullmatch(extension):
        raise Unclear(f"chunk {line!r}")
    return int(size, 16)
