"""What the database says is still to be done: open payments, due refunds, letters not sent, events not worked off.

Read when metrics are asked for, at most every few seconds, since each process of a site reads the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.db import Database
from booking.tables import DeliveryState, PaymentState, RefundState, bookings, inbox, outbox, payments, refunds

KEPT_S = 15


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait in one state, and for how many seconds the first of them has."""

    count: int
    oldest_s: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Deliveries are by box (`outbox`, `inbox`) and state (`due`, `dead`)."""

    unpaid_bookings: int
    payments: Mapping[str, int]
    open_payments: Waiting
    refunds_due: Waiting
    deliveries: Mapping[tuple[str, str], Waiting]


class Unfinished:
    """The figures, and when they were read."""

    def __init__(self, db: Database, now_s: Callable[[], int]) -> None:
        self._db = db
        self._now_s = now_s
        self._read_s = 0
        self._figures: Figures | None = None

    async def figures(self) -> Figures:
        """At most 15 s old. Raises DatabaseUnavailable."""
        now_s = self._now_s()
        if self._figures is None or now_s - self._read_s >= KEPT_S:
            async with self._db.reading("unfinished") as connection:
                self._figures = await _read(connection, now_s)
            self._read_s = now_s
        return self._figures


async def _read(connection: AsyncConnection, now_s: int) -> Figures:
    """Each query has an index. Only payments are counted that are over."""
    by_state = select(payments.c.state, func.count().label("how_many")).group_by(payments.c.state)
    counted = {row.state: row.how_many for row in await connection.execute(by_state)}
    unpaid = select(func.count()).select_from(bookings).where(bookings.c.unpaid == 1)
    boxes = (("outbox", outbox, outbox.c.created_s), ("inbox", inbox, inbox.c.received_s))
    return Figures(
        unpaid_bookings=await connection.scalar(unpaid) or 0,
        payments={state: counted.get(state, 0) for state in PaymentState},
        open_payments=await _waiting(connection, payments, PaymentState.OPEN, payments.c.created_s, now_s),
        refunds_due=await _waiting(connection, refunds, RefundState.DUE, refunds.c.created_s, now_s),
        deliveries={
            (name, state): await _waiting(connection, table, state, since, now_s)
            for name, table, since in boxes
            for state in (DeliveryState.DUE, DeliveryState.DEAD)
        },
    )


async def _waiting(
    connection: AsyncConnection, table: Table, state: str, since: ColumnElement[Any], now_s: int
) -> Waiting:
    query = select(func.count(), func.min(since)).where(table.c.state == state)
    count, first_s = (await connection.execute(query)).one()
    return Waiting(count, max(0, now_s - first_s) if count else 0)
