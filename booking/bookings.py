"""An account's bookings: shows them to their owner and to nobody else, names who travels, and gives one up."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Row, Select, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import audit, flights, refunds, steps, stock
from booking.account_forms import parse_name
from booking.db import Database
from booking.errors import (
    FlightDeparted,
    HoldExpired,
    Invalid,
    NotCancellable,
    NotNameable,
    PaymentRunning,
    Unknown,
)
from booking.flights import Flight
from booking.once import Once, mark
from booking.sentences import say
from booking.steps import UNPAID
from booking.tables import BookingState, bookings, passengers
from booking.tables import flights as flights_table

_OF_ID = select(bookings).where(bookings.c.id == bindparam("id"))
_OF_ACCOUNT = select(bookings).where(bookings.c.account_id == bindparam("account_id"))
_OWNED = _OF_ACCOUNT.where(bookings.c.reference == bindparam("reference"))
_PARTIES = (
    select(passengers)
    .where(passengers.c.booking_id.in_(bindparam("booking_ids", expanding=True)))
    .order_by(passengers.c.booking_id, passengers.c.position)
)
_FLIGHTS = select(flights_table).where(flights_table.c.id.in_(bindparam("flight_ids", expanding=True)))


@dataclass(frozen=True, slots=True)
class Passenger:
    """One of a party. `name` is None until it is told, `ticket` until it is issued."""

    position: int
    seat: str
    cabin: str
    price_minor: int
    name: str | None
    ticket: str | None


@dataclass(frozen=True, slots=True)
class Booking:
    """A party's seats on one flight. Amounts are minor units of `currency`; of what was paid, some may be due back."""

    id: int
    account_id: int
    reference: str
    state: BookingState
    version: int
    flight: Flight
    passengers: tuple[Passenger, ...]
    fare: str
    amount_minor: int
    currency: str
    refund_percent: int
    refund_until_s: int
    held_until_s: int
    created_s: int
    open_payment: str | None
    refunded_minor: int
    due_minor: int

    @property
    def is_unpaid(self) -> bool:
        return self.state in UNPAID

    @property
    def awaits_payment(self) -> bool:
        """A checkout is open: it may have been paid by now."""
        return self.open_payment is not None

    @property
    def has_names(self) -> bool:
        return all(passenger.name for passenger in self.passengers)

    @property
    def seats(self) -> tuple[str, ...]:
        return tuple(passenger.seat for passenger in self.passengers)

    def is_payable(self, now_s: int) -> bool:
        return self.is_unpaid and now_s < self.held_until_s

    def is_nameable(self, now_s: int) -> bool:
        return self.is_payable(now_s) and not self.awaits_payment

    def is_cancellable(self, now_s: int) -> bool:
        if self.state == BookingState.TICKETED:
            return now_s < self.flight.departs_s
        return self.is_unpaid

    def refund_minor(self, now_s: int) -> int:
        """What a cancellation now gives back."""
        if self.state != BookingState.TICKETED or now_s >= self.refund_until_s:
            return 0
        return self.amount_minor * self.refund_percent // 100


async def find(db: Database, account_id: int, reference: str) -> Booking:
    """Raises Unknown, also where the booking is someone else's."""
    async with db.reading("booking") as connection:
        return await owned(connection, account_id, reference)


async def of_account(db: Database, account_id: int) -> list[Booking]:
    """All bookings of an account, those of the latest flights first. The same few queries, however many there are."""
    async with db.reading("bookings_of_account") as connection:
        found = await _load(connection, _OF_ACCOUNT, account_id=account_id)
    return sorted(found, key=lambda booking: (booking.flight.departs_s, booking.id), reverse=True)


async def of_id(connection: AsyncConnection, booking_id: int) -> Booking:
    """For whoever acts for the site, and not for an account."""
    return (await _load(connection, _OF_ID, id=booking_id))[0]


async def owned(connection: AsyncConnection, account_id: int, reference: str) -> Booking:
    """Raises Unknown, also where the booking is someone else's."""
    found = await _load(connection, _OWNED, account_id=account_id, reference=reference)
    if not found:
        raise Unknown(say("You have no booking %(reference)s.", reference=reference), link="/trips")
    return found[0]


def parse_names(names: Sequence[str], party: int) -> tuple[str, ...]:
    """The names of a party with single spaces. Raises Invalid, which names every fault by `passenger_1` and so on."""
    faults: dict[str, str] = {}
    if len(names) != party:
        faults["passengers"] = say("Tell the names of all %(party)s passengers.", party=party)
    form = {f"passenger_{position}": name for position, name in enumerate(names, 1)}
    parsed = tuple(parse_name(form, field, faults) for field in form)
    if faults:
        raise Invalid(faults)
    return parsed


