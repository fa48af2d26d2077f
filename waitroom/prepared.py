"""Texts with holes, prepared once: what is fixed is compressed ahead, and who fills the holes compresses nothing. Pure.

A gzip stream (RFC 1952) is a row of deflate blocks (RFC 1951). Each fixed part is compressed by itself, begins and ends
at a byte, and refers to nothing before it; what fills a hole goes between two of them as a stored block.
"""

import re
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import escape

Form = Callable[[Any], object]
# RFC 1952, section 2.3: deflate, no name, no time, no system.
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
LONGEST_STORED_BYTES = 0xFFFF
# RFC 1951, section 3.2.4: how a stored block begins at a byte, and the length of an empty one with its complement.
STORED = b"\0"
EMPTY = b"\0\0\xff\xff"


@dataclass(frozen=True, slots=True, eq=False)
class Hole:
    """Stands in a text for a value that is yet to come, and says in what form. Nothing else there has its `mark`."""

    mark: str
    name: str
    form: str = "plain"

    def __eq__(self, other: object) -> bool:
        """Raises TypeError: nobody knows yet."""
        raise TypeError(f"{self.name} differs from visitor to visitor: a page can ask only whether it is there")

    __hash__ = None  # type: ignore[assignment]  # as Python itself marks what has no hash

    def __str__(self) -> str:
        return f"{self.mark}{self.name}:{self.form};"


class Prepared:
    """A markup text with holes, which are found by their mark. Values read by the forms of their holes, and escaped."""

    def __init__(self, text: str, mark: str, forms: Mapping[str, Form]) -> None:
        pieces = re.split(rf"{mark}(\w+):(\w+);", text)
        holes = list(zip(pieces[1::3], pieces[2::3], strict=True))
        distinct = list(dict.fromkeys(holes))
        fixed = [piece.encode() for piece in pieces[::3]]
        self._fillings = [(name, forms[form]) for name, form in distinct]
        self._order = [distinct.index(hole) for hole in holes]
        self._plain = _with_gaps(fixed)
        self._compressed = _with_gaps(_deflated(fixed))

    def filled(self, values: Mapping[str, object]) -> "Filled":
        """With a value for each name."""
        return Filled(self, [_escaped(form(values[name])) for name, form in self._fillings])

    def plain(self, fillings: Sequence[bytes]) -> bytes:
        """The text itself."""
        return self._spliced(self._plain, fillings)

    def gzipped(self, fillings: Sequence[bytes]) -> bytes:
        """The text as gzip."""
        text = self.plain(fillings)
        blocks = self._spliced(self._compressed, [_stored(filling) for filling in fillings])
        return b"".join((GZIP_HEADER, blocks, struct.pack("<II", zlib.crc32(text), len(text) & 0xFFFFFFFF)))

    def _spliced(self, parts: list[bytes], fillings: Sequence[bytes]) -> bytes:
        spliced = parts.copy()
        spliced[1::2] = [fillings[at] for at in self._order]
        return b"".join(spliced)


@dataclass(frozen=True, slots=True)
class Filled:
    """A prepared text with what fills its holes, each once, escaped."""

    prepared: Prepared
    fillings: list[bytes]

    def plain(self) -> bytes:
        return self.prepared.plain(self.fillings)

    def gzipped(self) -> bytes:
        return self.prepared.gzipped(self.fillings)


def _escaped(value: object) -> bytes:
    """What is no text in the address that a visitor sent goes back as it came."""
    return escape(value).encode(errors="surrogateescape")


def _with_gaps(fixed: Sequence[bytes]) -> list[bytes]:
    """The fixed parts with room for what goes between them."""
    parts = [b""] * (2 * len(fixed) - 1)
    parts[::2] = fixed
    return parts


def _deflated(fixed: Sequence[bytes]) -> list[bytes]:
    """The parts as one deflate stream that may be cut between them: a full flush ends a part at a byte, and what comes
    behind it refers to nothing before it. It ends with an empty stored block, of which a hole takes the head."""
    deflate = zlib.compressobj(level=9, wbits=-zlib.MAX_WBITS, memLevel=9)
    parts = [deflate.compress(part) + deflate.flush(zlib.Z_FULL_FLUSH) for part in fixed[:-1]]
    return [*(part.removesuffix(EMPTY) for part in parts), deflate.compress(fixed[-1]) + deflate.flush(zlib.Z_FINISH)]


def _stored(filling: bytes) -> bytes:
    """As stored blocks (RFC 1951, section 3.2.4): the length, its complement, the bytes. Before that come three bits
    and what fills up the byte: those of the first block are there."""
    length = len(filling)
    if length > LONGEST_STORED_BYTES:
        return _stored(filling[:LONGEST_STORED_BYTES]) + STORED + _stored(filling[LONGEST_STORED_BYTES:])
    return struct.pack("<HH", length, length ^ 0xFFFF) + filling
