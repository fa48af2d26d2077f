"""What a payment that has ended does to its booking, in one transaction: tickets, or money back, or another try.

Money that comes after its hold has expired takes the same seats again if all are free; else it is due back.
"""

import logging
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import audit, refunds, steps, stock
from booking.db import changed_one
from booking.gateway import Charge, Outcome
from booking.tables import BookingState, PaymentState, flights, passengers, payments

# IATA numbers are the airline's three digits, and ten of its own.
AIRLINE_DIGITS = "977"

log = logging.getLogger(__name__)


async def settle_payment(connection: AsyncConnection, key: str, charge: Charge, now_s: int) -> PaymentState:
    """Writes down what became of an open payment; of one that has ended nothing. Returns the state that it has then."""
    is_open = (payments.c.key == key) & (payments.c.state == PaymentState.OPEN)
    if not charge.gateway_id:
        # It never reached the gateway, as it was read. If it has been offered since then, the payer may be paying.
        is_open &= payments.c.gateway_id.is_(None)
    values: dict[str, Any] = {"changed_s": now_s}
    if charge.outcome != Outcome.OPEN:
        values |= {
            "state": PaymentState(charge.outcome),
            "reason": charge.reason,
            "captured_minor": charge.amount_minor,
        }
    is_first = changed_one(await connection.execute(update(payments).where(is_open).values(**values)))
    payment = (await connection.execute(select(payments).where(payments.c.key == key))).one()
    if is_first and charge.outcome != Outcome.OPEN:
        await _close(connection, payment, charge, now_s)
    return PaymentState(payment.state)


async def _close(connection: AsyncConnection, payment: Row[Any], charge: Charge, now_s: int) -> None:
    """Releases the booking from a payment that has ended: as tickets where it is paid, else to be paid anew."""
    booking = await steps.row_of(connection, payment.booking_id)
    if charge.outcome == Outcome.DECLINED:
        await audit.record(connection, booking.id, audit.GATEWAY, "declined", now_s, payment=payment.key)
        if booking.open_payment == payment.key:
            await steps.change(connection, booking, open_payment=None)
        return
    await audit.record(
        connection, booking.id, audit.GATEWAY, "captured", now_s, payment=payment.key, amount_minor=charge.amount_minor
    )
    cause = await _buy(connection, booking, payment, charge, now_s)
    if cause:
        log.warning("Payment %s of booking %s goes back: %s", payment.key, booking.reference, cause)
        await refunds.make_due(connection, booking.id, payment.id, charge.amount_minor, cause, now_s)


async def _buy(connection: AsyncConnection, booking: Row[Any], payment: Row[Any], charge: Charge, now_s: int) -> str:
    """Makes tickets of a payment. Returns why that cannot be, else the empty string."""
    is_awaited = booking.open_payment == payment.key
    is_price = (charge.amount_minor, charge.currency) == (payment.amount_minor, payment.currency)
    if is_price and not await _has_departed(connection, booking, now_s):
        if is_awaited:
            await _ticket(connection, booking, now_s)
            await stock.sell(connection, booking)
            return ""
        if booking.state == BookingState.EXPIRED and await stock.all_free(connection, booking):
            await _ticket(connection, booking, now_s)
            await stock.take_again(connection, booking)
            return ""
    if is_awaited:
        await steps.change(connection, booking, open_payment=None)
    return "late" if is_price else "mismatch"


async def _has_departed(connection: AsyncConnection, booking: Row[Any], now_s: int) -> bool:
    query = select(flights.c.id).where(flights.c.id == booking.flight_id, flights.c.departs_s <= now_s)
    return await connection.scalar(query) is not None


async def _ticket(connection: AsyncConnection, booking: Row[Any], now_s: int) -> None:
    await steps.step(connection, booking, BookingState.TICKETED, audit.GATEWAY, now_s, open_payment=None)
    for position in range(1, booking.party + 1):
        is_this = (passengers.c.booking_id == booking.id) & (passengers.c.position == position)
        await connection.execute(update(passengers).where(is_this).values(ticket=ticket_number(booking.id, position)))
    await steps.tell_owner(connection, booking.id, "ticketed", f"ticketed:{booking.reference}", now_s)


def ticket_number(booking_id: int, position: int) -> str:
    """Thirteen digits, each once: the airline's, the booking's and the passenger's."""
    return f"{AIRLINE_DIGITS}{booking_id * 10 + position:010}"
