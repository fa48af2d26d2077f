"""Who is logged in: a random token in a cookie, of which the database keeps only the hash."""

import hashlib
import secrets

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.accounts import Account
from booking.db import Database
from booking.tables import accounts, sessions

LIFE_S = 7 * 86_400


async def start(db: Database, account_id: int, now_s: int) -> str:
    """A new session; returns its token, which is nowhere else."""
    token = secrets.token_urlsafe(32)
    await db.write(_insert, _hashed(token), account_id, now_s + LIFE_S)
    return token


async def account_of(db: Database, token: str, now_s: int) -> Account | None:
    """Whose session this is, while it lasts."""
    query = (
        select(accounts.c.id, accounts.c.email, accounts.c.name)
        .join_from(sessions, accounts)
        .where(sessions.c.token_hash == _hashed(token), sessions.c.expires_s > now_s)
    )
    async with db.reading() as connection:
        row = (await connection.execute(query)).one_or_none()
    return Account(*row) if row else None


async def end(db: Database, token: str) -> None:
    await db.write(_delete, _hashed(token))


async def sweep(db: Database, now_s: int) -> int:
    """Forgets the sessions that are over. Returns how many."""
    return await db.write(_delete_ended, now_s)


async def _insert(connection: AsyncConnection, token_hash: str, account_id: int, expires_s: int) -> None:
    values = {"token_hash": token_hash, "account_id": account_id, "expires_s": expires_s}
    await connection.execute(insert(sessions).values(**values))


async def _delete(connection: AsyncConnection, token_hash: str) -> None:
    await connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash))


async def _delete_ended(connection: AsyncConnection, now_s: int) -> int:
    result = await connection.execute(delete(sessions).where(sessions.c.expires_s <= now_s))
    return result.rowcount


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
