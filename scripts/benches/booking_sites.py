"""The booking sites that `scripts/bench booking` compares: each a process on a core of its own, with its own database,
bank, flights and buyers."""

import asyncio
import re
import secrets
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, Self
from urllib.parse import urlencode

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import schema, secret_key
from booking.access import AccessTokens, Login
from booking.account import Account
from booking.airports import AIRPORTS
from booking.cabins import Aircraft
from booking.db import Database
from booking.invariants import breaches
from booking.seed import add
from booking.tables import accounts, flights
from booking.timetable import Departure
from scripts.benches.servers import Contenders, Server
from tests.booking.bank import PrivateSandbox
from tests.booking.bench import Room
from tests.booking.mariadb import PrivateMariaDB
from tests.servers import free_port

# In one cabin.
AIRCRAFT = Aircraft("Bench", business_rows=0, economy_rows=30)
LABELS = tuple(place.label for place in AIRCRAFT.places())
# Flown in turn, so that a search finds a page of several flights.
ROUTES = (("ICN", "CJU"), ("GMP", "CJU"), ("JFK", "LHR"), ("LHR", "JFK"), ("CJU", "ICN"), ("CJU", "GMP"))
DAYS_AHEAD_S = 86_400 * 10
LEASE_S = 3_600
RETRIED = re.compile(r'^booking_database_attempts_total\{.*outcome="retried".*\} (\S+)$', re.MULTILINE)
BOOKING = ("-c", "from booking.cli import main; main()")
# What the server does by itself: each COMMIT is on the disk before it is answered.
MARIADB_OPTIONS = ("--skip-networking", "--innodb-buffer-pool-size=256M")


Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Way:
    """How a site sells: what it runs on, and what a sale locks as it reads; nothing, in ours."""

    name: str
    database: Literal["SQLite", "MariaDB"]
    locked: Literal["", "seats", "flight"] = ""


@dataclass(frozen=True, slots=True)
class FlightOnSale:
    """`query` is that of a search which finds it."""

    id: int
    query: str


