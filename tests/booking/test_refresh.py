"""Refresh tokens as text: signed by us, or nothing at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.refresh import RefreshToken, RefreshTokens

OLD, NEW = b"o" * 32, b"n" * 32
TOKENS = RefreshTokens((NEW, OLD))
TOKEN = RefreshToken(17, "a-family_of_22_letters", 3)
TEXT = TOKENS.sign(TOKEN)


def test_what_was_signed_is_read_again() -> None:
    assert TOKENS.parse(TEXT) == TOKEN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "17.a-family_of_22_letters.3",
        "17.a-family_of_22_letters.3.",
        TEXT.replace("17.", "18.", 1),
        TEXT.replace("17.", "017.", 1),
        TEXT.replace("a-family", "b-family"),
        TEXT.replace(".3.", ".4."),
        TEXT.replace(".3.", ".٣."),
        TEXT[:-1] + ("A" if TEXT[-1] != "A" else "B"),
        TEXT + "\n",
        TEXT.upper(),
        RefreshTokens((b"x" * 32,)).sign(TOKEN),
    ],
)
def test_what_was_not_signed_is_no_token(text: str) -> None:
    assert TOKENS.parse(text) is None


@given(st.text(max_size=120))
def test_no_text_is_a_token_by_luck_or_an_error(text: str) -> None:
    assert TOKENS.parse(text) is None


def test_a_secret_is_changed_without_logging_anybody_out() -> None:
    """The old one still verifies, until it is removed."""
    text = RefreshTokens((OLD,)).sign(TOKEN)
    assert TOKENS.parse(text) == TOKEN
    assert RefreshTokens((NEW,)).parse(text) is None
