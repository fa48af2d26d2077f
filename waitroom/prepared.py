"""Texts with holes, prepared once: what is fixed is compressed ahead, and who fills the holes compresses nothing. Pure.

A gzip stream (RFC 1952) is a row of deflate blocks (RFC 1951). Each fixed part is compressed by itself, begins and ends
at a byte, and refers to nothing before it; what fills a hole goes between two of them as a stored block.
"""

import re
import struct
import zlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeVar

from markupsafe import escape

Form = Callable[[Any], object]
Part = TypeVar("Part")
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
        fixed = [piece.encode() for piece in pieces[::3]]
        order = [distinct.index(hole) for hole in holes]
        self._fillers = [Filler(name, forms[form]) for name, form in distinct]
        self._text = Text(
            _alternating(fixed, order),
            _alternating(_deflated(fixed), order),
            _alternating([Long(part) if len(part) >= LONG_BYTES else part for part in fixed], order),
        )

    def filled(self, values: Mapping[str, object]) -> "Filled":
        """With a value for each name."""
        return Filled(self._text, [filler.of(values[filler.name]) for filler in self._fillers])

    def sketch(self, values: Mapping[str, object], own: Sequence[str]) -> "Sketch":
        """With a value for each name but the `own` ones, which have another each time."""
        fillings: list[Filling | int] = []
        fillers: list[tuple[Filler, int]] = []
        for filler in self._fillers:
            if filler.name in own:
                fillings.append(len(fillers))
                fillers.append((filler, own.index(filler.name)))
            else:
                fillings.append(filler.of(values[filler.name]))
        return Sketch(self._text.partly(fillings), fillers)


class Text:
    """A text with holes: as it is, as a deflate stream, and as its checksum is made. Each is a row of fixed parts, and
    of the numbers of what fills the holes between them."""

    def __init__(
        self, plain: Sequence[bytes | int], blocks: Sequence[bytes | int], checked: "Sequence[bytes | int | Long]"
    ) -> None:
        self._rows = plain, blocks, checked
        self._plain = Row(plain)
        self._blocks = Row([GZIP_HEADER, *blocks])
        self._stretches = _stretches(checked)

    def partly(self, fillings: "Sequence[Filling | int]") -> "Text":
        """The same with some holes filled for good; instead of the others, their new numbers are given."""
        plain, blocks, checked = self._rows
        as_is = [filling if isinstance(filling, int) else filling[0] for filling in fillings]
        stored = [filling if isinstance(filling, int) else filling[1] for filling in fillings]
        return Text(_closed(plain, as_is), _closed(blocks, stored), _closed(checked, as_is))

    def plain(self, fillings: "Sequence[Filling]") -> bytes:
        """The text itself."""
        return self._plain.of([plain for plain, _ in fillings])

    def gzipped(self, fillings: "Sequence[Filling]") -> bytes:
        """The text as gzip."""
        checksum = length = 0
        plain = [plain for plain, _ in fillings]
        for row, long in self._stretches:
            text = row.of(plain)
            checksum = zlib.crc32(text, checksum)
            length += len(text)
            if long:
                checksum = long.behind(checksum)
                length += long.length
        end = struct.pack("<II", checksum, length & 0xFFFFFFFF)
        return self._blocks.of([stored for _, stored in fillings], end)


class Row:
    """Fixed parts, and between them the numbers of what stands there."""

    def __init__(self, pieces: Sequence[bytes | int]) -> None:
        self._fixed = [piece for piece in pieces if isinstance(piece, bytes)]
        places: list[int] = []
        fixed = 0
        for piece in pieces:
            if isinstance(piece, int):
                places.append(len(self._fixed) + piece)
            else:
                places.append(fixed)
                fixed += 1
        # Of an empty row, too, there are several to pick.
        self._pick: Callable[[Sequence[bytes]], tuple[bytes, ...]] = itemgetter(*places, -2, -1)

    def of(self, between: Sequence[bytes], end: bytes = b"") -> bytes:
        """All of it, and what stands behind."""
        return b"".join(self._pick([*self._fixed, *between, b"", end]))


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


class Filled:
    """A text with what fills its holes, each once, escaped."""

    def __init__(self, text: Text, fillings: Sequence[Filling]) -> None:
        self._text = text
        self._fillings = fillings

    def plain(self) -> bytes:
        return self._text.plain(self._fillings)

    def gzipped(self) -> bytes:
        return self._text.gzipped(self._fillings)


class Sketch:
    """A text that is filled but for the holes of a few names: `fillers` has what fills these, and by which value."""

    def __init__(self, text: Text, fillers: Sequence[tuple[Filler, int]]) -> None:
        self._text = text
        self._fillers = fillers

    def filled(self, values: Sequence[object]) -> Filled:
        """With a value for each of the names, in their order."""
        return Filled(self._text, [filler.of(values[which]) for filler, which in self._fillers])


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


def _alternating(fixed: "Sequence[Part]", holes: Sequence[int]) -> "list[Part | int]":
    """Fixed parts with the numbers of what fills the holes between them."""
    row: list[Part | int] = [fixed[0]]
    for part, hole in zip(fixed[1:], holes, strict=True):
        row += [hole, part]
    return row


def _closed(row: "Sequence[Part | int]", fillings: Sequence[bytes | int]) -> "list[Part | bytes | int]":
    """A row with holes filled for good: what then stands side by side becomes one part."""
    closed: list[Part | bytes | int] = []
    for place in row:
        piece = fillings[place] if isinstance(place, int) else place
        last = closed[-1] if closed else None
        if isinstance(piece, bytes) and isinstance(last, bytes):
            closed[-1] = last + piece
        else:
            closed.append(piece)
    return closed


def _stretches(checked: Sequence[bytes | int | Long]) -> list[tuple[Row, Long | None]]:
    """What stands before each long part, and behind the last if there is anything; with those."""
    stretches: list[tuple[Row, Long | None]] = []
    before: list[bytes | int] = []
    for piece in checked:
        if isinstance(piece, Long):
            stretches.append((Row(before), piece))
            before = []
        else:
            before.append(piece)
    return [*stretches, (Row(before), None)] if before else stretches


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
