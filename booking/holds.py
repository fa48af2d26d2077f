"""The sale of a seat: takes it for one account for some minutes, and gives it back when they are over.

A seat changes hands by one conditional UPDATE: free, and of the version that was seen. Whoever finds no row to change
was too late, and everything that the transaction did before is undone.
"""

import secrets
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.db import Database, StaleError, changed_one, inserted_id
from booking.errors import AlreadyHolding, FlightDeparted, SeatTaken, Unknown
from booking.flights import Flight, is_lapsed, unknown
from booking.tables import BookingState, SeatState, accounts, bookings, flights, seats

# Without what looks or sounds like another: I O Q U V, and the vowels that would spell words.
REFERENCE_LETTERS = "BCDFGHJKLMNPRSTWXZ"
REFERENCE_LENGTH = 6
# How many lapsed holds one sweep ends at most, each in a transaction of its own.
SWEPT_AT_ONCE = 500


class RecordsDisagreeError(Exception):
    """What the transactions keep true is not true: someone wrote to the database by hand. Needs a person to look."""


async def hold(db: Database, account_id: int, flight_id: int, label: str, now_s: int, hold_s: int) -> str:
    """Takes one seat until `hold_s` from now, or the departure. Returns the reference of the new booking.

    Raises Unknown, FlightDeparted, AlreadyHolding (one unpaid booking per account and flight) and SeatTaken.
    """
    await expire(db, now_s, flight_id)
    return await db.write(_hold, account_id, flight_id, label, now_s, hold_s)


async def expire(db: Database, now_s: int, flight_id: int | None = None) -> int:
    """Ends the holds whose time is over (of one flight, or of all) and frees their seats. Returns how many."""
    lapsed = select(bookings.c.id, bookings.c.flight_id, bookings.c.seat).where(is_lapsed(now_s)).limit(SWEPT_AT_ONCE)
    if flight_id is not None:
        lapsed = lapsed.where(bookings.c.flight_id == flight_id)
    async with db.reading() as connection:
        rows: list[Row[Any]] = list(await connection.execute(lapsed))
    return sum([await db.write(_expire, row, now_s) for row in rows])


async def free_seat(connection: AsyncConnection, booking_id: int, flight_id: int, label: str) -> None:
    """Gives a booking's seat back to the sale."""
    result = await connection.execute(
        update(seats)
        .where(seats.c.flight_id == flight_id, seats.c.label == label, seats.c.booking_id == booking_id)
        .values(state=SeatState.FREE, booking_id=None, version=seats.c.version + 1)
    )
    if not changed_one(result):
        raise RecordsDisagreeError(f"seat {label} of flight {flight_id} does not belong to booking {booking_id}")


async def _hold(
    connection: AsyncConnection, account_id: int, flight_id: int, label: str, now_s: int, hold_s: int
) -> str:
    flight = await _bookable_flight(connection, flight_id, now_s)
    await _require_no_other_hold(connection, account_id, flight_id)
    seat = await _free_seat(connection, flight, label)
    reference = new_reference()
    booking_id = await _insert(
        connection,
        reference=reference,
        account_id=account_id,
        flight_id=flight_id,
        seat=label,
        cabin=seat.cabin,
        passenger=await connection.scalar(select(accounts.c.name).where(accounts.c.id == account_id)),
        amount_minor=flight.price_minor(seat.cabin),
        currency=flight.currency,
        state=BookingState.HELD,
        unpaid=1,
        held_until_s=min(now_s + hold_s, flight.departs_s),
        created_s=now_s,
    )
    await _take(connection, flight_id, label, seat.version, booking_id)
    return reference


async def _bookable_flight(connection: AsyncConnection, flight_id: int, now_s: int) -> Flight:
    row = (await connection.execute(select(flights).where(flights.c.id == flight_id))).one_or_none()
    if row is None:
        raise unknown(flight_id)
    if row.departs_s <= now_s:
        raise FlightDeparted(row.number)
    return Flight.of(row)


async def _require_no_other_hold(connection: AsyncConnection, account_id: int, flight_id: int) -> None:
    other = await connection.scalar(
        select(bookings.c.reference).where(
            bookings.c.account_id == account_id, bookings.c.flight_id == flight_id, bookings.c.unpaid == 1
        )
    )
    if other is not None:
        raise AlreadyHolding(other)


async def _free_seat(connection: AsyncConnection, flight: Flight, label: str) -> Row[Any]:
    query = select(seats).where(seats.c.flight_id == flight.id, seats.c.label == label)
    seat = (await connection.execute(query)).one_or_none()
    if seat is None:
        raise Unknown(f"Flight {flight.number} has no seat {label}.", link=f"/flights/{flight.id}")
    if seat.state != SeatState.FREE:
        raise SeatTaken(label, flight.id)
    return seat


async def _insert(connection: AsyncConnection, **values: object) -> int:
    """A new booking. A rival may have taken the reference, or made this account's hold: then all is read anew."""
    try:
        result = await connection.execute(insert(bookings).values(**values))
    except IntegrityError as exc:
        raise StaleError from exc
    return inserted_id(result)


async def _take(connection: AsyncConnection, flight_id: int, label: str, seen: int, booking_id: int) -> None:
    result = await connection.execute(
        update(seats)
        .where(
            seats.c.flight_id == flight_id,
            seats.c.label == label,
            seats.c.state == SeatState.FREE,
            seats.c.version == seen,
        )
        .values(state=SeatState.HELD, booking_id=booking_id, version=seen + 1)
    )
    if not changed_one(result):
        raise SeatTaken(label, flight_id)


async def _expire(connection: AsyncConnection, row: Row[Any], now_s: int) -> bool:
    result = await connection.execute(
        update(bookings)
        .where(bookings.c.id == row.id, is_lapsed(now_s))
        .values(state=BookingState.EXPIRED, unpaid=None)
    )
    if not changed_one(result):
        return False
    await free_seat(connection, row.id, row.flight_id, row.seat)
    return True


def new_reference() -> str:
    return "".join(secrets.choice(REFERENCE_LETTERS) for _ in range(REFERENCE_LENGTH))
