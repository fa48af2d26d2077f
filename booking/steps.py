"""The one place where a booking changes: which state may follow which, by its version, and who is told."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import audit
from booking.db import StaleError, changed_one, inserted_id
from booking.outbox import announce
from booking.tables import BookingState, accounts, bookings

_S = BookingState
# Forward only. An expired booking may still become a ticket, by money that came too late for its hold.
STEPS = {
    _S.HELD: {_S.PAYING, _S.EXPIRED, _S.CANCELLED},
    _S.PAYING: {_S.EXPIRED, _S.TICKETED, _S.CANCELLED},
    _S.EXPIRED: {_S.TICKETED},
    _S.TICKETED: {_S.CANCELLED},
    _S.CANCELLED: {_S.REFUNDED},
    _S.REFUNDED: set[BookingState](),
}
UNPAID = frozenset({_S.HELD, _S.PAYING})

_ADD = insert(bookings)
_OF_ID = select(bookings).where(bookings.c.id == bindparam("id"))
_OWNER = (
    select(accounts.c.email, accounts.c.language).join_from(bookings, accounts).where(bookings.c.id == bindparam("id"))
)


async def begin(connection: AsyncConnection, actor: str, now_s: int, **values: Any) -> int:
    """A new booking, held; returns its id. Raises IntegrityError where the reference or the buyer's hold is taken."""
    values |= {"state": _S.HELD, "unpaid": 1, "version": 0, "created_s": now_s}
    booking_id = inserted_id(await connection.execute(_ADD, values))
    await audit.record(connection, booking_id, actor, "held", now_s, after=_S.HELD)
    await _tell(connection, values, now_s)
    return booking_id


async def step(
    connection: AsyncConnection, booking: Row[Any], after: BookingState, actor: str, now_s: int, **changes: Any
) -> None:
    """Moves a booking on, as it was read in `booking`. Raises StaleError where it has changed since."""
    before = BookingState(booking.state)
    if after not in STEPS[before]:
        raise ValueError(f"booking {booking.reference} cannot go from {before} to {after}")
    changes |= {"state": after, "unpaid": 1 if after in UNPAID else None}
    await change(connection, booking, **changes)
    await audit.record(connection, booking.id, actor, str(after), now_s, before=before, after=after)
    await _tell(connection, booking._asdict() | {"state": after, "version": booking.version + 1}, now_s)


async def change(connection: AsyncConnection, booking: Row[Any], **changes: Any) -> None:
    """Changes a booking that keeps its state. Raises StaleError where it has changed since it was read."""
    result = await connection.execute(
        update(bookings)
        .where(bookings.c.id == booking.id, bookings.c.version == booking.version)
        .values(version=booking.version + 1, **changes)
    )
    if not changed_one(result):
        raise StaleError


async def row_of(connection: AsyncConnection, booking_id: int) -> Row[Any]:
    """A booking as it is now, to be changed."""
    return (await connection.execute(_OF_ID, {"id": booking_id})).one()


async def row_as_seen(connection: AsyncConnection, booking_id: int, version: int) -> Row[Any]:
    """A booking as it was seen by this version, to be changed. Raises StaleError where it has changed since."""
    row = await row_of(connection, booking_id)
    if row.version != version:
        raise StaleError
    return row


async def tell_owner(
    connection: AsyncConnection, booking_id: int, event: str, key: str, now_s: int, **details: object
) -> None:
    """Has a mail sent to the account of a booking, in its language, once this transaction is committed."""
    owner = (await connection.execute(_OWNER, {"id": booking_id})).one()
    payload = {"booking_id": booking_id, "language": owner.language, **details}
    await announce(connection, "mail", event, key, owner.email, payload, now_s)


async def _tell(connection: AsyncConnection, booking: Mapping[str, Any], now_s: int) -> None:
    """Has other systems told what a booking is from now on. Which ones, the courier knows."""
    if booking["state"] == _S.PAYING:
        return
    told = ("reference", "state", "version", "flight_id", "party", "amount_minor", "currency")
    payload = {name: booking[name] for name in told} | {"at_s": now_s}
    key = f"webhook:{booking['reference']}:{booking['version']}"
    await announce(connection, "webhook", f"booking.{booking['state']}", key, "", payload, now_s)
