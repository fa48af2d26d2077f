"""The sale of seats: takes them for one account for some minutes, all of a party's or none, and gives them back.

A hold is one transaction. Where a seat was lost to someone faster, everything that it did before is undone.
"""

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, bindparam, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import audit, flights, once, steps, stock
from booking.db import Database, StaleError
from booking.errors import AdmissionHolding, AlreadyHolding, FlightDeparted, Invalid, SeatTaken, Unknown
from booking.fares import FARES
from booking.flights import Flight, is_lapsed
from booking.sentences import say
from booking.tables import BookingState, SeatState, bookings, passengers, seats

# Without what looks or sounds like another: I O Q U V, and the vowels that would spell words.
REFERENCE_LETTERS = "BCDFGHJKLMNPRSTWXZ"
REFERENCE_LENGTH = 6
LARGEST_PARTY = 9
LONGEST_LABEL = 4
# How many lapsed holds one transaction ends: few, so that nobody waits long for their seats.
EXPIRED_AT_ONCE = 20

_OTHER_HOLD = (
    select(bookings.c.reference, bookings.c.account_id)
    .where(
        bookings.c.unpaid == 1,
        or_(
            and_(bookings.c.account_id == bindparam("account_id"), bookings.c.flight_id == bindparam("flight_id")),
            bookings.c.admission == bindparam("admission"),
        ),
    )
    .limit(1)
)
_WISHED = select(seats).where(
    seats.c.flight_id == bindparam("flight_id"), seats.c.label.in_(bindparam("labels", expanding=True))
)
_ADD_PASSENGERS = insert(passengers)


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who holds: an account, let in by an admission (`Admission.holder`). Each holds once at a time."""

    account_id: int
    admission: str


@dataclass(frozen=True, slots=True)
class Wish:
    """Seats of one flight, each with the version that the buyer saw, or None where they saw none; and in their order
    who is to sit there, where that is known already."""

    flight_id: int
    seats: tuple[tuple[str, int | None], ...]
    fare: str
    names: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label for label, _ in self.seats)


def parse_wish(flight_id: int, chosen: Sequence[tuple[str, int | None]], fare: str) -> Wish:
    """The wish for a party's seats. Raises Invalid, which names every fault."""
    faults: dict[str, str] = {}
    labels = [label.strip().upper() for label, _ in chosen]
    if not 1 <= len(labels) <= LARGEST_PARTY:
        faults["seats"] = say("Choose one to %(most)s seats.", most=LARGEST_PARTY)
    elif len(set(labels)) < len(labels):
        faults["seats"] = say("Choose each seat once.")
    elif not all(0 < len(label) <= LONGEST_LABEL for label in labels):
        faults["seats"] = say("Name seats such as 12A.")
    if fare not in FARES:
        faults["fare"] = say("Choose one of the fares %(fares)s.", fares=", ".join(FARES))
    if faults:
        raise Invalid(faults)
    versions = (version for _, version in chosen)
    return Wish(flight_id, tuple(sorted(zip(labels, versions, strict=True))), fare)


async def hold(db: Database, buyer: Buyer, wish: Wish, now_s: int, hold_s: int, once: once.Once | None = None) -> str:
    """Takes the seats until `hold_s` from now, or the departure. Returns the reference of the new booking.

    What stands in the way may have lapsed: then it is ended, and the wish comes again. As a rule nothing does, so that
    nobody looks for it beforehand.

    Raises Unknown, FlightDeparted, SeatTaken, AlreadyHolding (one unpaid booking per account and flight) and
    AdmissionHolding (one per admission).
    """
    if once and once.effect:
        return once.effect
    in_the_way = or_(bookings.c.flight_id == wish.flight_id, bookings.c.admission == buyer.admission)
    try:
        return await db.write(take_seats, buyer, wish, now_s, hold_s, once)
    except (SeatTaken, AlreadyHolding, AdmissionHolding):
        if not await expire(db, now_s, in_the_way):
            raise
    return await db.write(take_seats, buyer, wish, now_s, hold_s, once)


async def expire(db: Database, now_s: int, *of: ColumnElement[bool]) -> int:
    """Ends the holds whose time is over (of all, or of some bookings) and frees their seats. Returns how many.

    Any number of processes may do so at once: on MySQL each passes over the rows that another has in hand.
    """
    if not await _any_lapsed(db, now_s, *of):
        return 0
    total = 0
    while ended := await db.write(_expire, now_s, *of):
        total += ended
    return total


