"""Turns money into tickets. Whatever the gateway took ends as tickets or goes back, whatever crashes in between.

A payment has named steps; a crash may come after each, and `reconcile` goes on from there:

- `begun`: committed that a checkout is about to be opened. Nobody can pay yet.
- `opened`: the gateway knows the checkout; we may not have written down where it is. Nobody can pay yet.
- `offered`: written down, and told to the payer, who may pay from now on.
- `paid`: the gateway has the money; we do not know it.
- `settled`: written down, once, whoever brings it first: the return of the payer, the gateway's event, or `reconcile`.

The gateway is asked outside any transaction, by our key. What it says is asked for, never taken from an event: so it
does not matter in which order, how late, or how often we are told.
"""

import logging
import random
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import audit, bookings, steps
from booking.account import Account
from booking.bookings import Booking
from booking.db import Database, changed_one
from booking.errors import GatewayUnavailable, HoldExpired, NamesMissing, NotPayable, PaymentRunning, Unknown
from booking.gateway import Charge, Checkout, Gateway, Order, Outcome
from booking.once import Once, mark
from booking.sentences import say
from booking.settlement import settle_payment
from booking.tables import BookingState, PaymentState, payments
from booking.tables import bookings as bookings_table

# A payment that nobody was offered after so long has lost its process.
NEVER_OFFERED_AFTER_S = 60
# So often the gateway is asked about a payment of which it tells us nothing.
ASKED_AGAIN_AFTER_S = 60
RECONCILED_AT_ONCE = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay, by its key at the gateway. `pay_url` is where, once the gateway has said so."""

    key: str
    gateway_id: str | None
    pay_url: str | None
    amount_minor: int
    currency: str


async def check_out(
    db: Database,
    gateway: Gateway,
    account: Account,
    reference: str,
    return_url: str,
    now_s: int,
    once: Once | None = None,
) -> str:
    """Where a held booking is paid: the same address for as long as that checkout is open.

    Raises Unknown, NamesMissing, HoldExpired, NotPayable, PaymentRunning and GatewayUnavailable.
    """
    payment = await db.write(_begin_payment, gateway.name, account.id, reference, now_s, once)
    if payment.pay_url:
        return payment.pay_url
    order = Order(
        payment.key, reference, payment.amount_minor, payment.currency, return_url, account.email, account.language
    )
    checkout = await gateway.open(order)
    if not await db.write(_offer_payment, payment.key, checkout, now_s):
        await gateway.close(checkout.gateway_id)
        raise PaymentRunning(reference)
    return checkout.pay_url


async def find(db: Database, key: str) -> Payment:
    """Raises Unknown."""
    row = await _payment(db, key)
    return Payment(row.key, row.gateway_id, row.pay_url, row.amount_minor, row.currency)


async def settle(db: Database, gateway: Gateway, key: str, now_s: int, *, close: bool = False) -> PaymentState:
    """Asks the gateway what became of a payment, and writes it down, once. Returns the state that it has then.

    With `close` nobody can pay it from now on. Raises Unknown and GatewayUnavailable.
    """
    payment = await _payment(db, key)
    if payment.state != PaymentState.OPEN:
        return PaymentState(payment.state)
    if payment.gateway != gateway.name:
        log.error("Payment %s is open at %s: settle it with BOOKING_GATEWAY=%s.", key, payment.gateway, payment.gateway)
        return PaymentState.OPEN
    if payment.gateway_id is None:
        if not close and payment.created_s > now_s - NEVER_OFFERED_AFTER_S:
            return PaymentState.OPEN
        charge = Charge("", Outcome.DECLINED, reason=say("The payment never reached the bank."))
    else:
        charge = await (gateway.close if close else gateway.ask)(payment.gateway_id)
    return await db.write(settle_payment, key, charge, now_s)


async def settle_booking(db: Database, gateway: Gateway, account_id: int, reference: str, now_s: int) -> Booking:
    """Settles what is open of a booking, one that has expired meanwhile too, and gives the booking.

    Raises Unknown and GatewayUnavailable.
    """
    is_open = payments.c.state == PaymentState.OPEN
    is_its = (bookings_table.c.reference == reference) & (bookings_table.c.account_id == account_id)
    query = select(payments.c.key).join_from(payments, bookings_table).where(is_open, is_its)
    async with db.reading("payments_open_of_booking") as connection:
        keys = list(await connection.scalars(query))
    for key in keys:
        await settle(db, gateway, key, now_s)
    # Read last: where nothing is open any more, somebody else may have settled it a moment ago.
    return await bookings.find(db, account_id, reference)


async def cancel(
    db: Database, gateway: Gateway, account_id: int, reference: str, now_s: int, once: Once | None = None
) -> None:
    """Gives a booking up. An open checkout is closed first; one that was paid meanwhile has made it a ticket: then that
    is told, and nothing is cancelled. Raises what `bookings.cancel` does, and GatewayUnavailable."""
    booking = await bookings.find(db, account_id, reference)
    if booking.open_payment is not None:
        state = await settle(db, gateway, booking.open_payment, now_s, close=True)
        if state == PaymentState.CAPTURED:
            raise PaymentRunning(reference)
    await bookings.cancel(db, account_id, reference, now_s, once)


async def reason_of_last(db: Database, booking_id: int) -> str:
    """Why the last payment of a booking was declined; empty where it was not."""
    query = select(payments.c.reason).where(payments.c.booking_id == booking_id).order_by(payments.c.id.desc())
    async with db.reading("reason_of_last_payment") as connection:
        return await connection.scalar(query.limit(1)) or ""


async def reconcile(
    db: Database, gateway: Gateway, now_s: int, late_s: int = ASKED_AGAIN_AFTER_S, most: int = RECONCILED_AT_ONCE
) -> int:
    """Settles the payments of which nobody told us for `late_s`, and closes those whose hold is over: at most `most`,
    by chance, so that those of which the gateway never answers keep no other from its turn. Returns how many it ended.
    """
    is_late = payments.c.changed_s <= now_s - late_s
    is_over = bookings_table.c.held_until_s <= now_s
    query = (
        select(payments.c.key, is_over.label("is_over"))
        .join_from(payments, bookings_table)
        .where(payments.c.state == PaymentState.OPEN, payments.c.gateway == gateway.name, or_(is_late, is_over))
    )
    async with db.reading("payments_open") as connection:
        rows = list(await connection.execute(query))
    chosen = random.sample(rows, min(most, len(rows)))
    return sum([await _reconciled(db, gateway, row.key, now_s, close=row.is_over) for row in chosen])


async def _reconciled(db: Database, gateway: Gateway, key: str, now_s: int, *, close: bool) -> bool:
    try:
        state = await settle(db, gateway, key, now_s, close=close)
    except GatewayUnavailable:
        log.warning("Payment %s stays open: the gateway does not answer.", key)
        return False
    if state == PaymentState.OPEN:
        return False
    log.info("Payment %s was left open; it is %s.", key, state)
    return True


async def _payment(db: Database, key: str) -> Row[Any]:
    async with db.reading("payment") as connection:
        row = (await connection.execute(select(payments).where(payments.c.key == key))).one_or_none()
    if row is None:
        raise Unknown(say("There is no payment %(key)s.", key=key))
    return row


async def _begin_payment(
    connection: AsyncConnection, gateway_name: str, account_id: int, reference: str, now_s: int, once: Once | None
) -> Payment:
    booking = await bookings.owned(connection, account_id, reference)
    if booking.open_payment is not None and booking.is_payable(now_s):
        row = (await connection.execute(select(payments).where(payments.c.key == booking.open_payment))).one()
        return Payment(row.key, row.gateway_id, row.pay_url, row.amount_minor, row.currency)
    _require_payable(booking, now_s)
    payment = Payment(secrets.token_hex(16), None, None, booking.amount_minor, booking.currency)
    row = await steps.row_as_seen(connection, booking.id, booking.version)
    if booking.state == BookingState.PAYING:
        await steps.change(connection, row, open_payment=payment.key)
    else:
        actor = audit.account(account_id)
        await steps.step(connection, row, BookingState.PAYING, actor, now_s, open_payment=payment.key)
    await connection.execute(
        insert(payments).values(
            key=payment.key,
            booking_id=booking.id,
            gateway=gateway_name,
            amount_minor=payment.amount_minor,
            captured_minor=0,
            currency=payment.currency,
            state=PaymentState.OPEN,
            reason="",
            created_s=now_s,
            changed_s=now_s,
        )
    )
    if once is None or once.effect is None:
        await mark(connection, once, payment.key)
    return payment


def _require_payable(booking: Booking, now_s: int) -> None:
    if booking.state == BookingState.EXPIRED or (booking.is_unpaid and not booking.is_payable(now_s)):
        raise HoldExpired(booking.flight.id)
    if not booking.is_unpaid:
        raise NotPayable(booking.reference, booking.state)
    if not booking.has_names:
        raise NamesMissing(booking.reference)


async def _offer_payment(connection: AsyncConnection, key: str, checkout: Checkout, now_s: int) -> bool:
    """Whether the payment was still open to be offered."""
    is_open = (payments.c.key == key) & (payments.c.state == PaymentState.OPEN)
    values = {"gateway_id": checkout.gateway_id, "pay_url": checkout.pay_url, "changed_s": now_s}
    return changed_one(await connection.execute(update(payments).where(is_open).values(**values)))
