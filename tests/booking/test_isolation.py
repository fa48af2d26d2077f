"""MariaDB with innodb_snapshot_isolation, which newer versions have on: what it adds, and that it is survived."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, insert, select, update
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.db import Database
from booking.tables import accounts
from tests.booking.bench import rows
from tests.booking.conftest import empty_database

RECORD_HAS_CHANGED = 1020


@pytest.fixture(params=["mariadb-snapshot"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with empty_database(request, tmp_path) as url:
        yield url


@pytest.fixture
def errors(db: Database) -> list[int]:
    """The numbers of those that the database has told."""
    numbers: list[int] = []

    def note(context: ExceptionContext) -> None:
        numbers.append(context.original_exception.args[0])

    event.listen(db.engine.sync_engine, "handle_error", note)
    return numbers


async def add_account(connection: AsyncConnection) -> None:
    values = {"email": "ada@example.org", "name": "Ada", "language": "en", "password_hash": "-", "created_s": 0}
    await connection.execute(insert(accounts).values(**values))


async def rename(connection: AsyncConnection) -> None:
    await connection.execute(update(accounts).values(name="by a rival"))


async def count_up_late(connection: AsyncConnection, db: Database, isolation: str) -> None:
    """Begins anew by another isolation, reads, and writes what it has read when a rival has changed the row."""
    for statement in ("ROLLBACK", f"SET TRANSACTION ISOLATION LEVEL {isolation}", "BEGIN"):
        await connection.exec_driver_sql(statement)
    seen = (await connection.execute(select(accounts))).one()
    if seen.name == "Ada":
        await db.write(rename)
    await connection.execute(update(accounts).values(created_s=seen.created_s + 1))


async def test_a_record_that_changed_since_the_snapshot_is_read_anew(db: Database, errors: list[int]) -> None:
    """By REPEATABLE READ the row is refused with 1020, and the whole write runs again from its start."""
    await db.write(add_account)

    await db.write(count_up_late, db, "REPEATABLE READ")

    assert errors == [RECORD_HAS_CHANGED]
    assert await rows(db, select(accounts.c.name, accounts.c.created_s)) == [("by a rival", 1)]


async def test_a_write_of_ours_sees_what_is_committed_and_so_is_not_refused(db: Database, errors: list[int]) -> None:
    """Ours is READ COMMITTED: each statement has a snapshot of its own. What was read before is held by its version."""
    await db.write(add_account)

    await db.write(count_up_late, db, "READ COMMITTED")

    assert errors == []
