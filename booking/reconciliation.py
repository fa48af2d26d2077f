"""Reconciling by hand: brings what is open to an end with the gateway's help, and says what is left."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import payments, refunds, tables
from booking.db import Database
from booking.gateway import Gateway
from booking.inbox import Inbox
from booking.tables import DeliveryState, PaymentState, RefundState

# Of payments in one batch: all that there may be.
MOST = 100_000


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was done, and how much of each is left: payments that the gateway was silent about, refunds that it did not
    make, events that could not be looked into."""

    settled: int
    refunded: int
    looked_into: int
    payments_left: int
    refunds_left: int
    events_left: int

    @property
    def is_all(self) -> bool:
        return not (self.payments_left or self.refunds_left or self.events_left)

    def __str__(self) -> str:
        return (
            f"Payments settled: {self.settled}. Refunds made: {self.refunded}. "
            f"Events looked into: {self.looked_into}.\n"
            f"Left: payments {self.payments_left}, refunds {self.refunds_left}, events {self.events_left}."
        )


async def reconcile(db: Database, gateway: Gateway, now_s: int, late_s: int) -> Reconciled:
    """Asks about payments of which nothing was heard for `late_s`. Refunds come last: money paid in vain becomes one.

    Raises DatabaseUnavailable.
    """
    looked_into = await Inbox(db, gateway, lambda: now_s).worker.work_off()
    settled = await _all(lambda: payments.reconcile(db, gateway, now_s, late_s, most=MOST))
    refunded = await _all(lambda: refunds.refund(db, gateway, now_s))
    async with db.reading("left") as connection:
        return Reconciled(
            settled,
            refunded,
            looked_into,
            payments_left=await _silent(connection, now_s - late_s, now_s),
            refunds_left=await _left(connection, tables.refunds, RefundState.DUE),
            events_left=await _left(connection, tables.inbox, DeliveryState.DUE),
        )


async def _all(some: Callable[[], Awaitable[int]]) -> int:
    """Each time does a batch and says how many ended; where none did, no other will."""
    total = 0
    while ended := await some():
        total += ended
    return total


async def _silent(connection: AsyncConnection, since_s: int, now_s: int) -> int:
    """Payments that are late and that the gateway did not even call open just now. One that was begun a moment ago, and
    that no gateway knows yet, is not among them."""
    table = tables.payments
    query = select(func.count()).where(
        table.c.state == PaymentState.OPEN,
        table.c.gateway_id.is_not(None),
        table.c.changed_s <= since_s,
        table.c.changed_s < now_s,
    )
    return await connection.scalar(query) or 0


async def _left(connection: AsyncConnection, table: Table, state: str) -> int:
    return await connection.scalar(select(func.count()).where(table.c.state == state)) or 0
