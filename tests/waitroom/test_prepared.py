"""A prepared text is, with its holes filled, what it would have been if it had been written with the values."""

import gzip
import zlib
from itertools import chain, zip_longest

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup, escape

from waitroom.prepared import Filled, Form, Hole, Prepared

MARK = "f00dfeed"
FORMS: dict[str, Form] = {
    "plain": lambda value: value if isinstance(value, Markup) else str(value),
    "number": "{:,}".format,
}
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


@given(st.lists(st.sampled_from([0, 1, 4095, 4096, 9000]), min_size=1, max_size=6), st.lists(st.text(max_size=50)))
def test_long_parts_are_checked_like_any_other(lengths: list[int], told: list[str]) -> None:
    """Their part in the checksum is looked up, whatever stands before them."""
    pieces: list[str | Hole] = []
    for length in lengths:
        pieces += ["\u20ac<" * length, hole("alpha")]
    text = prepared(*pieces)
    for value in ["", *told]:
        written = "".join(piece if isinstance(piece, str) else escape(value) for piece in pieces)
        assert both(text.filled({"alpha": value})) == {written.encode()}


def test_what_was_filled_in_last_is_not_taken_for_what_only_equals_it() -> None:
    """1 equals True, and markup the text that it is made of."""
    text = prepared(hole("alpha"))
    values = [1, True, 1.0, "<b>", Markup("<b>"), "<b>", "1", 1]
    shown = [text.filled({"alpha": value}).plain().decode() for value in values]
    assert shown == ["1", "True", "1.0", "&lt;b&gt;", "<b>", "&lt;b&gt;", "1", "1"]


def test_two_visitors_are_filled_in_side_by_side() -> None:
    text = prepared("a", hole("alpha"), "b")
    one, other = text.filled({"alpha": "one"}), text.filled({"alpha": "other"})
    assert (both(one), both(other)) == ({b"aoneb"}, {b"aotherb"})


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
