"""A sale without HTTP: buyers, a bank in memory, and the services themselves. For tests of what the records become."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import insert

from booking import bookings, holds, payments
from booking.account import Account
from booking.bookings import Booking
from booking.db import Database
from booking.errors import GatewayUnavailable
from booking.gateway import Charge, Checkout, Event, Order, Outcome
from booking.holds import Buyer
from booking.once import Once
from booking.tables import PaymentState, accounts
from tests.booking.bench import HOLD_S, NOW_S


@dataclass
class Ledger:
    """What the bank knows of one checkout."""

    order: Order
    outcome: Outcome = Outcome.OPEN
    captured_minor: int = 0
    refunds: dict[str, int] = field(default_factory=dict)


class Bank:
    """A gateway by the protocol's rules. `pay` and `decline` are what people do on its page."""

    name = "sandbox"
    form_origins: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.ledgers: dict[str, Ledger] = {}
        self.is_down = False

    def pay(self, gateway_id: str, amount_minor: int | None = None) -> bool:
        """Whether the checkout could be paid still."""
        ledger = self.ledgers[gateway_id]
        if ledger.outcome != Outcome.OPEN:
            return False
        ledger.outcome = Outcome.CAPTURED
        ledger.captured_minor = ledger.order.amount_minor if amount_minor is None else amount_minor
        return True

    def decline(self, gateway_id: str) -> None:
        self.ledgers[gateway_id].outcome = Outcome.DECLINED

    @property
    def kept_minor(self) -> int:
        """All money that was taken and not given back."""
        return sum(ledger.captured_minor - sum(ledger.refunds.values()) for ledger in self.ledgers.values())

    async def open(self, order: Order) -> Checkout:
        self._require_up()
        self.ledgers.setdefault(order.key, Ledger(order))
        return Checkout(order.key, f"https://bank.example/pay/{order.key}")

    async def ask(self, gateway_id: str) -> Charge:
        self._require_up()
        ledger = self.ledgers[gateway_id]
        reason = "Declined." if ledger.outcome == Outcome.DECLINED else ""
        return Charge(gateway_id, ledger.outcome, ledger.captured_minor, ledger.order.currency, reason)

    async def close(self, gateway_id: str) -> Charge:
        self._require_up()
        if self.ledgers[gateway_id].outcome == Outcome.OPEN:
            self.decline(gateway_id)
        return await self.ask(gateway_id)

    async def refund(self, key: str, gateway_id: str, amount_minor: int, currency: str) -> None:
        self._require_up()
        ledger = self.ledgers[gateway_id]
        assert ledger.order.currency == currency
        ledger.refunds.setdefault(key, amount_minor)
        assert sum(ledger.refunds.values()) <= ledger.captured_minor, "more went back than was taken"

    def event(self, headers: Mapping[str, str], body: bytes) -> Event | None:
        raise NotImplementedError

    def _require_up(self) -> None:
        if self.is_down:
            raise GatewayUnavailable


@dataclass
class Sale:
    """One flight's sale at the time `now_s`."""

    db: Database
    flight_id: int
    bank: Bank = field(default_factory=Bank)
    now_s: int = NOW_S

    async def buyer(self, name: str) -> Account:
        email = f"{name}@example.org"
        values = {"email": email, "name": name, "language": "en", "password_hash": "-", "created_s": NOW_S}
        async with self.db.engine.begin() as connection:
            result = await connection.execute(insert(accounts).values(**values))
        assert result.inserted_primary_key
        return Account(result.inserted_primary_key[0], email, name, "en")

    async def hold(
        self,
        buyer: Account,
        *seats: str | tuple[str, int],
        fare: str = "saver",
        admission: str = "",
        by: Once | None = None,
    ) -> str:
        """A reference. A seat may come with the version that was seen."""
        chosen = [(seat, None) if isinstance(seat, str) else seat for seat in seats]
        wish = holds.parse_wish(self.flight_id, chosen, fare)
        who = Buyer(buyer.id, admission or secrets.token_hex(8))
        return await holds.hold(self.db, who, wish, self.now_s, HOLD_S, by)

    async def name(self, buyer: Account, reference: str) -> None:
        booking = await self.booking(buyer, reference)
        names = [f"{buyer.name} {passenger.position}" for passenger in booking.passengers]
        await bookings.name_passengers(self.db, buyer.id, reference, names, self.now_s)

    async def check_out(self, buyer: Account, reference: str, by: Once | None = None) -> str:
        """What the bank calls the checkout."""
        url = await payments.check_out(
            self.db, self.bank, buyer, reference, "https://air.example/return", self.now_s, by
        )
        return url.rpartition("/")[2]

    async def checked_out(self, buyer: Account, *seats: str, fare: str = "saver") -> tuple[str, str]:
        """Held, named and about to be paid: the reference and the key of the payment."""
        reference = await self.hold(buyer, *seats, fare=fare)
        await self.name(buyer, reference)
        return reference, await self.check_out(buyer, reference)

    async def ticketed(self, buyer: Account, *seats: str, fare: str = "saver") -> str:
        reference, key = await self.checked_out(buyer, *seats, fare=fare)
        assert self.bank.pay(key)
        assert await self.settle(key) == PaymentState.CAPTURED
        return reference

    async def settle(self, key: str, *, close: bool = False) -> PaymentState:
        return await payments.settle(self.db, self.bank, key, self.now_s, close=close)

    async def cancel(self, buyer: Account, reference: str) -> None:
        await payments.cancel(self.db, self.bank, buyer.id, reference, self.now_s)

    async def booking(self, buyer: Account, reference: str) -> Booking:
        return await bookings.find(self.db, buyer.id, reference)
