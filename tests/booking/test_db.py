"""What a transaction means: whole or not at all, again on a conflict, and a clear answer when the database is gone."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import event, insert, select, text, update
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import schema
from booking.app import build
from booking.db import ATTEMPTS, Database, StaleError
from booking.errors import DatabaseUnavailable
from booking.settings import read
from booking.tables import accounts
from tests.booking.bank import PrivateSandbox
from tests.booking.bench import Clock, Room, Visitor, rows
from tests.booking.mariadb import PrivateMariaDB

ADA, GRACE = 1, 2


async def add_account(connection: AsyncConnection, account_id: int) -> None:
    values = {"id": account_id, "email": f"{account_id}@example.org", "name": "A", "password_hash": "", "created_s": 0}
    await connection.execute(insert(accounts).values(language="en", **values))


async def rename(connection: AsyncConnection, account_id: int, name: str) -> None:
    await connection.execute(update(accounts).where(accounts.c.id == account_id).values(name=name))


async def names(db: Database) -> list[str]:
    return [row.name for row in await rows(db, select(accounts.c.name).order_by(accounts.c.id))]


async def test_a_write_that_fails_leaves_nothing(db: Database) -> None:
    async def fails(connection: AsyncConnection) -> None:
        await add_account(connection, ADA)
        raise KeyError

    with pytest.raises(KeyError):
        await db.write(fails)
    assert await names(db) == []


async def test_a_write_whose_reading_was_stale_runs_again_from_its_start(db: Database) -> None:
    seen: list[int] = []

    async def stale_twice(connection: AsyncConnection) -> str:
        await add_account(connection, ADA)
        seen.append(1)
        if len(seen) < 3:
            raise StaleError
        return "done"

    assert await db.write(stale_twice) == "done"
    assert await names(db) == ["A"]


async def test_a_write_that_is_always_stale_gives_up(db: Database) -> None:
    seen: list[int] = []

    async def stale(_connection: AsyncConnection) -> None:
        seen.append(1)
        raise StaleError

    with pytest.raises(DatabaseUnavailable):
        await db.write(stale)
    assert len(seen) == ATTEMPTS


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
async def test_a_deadlock_is_resolved_by_running_again(db: Database) -> None:
    """Two writes take the same two rows in opposite order; the database kills one of them, and both end well."""
    for account_id in (ADA, GRACE):
        await db.write(add_account, account_id)
    has_first = {ADA: asyncio.Event(), GRACE: asyncio.Event()}
    attempts: list[int] = []

    async def both(connection: AsyncConnection, first: int, second: int) -> None:
        attempts.append(first)
        await rename(connection, first, f"by {first}")
        has_first[first].set()
        await has_first[second].wait()
        await rename(connection, second, f"by {first}")

    await asyncio.gather(db.write(both, ADA, GRACE), db.write(both, GRACE, ADA))

    assert len(attempts) > 2, "there was no deadlock"
    assert len(set(await names(db))) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_busy_database_is_asked_again(db: Database, tmp_path: Path) -> None:
    """Another process writes, and lets go when we have met its lock."""
    async with db.engine.connect() as connection:
        await connection.execute(text("PRAGMA busy_timeout=0"))
    rival = sqlite3.connect(tmp_path / "booking.db")
    rival.execute("BEGIN IMMEDIATE")
    met: list[str] = []

    def let_go(context: ExceptionContext) -> None:
        met.append(str(context.original_exception))
        rival.rollback()

    event.listen(db.engine.sync_engine, "handle_error", let_go)
    await db.write(add_account, ADA)
    rival.close()

    assert met == ["database is locked"]
    assert await names(db) == ["A"]


async def test_ten_writers_add_up(db: Database) -> None:
    """Reading and writing in one transaction loses nothing when the write is conditional."""
    await db.write(add_account, ADA)

    async def count_up(connection: AsyncConnection) -> None:
        seen = (await connection.execute(select(accounts.c.created_s))).scalar_one()
        is_as_seen = (accounts.c.id == ADA) & (accounts.c.created_s == seen)
        result = await connection.execute(update(accounts).where(is_as_seen).values(created_s=seen + 1))
        if result.rowcount != 1:
            raise StaleError

    for _ in range(5):
        await asyncio.gather(*(db.write(count_up) for _ in range(4)))
    assert await rows(db, select(accounts.c.created_s)) == [(20,)]


async def test_a_dead_database_is_a_clear_503_and_its_return_is_noticed(
    mariadb: PrivateMariaDB,
    redis_url: str,
    bank: PrivateSandbox,
    tmp_path: Path,
    clock: Clock,
    room: Room,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Killed in the midst of service: pages and API say when to come again, the log names the remedy."""
    del mariadb  # only so that this test skips where the server is missing
    server = PrivateMariaDB(tmp_path)
    server.install()
    server.start()
    server.execute("CREATE DATABASE booking")
    url = server.url("booking")
    async with Database(url) as db:
        await schema.migrate(db)
    environment = {
        "BOOKING_DATABASE_URL": url,
        "BOOKING_REDIS_URL": redis_url,
        "BOOKING_STATE_FOLDER": str(tmp_path / "state"),
        "BOOKING_ADMISSION_KEYS": str(room.key_file),
    }
    try:
        async with (
            TestServer(build(read(environment), clock)) as site,
            Visitor(site.make_url("/"), bank, room.admission()) as visitor,
        ):
            assert (await visitor.get("/healthz")).status == 200
            server.kill()
            for path in ("/healthz", "/api/flights/1/seats"):
                answer = await visitor.get(path)
                assert (answer.status, answer.code) == (503, "database_unavailable")
                assert answer.headers["Retry-After"] == "5"
            assert "We cannot reach our records" in (await visitor.page("/flights/1")).text
            assert "BOOKING_DATABASE_URL" in caplog.text
            server.start()
            assert (await visitor.get("/healthz")).status == 200
    finally:
        server.remove()


def test_a_database_does_not_show_its_password() -> None:
    assert "geheim" not in repr(Database("mysql+aiomysql://booking:geheim@localhost/booking"))
