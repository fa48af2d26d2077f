"""Filling the database: exact, repeatable, and a day at a time."""

from datetime import date, timedelta

from sqlalchemy import func, select

from booking.db import Database
from booking.seed import seed
from booking.tables import flights, seats
from tests.booking.bench import rows

FIRST_DAY = date(2026, 11, 22)


async def seeded(db: Database, first_day: date, size: int) -> tuple[int, int]:
    added = [day async for day in seed(db, first_day, size)]
    return sum(day.flights for day in added), sum(day.seats for day in added)


async def test_it_adds_the_flights_asked_for_with_all_their_seats(db: Database) -> None:
    added_flights, added_seats = await seeded(db, FIRST_DAY, 40)

    [counted] = await rows(db, select(func.count()).select_from(seats))
    assert added_flights == 40
    assert added_seats == counted[0] >= 40 * 80


async def test_a_second_time_adds_nothing(db: Database) -> None:
    await seeded(db, FIRST_DAY, 40)
    assert await seeded(db, FIRST_DAY, 40) == (0, 0)


async def test_the_next_day_adds_the_day_that_was_missing(db: Database) -> None:
    """So that a timer each night keeps thirty days on sale, as many flights as before."""
    await seeded(db, FIRST_DAY, 40)
    await seeded(db, FIRST_DAY + timedelta(days=1), 40)

    [left] = await rows(db, select(func.count()).select_from(flights).where(flights.c.departs_on > FIRST_DAY))
    assert left[0] == 40
