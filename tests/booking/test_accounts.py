"""Accounts: one for an e-mail, opened by its password and by nothing else."""

import asyncio
from collections import Counter

import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select, update

from booking import accounts as service
from booking import once
from booking.account_forms import Credentials, PasswordChange, parse_sign_up
from booking.db import Database
from booking.errors import EmailTaken, Invalid, WrongCredentials
from booking.passwords import Passwords
from booking.tables import accounts
from tests.booking.bench import NOW_S, PASSWORD, Visitor, rows
from tests.booking.conftest import Site

GOOD = {"email": "Ada@Example.org ", "name": " Ada  Lovelace", "password": PASSWORD, "phone": "+82 2 1234 5678"}
WISH = parse_sign_up(GOOD)
ADA = Credentials("ada@example.org", PASSWORD)

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def passwords() -> Passwords:
    return Passwords()


async def test_an_email_has_one_account_however_it_is_written(db: Database, passwords: Passwords) -> None:
    spellings = ["ada@example.org", "ADA@example.org", " ada@EXAMPLE.org", "Ada@Example.Org"]
    wishes = [parse_sign_up(GOOD | {"email": email}) for email in spellings]
    made = await asyncio.gather(
        *(service.sign_up(db, passwords, wish, NOW_S) for wish in wishes), return_exceptions=True
    )
    assert Counter(type(each).__name__ for each in made) == {"Account": 1, "EmailTaken": 3}


async def test_a_sign_up_that_comes_again_by_its_key_finds_its_account(db: Database, passwords: Passwords) -> None:
    """Its answer was lost. By another key, the e-mail is taken."""
    key = await once.begin(db, "visitor", "key", "fingerprint", NOW_S)
    assert isinstance(key, once.Once)
    made = await service.sign_up(db, passwords, WISH, NOW_S, key)
    await once.release(db, key)

    again = await once.begin(db, "visitor", "key", "fingerprint", NOW_S)
    assert isinstance(again, once.Once)
    assert await service.sign_up(db, passwords, WISH, NOW_S, again) == made
    with pytest.raises(EmailTaken):
        await service.sign_up(db, passwords, WISH, NOW_S)


async def test_a_new_account_is_found_again(db: Database, passwords: Passwords) -> None:
    made = await service.sign_up(db, passwords, parse_sign_up(GOOD | {"language": "ko"}), NOW_S)
    assert (made.email, made.name, made.language) == ("ada@example.org", "Ada Lovelace", "ko")
    assert await service.find(db, made.id) == made
    assert await service.log_in(db, passwords, ADA) == made
    assert await service.find(db, made.id + 1) is None


@on_sqlite
async def test_an_old_hash_is_renewed_at_log_in(db: Database, passwords: Passwords) -> None:
    """The parameters of yesterday are too weak one day. What was hashed by them goes on to fit."""
    made = await service.sign_up(db, passwords, WISH, NOW_S)
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    async with db.engine.begin() as connection:
        await connection.execute(update(accounts).values(password_hash=weak))

    assert await service.log_in(db, passwords, ADA) == made
    (stored,) = await rows(db, select(accounts.c.password_hash))
    assert not passwords.is_outdated(stored.password_hash)
    assert await service.log_in(db, passwords, ADA) == made


async def test_of_two_changes_of_a_password_at_once_one_is_made(db: Database, passwords: Passwords) -> None:
    """The other was asked for by a password that is not the account's any more."""
    made = await service.sign_up(db, passwords, WISH, NOW_S)
    wanted = ["the first new password", "the second new password"]
    changes = [PasswordChange(PASSWORD, new) for new in wanted]
    done = await asyncio.gather(
        *(service.change_password(db, passwords, made.id, change) for change in changes), return_exceptions=True
    )
    assert Counter(type(each) for each in done) == {type(None): 1, Invalid: 1}
    assert await service.log_in(db, passwords, Credentials(ADA.email, wanted[done.index(None)]))
    with pytest.raises(WrongCredentials):
        await service.log_in(db, passwords, ADA)


async def test_name_and_language_are_changed_for_one_account(db: Database, passwords: Passwords) -> None:
    ada = await service.sign_up(db, passwords, WISH, NOW_S)
    grace = await service.sign_up(db, passwords, parse_sign_up(GOOD | {"email": "grace@example.org"}), NOW_S)
    await service.change_name(db, ada.id, "Ada King")
    changed = await service.change_language(db, ada.id, "ko")

    assert (changed.name, changed.language) == ("Ada King", "ko")
    assert await service.find(db, ada.id) == changed
    assert await service.find(db, grace.id) == grace


@on_sqlite
async def test_a_wrong_password_and_an_unknown_email_look_alike(site: Site, ada: Visitor) -> None:
    visitor = site.visitor()
    wrong = await visitor.post("/api/session", {"email": "Ada.Lovelace@example.org", "password": "not hers"})
    unknown = await visitor.post("/api/session", {"email": "nobody@example.org", "password": PASSWORD})

    assert (wrong.status, wrong.code) == (401, "wrong_credentials")
    assert wrong.text == unknown.text


@on_sqlite
async def test_the_database_knows_neither_password_nor_token(site: Site, ada: Visitor) -> None:
    stored = f"{await rows(site.db, select(accounts))}"
    assert PASSWORD not in stored
    assert "$argon2id$" in stored
    assert await rows(site.db, select(func.count()).select_from(accounts)) == [(1,)]
