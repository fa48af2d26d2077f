"""A prepared text is, with its holes filled, what it would have been if it had been written with the values."""

import gzip
import zlib
from itertools import chain, zip_longest

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from waitroom.prepared import Filled, Form, Hole, Prepared

MARK = "f00dfeed"
FORMS: dict[str, Form] = {"plain": str, "number": "{:,}".format}
NAMES = ["alpha", "beta", "gamma"]


def prepared(*pieces: str | Hole) -> Prepared:
    return Prepared("".join(map(str, pieces)), MARK, FORMS)


def hole(name: str, form: str = "plain") -> Hole:
    return Hole(MARK, name, form)


def both(filled: Filled) -> set[bytes]:
    """The text, by itself and out of its gzip."""
    return {filled.plain(), gzip.decompress(filled.gzipped())}


@given(
    st.lists(st.text(max_size=200), min_size=1),
    st.lists(st.sampled_from(NAMES)),
    st.fixed_dictionaries({name: st.text() | st.integers() for name in NAMES}),
)
def test_holes_are_filled_with_escaped_values(fixed: list[str], holes: list[str], values: dict[str, str | int]) -> None:
    pieces = list(chain.from_iterable(zip_longest(fixed, map(hole, holes), fillvalue="")))
    written = "".join(piece if isinstance(piece, str) else escape(values[piece.name]) for piece in pieces)
    assert both(prepared(*pieces).filled(values)) == {written.encode()}


def test_each_hole_has_its_form() -> None:
    text = prepared(hole("size"), "<b>", hole("size", "number"), "</b>")
    assert both(text.filled({"size": 1234567})) == {b"1234567<b>1,234,567</b>"}


def test_a_value_that_looks_like_a_hole_is_text() -> None:
    text = prepared("<p>", hole("alpha"), "</p>")
    assert both(text.filled({"alpha": str(hole("beta"))})) == {f"<p>{hole('beta')}</p>".encode()}


def test_a_value_may_be_longer_than_a_stored_block() -> None:
    long = "x" * 200_000
    assert both(prepared("a", hole("alpha"), "b").filled({"alpha": long})) == {f"a{long}b".encode()}


def test_an_address_that_is_no_text_goes_back_as_it_came() -> None:
    here = b"/\xe2\x28?\xff".decode(errors="surrogateescape")
    assert both(prepared("<", hole("alpha"), ">").filled({"alpha": here})) == {b"</\xe2\x28?\xff>"}


def test_a_text_without_holes_is_itself() -> None:
    assert both(prepared("all of it").filled({})) == {b"all of it"}


def test_gzip_tells_a_changed_filling() -> None:
    """The checksum is of what was filled in, and not of the holes (RFC 1952, section 2.3.1)."""
    whole = prepared("a", hole("alpha"), "b").filled({"alpha": "right"}).gzipped()
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    assert unpacker.decompress(whole) == b"arightb"
    assert unpacker.eof
    assert unpacker.unused_data == b""
    assert int.from_bytes(whole[-8:-4], "little") == zlib.crc32(b"arightb")
