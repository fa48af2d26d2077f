"""Cookies of ours are written as the standard library writes them."""

from http.cookies import SimpleCookie

import pytest

from waitroom.cookies import set_cookie, ticket_cookie


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(
    ("value", "max_age_s"), [("v1.c2l0ZX4xfjV-MTc5.6Yn-_w", 604_800), ("", 0), ("pt-BR", 31_536_000)]
)
def test_cookie_is_written_as_the_library_does(value: str, max_age_s: int, secure: bool) -> None:
    name = ticket_cookie("flights", "KE-123_a", secure=secure)
    morsel = SimpleCookie({name: value})[name]
    morsel["path"], morsel["max-age"], morsel["httponly"] = "/", max_age_s, True
    morsel["samesite"], morsel["secure"] = "Lax", secure
    assert set_cookie(name, value, max_age_s, secure=secure) == morsel.OutputString()
