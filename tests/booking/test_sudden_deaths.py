"""kill -9 at every named point of a payment: the site that is started next puts it right, and nobody loses anything.

A customer buys two tickets and gives them up again, with one key per request, and repeats whatever gets no answer.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest
from aiohttp import ClientError
from sqlalchemy import func, select
from yarl import URL

from booking.db import Database
from booking.invariants import breaches
from booking.tables import DeliveryState, bookings, outbox, payments, refunds
from tests.booking.bank import PrivateSandbox
from tests.booking.bench import HOLD_S, Answer, Room, Visitor, add_flight, departure, rows
from tests.booking.dying import FileClock, MortalSite, Point
from tests.booking.post_office import PostOffice
from tests.servers import free_port

# In the order of a trip: transactions, the calls of the bank (open, ask, refund), and that of the mail server (send).
POINTS = [
    Point(is_after, what)
    for what in (
        "take_seats",
        "finish_key",
        "begin_payment",
        "open",
        "offer_payment",
        "keep_event",
        "ask",
        "settle_payment",
        "send",
        "end_claims",
        "cancel_booking",
        "refund",
        "refunded",
    )
    for is_after in (False, True)
]
SENT_BUT_NOT_MARKED = {
    Point(is_after=True, what="send"),
    Point(is_after=False, what="end_claims"),
    # While the money goes back, the mail of the cancellation may be on its way.
    *(Point(is_after, what) for what in ("refund", "refunded") for is_after in (False, True)),
}
# Where a transaction ends otherwise than on SQLite: the rest is the same.
ON_MARIADB = [Point(is_after, what) for what in ("settle_payment", "refunded") for is_after in (False, True)]
CASES = [*(("sqlite", point) for point in POINTS), *(("mariadb", point) for point in ON_MARIADB)]
# Longer than a lease, a lock or a silence of the bank lasts, and shorter than a hold.
AFTERWARDS_S = 150
# Of the customer, and of whoever waits for a mail: a machine with much else to do starts a site in many seconds.
PAUSE_S = 0.02
ANSWERED_WITHIN_S = 120


@pytest.fixture(scope="module")
def telling_bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSandbox]:
    """It tells the site what happened, and outlives it."""
    bank = PrivateSandbox(tmp_path_factory.mktemp("bank"), f"http://127.0.0.1:{free_port()}")
    bank.start()
    yield bank
    bank.stop()


@pytest.fixture
def post_office() -> Iterator[PostOffice]:
    with PostOffice() as office:
        yield office


@pytest.fixture
def file_clock(tmp_path: Path) -> FileClock:
    return FileClock(tmp_path / "now_s")


@pytest.fixture
def mortal(
    db: Database,
    database_url: str,
    redis_url: str,
    room: Room,
    telling_bank: PrivateSandbox,
    post_office: PostOffice,
    file_clock: FileClock,
    tmp_path: Path,
) -> Iterator[MortalSite]:
    environment = {
        "BOOKING_STATE_FOLDER": str(tmp_path / "state"),
        "BOOKING_DATABASE_URL": database_url,
        "BOOKING_REDIS_URL": redis_url,
        "BOOKING_ADMISSION_KEYS": str(room.key_file),
        "BOOKING_PUBLIC_URL": telling_bank.site_url,
        "BOOKING_SANDBOX_URL": telling_bank.url,
        "BOOKING_SANDBOX_SECRET": telling_bank.secret,
        "BOOKING_SMTP_URL": post_office.url(),
        "BOOKING_HOLD_S": str(HOLD_S),
        "BOOKING_SWEEP_S": "1",
    }
    del db  # has made the schema
    site = MortalSite(environment, telling_bank.site_url, file_clock)
    yield site
    site.stop()


class Customer:
    """Repeats by its key whatever gets no answer, and has the site started again where it has died."""

    def __init__(self, site: MortalSite, clock: FileClock, visitor: Visitor, db: Database) -> None:
        self._site = site
        self._db = db
        self._clock = clock
        self._visitor = visitor
        self.deaths = 0

    async def send(self, path: str, document: object) -> Answer:
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            return await self._answered(path, document)

    async def _answered(self, path: str, document: object) -> Answer:
        key = secrets.token_hex(8)
        while True:
            try:
                answer = await self._visitor.ask("POST", path, json=document, headers={"Idempotency-Key": key})
            except ClientError:
                # It dies, or it had died before, and the connection was to its predecessor.
                self.revive()
                await asyncio.sleep(PAUSE_S)
                continue
            if answer.status < 300:
                return answer
            if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
                await asyncio.sleep(PAUSE_S)
                continue
            # The sweeper was about to give up the payment that was begun: the next try begins another one.
            assert answer.code == "payment_running", answer.text
            key = secrets.token_hex(8)

    def revive(self) -> bool:
        """Whether it had died; then it is started again, when some time has passed."""
        if not self._site.has_died:
            return False
        self.deaths += 1
        self._clock.pass_s(AFTERWARDS_S)
        self._site.stop()
        self._site.start()
        return True

    async def buy_and_give_up(self, flight_id: int, bank: PrivateSandbox, office: PostOffice) -> None:
        names = ["Ada Lovelace", "Grace Hopper"]
        held = await self.send(f"/api/flights/{flight_id}/holds", {"seats": ["7C", "7D"], "passengers": names})
        booking = held.headers["Location"]
        checkout = await self.send(f"{booking}/checkout", {})
        await bank.pay(checkout.json["pay_url"])
        settled = await self.send(f"{booking}/settlement", {})
        assert settled.json["state"] == "ticketed"
        await self._told("ticketed", office)
        await self.send(f"{booking}/cancellation", {})
        await self._told("refunded", office)
        await self._told("cancelled", office)

    async def _told(self, event: str, office: PostOffice) -> None:
        """Waits until a mail has come and is on record as sent; has the site started again if it dies over it."""
        of_mail = select(outbox.c.state).where(outbox.c.kind == "mail", outbox.c.event == event)
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            while event not in _told_of(office) or await rows(self._db, of_mail) != [(DeliveryState.DONE,)]:
                self.revive()
                await asyncio.sleep(PAUSE_S)


def _told_of(office: PostOffice) -> Counter[str]:
    """How often each event was told. Its Message-ID has the event first, and is the same for each copy."""
    return Counter(mail["Message-ID"].strip("<").partition(".")[0] for mail in office.mails)


@pytest.mark.parametrize(("database_url", "point"), CASES, ids=str, indirect=["database_url"])
async def test_whoever_is_killed_wherever_the_customer_ends_with_what_was_paid_for(
    db: Database,
    mortal: MortalSite,
    file_clock: FileClock,
    room: Room,
    telling_bank: PrivateSandbox,
    post_office: PostOffice,
    point: Point,
) -> None:
    """Here: with the tickets, and then with the money that comes back of them."""
    flight_id = await add_flight(db, departure())
    # It is of this trip alone that the site is to die.
    await telling_bank.forget_events()
    mortal.start(point)
    async with Visitor(URL(telling_bank.site_url), telling_bank, room.admission()) as visitor:
        customer = Customer(mortal, file_clock, await visitor.sign_up(), db)
        await customer.buy_and_give_up(flight_id, telling_bank, post_office)

    assert customer.deaths == 1
    assert await breaches(db) == []
    [booking] = await rows(db, select(bookings))
    assert booking.state == "refunded"
    kept_minor = await _kept_minor(db)
    assert kept_minor == booking.amount_minor * (100 - booking.refund_percent) // 100
    assert await _kept_by_bank_minor(telling_bank, db) == kept_minor
    told = _told_of(post_office)
    assert set(told) == {"ticketed", "cancelled", "refunded"}
    assert sum(told.values()) <= 3 + (point in SENT_BUT_NOT_MARKED)


async def _kept_minor(db: Database) -> int:
    """By our records."""
    [(captured,)] = await rows(db, select(func.sum(payments.c.captured_minor)))
    [(refunded,)] = await rows(db, select(func.sum(refunds.c.amount_minor)).where(refunds.c.state == "refunded"))
    return int(captured - refunded)


async def _kept_by_bank_minor(bank: PrivateSandbox, db: Database) -> int:
    ours = [row.gateway_id for row in await rows(db, select(payments.c.gateway_id)) if row.gateway_id]
    known = [await bank.call("GET", f"/v1/checkouts/{gateway_id}") for gateway_id in ours]
    return sum(entry["captured_minor"] - entry["refunded_minor"] for entry in known)
