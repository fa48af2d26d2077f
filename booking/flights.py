"""One flight and the map of its seats. Says which seats can be had now, one whose hold has run out among them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.airports import AIRPORTS, Airport
from booking.cabins import AISLE_COLUMN, Cabin
from booking.db import Database
from booking.errors import Unknown
from booking.fares import DEFAULT_FARE, FARES
from booking.sentences import say
from booking.tables import SeatState, bookings, flight_cabins, flights, seats

# So long after the end of a hold its seats stay with an open payment whose gateway does not answer.
PAYING_GRACE_S = 600

_OF_ID = select(flights).where(flights.c.id == bindparam("id"))
_CABINS = (
    select(flight_cabins)
    .where(flight_cabins.c.flight_id.in_(bindparam("flight_ids", expanding=True)))
    .order_by(flight_cabins.c.cabin)
)


@dataclass(frozen=True, slots=True)
class CabinOffer:
    """One cabin of a flight: what a seat costs by the lowest fare, how many there are, and how many are free."""

    cabin: Cabin
    price_minor: int
    seats: int
    free: int


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
    currency: str
    cabins: tuple[CabinOffer, ...]

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

    @property
    def lowest_price_minor(self) -> int:
        return min(offer.price_minor for offer in self.cabins)

    def price_minor(self, cabin: str, fare: str = DEFAULT_FARE) -> int:
        """What one seat of a cabin costs by a fare."""
        offer = next(offer for offer in self.cabins if offer.cabin == cabin)
        return FARES[fare].price_minor(offer.price_minor)


@dataclass(frozen=True, slots=True)
class Seat:
    label: str
    cabin: str
    map_row: int
    map_column: int
    state: str
    version: int
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
    """Of `bookings`: its time to pay is over. While a payment is open the sweeper closes it first, for a while."""
    is_over = bookings.c.held_until_s <= now_s
    is_given_up = bookings.c.held_until_s <= now_s - PAYING_GRACE_S
    return and_(bookings.c.unpaid == 1, is_over, or_(bookings.c.open_payment.is_(None), is_given_up))


def is_free(now_s: int) -> ColumnElement[bool]:
    """Of `seats` joined with `bookings`: can be had now."""
    return or_(seats.c.state == SeatState.FREE, and_(seats.c.state == SeatState.HELD, is_lapsed(now_s)))


async def find(db: Database, flight_id: int) -> Flight:
    """Raises Unknown."""
    async with db.reading("flight") as connection:
        return await of_id(connection, flight_id)


async def of_id(connection: AsyncConnection, flight_id: int) -> Flight:
    """Raises Unknown."""
    rows = list(await connection.execute(_OF_ID, {"id": flight_id}))
    if not rows:
        raise unknown(flight_id)
    return (await with_cabins(connection, rows))[0]


async def with_cabins(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[Flight]:
    """The flights of rows that have all columns of `flights`, by one query for all their cabins."""
    offers: dict[int, list[CabinOffer]] = {}
    for row in await connection.execute(_CABINS, {"flight_ids": [row.id for row in rows]}):
        offers.setdefault(row.flight_id, []).append(CabinOffer(Cabin(row.cabin), row.price_minor, row.seats, row.free))
    return [_flight(row, tuple(offers.get(row.id, ()))) for row in rows]


async def seat_map(db: Database, flight_id: int, now_s: int) -> SeatMap:
    """Raises Unknown."""
    query = (
        select(seats, is_free(now_s).label("is_free"))
        .select_from(seats.outerjoin(bookings, seats.c.booking_id == bookings.c.id))
        .where(seats.c.flight_id == flight_id)
        .order_by(seats.c.map_row, seats.c.map_column)
    )
    async with db.reading("seat_map") as connection:
        flight = await of_id(connection, flight_id)
        return SeatMap(flight, [_seat(row, flight) for row in await connection.execute(query)])


def unknown(flight_id: int) -> Unknown:
    return Unknown(
        say("There is no flight %(flight_id)s. Search again: the timetable may have changed.", flight_id=flight_id),
        link="/",
    )


def _flight(row: Row[Any], cabins: tuple[CabinOffer, ...]) -> Flight:
    columns = {field.name: getattr(row, field.name) for field in fields(Flight) if field.name != "cabins"}
    return Flight(**columns, cabins=cabins)


def _seat(row: Row[Any], flight: Flight) -> Seat:
    price_minor = flight.price_minor(row.cabin)
    if row.is_free and row.state != SeatState.FREE:
        # A lapsed hold is ended before its seat is sold again, and that counts as a version.
        return Seat(row.label, row.cabin, row.map_row, row.map_column, SeatState.FREE, row.version + 1, price_minor)
    return Seat(row.label, row.cabin, row.map_row, row.map_column, row.state, row.version, price_minor)


def _map_row(number: int, row: list[Seat]) -> MapRow:
    left = [seat for seat in row if seat.map_column < AISLE_COLUMN]
    right = [seat for seat in row if seat.map_column > AISLE_COLUMN]
    return MapRow(number, row[0].cabin, left, right)
