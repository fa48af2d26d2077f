"""Who owns which seat: each changes hands by a conditional UPDATE of all of a party's seats, and is counted along.

Where the UPDATE changes fewer rows than the party has, someone was faster. The count of a cabin's free seats is a row
that every buyer of a flight needs, so it is changed last, and stays locked no longer than the COMMIT takes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Integer, Row, and_, bindparam, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.db import changed_one, touch
from booking.errors import SeatTaken
from booking.tables import SeatState, flight_cabins, passengers, seats

# Instead of an empty list, which a database is asked for in a roundabout way.
_NO_SEAT = ("", 0)
_OF_PARTY = and_(seats.c.flight_id == bindparam("flight"), seats.c.label.in_(bindparam("labels", expanding=True)))
_TAKE = (
    update(seats)
    # The labels stand apart from the versions, so that the key leads straight to the rows.
    .where(
        _OF_PARTY,
        seats.c.state == SeatState.FREE,
        or_(
            seats.c.label.in_(bindparam("unseen", expanding=True)),
            tuple_(seats.c.label, seats.c.version).in_(bindparam("as_seen", expanding=True)),
        ),
    )
    .values(state=SeatState.HELD, booking_id=bindparam("booking"), version=seats.c.version + 1)
)
_OWNERS = select(seats.c.label, seats.c.booking_id).where(_OF_PARTY)
_FREE_AFTER = flight_cabins.c.free + bindparam("more", type_=Integer)
_COUNT_FREE = (
    update(flight_cabins)
    .where(flight_cabins.c.flight_id == bindparam("flight"), flight_cabins.c.cabin == bindparam("its_cabin"))
    .where(_FREE_AFTER.between(0, flight_cabins.c.seats))
    .values(free=_FREE_AFTER)
)
_PARTY = select(passengers).where(passengers.c.booking_id == bindparam("booking")).order_by(passengers.c.position)


class RecordsDisagreeError(Exception):
    """What the transactions keep true is not true: someone wrote to the database by hand. Needs a person to look."""


async def take(connection: AsyncConnection, flight_id: int, wanted: Mapping[str, int | None], booking_id: int) -> None:
    """The sale itself: free seats, each of the version that was seen, if any, become a booking's. Raises SeatTaken."""
    party = {"flight": flight_id, "labels": sorted(wanted)}
    how_seen = {
        "as_seen": [(label, version) for label, version in wanted.items() if version is not None] or [_NO_SEAT],
        "unseen": [label for label, version in wanted.items() if version is None] or [_NO_SEAT[0]],
    }
    result = await connection.execute(_TAKE, {**party, **how_seen, "booking": booking_id})
    if result.rowcount == len(wanted):
        return
    rows = await connection.execute(_OWNERS, party)
    raise SeatTaken(sorted(row.label for row in rows if row.booking_id != booking_id), flight_id)


async def sell(connection: AsyncConnection, booking: Row[Any]) -> None:
    """The seats that a booking holds are sold to it."""
    result = await connection.execute(
        update(seats)
        .where(_of_booking(booking, await party_of(connection, booking.id)), seats.c.state == SeatState.HELD)
        .values(state=SeatState.SOLD, version=seats.c.version + 1)
    )
    _require_all(result.rowcount, booking)
    touch(connection, booking.flight_id)


async def give_back(connection: AsyncConnection, booking: Row[Any]) -> None:
    """Gives a booking's seats back to the sale."""
    party = await party_of(connection, booking.id)
    result = await connection.execute(
        update(seats)
        .where(_of_booking(booking, party))
        .values(state=SeatState.FREE, booking_id=None, version=seats.c.version + 1)
    )
    _require_all(result.rowcount, booking)
    await count_free(connection, booking.flight_id, Counter(row.cabin for row in party), 1)


async def all_free(connection: AsyncConnection, booking: Row[Any]) -> bool:
    """Whether the seats that a booking once had can be had again. They are locked, so that it stays true."""
    query = select(seats.c.state).where(_of_party(booking, await party_of(connection, booking.id)))
    return all(row.state == SeatState.FREE for row in await connection.execute(query.with_for_update()))


async def take_again(connection: AsyncConnection, booking: Row[Any]) -> None:
    """Sells the seats that a booking once had to it, which `all_free` has found free."""
    party = await party_of(connection, booking.id)
    result = await connection.execute(
        update(seats)
        .where(_of_party(booking, party), seats.c.state == SeatState.FREE)
        .values(state=SeatState.SOLD, booking_id=booking.id, version=seats.c.version + 1)
    )
    _require_all(result.rowcount, booking)
    await count_free(connection, booking.flight_id, Counter(row.cabin for row in party), -1)


async def count_free(connection: AsyncConnection, flight_id: int, by_cabin: Mapping[str, int], sign: int) -> None:
    """Counts seats as free again (1) or as taken (-1). To be called last: it locks what every buyer needs."""
    for cabin, count in sorted(by_cabin.items()):
        more = {"flight": flight_id, "its_cabin": cabin, "more": sign * count}
        result = await connection.execute(_COUNT_FREE, more)
        if not changed_one(result):
            raise RecordsDisagreeError(f"flight {flight_id} has not {count} more {cabin} seats to count")
    touch(connection, flight_id)


async def party_of(connection: AsyncConnection, booking_id: int) -> list[Row[Any]]:
    """The passengers of a booking, in their order."""
    return list(await connection.execute(_PARTY, {"booking": booking_id}))


def _of_booking(booking: Row[Any], party: Iterable[Row[Any]]) -> ColumnElement[bool]:
    return and_(_of_party(booking, party), seats.c.booking_id == booking.id)


def _of_party(booking: Row[Any], party: Iterable[Row[Any]]) -> ColumnElement[bool]:
    """The rows of a party's seats by their key, in the order in which all lock them."""
    return and_(seats.c.flight_id == booking.flight_id, seats.c.label.in_(sorted(row.seat for row in party)))


def _require_all(changed: int, booking: Row[Any]) -> None:
    if changed != booking.party:
        raise RecordsDisagreeError(f"booking {booking.reference} does not own its {booking.party} seats")
