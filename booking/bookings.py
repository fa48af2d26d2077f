"""An account's bookings: shows them to their owner and to nobody else, and gives one up where that is allowed."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.db import Database, StaleError, changed_one
from booking.errors import FlightDeparted, NotCancellable, PaymentRunning, Unknown
from booking.flights import Flight
from booking.holds import free_seat
from booking.tables import BookingState, PaymentState, bookings, flights, payments

# Columns of bookings, named apart from those of flights in a joined row.
_JOINED = select(
    flights,
    *(bookings.c[name].label(f"booking_{name}") for name in ("id", "currency")),
    *(column for column in bookings.c if column.name not in {"id", "currency", "flight_id"}),
).join_from(bookings, flights)


@dataclass(frozen=True, slots=True)
class Booking:
    """One seat on one flight for one passenger. `awaits_bank` while a payment's outcome is unknown."""

    id: int
    reference: str
    state: BookingState
    flight: Flight
    seat: str
    cabin: str
    passenger: str
    amount_minor: int
    currency: str
    held_until_s: int
    awaits_bank: bool

    def is_payable(self, now_s: int) -> bool:
        return self.is_unpaid and not self.awaits_bank and now_s < self.held_until_s

    def is_cancellable(self, now_s: int) -> bool:
        if self.state == BookingState.TICKETED:
            return now_s < self.flight.departs_s
        return self.is_payable(now_s)

    @property
    def is_unpaid(self) -> bool:
        return self.state in {BookingState.HELD, BookingState.PAYING}


async def find(db: Database, account_id: int, reference: str) -> Booking:
    """Raises Unknown, also where the booking is someone else's."""
    async with db.reading() as connection:
        return await _find(connection, account_id, reference)


async def of_account(db: Database, account_id: int) -> list[Booking]:
    """All bookings of an account, those of the next flights last in time first."""
    query = _JOINED.where(bookings.c.account_id == account_id).order_by(
        flights.c.departs_s.desc(), bookings.c.id.desc()
    )
    async with db.reading() as connection:
        return [_booking(row) for row in await connection.execute(query)]


async def cancel(db: Database, account_id: int, reference: str, now_s: int) -> None:
    """Gives the booking up: its seat is free again, and what was paid for it is due back.

    Raises Unknown, PaymentRunning, FlightDeparted and NotCancellable.
    """
    await db.write(_cancel, account_id, reference, now_s)


async def _cancel(connection: AsyncConnection, account_id: int, reference: str, now_s: int) -> None:
    booking = await _find(connection, account_id, reference)
    if booking.awaits_bank:
        raise PaymentRunning(reference)
    if booking.state == BookingState.TICKETED and booking.flight.departs_s <= now_s:
        raise FlightDeparted(booking.flight.number)
    if not booking.is_unpaid and booking.state != BookingState.TICKETED:
        raise NotCancellable(reference, booking.state)
    result = await connection.execute(
        update(bookings)
        .where(bookings.c.id == booking.id, bookings.c.state == booking.state, bookings.c.open_payment.is_(None))
        .values(state=BookingState.CANCELLED, unpaid=None)
    )
    if not changed_one(result):
        raise StaleError
    await free_seat(connection, booking.id, booking.flight.id, booking.seat)
    await connection.execute(
        update(payments)
        .where(payments.c.booking_id == booking.id, payments.c.state == PaymentState.CAPTURED)
        .values(state=PaymentState.REFUND_DUE, changed_s=now_s)
    )


async def _find(connection: AsyncConnection, account_id: int, reference: str) -> Booking:
    query: Select[Any] = _JOINED.where(bookings.c.account_id == account_id, bookings.c.reference == reference)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise Unknown(f"You have no booking {reference}.", link="/trips")
    return _booking(row)


def _booking(row: Row[Any]) -> Booking:
    return Booking(
        id=row.booking_id,
        reference=row.reference,
        state=BookingState(row.state),
        flight=Flight.of(row),
        seat=row.seat,
        cabin=row.cabin,
        passenger=row.passenger,
        amount_minor=row.amount_minor,
        currency=row.booking_currency,
        held_until_s=row.held_until_s,
        awaits_bank=row.open_payment is not None,
    )
