"""Stories of a sale: Hypothesis invents them, and `Story` lets them happen, to the services and a bank that fails.

Buyers compete for few seats; what the bank tells comes in any order, late, twice, forged, before the payer returns and
after the hold has ended. No choice depends on what came of those before, so that a story can be told again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import ParamSpec, TypeVar

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from booking import holds, payments, refunds, signatures, sweeper
from booking.account import Account
from booking.db import Database
from booking.errors import (
    AlreadyHolding,
    FlightDeparted,
    ForgedEvent,
    GatewayUnavailable,
    HoldExpired,
    NamesMissing,
    NotCancellable,
    NotPayable,
    PaymentRunning,
    SeatTaken,
)
from booking.flights import PAYING_GRACE_S
from booking.gateway import Charge, Checkout, Event, Order
from booking.inbox import Inbox
from booking.invariants import breaches
from booking.sandbox.ledger import Notice
from booking.sandbox.messenger import document
from booking.sandbox_gateway import SandboxGateway
from booking.tables import DeliveryState, PaymentState, RefundState, inbox, metadata
from booking.tables import bookings as bookings_table
from booking.tables import payments as payments_table
from booking.tables import refunds as refunds_table
from tests.booking.bank import SECRET
from tests.booking.bench import HOLD_S, HOUR_S, add_flight, departure, rows
from tests.booking.sale import Bank, Sale

P = ParamSpec("P")
T = TypeVar("T")

# Few, so that all get into each other's way.
BUYERS = ("ada", "grace", "edsger")
SEATS = ("7A", "7B", "7C")
FARES = ("saver", "flex")
# Mostly none. A hold ends, a bank is given up, a fare gives nothing back any more, the flight departs, a clock is set.
WAITS_S = (*[0] * 12, 1, 61, HOLD_S, *[HOLD_S + PAYING_GRACE_S] * 3, 25 * HOUR_S, 48 * HOUR_S, -30)
FOREIGN_SECRET = "whsec_" + "YW5vdGhlciBzZWNyZXQgdGhhdCBpcyBub3QgdGhlIGJhbmtz"
# Longer than any hold lasts, and than an event is put off.
LONG_S = 4 * HOUR_S
# What a buyer may be told. Anything else that is raised is a fault.
REFUSALS = (
    AlreadyHolding,
    FlightDeparted,
    GatewayUnavailable,
    HoldExpired,
    NamesMissing,
    NotCancellable,
    NotPayable,
    PaymentRunning,
    SeatTaken,
)
# The more often it stands here, the more often it happens.
ACTS = (
    *("book", "pay") * 5,
    *("tell", "come_back") * 3,
    *("look_into", "cancel", "check_out", "reconcile", "expire", "refund") * 2,
    *("hold", "decline", "pay_another_amount", "forge", "fail"),
)


@dataclass(frozen=True)
class Act:
    """Something that happens, and a number that chooses who, which and how."""

    what: str
    number: int


@dataclass(frozen=True)
class Moment:
    """What happens at once, `after_s` seconds."""

    after_s: int
    acts: list[Act]


acts = st.builds(Act, st.sampled_from(ACTS), st.integers(0, 41))
moments = st.builds(Moment, st.sampled_from(WAITS_S), st.lists(acts, min_size=1, max_size=3))
stories = st.lists(moments, min_size=15, max_size=30)


class TellingBank(Bank):
    """Tells what happened by the sandbox's own events. Each of its `mishaps` meets one call, which is refused, or is
    carried out and its answer lost."""

    def __init__(self, session: ClientSession, clock_s: Callable[[], int]) -> None:
        super().__init__()
        self.notices: list[Notice] = []
        self.mishaps: list[str] = []
        self._clock_s = clock_s
        self._judge = SandboxGateway(session, "http://bank.example", SECRET)

    def pay(self, gateway_id: str, amount_minor: int | None = None) -> bool:
        is_paid = super().pay(gateway_id, amount_minor)
        if is_paid:
            self._note("captured", gateway_id)
        return is_paid

    def decline(self, gateway_id: str) -> None:
        super().decline(gateway_id)
        self._note("declined", gateway_id)

    async def open(self, order: Order) -> Checkout:
        return self._answer(await super().open(order))

    async def ask(self, gateway_id: str) -> Charge:
        return self._answer(await super().ask(gateway_id))

    async def refund(self, key: str, gateway_id: str, amount_minor: int, currency: str) -> None:
        await super().refund(key, gateway_id, amount_minor, currency)
        self._note("refunded", gateway_id)
        self._answer(None)

    def event(self, headers: Mapping[str, str], body: bytes) -> Event | None:
        return self._judge.event(headers, body)

    def _note(self, what: str, key: str) -> None:
        number = len(self.notices)
        self.notices.append(Notice(f"evt_{number}", f"checkout.{what}", f"co_{key}", key, self._clock_s(), 0))

    def _require_up(self) -> None:
        if self.mishaps and self.mishaps[0] == "refused":
            self.mishaps.pop(0)
            raise GatewayUnavailable

    def _answer(self, answer: T) -> T:
        if self.mishaps and self.mishaps[0] == "lost":
            self.mishaps.pop(0)
            raise GatewayUnavailable
        return answer


@dataclass
class Story:
    """A sale of a few seats, told moment by moment. Its records hold after each."""

    sale: Sale
    bank: TellingBank
    inbox: Inbox
    buyers: list[Account]
    session: ClientSession
    webhook_url: str
    booked: list[tuple[Account, str]] = field(default_factory=list)
    offered: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)

    async def happen(self, moment: Moment) -> None:
        self.sale.now_s += moment.after_s
        await asyncio.gather(*map(self._do, moment.acts))
        assert await breaches(self.sale.db) == []

    async def _do(self, act: Act) -> None:
        try:
            await getattr(self, act.what)(act.number)
        except REFUSALS:
            return

    async def hold(self, number: int) -> None:
        """Any of the seats, one to all of them."""
        buyer = self.buyers[number % 3]
        wanted = [seat for bit, seat in enumerate(SEATS) if (number // 3 % 7 + 1) >> bit & 1]
        reference = await self.sale.hold(buyer, *wanted, fare=FARES[number // 21 % 2])
        self.booked.append((buyer, reference))
        await self.sale.name(buyer, reference)

    async def book(self, number: int) -> None:
        await self.hold(number)
        await self.check_out(0)

    async def check_out(self, number: int) -> None:
        for buyer, reference in _newest(self.booked, number):
            self.offered.append(await self.sale.check_out(buyer, reference))

    async def pay(self, number: int) -> None:
        for key in _newest(self.offered, number):
            self.bank.pay(key)

    async def pay_another_amount(self, number: int) -> None:
        for key in _newest(self.offered, number):
            self.bank.pay(key, number + 1)

    async def decline(self, number: int) -> None:
        for key in _newest(self.offered, number):
            await self.bank.close(key)

    async def tell(self, number: int) -> None:
        """Any event of before, also one that was told already, up to three times at once."""
        for notice in _newest(self.bank.notices, number // 3):
            headers = signatures.sign(SECRET, notice.id, int(time.time()), document(notice))
            sent = (self._post(headers, document(notice)) for _ in range(number % 3 + 1))
            assert set(await asyncio.gather(*sent)) == {HTTPStatus.OK}
            self.told.add(notice.id)

    async def forge(self, number: int) -> None:
        """By another secret, about another payment than was signed, by another name, or heard long ago."""
        for notice in _newest(self.bank.notices, number // 4):
            body, now_s = document(notice), int(time.time())
            true = signatures.sign(SECRET, notice.id, now_s, body)
            forged = [
                (signatures.sign(FOREIGN_SECRET, notice.id, now_s, body), body),
                (true, body.replace(notice.key.encode(), b"0" * 32)),
                (true | {signatures.ID: "evt_forged"}, body),
                (signatures.sign(SECRET, notice.id, now_s - signatures.TOLERANCE_S - 1, body), body),
            ][number % 4]
            assert await self._post(*forged) == HTTPStatus.BAD_REQUEST

    async def look_into(self, _number: int) -> None:
        await self.inbox.worker.work_off()

    async def come_back(self, number: int) -> None:
        """From the page of the bank, paid or not, and in two windows at once."""
        for buyer, reference in _newest(self.booked, number):
            await _twice(payments.settle_booking, self.sale.db, self.bank, buyer.id, reference, self.sale.now_s)

    async def cancel(self, number: int) -> None:
        for buyer, reference in _newest(self.booked, number):
            await self.sale.cancel(buyer, reference)

    async def reconcile(self, _number: int) -> None:
        await _twice(payments.reconcile, self.sale.db, self.bank, self.sale.now_s)

    async def expire(self, _number: int) -> None:
        await _twice(holds.expire, self.sale.db, self.sale.now_s)

    async def refund(self, _number: int) -> None:
        await _twice(refunds.refund, self.sale.db, self.bank, self.sale.now_s)

    async def fail(self, number: int) -> None:
        """The bank, at one of its next calls or at two."""
        self.bank.mishaps += [("refused", "lost")[bit] for bit in (number & 1, number >> 1 & 1)][: 1 + number % 3]

    async def end(self) -> None:
        """The bank answers again, and whoever has to do something does it."""
        self.bank.mishaps.clear()
        self.sale.now_s += LONG_S
        await self.inbox.worker.work_off()
        await sweeper.sweep(self.sale.db, self.bank, self.sale.now_s)

    async def require_all_accounted_for(self) -> None:
        """Nothing is left to do, nobody can pay any more, and both sides' books say the same of each payment."""
        db = self.sale.db
        assert await breaches(db) == []
        assert await rows(db, select(payments_table.c.key).where(payments_table.c.state == PaymentState.OPEN)) == []
        assert await rows(db, select(refunds_table.c.key).where(refunds_table.c.state == RefundState.DUE)) == []
        assert await rows(db, select(bookings_table.c.reference).where(bookings_table.c.unpaid == 1)) == []
        assert [key for key in self.offered if self.bank.pay(key)] == []
        assert await self._books() == {
            key: (ledger.captured_minor, sum(ledger.refunds.values()))
            for key, ledger in self.bank.ledgers.items()
            if ledger.captured_minor
        }
        kept = {row.event_id: row.state for row in await rows(db, select(inbox.c.event_id, inbox.c.state))}
        assert kept == dict.fromkeys(self.told, DeliveryState.DONE)

    async def _books(self) -> dict[str, tuple[int, int]]:
        """What was captured and given back by our records, of each payment that was."""
        back = func.coalesce(func.sum(refunds_table.c.amount_minor), 0).label("back")
        paid = payments_table.c
        query = (
            select(paid.key, paid.captured_minor, back)
            .outerjoin_from(payments_table, refunds_table)
            .where(paid.state == PaymentState.CAPTURED)
            .group_by(paid.key, paid.captured_minor)
        )
        return {row.key: (row.captured_minor, int(row.back)) for row in await rows(self.sale.db, query)}

    async def _post(self, headers: Mapping[str, str], body: bytes) -> int:
        async with self.session.post(self.webhook_url, data=body, headers=headers) as response:
            return response.status