async def name_passengers(
    db: Database, account_id: int, reference: str, names: Sequence[str], now_s: int, once: Once | None = None
) -> None:
    """Says who travels, as often as one likes until payment begins.

    Raises Unknown, Invalid, HoldExpired and NotNameable.
    """
    if once is None or once.effect is None:
        await db.write(_name_passengers, account_id, reference, names, now_s, once)


async def cancel(db: Database, account_id: int, reference: str, now_s: int, once: Once | None = None) -> None:
    """Gives the booking up: its seats are free again, and what its fare gives back is due.

    Raises Unknown, PaymentRunning while a checkout is open, FlightDeparted and NotCancellable.
    """
    if once is None or once.effect is None:
        await db.write(_cancel_booking, account_id, reference, now_s, once)


async def _name_passengers(
    connection: AsyncConnection, account_id: int, reference: str, names: Sequence[str], now_s: int, once: Once | None
) -> None:
    booking = await owned(connection, account_id, reference)
    parsed = parse_names(names, len(booking.passengers))
    if (booking.is_unpaid and not booking.is_payable(now_s)) or booking.state == BookingState.EXPIRED:
        raise HoldExpired(booking.flight.id)
    if not booking.is_nameable(now_s):
        raise NotNameable(reference)
    await steps.change(connection, await steps.row_as_seen(connection, booking.id, booking.version))
    for position, name in enumerate(parsed, 1):
        is_this = (passengers.c.booking_id == booking.id) & (passengers.c.position == position)
        await connection.execute(update(passengers).where(is_this).values(name=name))
    await mark(connection, once, f"named:{reference}")


async def _cancel_booking(
    connection: AsyncConnection, account_id: int, reference: str, now_s: int, once: Once | None
) -> None:
    booking = await owned(connection, account_id, reference)
    _require_cancellable(booking, now_s)
    row = await steps.row_as_seen(connection, booking.id, booking.version)
    await mark(connection, once, f"cancelled:{reference}")
    refund_minor = booking.refund_minor(now_s)
    await steps.step(connection, row, BookingState.CANCELLED, audit.account(account_id), now_s)
    if refund_minor:
        await refunds.due_back(connection, booking.id, refund_minor, now_s)
    if booking.state == BookingState.TICKETED:
        await steps.tell_owner(
            connection, booking.id, "cancelled", f"cancelled:{reference}", now_s, refund_minor=refund_minor
        )
    await stock.give_back(connection, row)


def _require_cancellable(booking: Booking, now_s: int) -> None:
    if booking.awaits_payment:
        raise PaymentRunning(booking.reference)
    if booking.state == BookingState.TICKETED and booking.flight.departs_s <= now_s:
        raise FlightDeparted(booking.flight.number)
    if not booking.is_cancellable(now_s):
        raise NotCancellable(booking.reference, booking.state)


async def _load(connection: AsyncConnection, query: Select[Any], **of: object) -> list[Booking]:
    """Four queries at most, whatever is asked for."""
    rows = list(await connection.execute(query, of))
    ids = [row.id for row in rows]
    parties: dict[int, list[Passenger]] = defaultdict(list)
    for row in await connection.execute(_PARTIES, {"booking_ids": ids}):
        party = Passenger(row.position, row.seat, row.cabin, row.price_minor, row.name, row.ticket)
        parties[row.booking_id].append(party)
    flown = await _flights_of(connection, {row.flight_id for row in rows})
    # Nothing can come back of what nobody has begun to pay.
    paid = [row.id for row in rows if row.state != BookingState.HELD]
    money = await refunds.of_bookings(connection, paid) if paid else {}
    return [_booking(row, flown[row.flight_id], parties[row.id], money.get(row.id, refunds.NOTHING)) for row in rows]


async def _flights_of(connection: AsyncConnection, ids: Collection[int]) -> dict[int, Flight]:
    rows = list(await connection.execute(_FLIGHTS, {"flight_ids": list(ids)}))
    return {flight.id: flight for flight in await flights.with_cabins(connection, rows)}


def _booking(row: Row[Any], flight: Flight, party: Sequence[Passenger], back: refunds.Back) -> Booking:
    same = {field.name: getattr(row, field.name) for field in fields(Booking) if hasattr(row, field.name)}
    return Booking(
        **same | {"state": BookingState(row.state)},
        flight=flight,
        passengers=tuple(party),
        refunded_minor=back.refunded_minor,
        due_minor=back.due_minor,
    )
