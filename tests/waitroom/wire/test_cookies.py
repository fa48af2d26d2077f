"""Cookies of a request, as both readers of them find them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitroom.headers import cookie as cookie_of_text
from waitroom.wire.cookies import cookie
from waitroom.wire.heads import Block


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([b"wr=1"], "1"),
        ([b"a=2; wr=1"], "1"),
        ([b"a=2;wr=1;b=3"], "1"),
        ([b"a=2; \twr=1 ; b=3"], "1"),
        ([b"a=2", b"wr=1"], "1"),
        ([b"wr=1; wr=2"], "1"),
        ([b"xwr=2; wr.x=3; awr=4; wr=1"], "1"),
        ([b"a=wr=2; wr=1"], "1"),
        ([b"wr=a=b"], "a=b"),
        ([b"wr="], ""),
        ([b"wr"], ""),
        ([b"a=wr=2"], ""),
        ([], ""),
    ],
)
def test_a_cookie_is_found_by_its_whole_name(values: list[bytes], expected: str) -> None:
    """RFC 6265, section 4.2.1."""
    assert cookie(Block([], {b"cookie": values}), b"wr") == expected


fields = st.lists(
    st.lists(st.sampled_from([b"wr", b"=", b";", b" ", b"\t", b"x", b"\xa0", b"\x85", b"\x1c"]), max_size=12)
)


@given(fields.map(lambda some: [b"".join(parts).strip(b" \t") for parts in some]))
def test_the_quick_reader_finds_what_the_other_finds(values: list[bytes]) -> None:
    """Else a request might be let through for one cookie, and judged by another."""
    found = cookie(Block([], {b"cookie": values}), b"wr")
    assert found == cookie_of_text([("Cookie", value.decode("latin-1")) for value in values], "wr")
