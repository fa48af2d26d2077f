"""The sandbox gateway, which plays the bank: it knows test cards only, and moves no money."""

from dataclasses import asdict

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.db import Database, StaleError
from booking.gateway import Card, Charge, Outcome
from booking.tables import sandbox_charges

# What happens to each test card. Others are declined, so that nobody's real card is ever taken for one.
TEST_CARDS = {
    "4242424242424242": "",
    "4000000000000002": "The bank declined the card.",
    "4000000000009995": "The card has insufficient funds.",
}
NOT_A_TEST_CARD = "The sandbox takes its test cards only."
NEVER_CHARGED = "The payment never reached the bank."


class SandboxGateway:
    """Keeps its ledger in a table of its own, in transactions of its own, as a bank would: it outlives our crashes."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def charge(self, key: str, amount_minor: int, currency: str, card: Card) -> Charge:
        reason = TEST_CARDS.get(card.number, NOT_A_TEST_CARD)
        outcome = Outcome.DECLINED if reason else Outcome.CAPTURED
        return await self._db.write(_record_once, Charge(key, amount_minor, currency, outcome, reason))

    async def resolve(self, key: str) -> Charge:
        return await self._db.write(_record_once, Charge(key, 0, "", Outcome.DECLINED, NEVER_CHARGED))

    async def refund(self, key: str) -> None:
        await self._db.write(_refund, key)


async def _record_once(connection: AsyncConnection, charge: Charge) -> Charge:
    """The ledger's entry of this key: the one that was there, or else this one."""
    query = select(sandbox_charges).where(sandbox_charges.c.key == charge.key)
    entry = (await connection.execute(query)).one_or_none()
    if entry is None:
        try:
            await connection.execute(insert(sandbox_charges).values(**asdict(charge), refunded_minor=0))
        except IntegrityError as exc:
            raise StaleError from exc
        return charge
    return Charge(entry.key, entry.amount_minor, entry.currency, Outcome(entry.outcome), entry.reason)


async def _refund(connection: AsyncConnection, key: str) -> None:
    await connection.execute(
        update(sandbox_charges)
        .where(sandbox_charges.c.key == key, sandbox_charges.c.outcome == Outcome.CAPTURED)
        .values(refunded_minor=sandbox_charges.c.amount_minor)
    )
