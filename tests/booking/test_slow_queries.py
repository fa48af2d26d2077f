"""The slow-query log names what was slow, once each, and never what was asked with."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import slow_queries
from booking.db import Database
from booking.errors import DatabaseUnavailable

# Each takes longer than a millisecond on any machine.
SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
    "SELECT COUNT(*) FROM n WHERE :name <> ''",
    "mysql": "SELECT SLEEP(0.05)\n FROM dual WHERE :name <> ''",
}
NEVER_MS = 60_000


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "booking.slow_queries"]


def slow(db: Database) -> str:
    return SLOW[db.engine.dialect.name]


async def test_a_slow_statement_is_logged_with_its_name_its_time_and_its_text(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    slow_queries.watch(db.engine, slow_ms=1)
    async with db.reading("long_one") as connection:
        await connection.execute(text(slow(db)), {"name": "Ada Lovelace"})

    # A machine that is slow itself has its BEGIN logged, too.
    [line] = [line for line in logged(caplog) if " ".join(slow(db).split())[:30] in line]
    assert line.startswith("Slow query long_one: ")
    assert " ms, " in line
    assert "Ada Lovelace" not in line


async def test_a_write_goes_by_its_name(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    async def _long_write(connection: AsyncConnection) -> None:
        await connection.execute(text(slow(db)), {"name": "Ada"})

    slow_queries.watch(db.engine, slow_ms=1)
    await db.write(_long_write)
    assert any("Slow query long_write:" in line for line in logged(caplog))


async def test_what_is_quick_is_not_logged(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    slow_queries.watch(db.engine, slow_ms=NEVER_MS)
    async with db.reading("long_one") as connection:
        await connection.execute(text(slow(db)), {"name": "Ada"})
    assert logged(caplog) == []


async def test_the_rows_are_told_where_they_are_known(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    slow_queries.watch(db.engine, slow_ms=1)
    async with db.reading("long_one") as connection:
        await connection.execute(text(slow(db)), {"name": "Ada"})
    known = {"mysql": "1 rows", "sqlite": "unknown rows"}
    assert known[db.engine.dialect.name] in logged(caplog)[-1]


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
async def test_a_statement_that_waited_and_failed_is_logged_too(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    async def read() -> None:
        async with db.reading("doomed") as connection:
            await connection.execute(text("SET STATEMENT max_statement_time=0.05 FOR SELECT SLEEP(60)"))

    slow_queries.watch(db.engine, slow_ms=1)
    with pytest.raises(DatabaseUnavailable):
        await read()
    assert any("Slow query doomed:" in line for line in logged(caplog))


async def test_a_long_statement_is_cut(db: Database, caplog: pytest.LogCaptureFixture) -> None:
    slow_queries.watch(db.engine, slow_ms=1)
    async with db.reading("long_one") as connection:
        await connection.execute(text(f"{slow(db)} /* {'x' * 5_000} */"), {"name": "Ada"})
    assert len(logged(caplog)[-1]) < 1_200
