"""A hot sale over HTTP, with the database killed in the midst of it: nothing is lost, and nothing is sold twice.

400 buyers want one to four of 200 seats, through 40 connections. Each request that fails is sent again by its key until
somebody says what became of it, as a good client does. Some pay, some are declined, some leave, some cancel.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, TCPConnector
from aiohttp.test_utils import TestServer
from sqlalchemy import func, select

from booking import schema, sweeper
from booking.access import Login
from booking.account import Account
from booking.app import build
from booking.cabins import Aircraft
from booking.db import Database
from booking.errors import DatabaseUnavailable
from booking.flights import PAYING_GRACE_S
from booking.invariants import breaches
from booking.once import LOCK_S
from booking.settings import read
from booking.site import SITE
from booking.tables import BookingState, bookings, passengers
from tests.booking.bank import DECLINED, PAYS, PrivateSandbox
from tests.booking.bench import HOLD_S, Clock, Room, add_buyers, add_flight, departure, rows
from tests.booking.mariadb import PrivateMariaDB

BUYERS, CONNECTIONS = 400, 40
# Of those who got seats. There are at least 50 of them, by the largest party.
FATES = ("pays", "declined", "leaves", "cancels", "gives up")
KILLED_AFTER = (20, 45)
# What a client sends again, by the same key: nobody knows, or it is under way.
AGAIN = {"database_unavailable", "outcome_unknown", "gateway_unavailable", "idempotency_key_in_use"}
PAUSE_S = 0.05
ANSWERED_WITHIN_S = 120

log = logging.getLogger(__name__)


@dataclass
class Crowd:
    """All buyers of one flight. `seen` counts how their ways ended; `tickets` are the bookings that they were shown."""

    session: ClientSession
    site: Any
    room: Room
    bank: PrivateSandbox
    flight_id: int
    seen: Counter[str] = field(default_factory=Counter)
    tickets: set[str] = field(default_factory=set)

    async def buy(self, buyer: Account, luck: random.Random) -> None:
        """From the seat map to a ticket, or to wherever luck leads."""
        headers = self._headers(buyer)
        reference = await self._hold(headers, luck)
        if reference is None:
            self.seen["went home"] += 1
            return
        path = f"/api/bookings/{reference}"
        fate = luck.choices(FATES, [70, 8, 7, 7, 8])[0]
        if fate == "leaves":
            self.seen[fate] += 1
            return
        if fate == "gives up":
            await self.ask(headers, "POST", f"{path}/cancellation", {})
            self.seen[fate] += 1
            return
        pay_url = (await self.ask(headers, "POST", f"{path}/checkout", {}))[1]["pay_url"]
        await self.bank.pay(pay_url, DECLINED if fate == "declined" else PAYS)
        state = (await self.ask(headers, "POST", f"{path}/settlement", {}))[1]["state"]
        assert state == ("paying" if fate == "declined" else "ticketed")
        self.seen[fate] += 1
        if fate == "cancels":
            cancelled = await self.ask(headers, "POST", f"{path}/cancellation", {})
            assert cancelled[1]["state"] in {"cancelled", "refunded"}
        elif fate == "pays":
            self.tickets.add(reference)

    async def _hold(self, headers: dict[str, str], luck: random.Random) -> str | None:
        party = luck.randint(1, 4)
        for _ in range(30):
            found = await self.ask(headers, "GET", f"/api/flights/{self.flight_id}/seats")
            free = [seat for seat in found[1]["seats"] if seat["state"] == "free"]
            if len(free) < party:
                return None
            chosen = luck.sample(free, party)
            wish = {
                "seats": [{"label": seat["label"], "version": seat["version"]} for seat in chosen],
                "fare": luck.choice(["saver", "flex"]),
                "passengers": [f"Passenger {number}" for number in range(party)],
            }
            status, answer = await self.ask(headers, "POST", f"/api/flights/{self.flight_id}/holds", wish)
            if status == 201:
                assert sorted(passenger["seat"] for passenger in answer["passengers"]) == sorted(
                    seat["label"] for seat in chosen
                )
                return str(answer["reference"])
            assert answer["code"] == "seat_taken", answer
            self.seen["seat taken"] += 1
        return None

    async def ask(self, headers: dict[str, str], method: str, path: str, document: Any = None) -> tuple[int, Any]:
        """Sends it, by one key, until it is answered."""
        key = {"Idempotency-Key": secrets.token_hex(8)} if method != "GET" else {}
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            while True:
                try:
                    async with self.session.request(method, path, json=document, headers=headers | key) as response:
                        answer = await response.json(content_type=None)
                        if response.status < 400 or answer["code"] not in AGAIN:
                            return response.status, answer
                        self.seen[answer["code"]] += 1
                except ClientError:
                    self.seen["connection lost"] += 1
                await asyncio.sleep(PAUSE_S)

    def _headers(self, buyer: Account) -> dict[str, str]:
        access = self.site.access_tokens.issue(Login(buyer, f"family-{buyer.id}"), self.site.now_s())
        return {
            "X-Waitroom-Admission": self.room.admission(sub=f"visitor-{buyer.id}"),
            "Cookie": f"halcyon-access={access}",
        }


@pytest.fixture(scope="module")
def mortal(mariadb: PrivateMariaDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateMariaDB]:
    """A MariaDB to be killed, which no other test uses."""
    del mariadb  # says why where there is none
    server = PrivateMariaDB(tmp_path_factory.mktemp("mortal"))
    server.install()
    server.start()
    yield server
    server.remove()


@pytest.fixture
async def crowd(
    request: pytest.FixtureRequest, redis_url: str, bank: PrivateSandbox, tmp_path: Path
) -> AsyncIterator[tuple[Crowd, Clock, list[Account]]]:
    """A site that serves a flight of 200 seats, and who is to come."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'booking.db'}"
    else:
        server: PrivateMariaDB = request.getfixturevalue("mortal")
        name = f"sale_{secrets.token_hex(4)}"
        server.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        server.execute(f"SET GLOBAL innodb_snapshot_isolation = {int(request.param == 'mariadb-snapshot')}")
        url = server.url(name)
    room, clock = Room(tmp_path), Clock()
    async with Database(url) as db:
        await schema.migrate(db)
        flight_id = await add_flight(db, replace(departure(), aircraft=Aircraft("Hot", 2, 32)))
        buyers = await add_buyers(db, BUYERS)
    environment = {
        "BOOKING_STATE_FOLDER": str(tmp_path / "state"),
        "BOOKING_DATABASE_URL": url,
        "BOOKING_REDIS_URL": redis_url,
        "BOOKING_ADMISSION_KEYS": str(room.key_file),
        "BOOKING_PUBLIC_URL": bank.site_url,
        "BOOKING_SANDBOX_URL": bank.url,
        "BOOKING_SANDBOX_SECRET": bank.secret,
        "BOOKING_HOLD_S": str(HOLD_S),
        "BOOKING_SWEEP_S": "3600",
    }
    app = build(read(environment), clock)
    async with (
        TestServer(app) as server_of_site,
        ClientSession(server_of_site.make_url("/"), connector=TCPConnector(limit=CONNECTIONS)) as session,
    ):
        yield Crowd(session, app[SITE], room, bank, flight_id), clock, buyers


