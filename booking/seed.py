"""Fills the database with the timetable of the next 30 days. What is there stays, so that it can run every day."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.cabins import Cabin
from booking.db import Database
from booking.tables import SeatState, flight_cabins, flights, seats
from booking.timetable import Departure, departures, period

# A statement per so many rows: large enough to be fast, small enough for MySQL's packet.
ROWS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Added:
    """What one day got."""

    flights: int
    seats: int


async def seed(db: Database, first_day: date, flight_count: int) -> AsyncIterator[Added]:
    """Adds the flights that are missing in the 30 days from `first_day`: each day whole, or not at all."""
    for day in period(first_day):
        yield await db.write(add, day, list(departures(day, flight_count)))


async def add(connection: AsyncConnection, day: date, wanted: Sequence[Departure]) -> Added:
    """Adds the departures of one day that are not there, by their numbers, with all their seats."""
    there = set(await connection.scalars(select(flights.c.number).where(flights.c.departs_on == day)))
    missing = [departure for departure in wanted if departure.number not in there]
    if not missing:
        return Added(0, 0)
    await connection.execute(insert(flights), [_flight_row(departure) for departure in missing])
    found = await connection.execute(select(flights.c.number, flights.c.id).where(flights.c.departs_on == day))
    ids = {row.number: row.id for row in found}
    await connection.execute(
        insert(flight_cabins), [row for departure in missing for row in _cabin_rows(ids[departure.number], departure)]
    )
    rows = [row for departure in missing for row in _seat_rows(ids[departure.number], departure)]
    for start in range(0, len(rows), ROWS_AT_ONCE):
        await connection.execute(insert(seats), rows[start : start + ROWS_AT_ONCE])
    return Added(len(missing), len(rows))


def _flight_row(departure: Departure) -> dict[str, Any]:
    row = {column.name: getattr(departure, column.name) for column in flights.c if column.name != "id"}
    return row | {"aircraft": departure.aircraft.name}


def _cabin_rows(flight_id: int, departure: Departure) -> list[dict[str, Any]]:
    seats_of = Counter(place.cabin for place in departure.aircraft.places())
    prices = {Cabin.ECONOMY: departure.economy_minor, Cabin.BUSINESS: departure.business_minor}
    return [
        {"flight_id": flight_id, "cabin": cabin, "price_minor": prices[cabin], "seats": count, "free": count}
        for cabin, count in seats_of.items()
    ]


def _seat_rows(flight_id: int, departure: Departure) -> list[dict[str, Any]]:
    return [
        {
            "flight_id": flight_id,
            "label": place.label,
            "cabin": place.cabin,
            "map_row": place.map_row,
            "map_column": place.map_column,
            "state": SeatState.FREE,
            "version": 0,
        }
        for place in departure.aircraft.places()
    ]
