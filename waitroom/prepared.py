"""Texts with holes, prepared once: what is fixed is compressed ahead, and who fills the holes compresses nothing. Pure.

A gzip stream (RFC 1952) is a row of deflate blocks (RFC 1951). Each fixed part is compressed by itself, begins and ends
at a byte, and refers to nothing before it; what fills a hole goes between two of them as a stored block.
"""

import re
import struct
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from markupsafe import escape

Form = Callable[[Any], object]
# As it is, and as stored blocks.
Filling = tuple[bytes, bytes]
# RFC 1952, section 2.3: deflate, no name, no time, no system.
GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
LONGEST_STORED_BYTES = 0xFFFF
# RFC 1951, section 3.2.4: how a stored block begins at a byte, and the length of an empty one with its complement.
STORED = b"\0"
EMPTY = b"\0\0\xff\xff"
# Such a part is longer to read than what it changes of a checksum is to look up.
LONG_BYTES = 4096
# Of text without these, nothing is escaped.
SAFE = re.compile(r"""[^&<>'"]*""")


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
        self._fillers = [Filler(name, forms[form]) for name, form in distinct]
        self._plain = [piece.encode() for piece in pieces[::3]]
        self._compressed = _deflated(self._plain)
        self._stretches = list(_stretches(self._plain))
        self._in_order = _in_order(len(self._plain), [distinct.index(hole) for hole in holes])

    def filled(self, values: Mapping[str, object]) -> "Filled":
        """With a value for each name."""
        return Filled(self, [filler.of(values[filler.name]) for filler in self._fillers])

    def plain(self, fillings: Sequence["Filling"]) -> bytes:
        """The text itself."""
        return b"".join(self._in_order([*self._plain, *[plain for plain, _ in fillings], b""]))

    def gzipped(self, fillings: Sequence["Filling"]) -> bytes:
        """The text as gzip."""
        checksum = length = 0
        parts = self._in_order([*self._plain, *[plain for plain, _ in fillings], b""])
        for between, long in self._stretches:
            text = b"".join(parts[between])
            checksum = zlib.crc32(text, checksum)
            length += len(text)
            if long:
                checksum = long.behind(checksum)
                length += long.length
        blocks = self._in_order([*self._compressed, *[stored for _, stored in fillings], b""])
        return b"".join((GZIP_HEADER, *blocks, struct.pack("<II", checksum, length & 0xFFFFFFFF)))


class Filler:
    """Fills a hole. It remembers what it did last: those who come together are told much the same."""

    def __init__(self, name: str, form: Form) -> None:
        self.name = name
        self._form = form
        self._last: object = self  # no value
        self._filling: Filling = b"", b""

    def of(self, value: object) -> "Filling":
        """What a value is in the text."""
        if value != self._last or type(value) is not type(self._last):
            plain = _escaped(self._form(value))
            self._filling, self._last = (plain, _stored(plain)), value
        return self._filling


class Long:
    """A fixed part that is not read again for each checksum.

    The CRC-32 of a text with this part behind it is an affine function, bit by bit, of that of the text alone (RFC
    1952, section 8): four tables, one for each byte of it, have what its bits change.
    """

    def __init__(self, part: bytes) -> None:
        self.length = len(part)
        self._alone = zlib.crc32(part)
        changes = [zlib.crc32(part, 1 << bit) ^ self._alone for bit in range(32)]
        self._tables = [_table(changes[byte : byte + 8]) for byte in range(0, 32, 8)]

    def behind(self, checksum: int) -> int:
        """The CRC-32 of what has this one, with the part behind it."""
        first, second, third, fourth = self._tables
        return (
            self._alone
            ^ first[checksum & 0xFF]
            ^ second[checksum >> 8 & 0xFF]
            ^ third[checksum >> 16 & 0xFF]
            ^ fourth[checksum >> 24]
        )


@dataclass(frozen=True, slots=True)
class Filled:
    """A prepared text with what fills its holes, each once, escaped."""

    prepared: Prepared
    fillings: list[Filling]

    def plain(self) -> bytes:
        return self.prepared.plain(self.fillings)

    def gzipped(self) -> bytes:
        return self.prepared.gzipped(self.fillings)


def _escaped(value: object) -> bytes:
    """What is no text in the address that a visitor sent goes back as it came."""
    text = value if isinstance(value, str) and SAFE.fullmatch(value) else escape(value)
    return text.encode(errors="surrogateescape")


def _table(changes: Sequence[int]) -> "array[int]":
    """What each byte changes, from what each of its bits does."""
    table = array("L", [0])
    for change in changes:
        table.extend([before ^ change for before in table])
    return table


def _stretches(parts: Sequence[bytes]) -> Iterator[tuple[slice, Long | None]]:
    """What stands before each long part and behind the last, where holes stand between the parts; with those."""
    start = 0
    for number, part in enumerate(parts):
        if len(part) >= LONG_BYTES:
            yield slice(start, 2 * number), Long(part)
            start = 2 * number + 1
    yield slice(start, None), None


def _in_order(fixed: int, holes: Sequence[int]) -> Callable[[Sequence[bytes]], tuple[bytes, ...]]:
    """Picks from so many fixed parts, and what fills the distinct holes behind them, each where it stands: `holes` has
    those between the parts. An empty part closes both, so that there are always several."""
    places = [0] * (2 * fixed - 1)
    places[::2] = range(fixed)
    places[1::2] = [fixed + hole for hole in holes]
    return itemgetter(*places, -1)


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
