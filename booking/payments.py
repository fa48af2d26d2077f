"""Turns money into tickets. Whatever the gateway took ends as a ticket or as a refund, whatever crashes in between.

A payment has three steps. `begin` commits that we are about to ask: from then on the seat cannot lapse. The gateway is
asked outside any transaction, by our key. `settle` writes its answer, once: whoever brings it again changes nothing.
A crash leaves an open payment; `reconcile` asks the gateway what became of its key, and settles that.

A declined attempt ends the payment, not the booking: it stays `paying`, and may be paid again until its hold runs out.
"""

import logging
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.bookings import Booking
from booking.bookings import find as find_booking
from booking.db import Database, changed_one
from booking.errors import HoldExpired, NotPayable, PaymentDeclined, PaymentReturned, PaymentRunning
from booking.gateway import Card, Charge, Gateway, Outcome
from booking.holds import RecordsDisagreeError
from booking.tables import BookingState, PaymentState, SeatState, bookings, payments, seats

# An open payment older than this has lost its process: no gateway call may take longer.
GIVEN_UP_AFTER_S = 60

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay, by its key at the gateway."""

    key: str
    amount_minor: int
    currency: str


async def pay(
    db: Database, gateway: Gateway, account_id: int, reference: str, passenger: str, card: Card, now_s: int
) -> None:
    """Pays a held booking and makes it a ticket.

    Raises Unknown, HoldExpired, NotPayable, PaymentRunning, PaymentDeclined, PaymentReturned and GatewayUnavailable.
    """
    payment = await begin(db, account_id, reference, passenger, now_s)
    charge = await gateway.charge(payment.key, payment.amount_minor, payment.currency, card)
    state = await settle(db, charge, now_s)
    if state == PaymentState.DECLINED:
        raise PaymentDeclined(charge.reason)
    if state != PaymentState.CAPTURED:
        raise PaymentReturned(reference)


async def begin(db: Database, account_id: int, reference: str, passenger: str, now_s: int) -> Payment:
    """Commits that a payment is under way: of two at once, one begins."""
    booking = await find_booking(db, account_id, reference)
    payment = Payment(secrets.token_hex(16), booking.amount_minor, booking.currency)
    await db.write(_begin, booking, payment, passenger, now_s)
    return payment


async def settle(db: Database, charge: Charge, now_s: int) -> PaymentState:
    """Writes what the gateway said about a key, once, and returns the state that the payment has then."""
    return await db.write(_settle, charge, now_s)


async def reconcile(db: Database, gateway: Gateway, now_s: int) -> int:
    """Settles the payments whose process died before it could. Returns how many."""
    query = select(payments.c.key).where(
        payments.c.state == PaymentState.OPEN, payments.c.created_s <= now_s - GIVEN_UP_AFTER_S
    )
    async with db.reading() as connection:
        keys = list(await connection.scalars(query))
    for key in keys:
        state = await settle(db, await gateway.resolve(key), now_s)
        log.warning("Payment %s was left open; the gateway says: %s", key, state)
    return len(keys)


async def refund(db: Database, gateway: Gateway, now_s: int) -> int:
    """Gives back every amount that is due. Returns how many. Safe to repeat: the gateway refunds a key once."""
    query = select(payments.c.key).where(payments.c.state == PaymentState.REFUND_DUE)
    async with db.reading() as connection:
        due = list(await connection.scalars(query))
    for key in due:
        await gateway.refund(key)
        await db.write(_move, key, PaymentState.REFUND_DUE, PaymentState.REFUNDED, now_s)
    return len(due)


async def _begin(connection: AsyncConnection, booking: Booking, payment: Payment, passenger: str, now_s: int) -> None:
    result = await connection.execute(
        update(bookings)
        .where(
            bookings.c.id == booking.id,
            bookings.c.unpaid == 1,
            bookings.c.open_payment.is_(None),
            bookings.c.held_until_s > now_s,
        )
        .values(state=BookingState.PAYING, open_payment=payment.key, passenger=passenger)
    )
    if not changed_one(result):
        raise await _why_not_payable(connection, booking)
    await connection.execute(
        insert(payments).values(
            key=payment.key,
            booking_id=booking.id,
            amount_minor=payment.amount_minor,
            currency=payment.currency,
            state=PaymentState.OPEN,
            created_s=now_s,
            changed_s=now_s,
        )
    )


async def _why_not_payable(connection: AsyncConnection, booking: Booking) -> Exception:
    row = (await connection.execute(select(bookings).where(bookings.c.id == booking.id))).one()
    if row.open_payment is not None:
        return PaymentRunning(booking.reference)
    if row.unpaid or row.state == BookingState.EXPIRED:
        return HoldExpired(booking.flight.id)
    return NotPayable(booking.reference, row.state)


async def _settle(connection: AsyncConnection, charge: Charge, now_s: int) -> PaymentState:
    payment = (await connection.execute(select(payments).where(payments.c.key == charge.key))).one()
    if charge.outcome == Outcome.DECLINED:
        after = PaymentState.DECLINED
    elif (charge.amount_minor, charge.currency) == (payment.amount_minor, payment.currency):
        after = PaymentState.CAPTURED
    else:
        log.error("The gateway took %s for payment %s instead of what it was asked for: refunding", charge, payment.key)
        after = PaymentState.REFUND_DUE
    if not await _move(connection, payment.key, PaymentState.OPEN, after, now_s):
        return PaymentState(payment.state)
    await _close(connection, payment, is_paid=after == PaymentState.CAPTURED)
    return after


async def _close(connection: AsyncConnection, payment: Row[Any], *, is_paid: bool) -> None:
    """Releases the booking from its open payment, as a ticket where it is paid."""
    ticket = {"state": BookingState.TICKETED, "unpaid": None} if is_paid else {}
    is_open = (bookings.c.id == payment.booking_id) & (bookings.c.open_payment == payment.key)
    result = await connection.execute(update(bookings).where(is_open).values(open_payment=None, **ticket))
    sold = not is_paid or await _sell(connection, payment.booking_id)
    if not changed_one(result) or not sold:
        raise RecordsDisagreeError(f"payment {payment.key} has no booking that waits for it")


async def _sell(connection: AsyncConnection, booking_id: int) -> bool:
    booking = (await connection.execute(select(bookings).where(bookings.c.id == booking_id))).one()
    result = await connection.execute(
        update(seats)
        .where(
            seats.c.flight_id == booking.flight_id,
            seats.c.label == booking.seat,
            seats.c.booking_id == booking_id,
            seats.c.state == SeatState.HELD,
        )
        .values(state=SeatState.SOLD, version=seats.c.version + 1)
    )
    return changed_one(result)


async def _move(connection: AsyncConnection, key: str, before: PaymentState, after: PaymentState, now_s: int) -> bool:
    result = await connection.execute(
        update(payments).where(payments.c.key == key, payments.c.state == before).values(state=after, changed_s=now_s)
    )
    return changed_one(result)
