"""What the bank tells us unasked is kept once, and looked into until that is done: late, twice, in any order."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import BaseTestServer, TestServer
from aiohttp.typedefs import Handler
from sqlalchemy import select

from booking import payments, signatures
from booking.account import Account
from booking.backlog import LONGEST_PAUSE_S
from booking.db import Database
from booking.errors import Problem
from booking.gateway import Event, Gateway
from booking.inbox import LARGEST_BODY, Inbox
from booking.sandbox_gateway import SandboxGateway
from booking.tables import BookingState, inbox
from tests.booking.bank import PrivateSandbox
from tests.booking.bench import NOW_S, Clock, add_flight, departure, rows
from tests.booking.sale import Bank, Sale
from tests.servers import free_port

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_" + "b3RoZXIgc2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0"


class TellingBank(Bank):
    """Its webhooks are what a test signs in its name."""

    def event(self, headers: Mapping[str, str], body: bytes) -> Event | None:
        event_id = signatures.verify([SECRET], headers, body, NOW_S)
        document = json.loads(body)
        return Event(event_id, document["payment"]) if "payment" in document else None


def signed(event_id: str, document: object, secret: str = SECRET, at_s: int = NOW_S) -> tuple[dict[str, str], bytes]:
    body = json.dumps(document).encode()
    return signatures.sign(secret, event_id, at_s, body), body


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Problem as exc:
        return web.json_response({"code": exc.code}, status=exc.status)


def app_of(inbox: Inbox) -> web.Application:
    app = web.Application(middlewares=[answer_problems])
    app.add_routes([web.post("/webhooks/{gateway}", inbox.receive)])
    return app


class Door:
    """Where the bank knocks. Nobody looks into what it brought until a test does."""

    def __init__(self, server: BaseTestServer, session: ClientSession, inbox: Inbox) -> None:
        self._server = server
        self._session = session
        self.inbox = inbox

    async def told(self, headers: Mapping[str, str], body: bytes, gateway: str = "sandbox") -> int:
        """The status that a webhook is answered with."""
        url = self._server.make_url(f"/webhooks/{gateway}")
        async with self._session.post(url, data=body, headers=headers) as response:
            return response.status


@pytest.fixture
async def sale(db: Database) -> Sale:
    return Sale(db, await add_flight(db, departure()), TellingBank())


@pytest.fixture
async def ada(sale: Sale) -> Account:
    return await sale.buyer("ada")


@pytest.fixture
async def door(sale: Sale, clock: Clock) -> AsyncIterator[Door]:
    inbox = inbox_of(sale, clock)
    async with TestServer(app_of(inbox)) as server, ClientSession() as session:
        yield Door(server, session, inbox)


def inbox_of(sale: Sale, clock: Clock, gateway: Gateway | None = None) -> Inbox:
    return Inbox(sale.db, gateway or sale.bank, lambda: int(clock()))


async def states(db: Database) -> list[str]:
    return [row.state for row in await rows(db, select(inbox.c.state))]


async def test_who_pays_and_never_returns_gets_a_ticket_by_the_banks_webhook(
    sale: Sale, ada: Account, clock: Clock, tmp_path: Path
) -> None:
    """The bank is a process of its own, and tells each thing three times."""
    port = free_port()
    bank = PrivateSandbox(tmp_path, f"http://127.0.0.1:{port}")
    bank.start()
    try:
        async with ClientSession() as session:
            sandbox = SandboxGateway(session, bank.url, bank.secret)
            inbox = inbox_of(sale, clock, sandbox)
            async with TestServer(app_of(inbox), port=port), inbox.worker.working():
                await bank.faults(webhook_copies=3)
                reference = await sale.hold(ada, "7C")
                await sale.name(ada, reference)
                return_url = f"{bank.site_url}/bookings/{reference}/return"
                pay_url = await payments.check_out(sale.db, sandbox, ada, reference, return_url, sale.now_s)
                await bank.pay(pay_url)

                async with asyncio.timeout(60):
                    while (await sale.booking(ada, reference)).state != BookingState.TICKETED:
                        await asyncio.sleep(0.02)
    finally:
        bank.stop()


async def test_an_event_is_answered_when_it_is_kept_and_looked_into_by_whoever_comes_next(
    sale: Sale, ada: Account, door: Door, clock: Clock
) -> None:
    """The process that took it may have died in between."""
    reference, key = await sale.checked_out(ada, "7C")
    sale.bank.pay(key)

    assert await door.told(*signed("evt_1", {"payment": key})) == 200
    assert (await sale.booking(ada, reference)).state == BookingState.PAYING

    assert await inbox_of(sale, clock).worker.work_off() == 1
    assert (await sale.booking(ada, reference)).state == BookingState.TICKETED
    assert await states(sale.db) == ["done"]


async def test_copies_of_an_event_are_kept_once_and_each_is_answered(sale: Sale, ada: Account, door: Door) -> None:
    _, key = await sale.checked_out(ada, "7C")
    event = signed("evt_1", {"payment": key})

    assert await asyncio.gather(*(door.told(*event) for _ in range(10))) == [200] * 10
    await door.inbox.worker.work_off()
    assert await door.told(*event) == 200

    assert await states(sale.db) == ["done"]


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))], ids=str)
async def test_events_in_any_order_come_to_the_same(
    sale: Sale, ada: Account, door: Door, order: tuple[int, ...]
) -> None:
    """One payment was declined, the next one is paid, and that is told by two events."""
    reference, declined = await sale.checked_out(ada, "7C")
    sale.bank.decline(declined)
    await sale.settle(declined)
    paid = await sale.check_out(ada, reference)
    sale.bank.pay(paid)
    events = [signed(f"evt_{number}", {"payment": key}) for number, key in enumerate([declined, paid, paid])]

    for number in order:
        assert await door.told(*events[number]) == 200
        await door.inbox.worker.work_off()

    assert (await sale.booking(ada, reference)).state == BookingState.TICKETED
    assert sale.bank.kept_minor == 79_000


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"{}"),
        signed("evt_1", {"payment": "p"}, OTHER_SECRET),
        signed("evt_1", {"payment": "p"}, at_s=NOW_S - 301),
        signed("evt_1", {"payment": "p"}, at_s=NOW_S + 301),
        (signed("evt_1", {"payment": "p"})[0], b'{"payment": "q"}'),
    ],
    ids=["unsigned", "by another", "stale", "from the future", "changed"],
)
async def test_a_forged_event_is_refused_and_not_kept(
    sale: Sale, door: Door, headers: dict[str, str], body: bytes
) -> None:
    assert await door.told(headers, body) == 400
    assert await states(sale.db) == []


async def test_an_event_about_somebody_elses_payment_is_kept_and_done(
    sale: Sale, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    assert await door.told(*signed("evt_1", {"payment": "nobody's"})) == 200

    await door.inbox.worker.work_off()

    assert await states(sale.db) == ["done"]
    assert "about a payment that is not ours: nobody's" in caplog.text


async def test_an_event_about_nothing_that_matters_is_answered_and_not_kept(sale: Sale, door: Door) -> None:
    assert await door.told(*signed("evt_1", {"type": "balance.available"})) == 200
    assert await states(sale.db) == []


async def test_a_body_that_is_too_large_is_refused(sale: Sale, door: Door) -> None:
    fits, too_large = b" " * LARGEST_BODY, b" " * (LARGEST_BODY + 1)

    assert await door.told({}, too_large) == 413
    assert await door.told({}, fits) == 400
    assert await states(sale.db) == []


async def test_a_gateway_that_is_not_ours_is_not_found(door: Door) -> None:
    assert await door.told(*signed("evt_1", {"payment": "p"}), gateway="stripe") == 404


async def test_while_the_bank_does_not_answer_an_event_waits(
    sale: Sale, ada: Account, door: Door, clock: Clock
) -> None:
    reference, key = await sale.checked_out(ada, "7C")
    sale.bank.pay(key)
    sale.bank.is_down = True
    await door.told(*signed("evt_1", {"payment": key}))
    await door.inbox.worker.work_off()
    assert await states(sale.db) == ["due"]

    sale.bank.is_down = False
    clock.pass_s(LONGEST_PAUSE_S)
    await door.inbox.worker.work_off()

    assert (await sale.booking(ada, reference)).state == BookingState.TICKETED
    assert await states(sale.db) == ["done"]
