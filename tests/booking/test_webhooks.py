"""Other systems are told of each step of a booking, signed so that they know it is us, once unless they ask again."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDictProxy
from sqlalchemy import select

from booking import language, refunds, signatures
from booking.account import Account
from booking.backlog import LONGEST_PAUSE_S
from booking.courier import Courier
from booking.db import Database
from booking.errors import ForgedEvent
from booking.letters import Letters
from booking.tables import outbox
from booking.webhooks import Receiver
from booking.worker import Worker
from tests.booking.bench import NOW_S, Clock, add_flight, departure, rows
from tests.booking.sale import Sale

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_" + "b3RoZXIgc2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgYnl0"
LETTERS = Letters("tickets@halcyon.example", "https://air.example.org", language.load())


@dataclass
class Crm:
    """Another system: keeps what it is sent, and answers with `status`."""

    status: int = 200
    bodies: list[bytes] = field(default_factory=list)
    headers: list[CIMultiDictProxy[str]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.headers.append(request.headers)
        return web.Response(status=self.status, headers={"Location": "/hook"} if self.status == 307 else None)

    @property
    def events(self) -> list[str]:
        return [json.loads(body)["type"] for body in self.bodies]


@pytest.fixture
def crm() -> Crm:
    return Crm()


@pytest.fixture
async def post(db: Database, clock: Clock, crm: Crm) -> AsyncIterator[Worker]:
    """The courier of that receiver. Mails have no server."""
    app = web.Application()
    app.router.add_post("/hook", crm.take)
    async with TestServer(app) as server, ClientSession() as session:
        receiver = Receiver(session, str(server.make_url("/hook")), SECRET, lambda: int(clock()))
        yield Courier(db, LETTERS, None, receiver).worker(lambda: int(clock()))


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Of one kind: what is sent does not depend on it. That it is sent does, see test_outbox."""
    return f"sqlite+aiosqlite:///{tmp_path / 'booking.db'}"


@pytest.fixture
async def sale(db: Database) -> Sale:
    return Sale(db, await add_flight(db, departure()))


@pytest.fixture
async def ada(sale: Sale) -> Account:
    return await sale.buyer("ada")


async def states(db: Database) -> set[str]:
    """Of the events in the outbox."""
    return {row.state for row in await rows(db, select(outbox.c.state).where(outbox.c.kind == "webhook"))}


async def test_each_step_of_a_booking_is_told(sale: Sale, ada: Account, crm: Crm, post: Worker) -> None:
    reference = await sale.ticketed(ada, "7C", "7D")
    await sale.cancel(ada, reference)
    await refunds.refund(sale.db, sale.bank, sale.now_s)

    await post.work_off()

    assert sorted(crm.events) == ["booking.cancelled", "booking.held", "booking.refunded", "booking.ticketed"]


async def test_an_event_tells_the_booking_as_it_was_then(sale: Sale, ada: Account, crm: Crm, post: Worker) -> None:
    reference = await sale.hold(ada, "7C", "7D")

    await post.work_off()

    [body] = crm.bodies
    event = json.loads(body)
    assert event["id"] == crm.headers[0]["webhook-id"]
    assert event["type"] == "booking.held"
    assert event["timestamp"] == "2027-01-15T08:00:00Z"
    assert event["data"]["reference"] == reference
    assert event["data"]["state"] == "held"
    assert event["data"]["amount_minor"] == 2 * 79_000
    assert event["data"]["currency"] == "KRW"
    assert event["data"]["at_s"] == NOW_S
    assert crm.headers[0]["Content-Type"] == "application/json"


async def test_a_receiver_can_tell_that_it_is_us_and_that_nothing_was_changed(
    sale: Sale, ada: Account, crm: Crm, post: Worker
) -> None:
    await sale.hold(ada, "7C")
    await post.work_off()

    [body], [headers] = crm.bodies, crm.headers
    assert signatures.verify([OTHER_SECRET, SECRET], headers, body, NOW_S) == headers["webhook-id"]
    for secret, changed in ((OTHER_SECRET, body), (SECRET, body + b" ")):
        with pytest.raises(ForgedEvent):
            signatures.verify([secret], headers, changed, NOW_S)


@pytest.mark.parametrize("status", [500, 429, 404, 307])
async def test_what_is_not_taken_comes_again_by_the_same_id_and_signed_anew(
    sale: Sale, ada: Account, crm: Crm, post: Worker, clock: Clock, status: int
) -> None:
    await sale.hold(ada, "7C")
    crm.status = status
    await post.work_off()
    assert len(crm.bodies) == 1

    crm.status = 204
    clock.pass_s(LONGEST_PAUSE_S)
    await post.work_off()

    first, second = crm.headers
    assert first["webhook-id"] == second["webhook-id"]
    assert crm.bodies[0] == crm.bodies[1]
    assert signatures.verify([SECRET], second, crm.bodies[1], clock()) == second["webhook-id"]
    assert await states(sale.db) == {"done"}


async def test_who_is_gone_is_told_no_more(sale: Sale, ada: Account, crm: Crm, post: Worker) -> None:
    await sale.hold(ada, "7C")
    crm.status = 410

    await post.work_off()

    assert await states(sale.db) == {"dead"}


async def test_a_receiver_out_of_reach_loses_nothing(sale: Sale, ada: Account, clock: Clock) -> None:
    await sale.hold(ada, "7C")
    async with ClientSession() as session:
        nobody = Receiver(session, "http://127.0.0.1:1/hook", SECRET, lambda: int(clock()))
        await Courier(sale.db, LETTERS, None, nobody).worker(lambda: int(clock())).work_off()

    assert await states(sale.db) == {"due"}


async def test_where_nobody_wants_to_know_events_are_done(sale: Sale, ada: Account, clock: Clock) -> None:
    await sale.hold(ada, "7C")

    await Courier(sale.db, LETTERS, None, None).worker(lambda: int(clock())).work_off()

    assert await states(sale.db) == {"done"}
