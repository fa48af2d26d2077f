"""Money on its way back: due from the moment that a transaction says so, and given back by the gateway once."""

import logging
import secrets
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import audit, steps
from booking.db import Database, changed_one
from booking.errors import GatewayUnavailable
from booking.gateway import Gateway
from booking.tables import BookingState, PaymentState, RefundState, payments, refunds

# How many refunds one round does.
AT_ONCE = 100

_SUMS = (
    select(payments.c.booking_id, refunds.c.state, func.sum(refunds.c.amount_minor).label("sum"))
    .join_from(refunds, payments)
    .where(payments.c.booking_id.in_(bindparam("booking_ids", expanding=True)))
    .group_by(payments.c.booking_id, refunds.c.state)
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Back:
    """What of a booking's money was given back, and what is still due."""

    refunded_minor: int = 0
    due_minor: int = 0


NOTHING = Back()


async def due_back(connection: AsyncConnection, booking_id: int, amount_minor: int, now_s: int) -> None:
    """Makes a part of what paid for a booking's tickets due back: the booking was cancelled."""
    # Money that bought no ticket became due back in the moment it was seen.
    is_kept = ~select(refunds.c.id).where(refunds.c.payment_id == payments.c.id).exists()
    query = select(payments.c.id).where(
        payments.c.booking_id == booking_id, payments.c.state == PaymentState.CAPTURED, is_kept
    )
    payment_id = (await connection.execute(query)).scalar_one()
    await make_due(connection, booking_id, payment_id, amount_minor, "cancelled", now_s)


async def make_due(
    connection: AsyncConnection, booking_id: int, payment_id: int, amount_minor: int, cause: str, now_s: int
) -> None:
    """Makes a part of a payment due back. `cause`: cancelled, late (its seats are gone) or mismatch (not the price)."""
    key = secrets.token_hex(16)
    await connection.execute(
        insert(refunds).values(
            key=key,
            payment_id=payment_id,
            amount_minor=amount_minor,
            cause=cause,
            state=RefundState.DUE,
            created_s=now_s,
            changed_s=now_s,
        )
    )
    await audit.record(
        connection, booking_id, audit.GATEWAY, "refund_due", now_s, refund=key, amount_minor=amount_minor, cause=cause
    )


async def of_bookings(connection: AsyncConnection, booking_ids: Collection[int]) -> dict[int, Back]:
    """What went or goes back, of each booking of which something does."""
    sums: dict[int, dict[str, int]] = defaultdict(dict)
    for row in await connection.execute(_SUMS, {"booking_ids": list(booking_ids)}):
        sums[row.booking_id][row.state] = int(row.sum)
    return {
        booking_id: Back(of.get(RefundState.REFUNDED, 0), of.get(RefundState.DUE, 0)) for booking_id, of in sums.items()
    }


async def refund(db: Database, gateway: Gateway, now_s: int, most: int = AT_ONCE) -> int:
    """Gives back what is due, by this gateway: `most` refunds, those first that wait longest. Returns how many.

    Safe to repeat, and to run in many processes: the gateway refunds a key once. What it does not answer stays due.
    """
    query = (
        select(refunds.c.key, refunds.c.amount_minor, payments.c.gateway_id, payments.c.currency)
        .join_from(refunds, payments)
        .where(refunds.c.state == RefundState.DUE, payments.c.gateway == gateway.name)
        .order_by(refunds.c.changed_s)
        .limit(most)
    )
    async with db.reading("refunds_due") as connection:
        due: list[Row[Any]] = list(await connection.execute(query))
    return sum([await _give_back(db, gateway, row, now_s) for row in due])


async def _give_back(db: Database, gateway: Gateway, due: Row[Any], now_s: int) -> bool:
    try:
        await gateway.refund(due.key, due.gateway_id, due.amount_minor, due.currency)
    except GatewayUnavailable:
        log.warning("Refund %s stays due: the gateway does not answer.", due.key)
        await db.write(_postpone_refund, due.key, now_s)
        return False
    return await db.write(_refunded, due.key, now_s)


async def _postpone_refund(connection: AsyncConnection, key: str, now_s: int) -> None:
    """To the end of the queue, so that those which always fail never keep the others from their turn."""
    is_due = (refunds.c.key == key) & (refunds.c.state == RefundState.DUE)
    await connection.execute(update(refunds).where(is_due).values(changed_s=now_s))


async def _refunded(connection: AsyncConnection, key: str, now_s: int) -> bool:
    is_due = (refunds.c.key == key) & (refunds.c.state == RefundState.DUE)
    values = {"state": RefundState.REFUNDED, "changed_s": now_s}
    if not changed_one(await connection.execute(update(refunds).where(is_due).values(**values))):
        return False
    query = select(refunds.c.amount_minor, refunds.c.cause, payments.c.booking_id).join_from(refunds, payments)
    done = (await connection.execute(query.where(refunds.c.key == key))).one()
    await audit.record(
        connection, done.booking_id, audit.GATEWAY, "refunded", now_s, refund=key, amount_minor=done.amount_minor
    )
    booking = await steps.row_of(connection, done.booking_id)
    if done.cause == "cancelled" and booking.state == BookingState.CANCELLED:
        await steps.step(connection, booking, BookingState.REFUNDED, audit.GATEWAY, now_s)
    event = "refunded" if done.cause == "cancelled" else "returned"
    await steps.tell_owner(connection, done.booking_id, event, f"{event}:{key}", now_s, refund_minor=done.amount_minor)
    return True
