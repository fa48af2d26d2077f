"""The accounts: kept in the database, opened by a password. Gives no password and no hash out."""

from typing import Any

from sqlalchemy import ColumnElement, Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.account import Account
from booking.account_forms import Credentials, PasswordChange, SignUp
from booking.db import Database, changed_one, inserted_id
from booking.errors import EmailTaken, Invalid, WrongCredentials
from booking.once import Once, mark
from booking.passwords import Passwords
from booking.sentences import say
from booking.tables import accounts


async def find(db: Database, account_id: int) -> Account | None:
    row = await _row(db, accounts.c.id == account_id)
    return _account(row) if row else None


async def sign_up(db: Database, passwords: Passwords, wish: SignUp, now_s: int, once: Once | None = None) -> Account:
    """A new account; the one that an earlier attempt of the same request made. Raises EmailTaken."""
    if once and once.effect:
        made = await find(db, int(once.effect))
        assert made is not None  # noqa: S101 accounts are never removed
        return made
    return await db.write(_insert_account, wish, await passwords.hash(wish.password), now_s, once)


async def log_in(db: Database, passwords: Passwords, credentials: Credentials) -> Account:
    """Raises WrongCredentials, and does not say whether it was the e-mail or the password, nor by how long it takes."""
    row = await _row(db, accounts.c.email == credentials.email)
    if not await passwords.fits(credentials.password, row.password_hash if row else None) or row is None:
        raise WrongCredentials
    if passwords.is_outdated(row.password_hash):
        await db.write(_replace_hash, row.id, row.password_hash, await passwords.hash(credentials.password))
    return _account(row)


async def change_password(db: Database, passwords: Passwords, account_id: int, change: PasswordChange) -> None:
    """Raises Invalid where the old one is wrong. The sessions that it opened are the caller's to end."""
    row = await _row(db, accounts.c.id == account_id)
    if row is None or not await passwords.fits(change.old, row.password_hash):
        raise Invalid({"old_password": say("This is not the password that you have now.")})
    # Of two at once the second is refused: it was asked for by a password that is not the account's any more.
    if not await db.write(_replace_hash, account_id, row.password_hash, await passwords.hash(change.new)):
        raise Invalid({"old_password": say("The password was changed elsewhere a moment ago.")})


async def change_name(db: Database, account_id: int, name: str) -> Account:
    """Gives the account as it is now."""
    return await db.write(_change_account, account_id, {"name": name})


async def change_language(db: Database, account_id: int, language: str) -> Account:
    """Gives the account as it is now."""
    return await db.write(_change_account, account_id, {"language": language})


async def _row(db: Database, condition: ColumnElement[bool]) -> Row[Any] | None:
    async with db.reading("account") as connection:
        return (await connection.execute(select(accounts).where(condition))).one_or_none()


def _account(row: Row[Any]) -> Account:
    return Account(row.id, row.email, row.name, row.language)


async def _insert_account(
    connection: AsyncConnection, wish: SignUp, password_hash: str, now_s: int, once: Once | None
) -> Account:
    values = {
        "email": wish.email,
        "name": wish.name,
        "phone": wish.phone,
        "language": wish.language,
        "password_hash": password_hash,
        "created_s": now_s,
    }
    try:
        account_id = inserted_id(await connection.execute(insert(accounts).values(**values)))
    except IntegrityError as exc:
        raise EmailTaken from exc
    await mark(connection, once, str(account_id))
    return Account(account_id, wish.email, wish.name, wish.language)


async def _replace_hash(connection: AsyncConnection, account_id: int, old_hash: str, new_hash: str) -> bool:
    is_old = (accounts.c.id == account_id) & (accounts.c.password_hash == old_hash)
    return changed_one(await connection.execute(update(accounts).where(is_old).values(password_hash=new_hash)))


async def _change_account(connection: AsyncConnection, account_id: int, values: dict[str, str]) -> Account:
    await connection.execute(update(accounts).where(accounts.c.id == account_id).values(**values))
    return _account((await connection.execute(select(accounts).where(accounts.c.id == account_id))).one())
