"""A booking's state moves forward only, one step at a time, and whoever read an older version is told."""

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import steps
from booking.db import Database, StaleError
from booking.steps import STEPS
from booking.tables import BookingState, audit_log, bookings, outbox
from tests.booking.bench import NOW_S, add_flight, departure, rows
from tests.booking.sale import Sale

ORDER = list(BookingState)
FORWARD = [(before, after) for before, afters in STEPS.items() for after in afters]
OTHER = [(before, after) for before in ORDER for after in ORDER if after not in STEPS[before]]


@pytest.fixture
async def booking_id(db: Database) -> int:
    sale = Sale(db, await add_flight(db, departure()))
    ada = await sale.buyer("ada")
    return (await sale.booking(ada, await sale.hold(ada, "7C"))).id


async def moved(connection: AsyncConnection, booking_id: int, before: BookingState, after: BookingState) -> None:
    await connection.execute(update(bookings).values(state=before))
    await steps.step(connection, await steps.row_of(connection, booking_id), after, "test", NOW_S)


def test_every_step_leads_forward() -> None:
    assert all(ORDER.index(before) < ORDER.index(after) for before, after in FORWARD)
    assert set(STEPS) == set(ORDER)


async def test_each_step_is_in_the_log_and_counts_a_version(db: Database, booking_id: int) -> None:
    for before, after in FORWARD:
        [seen] = await rows(db, select(bookings.c.version))
        await db.write(moved, booking_id, before, after)

        [booking] = await rows(db, select(bookings))
        [*_, entry] = await rows(db, select(audit_log).order_by(audit_log.c.id))
        assert (booking.state, booking.version) == (after, seen.version + 1)
        assert (entry.before, entry.after, entry.actor) == (before, after, "test")
        assert booking.unpaid == (1 if after == BookingState.PAYING else None)


async def test_no_other_step_can_be_taken(db: Database, booking_id: int) -> None:
    for before, after in OTHER:
        with pytest.raises(ValueError, match=f"from {before} to {after}"):
            await db.write(moved, booking_id, before, after)
    [booking] = await rows(db, select(bookings))
    assert (booking.state, booking.version) == ("held", 0)


async def test_other_systems_are_told_of_each_state_but_paying(db: Database, booking_id: int) -> None:
    for before, after in FORWARD:
        await db.write(moved, booking_id, before, after)

    told = [row.event for row in await rows(db, select(outbox).order_by(outbox.c.id))]

    assert told == ["booking.held", *(f"booking.{after}" for _, after in FORWARD if after != BookingState.PAYING)]


async def test_whoever_read_an_older_version_changes_nothing(db: Database, booking_id: int) -> None:
    [seen] = await rows(db, select(bookings))

    async def change(connection: AsyncConnection) -> None:
        await steps.change(connection, seen, held_until_s=NOW_S)

    async def step_late(connection: AsyncConnection) -> None:
        with pytest.raises(StaleError):
            await steps.step(connection, seen, BookingState.CANCELLED, "test", NOW_S)

    await db.write(change)
    await db.write(step_late)
    [booking] = await rows(db, select(bookings))
    assert (booking.state, booking.version) == ("held", 1)
