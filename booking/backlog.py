"""The rows of a table that are due, such as the outbox: claimed, ended or put off by any number of processes.

A claim is a lease. Whoever dies with a row leaves it to the next one who claims when the lease has run out. A row is
ended by its newest claim alone, told by the count of attempts.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.db import Database
from booking.tables import DeliveryState

# Longer than any attempt takes: no two claims of one row are under way at once.
LEASE_S = 120
FIRST_PAUSE_S = 10
LONGEST_PAUSE_S = 3_600
# Pauses of three quarters of an hour on the average: two days.
MOST_ATTEMPTS = 72


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much is due in a table, and how much was given up. `oldest_due_s` is since when someone could have done
    something; None where nothing is due."""

    due: int
    dead: int
    oldest_due_s: int | None


async def claim(db: Database, table: Table, now_s: int, most: int) -> Sequence[Row[Any]]:
    """Rows that are due, the oldest first: the caller's alone for LEASE_S. `attempts` counts this one."""
    return await db.write(_claim_due, table, now_s, most)


async def _claim_due(connection: AsyncConnection, table: Table, now_s: int, most: int) -> Sequence[Row[Any]]:
    due = (
        select(*_as_claimed(table))
        .where(table.c.state == DeliveryState.DUE, table.c.due_s <= now_s)
        .order_by(table.c.due_s, table.c.id)
        .limit(most)
        # On SQLite this says nothing, and the transaction is the only writer.
        .with_for_update(skip_locked=True)
    )
    rows = (await connection.execute(due)).all()
    if rows:
        ids = [row.id for row in rows]
        await connection.execute(
            update(table).where(table.c.id.in_(ids)).values(attempts=table.c.attempts + 1, due_s=now_s + LEASE_S)
        )
    return rows


def _as_claimed(table: Table) -> list[ColumnElement[Any]]:
    """The columns of a row, `attempts` as it is once the row is claimed."""
    return [*(c for c in table.c if c.name != "attempts"), (table.c.attempts + 1).label("attempts")]


async def done(db: Database, table: Table, rows: Sequence[Row[Any]]) -> None:
    """Ends claimed rows: nothing is left to do."""
    await db.write(_end_claims, table, rows, {"state": DeliveryState.DONE})


async def dead(db: Database, table: Table, row: Row[Any]) -> None:
    """Gives a claimed row up."""
    await db.write(_end_claims, table, [row], {"state": DeliveryState.DEAD})


async def later(db: Database, table: Table, row: Row[Any], now_s: int) -> int:
    """Puts a claimed row off; returns for how many seconds."""
    pause_s = _pause_s(row.attempts)
    await db.write(_end_claims, table, [row], {"due_s": now_s + pause_s})
    return pause_s


async def measure(db: Database, table: Table) -> Backlog:
    query = (
        select(table.c.state, func.count().label("rows"), func.min(table.c.due_s).label("oldest_s"))
        .where(table.c.state.in_([DeliveryState.DUE, DeliveryState.DEAD]))
        .group_by(table.c.state)
    )
    async with db.reading(f"{table.name}_backlog") as connection:
        found = {row.state: row for row in await connection.execute(query)}
    due, dead = found.get(DeliveryState.DUE), found.get(DeliveryState.DEAD)
    return Backlog(due.rows if due else 0, dead.rows if dead else 0, due.oldest_s if due else None)


async def _end_claims(
    connection: AsyncConnection, table: Table, rows: Sequence[Row[Any]], values: dict[str, object]
) -> None:
    """By the key first, so that it leads straight to the rows."""
    is_one = table.c.id.in_([row.id for row in rows])
    is_ours = or_(*(and_(table.c.id == row.id, table.c.attempts == row.attempts) for row in rows))
    await connection.execute(update(table).where(is_one, is_ours, table.c.state == DeliveryState.DUE).values(**values))


def _pause_s(attempts: int) -> int:
    """Twice as long each time, and never the same for two that failed together."""
    longest_s = min(FIRST_PAUSE_S * 2 ** (attempts - 1), LONGEST_PAUSE_S)
    return round(random.uniform(longest_s / 2, longest_s))