@asynccontextmanager
async def begun(db: Database) -> AsyncIterator[Story]:
    """A sale that has just begun, in an empty database."""
    await empty(db)
    sale = Sale(db, await add_flight(db, departure()))
    async with ClientSession() as session:
        bank = TellingBank(session, lambda: sale.now_s)
        sale.bank = bank
        own = Inbox(db, bank, lambda: sale.now_s)
        async with TestServer(_receiving(own)) as server:
            buyers = [await sale.buyer(name) for name in BUYERS]
            yield Story(sale, bank, own, buyers, session, str(server.make_url("/webhooks/sandbox")))


async def empty(db: Database) -> None:
    async with db.engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            await connection.execute(delete(table))


def _receiving(inbox: Inbox) -> web.Application:
    """As much of a site as takes webhooks."""

    async def receive(request: web.Request) -> web.Response:
        try:
            return await inbox.receive(request)
        except ForgedEvent as exc:
            return web.Response(status=exc.status)

    app = web.Application()
    app.add_routes([web.post("/webhooks/{gateway}", receive)])
    return app


async def _twice(work: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs) -> None:
    """As two processes do it at the same time."""
    outcomes = await asyncio.gather(*(work(*args, **kwargs) for _ in range(2)), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


def _newest(things: list[T], number: int) -> list[T]:
    """The one that is `number` before the last, round and round; none where there is none."""
    return [things[-1 - number % len(things)]] if things else []