async def take_seats(
    connection: AsyncConnection, buyer: Buyer, wish: Wish, now_s: int, hold_s: int, by: once.Once | None
) -> str:
    """The transaction of a hold: see `hold`."""
    flight = await flights.of_id(connection, wish.flight_id)
    if flight.departs_s <= now_s:
        raise FlightDeparted(flight.number)
    await _require_no_other_hold(connection, buyer, wish.flight_id)
    cabins = await _cabins_of(connection, flight, wish)
    prices = [flight.price_minor(cabins[label], wish.fare) for label in wish.labels]
    reference = new_reference()
    booking_id = await _insert(
        connection,
        audit.account(buyer.account_id),
        now_s,
        reference=reference,
        account_id=buyer.account_id,
        flight_id=flight.id,
        admission=buyer.admission,
        party=len(prices),
        fare=wish.fare,
        amount_minor=sum(prices),
        currency=flight.currency,
        refund_percent=FARES[wish.fare].refund_percent,
        refund_until_s=FARES[wish.fare].refund_until_s(flight.departs_s),
        held_until_s=min(now_s + hold_s, flight.departs_s),
    )
    await once.mark(connection, by, reference)
    await _add_passengers(connection, booking_id, wish, cabins, prices)
    await stock.take(connection, flight.id, dict(wish.seats), booking_id)
    await stock.count_free(connection, flight.id, Counter(cabins.values()), -1)
    return reference


async def _require_no_other_hold(connection: AsyncConnection, buyer: Buyer, flight_id: int) -> None:
    same = {"account_id": buyer.account_id, "flight_id": flight_id, "admission": buyer.admission}
    other = (await connection.execute(_OTHER_HOLD, same)).one_or_none()
    if other is None:
        return
    raise AlreadyHolding(other.reference) if other.account_id == buyer.account_id else AdmissionHolding


async def _cabins_of(connection: AsyncConnection, flight: Flight, wish: Wish) -> dict[str, str]:
    """The cabin of each seat wished for. Raises Unknown if there is no such seat, and SeatTaken if one is gone."""
    wished = {"flight_id": flight.id, "labels": wish.labels}
    found = {row.label: row for row in await connection.execute(_WISHED, wished)}
    missing = [label for label in wish.labels if label not in found]
    if missing:
        raise Unknown(
            say("Flight %(number)s has no seat %(seats)s.", number=flight.number, seats=", ".join(missing)),
            link=f"/flights/{flight.id}",
        )
    seen = dict(wish.seats)
    lost = [
        row.label for row in found.values() if row.state != SeatState.FREE or seen[row.label] not in {None, row.version}
    ]
    if lost:
        raise SeatTaken(sorted(lost), flight.id)
    return {label: found[label].cabin for label in wish.labels}


async def _insert(connection: AsyncConnection, actor: str, now_s: int, **values: object) -> int:
    """A new booking. A rival may have taken the reference, or made this buyer's hold: then all is read anew."""
    try:
        return await steps.begin(connection, actor, now_s, **values)
    except IntegrityError as exc:
        raise StaleError from exc


async def _add_passengers(
    connection: AsyncConnection, booking_id: int, wish: Wish, cabins: Mapping[str, str], prices: Sequence[int]
) -> None:
    names = wish.names or (None,) * len(prices)
    rows = [
        {
            "booking_id": booking_id,
            "position": position,
            "seat": label,
            "cabin": cabins[label],
            "price_minor": price,
            "name": name,
        }
        for position, (label, price, name) in enumerate(zip(wish.labels, prices, names, strict=True), 1)
    ]
    await connection.execute(_ADD_PASSENGERS, rows)


async def _any_lapsed(db: Database, now_s: int, *of: ColumnElement[bool]) -> bool:
    """Looked up without a lock and outside the queue of writers: as a rule there is nothing to do."""
    async with db.reading("any_lapsed") as connection:
        query = select(bookings.c.id).where(is_lapsed(now_s), *of).limit(1)
        return await connection.scalar(query) is not None


async def _expire(connection: AsyncConnection, now_s: int, *of: ColumnElement[bool]) -> int:
    query = select(bookings).where(is_lapsed(now_s), *of).order_by(bookings.c.id).limit(EXPIRED_AT_ONCE)
    rows = list(await connection.execute(query.with_for_update(skip_locked=True)))
    # By flights, so that two sweeps never wait for each other's counts crosswise.
    for row in sorted(rows, key=lambda row: (row.flight_id, row.id)):
        await steps.step(connection, row, BookingState.EXPIRED, audit.SWEEPER, now_s, open_payment=None)
        await stock.give_back(connection, row)
    return len(rows)


def new_reference() -> str:
    return "".join(secrets.choice(REFERENCE_LETTERS) for _ in range(REFERENCE_LENGTH))
