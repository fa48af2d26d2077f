"""What is sent to MariaDB: the statements themselves, and no round trip that says nothing new."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import mysql
from booking.db import Database
from booking.tables import accounts
from tests.booking.bench import rows
from tests.booking.severance import QUERY, Line
from tests.booking.test_db import ADA, add_account, names

PING = b"\x0e"


@pytest.fixture
def database_url(url_by_line: str) -> str:
    return url_by_line


def sent_since(line: Line, count: int) -> list[str]:
    """The first words of the statements, and `ping`."""
    packets = line.sent[count:]
    return ["ping" if packet == PING else packet.removeprefix(QUERY).split()[0].decode() for packet in packets]


async def test_a_reading_is_its_statements(db: Database, line: Line) -> None:
    await db.ping()
    count = len(line.sent)
    async with db.reading("names") as connection:
        for _ in range(2):
            await connection.execute(select(accounts))
    assert sent_since(line, count) == ["SELECT", "SELECT"]


async def test_a_write_is_its_statements_between_begin_and_commit(db: Database, line: Line) -> None:
    await db.ping()
    count = len(line.sent)
    await db.write(add_account, ADA)
    assert sent_since(line, count) == ["BEGIN", "INSERT", "COMMIT"]


async def test_a_write_that_fails_is_rolled_back(db: Database, line: Line) -> None:
    async def fails(connection: AsyncConnection) -> None:
        await add_account(connection, ADA)
        raise KeyError

    await db.ping()
    count = len(line.sent)
    with pytest.raises(KeyError):
        await db.write(fails)
    assert sent_since(line, count) == ["BEGIN", "INSERT", "ROLLBACK"]
    assert await names(db) == []


async def test_a_connection_that_has_rested_is_asked_whether_it_lives(
    db: Database, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    await db.ping()
    monkeypatch.setattr(mysql, "SURE_FOR_S", 0.0)
    count = len(line.sent)
    await db.ping()
    assert sent_since(line, count) == ["ping", "SELECT"]


async def test_a_write_reads_what_is_committed_by_then(db: Database) -> None:
    found = await rows(db, text("SELECT @@session.tx_isolation, @@session.autocommit"))
    assert found == [("READ-COMMITTED", 1)]