async def _settled(crowd: Crowd, clock: Clock) -> None:
    """Time passes until every hold is over and everything that was open has ended."""
    clock.pass_s(HOLD_S + PAYING_GRACE_S)
    while await sweeper.sweep(crowd.site.db, crowd.site.gateway, clock.now_s):
        pass


async def _sell(crowd: Crowd, buyers: list[Account]) -> None:
    seed = random.randrange(2**32)
    log.info("the seed of everyone's luck is %d", seed)
    turns = asyncio.Semaphore(CONNECTIONS)

    async def come(buyer: Account) -> None:
        async with turns:
            await crowd.buy(buyer, random.Random(seed + buyer.id))

    await asyncio.gather(*(come(buyer) for buyer in buyers))


async def _judge(crowd: Crowd, clock: Clock) -> None:
    """What the records say, what the buyers were told, and what the bank has taken, agree."""
    log.info("%s", crowd.seen)
    db = crowd.site.db
    assert await breaches(db) == []
    await _settled(crowd, clock)
    assert await breaches(db) == []
    ticketed = {
        row.reference for row in await rows(db, select(bookings).where(bookings.c.state == BookingState.TICKETED))
    }
    assert ticketed == crowd.tickets
    unended = select(bookings.c.reference).where(bookings.c.unpaid == 1)
    assert await rows(db, unended) == []
    [[tickets]] = await rows(db, select(func.count(passengers.c.ticket)))
    assert tickets > 0


@pytest.mark.parametrize("crowd", ["mariadb", "mariadb-snapshot"], indirect=True)
async def test_a_database_that_is_killed_loses_and_doubles_nothing(
    crowd: tuple[Crowd, Clock, list[Account]], mortal: PrivateMariaDB
) -> None:
    """Twice in mid-sale. What a crash left locked is taken over once its time is over: the clock is put forward."""
    everyone, clock, buyers = crowd

    async def kill_twice() -> None:
        for bought in KILLED_AFTER:
            while sum(everyone.seen[fate] for fate in FATES) < bought:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(mortal.kill)
            await _is_felt(everyone)
            await asyncio.to_thread(mortal.start)
            clock.pass_s(LOCK_S + 1)

    killing = asyncio.create_task(kill_twice())
    await _sell(everyone, buyers)
    await killing

    assert everyone.seen["database_unavailable"] > 0
    await _judge(everyone, clock)


async def _is_felt(crowd: Crowd) -> None:
    with contextlib.suppress(DatabaseUnavailable):
        while True:
            await crowd.site.db.ping()


@pytest.mark.parametrize("crowd", ["sqlite"], indirect=True)
async def test_a_hot_sale_on_sqlite_sells_each_seat_once(crowd: tuple[Crowd, Clock, list[Account]]) -> None:
    everyone, clock, buyers = crowd
    await _sell(everyone, buyers)
    await _judge(everyone, clock)
