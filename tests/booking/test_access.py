"""Access tokens: what they say, and the table of those that say nothing."""

import base64
import json
from typing import Any

import jwt
import pytest

from booking.access import ALGORITHM, LIFE_S, AccessTokens, Login
from booking.account import Account
from tests.booking.bench import NOW_S

ADA = Login(Account(17, "ada@example.org", "Ada Løvelace", "ko"), "family")
OLD, NEW = b"o" * 32, b"n" * 32
TOKENS = AccessTokens((NEW, OLD))

CLAIMS: dict[str, Any] = {
    "iss": "booking",
    "aud": "booking",
    "sub": "17",
    "email": "ada@example.org",
    "name": "Ada",
    "language": "en",
    "family": "family",
    "iat": NOW_S,
    "exp": NOW_S + LIFE_S,
}


def signed(key: bytes = NEW, algorithm: str = ALGORITHM, typ: str = "access+jwt", **changes: Any) -> str:
    """A good token but for the changes; None leaves a claim out."""
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    return jwt.encode(claims, key, algorithm, headers={"typ": typ})


def unsigned() -> str:
    parts = [{"alg": "none", "typ": "access+jwt"}, CLAIMS]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


def test_a_token_says_who_is_logged_in() -> None:
    assert TOKENS.verify(TOKENS.issue(ADA, NOW_S), NOW_S) == ADA


def test_a_token_is_good_for_five_minutes() -> None:
    token = TOKENS.issue(ADA, NOW_S)
    assert TOKENS.verify(token, NOW_S + 299) == ADA
    assert TOKENS.verify(token, NOW_S + 300) is None


def test_the_token_that_the_table_changes_is_good() -> None:
    assert TOKENS.verify(signed(), NOW_S)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "é.é.é",
        unsigned(),
        signed(key=b"x" * 32),
        signed(key=NEW * 2, algorithm="HS512"),
        signed(typ="JWT"),
        signed(typ="admission+jwt"),
        signed(iss="waitroom"),
        signed(aud="site"),
        signed(aud=None),
        signed(sub=None),
        signed(sub="ada"),
        signed(sub=""),
        signed(email=None),
        signed(name=7),
        signed(family=None),
        signed(iat=None),
        signed(iat=NOW_S + 1),
        signed(exp=None),
        signed(exp=NOW_S),
        signed(exp=float(NOW_S + 60)),
        signed()[:-1],
        signed() + "x",
    ],
)
def test_any_other_token_is_nobodys(token: str) -> None:
    assert TOKENS.verify(token, NOW_S) is None


def test_a_secret_is_changed_without_logging_anybody_out() -> None:
    """The new one is put in front; the old one still verifies, until it is removed."""
    token = AccessTokens((OLD,)).issue(ADA, NOW_S)
    assert TOKENS.verify(token, NOW_S) == ADA
    assert AccessTokens((NEW,)).verify(token, NOW_S) is None


def test_the_first_secret_signs() -> None:
    assert AccessTokens((NEW,)).verify(TOKENS.issue(ADA, NOW_S), NOW_S) == ADA


def test_keys_are_not_shown() -> None:
    assert "nnn" not in repr(TOKENS)
