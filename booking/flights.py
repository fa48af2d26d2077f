"""One flight and the map of its seats. Says which seats can be had now, one whose hold has run out among them."""

from dataclasses import dataclass, fields
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, or_, select

from booking.airports import AIRPORTS, Airport
from booking.cabins import AISLE_COLUMN, Cabin
from booking.db import Database
from booking.errors import Unknown
from booking.tables import SeatState, bookings, flights, seats


@dataclass(frozen=True, slots=True)
class Flight:
    """As in the table `flights`; `departs` and `arrives` are the times on the wall of the airport."""

    id: int
    number: str
    origin: str
    destination: str
    departs_s: int
    arrives_s: int
    aircraft: str
    grade: str
    economy_minor: int
    business_minor: int
    currency: str

    @classmethod
    def of(cls, row: Row[Any]) -> "Flight":
        """Out of a row that has (at least) all columns of `flights`."""
        return cls(**{field.name: getattr(row, field.name) for field in fields(cls)})

    @property
    def leaves_from(self) -> Airport:
        return AIRPORTS[self.origin]

    @property
    def goes_to(self) -> Airport:
        return AIRPORTS[self.destination]

    @property
    def departs(self) -> datetime:
        return self.leaves_from.local(self.departs_s)

    @property
    def arrives(self) -> datetime:
        return self.goes_to.local(self.arrives_s)

    @property
    def days_later(self) -> int:
        """How many calendar days after the departure one arrives; -1 is possible across the date line."""
        return (self.arrives.date() - self.departs.date()).days

    @property
    def minutes(self) -> int:
        return (self.arrives_s - self.departs_s) // 60

    def price_minor(self, cabin: str) -> int:
        return self.business_minor if cabin == Cabin.BUSINESS else self.economy_minor


@dataclass(frozen=True, slots=True)
class Seat:
    label: str
    cabin: str
    map_row: int
    map_column: int
    state: str
    price_minor: int

    @property
    def is_free(self) -> bool:
        return self.state == SeatState.FREE


@dataclass(frozen=True, slots=True)
class MapRow:
    """One row of the map, as it lies on both sides of the aisle."""

    number: int
    cabin: str
    left: list[Seat]
    right: list[Seat]


@dataclass(frozen=True, slots=True)
class SeatMap:
    flight: Flight
    seats: list[Seat]

    @property
    def free(self) -> int:
        return sum(seat.is_free for seat in self.seats)

    def rows(self) -> list[MapRow]:
        """From the nose to the tail."""
        return [_map_row(number, list(row)) for number, row in groupby(self.seats, key=lambda seat: seat.map_row)]


def is_lapsed(now_s: int) -> ColumnElement[bool]:
    """Of `bookings`: unpaid, its time is over, and no payment is under way that could still make it a ticket."""
    return and_(bookings.c.unpaid == 1, bookings.c.held_until_s <= now_s, bookings.c.open_payment.is_(None))


def is_free(now_s: int) -> ColumnElement[bool]:
    """Of `seats` joined with `bookings`: can be had now."""
    return or_(seats.c.state == SeatState.FREE, and_(seats.c.state == SeatState.HELD, is_lapsed(now_s)))


async def find(db: Database, flight_id: int) -> Flight:
    """Raises Unknown."""
    async with db.reading() as connection:
        row = (await connection.execute(select(flights).where(flights.c.id == flight_id))).one_or_none()
    if row is None:
        raise unknown(flight_id)
    return Flight.of(row)


async def seat_map(db: Database, flight_id: int, now_s: int) -> SeatMap:
    """Raises Unknown."""
    flight = await find(db, flight_id)
    query = (
        select(seats, is_free(now_s).label("is_free"))
        .select_from(seats.outerjoin(bookings, seats.c.booking_id == bookings.c.id))
        .where(seats.c.flight_id == flight_id)
        .order_by(seats.c.map_row, seats.c.map_column)
    )
    async with db.reading() as connection:
        rows = await connection.execute(query)
        return SeatMap(flight, [_seat(row, flight) for row in rows])


def unknown(flight_id: int) -> Unknown:
    return Unknown(f"There is no flight {flight_id}. Search again: the timetable may have changed.", link="/")


def _seat(row: Row[Any], flight: Flight) -> Seat:
    state = SeatState.FREE if row.is_free else row.state
    return Seat(row.label, row.cabin, row.map_row, row.map_column, state, flight.price_minor(row.cabin))


def _map_row(number: int, row: list[Seat]) -> MapRow:
    left = [seat for seat in row if seat.map_column < AISLE_COLUMN]
    right = [seat for seat in row if seat.map_column > AISLE_COLUMN]
    return MapRow(number, row[0].cabin, left, right)
