"""The version of the schema: brings a database to the one this code needs, and says when it is behind."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from booking.db import Database

MIGRATIONS = Path(__file__).with_name("migrations")


class SchemaBehindError(Exception):
    """The database was made for another version of this code."""

    def __init__(self, found: str | None, needed: str | None) -> None:
        super().__init__(f"the schema is at {found or 'nothing'}, this version needs {needed}: run `booking migrate`")


async def migrate(db: Database) -> None:
    """Brings the schema up to date; does nothing where it is."""
    async with db.engine.begin() as connection:
        await connection.run_sync(_upgrade)


async def require_current(db: Database) -> None:
    """Raises SchemaBehindError unless the schema is the one that this code was written for."""
    async with db.reading("schema_version") as connection:
        found = await connection.run_sync(_version)
    needed = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if found != needed:
        raise SchemaBehindError(found, needed)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