@dataclass
class Site:
    """One that runs. `database_pid` is that of MariaDB; SQLite runs in threads of the site itself."""

    way: Way
    server: Server
    admin_port: int
    database_url: str
    database_pid: int | None
    tokens: AccessTokens
    room: Room
    many: Sequence[FlightOnSale]
    hot: Iterator[FlightOnSale]
    people: Iterator[Account]
    # Who was told that a seat is theirs, of each flight and seat.
    told: list[tuple[int, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def buyers(self, count: int, now_s: int) -> list[Headers]:
        """The headers of people who are logged in and have not bought anything yet, each with an admission that nobody
        has seen before."""
        times = {"iat": now_s - 5, "nbf": now_s - 5, "exp": now_s + LEASE_S}
        return [
            {
                "X-Waitroom-Admission": self.room.admission(**times),
                "Cookie": f"halcyon-access={self.tokens.issue(Login(person, 'session'), now_s)}",
            }
            for person in islice(self.people, count)
        ]

    def retries(self) -> int:
        """How many transactions it has run again by now."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/metrics", timeout=10) as response:
            return int(sum(map(float, RETRIED.findall(response.read().decode()))))


@dataclass(frozen=True, slots=True)
class Stock:
    """What a site is to have: as many hot flights, other flights and people."""

    hot: int
    many: int
    people: int


class Sites(Contenders):
    """Starts sites with all that they need, and stops them when the context ends."""

    def __enter__(self) -> Self:
        return self

    def mariadb(self) -> PrivateMariaDB:
        """As it comes, but for its memory."""
        server = PrivateMariaDB(self._own("mariadb"), MARIADB_OPTIONS)
        self._stack.callback(server.remove)
        server.install()
        server.start()
        return server

    def site(self, number: int, way: Way, stock: Stock, now_s: int, redis: str, mariadb: PrivateMariaDB) -> Site:
        """The site of a way, by its number."""
        folder = self._own(f"site-{number}")
        if way.database == "SQLite":
            database_url, database_pid = f"sqlite+aiosqlite:///{folder / 'booking.db'}", None
        else:
            mariadb.execute(f"CREATE DATABASE booking_{number} CHARACTER SET utf8mb4")
            database_url, database_pid = mariadb.url(f"booking_{number}"), mariadb.pid
        hot, many, people = asyncio.run(_stocked(database_url, stock, now_s))
        port, admin_port, secret, room = free_port(), free_port(), secrets.token_hex(32), Room(folder)
        bank = PrivateSandbox(folder / "bank", f"http://127.0.0.1:{port}")
        self._stack.callback(bank.stop)
        bank.start()
        environment = {
            "BOOKING_LISTEN": f"127.0.0.1:{port}",
            "BOOKING_ADMIN_LISTEN": f"127.0.0.1:{admin_port}",
            "BOOKING_PUBLIC_URL": bank.site_url,
            "BOOKING_STATE_FOLDER": str(folder),
            "BOOKING_DATABASE_URL": database_url,
            "BOOKING_REDIS_URL": redis.replace("/0", f"/{number}"),
            "BOOKING_SECRETS": secret,
            "BOOKING_ADMISSION_KEYS": str(room.key_file),
            "BOOKING_SANDBOX_URL": bank.url,
            "BOOKING_SANDBOX_SECRET": bank.secret,
            "BOOKING_LOG_LEVEL": "WARNING",
        }
        program = ("-m", "scripts.benches.locking_booking", way.locked) if way.locked else BOOKING
        variables = [f"{name}={value}" for name, value in environment.items()]
        server = self._start(f"booking-{number}", ["env", *variables, sys.executable, *program, "serve"], port)
        tokens = AccessTokens(secret_key.keys_for("access", [secret.encode()]))
        return Site(way, server, admin_port, database_url, database_pid, tokens, room, many, iter(hot), iter(people))


async def wrongs(site: Site) -> list[str]:
    """What must not be: a seat that two buyers were told is theirs, and what `booking verify` finds in the records."""
    twice = [seat for seat, owners in Counter(site.told).items() if owners > 1]
    async with Database(site.database_url) as db:
        found = await breaches(db)
    sold = [f"seat {label} of flight {flight_id} was sold twice" for flight_id, label in sorted(twice)]
    return [*sold, *map(str, found)]


async def _stocked(url: str, stock: Stock, now_s: int) -> tuple[list[FlightOnSale], list[FlightOnSale], list[Account]]:
    """Hot flights, other flights and people, in a database of the present schema."""
    people = [Account(number, f"{number}@example.org", "Buyer", "en") for number in range(1, stock.people + 1)]
    departures = [_departure(number, now_s) for number in range(stock.hot + stock.many)]
    async with Database(url) as db:
        await schema.migrate(db)
        await db.write(add, departures[0].departs_on, departures)
        await db.write(_add_people, people, now_s)
        async with db.reading("on_sale") as connection:
            rows = await connection.execute(select(flights).order_by(flights.c.id))
            on_sale = [_on_sale(row) for row in rows]
    return on_sale[: stock.hot], on_sale[stock.hot :], people


def _departure(number: int, now_s: int) -> Departure:
    origin, destination = ROUTES[number % len(ROUTES)]
    departs_s = now_s + DAYS_AHEAD_S
    return Departure(
        number=f"H7 {number}",
        origin=origin,
        destination=destination,
        departs_on=AIRPORTS["ICN"].local(departs_s).date(),
        departs_s=departs_s,
        arrives_s=departs_s + 7_200,
        aircraft=AIRCRAFT,
        grade="standard",
        economy_minor=79_000,
        business_minor=173_800,
        currency="KRW",
    )


async def _add_people(connection: AsyncConnection, people: Sequence[Account], now_s: int) -> None:
    values = [
        {"id": one.id, "email": one.email, "name": one.name, "language": "en", "password_hash": "-", "created_s": now_s}
        for one in people
    ]
    await connection.execute(insert(accounts), values)


def _on_sale(flight: Row[Any]) -> FlightOnSale:
    route = {"origin": flight.origin, "destination": flight.destination}
    return FlightOnSale(flight.id, urlencode({**route, "start": flight.departs_on, "end": flight.departs_on}))
