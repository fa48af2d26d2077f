"""Accounts and sessions: who people are is checked, kept secret, and forgotten in time."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import select

from booking import sessions
from booking.accounts import parse_sign_up
from booking.errors import Invalid
from booking.tables import accounts
from booking.tables import sessions as session_table
from tests.booking.bench import NOW_S, PASSWORD, Visitor, rows
from tests.booking.conftest import Site

GOOD = {"email": "Ada@Example.org ", "name": " Ada  Lovelace", "password": PASSWORD, "phone": "+82 2 1234 5678"}


def test_what_is_typed_is_put_in_order() -> None:
    wish = parse_sign_up(GOOD)
    assert (wish.email, wish.name, wish.phone) == ("ada@example.org", "Ada Lovelace", "+82 2 1234 5678")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"email": "ada"}, "email"),
        ({"email": "ada@localhost"}, "email"),
        ({"email": "a" * 250 + "@example.org"}, "email"),
        ({"email": "a b@example.org"}, "email"),
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "<b>"}, "name"),
        ({"password": "123456789"}, "password"),
        ({"password": "x" * 201}, "password"),
        ({"password_again": "another password"}, "password_again"),
        ({"phone": "call me"}, "phone"),
    ],
)
def test_every_field_is_checked(change: dict[str, str], fault: str) -> None:
    with pytest.raises(Invalid) as error:
        parse_sign_up(GOOD | change)
    assert set(error.value.faults) == {fault}


def test_a_wish_does_not_show_its_password() -> None:
    assert PASSWORD not in repr(parse_sign_up(GOOD))


async def test_an_email_has_one_account_however_it_is_written(site: Site) -> None:
    visitor = site.visitor()
    spellings = ["ada@example.org", "ADA@example.org", " ada@EXAMPLE.org", "Ada@Example.Org"]

    answers = await asyncio.gather(*(visitor.post("/api/accounts", GOOD | {"email": email}) for email in spellings))

    assert Counter(answer.status for answer in answers) == {201: 1, 409: 3}
    assert {answer.code for answer in answers if answer.status == 409} == {"email_taken"}


async def test_a_wrong_password_and_an_unknown_email_look_alike(site: Site, ada: Visitor) -> None:
    visitor = site.visitor()
    wrong = await visitor.post("/api/session", {"email": "Ada.Lovelace@example.org", "password": "not hers"})
    unknown = await visitor.post("/api/session", {"email": "nobody@example.org", "password": PASSWORD})

    assert (wrong.status, wrong.code) == (401, "wrong_credentials")
    assert wrong.text == unknown.text


async def test_logging_in_and_out(site: Site, ada: Visitor) -> None:
    visitor = site.visitor()
    await visitor.post("/api/session", {"email": "ADA.lovelace@example.org", "password": PASSWORD})
    assert (await visitor.get("/api/bookings")).status == 200

    assert (await visitor.ask("DELETE", "/api/session")).status == 204
    assert (await visitor.get("/api/bookings")).code == "signed_out"
    assert (await ada.get("/api/bookings")).status == 200, "the other session goes on"


async def test_a_session_that_ended_cannot_come_back(site: Site, ada: Visitor) -> None:
    """Neither after log-out, nor after the next log-in: each has a token of its own."""
    old = ada.cookies()
    await ada.post("/api/session", {"email": "Ada.Lovelace@example.org", "password": PASSWORD})
    assert ada.cookies()["halcyon-session"] != old["halcyon-session"]

    thief = site.visitor()
    assert (await thief.get("/api/bookings", cookies=old)).code == "signed_out"


async def test_a_session_ends_after_a_week(site: Site, ada: Visitor) -> None:
    assert await sessions.sweep(site.db, NOW_S + sessions.LIFE_S - 1) == 0
    account = await sessions.account_of(site.db, ada.cookies()["halcyon-session"], NOW_S + sessions.LIFE_S)
    assert account is None
    assert await sessions.sweep(site.db, NOW_S + sessions.LIFE_S) == 1


async def test_the_database_knows_neither_password_nor_token(site: Site, ada: Visitor) -> None:
    stored = f"{await rows(site.db, select(accounts))} {await rows(site.db, select(session_table))}"
    assert PASSWORD not in stored
    assert ada.cookies()["halcyon-session"] not in stored
    assert "$argon2id$" in stored


async def test_an_invented_session_is_nobodys(site: Site, ada: Visitor) -> None:
    for token in ("", "x", "a" * 4_000, "'; DROP TABLE sessions; --"):
        answer = await site.visitor().get("/api/bookings", cookies={"halcyon-session": token})
        assert answer.code == "signed_out"
