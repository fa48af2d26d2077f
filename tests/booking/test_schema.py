"""The migrations lead to the tables that the code is written for, and a database that is behind is named."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from booking import schema
from booking.db import Database
from booking.tables import metadata


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


async def test_the_migrations_lead_to_the_tables_of_the_code(db: Database) -> None:
    async with db.reading("test") as connection:
        assert await connection.run_sync(differences) == []


async def test_migrating_again_changes_nothing(db: Database) -> None:
    await schema.migrate(db)
    await schema.require_current(db)


async def test_a_database_that_is_behind_is_named_with_its_remedy(database_url: str) -> None:
    async with Database(database_url) as db:
        with pytest.raises(schema.SchemaBehindError, match=r"at nothing.*needs 0002.*`booking migrate`"):
            await schema.require_current(db)


async def test_sqlite_writes_ahead_and_keeps_its_references(tmp_path: object) -> None:
    async with Database(f"sqlite+aiosqlite:///{tmp_path}/a.db") as db, db.reading("test") as connection:
        assert await connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert await connection.scalar(text("PRAGMA foreign_keys")) == 1


async def test_unpaid_bookings_are_unique_where_it_matters(db: Database) -> None:
    """The index that keeps an account from hoarding is there on both databases."""
    async with db.reading("test") as connection:
        found = await connection.run_sync(_unique_columns)
    assert ["account_id", "flight_id", "unpaid"] in found


def _unique_columns(connection: Connection) -> list[list[str]]:
    return [list(key["column_names"]) for key in inspect(connection).get_unique_constraints("bookings")]
