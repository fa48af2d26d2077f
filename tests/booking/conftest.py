"""Fixtures of the booking tests: both databases, for real, and a site that serves over HTTP."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp.test_utils import BaseTestServer, TestServer

from booking import cache as cache_module
from booking import key_set, schema, sweeper
from booking.access import AccessTokens, Login
from booking.account import Account
from booking.app import build
from booking.cache import Cache
from booking.db import Database
from booking.gateway import Gateway
from booking.metrics import SWEEPS, Metrics
from booking.settings import read
from booking.site import SITE
from booking.store import Store
from booking.sweeper import Swept
from tests.booking.bank import PrivateSandbox
from tests.booking.bench import HOLD_S, Clock, Room, Visitor, add_flight, departure
from tests.booking.mariadb import INSTALL, SERVER, PrivateMariaDB
from tests.booking.severance import Line
from tests.servers import PrivateRedis, eventually


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateMariaDB]:
    if not SERVER or not INSTALL:
        reason = "mariadbd is not installed (Debian: mariadb-server-core, mariadb-client-core)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    server = PrivateMariaDB(tmp_path_factory.mktemp("mariadb"))
    server.install()
    server.start()
    yield server
    server.remove()


# What must hold on each database holds on MariaDB with either meaning of a snapshot (innodb_snapshot_isolation, which
# newer versions have on and older ones off): tests that name invariants run on all of these.
DATABASES = ["sqlite", "mariadb"]
ISOLATIONS = [*DATABASES, "mariadb-snapshot"]

PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that a busy machine keeps waiting for a moment is not lost."""
    monkeypatch.setattr(cache_module, "TIMEOUT_S", PATIENCE_S)
    monkeypatch.setattr(key_set, "TIMEOUT_S", PATIENCE_S)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    with empty_database(request, tmp_path) as url:
        yield url


@contextmanager
def empty_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """One of the kind that the fixture is for."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{folder / 'booking.db'}"
        return
    server: PrivateMariaDB = request.getfixturevalue("mariadb")
    server.execute(f"SET GLOBAL innodb_snapshot_isolation = {'ON' if request.param == 'mariadb-snapshot' else 'OFF'}")
    server.execute("CREATE DATABASE booking CHARACTER SET utf8mb4")
    yield server.url("booking")
    server.execute("DROP DATABASE booking")


@pytest.fixture
async def line(mariadb: PrivateMariaDB) -> AsyncIterator[Line]:
    """A line to MariaDB that a test may cut."""
    line = Line(mariadb.socket)
    async with line.working():
        yield line


@pytest.fixture
async def url_by_line(mariadb: PrivateMariaDB, line: Line) -> AsyncIterator[str]:
    """An empty database at the other end of the line."""
    mariadb.execute("CREATE DATABASE booking CHARACTER SET utf8mb4")
    yield mariadb.url("booking").replace(str(mariadb.socket), str(line.socket))
    mariadb.execute("DROP DATABASE booking")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    """One for all tests that do not harm it."""
    server = PrivateRedis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.close()


@pytest.fixture
def redis_url(redis_server: PrivateRedis) -> str:
    """An empty Redis."""
    redis_server.client.flushall()
    return redis_server.url


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    async with Store(redis_url, PATIENCE_S) as store:
        yield store


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateSandbox]:
    """One for all tests that do not harm it. Its events go nowhere: what it did is asked for."""
    bank = PrivateSandbox(tmp_path_factory.mktemp("bank"))
    bank.start()
    yield bank
    bank.stop()


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """A database with the schema, and nothing in it."""
    async with Database(database_url) as db:
        await schema.migrate(db)
        yield db


@pytest.fixture
def redis(redis_server: PrivateRedis) -> PrivateRedis:
    return redis_server


@pytest.fixture
def cache(store: Store) -> Cache:
    return Cache(store)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@dataclass(frozen=True)
class Site:
    """A site that serves, its database, its bank and the way to it, and its clock."""

    server: BaseTestServer
    db: Database
    bank: PrivateSandbox
    gateway: Gateway
    access_tokens: AccessTokens
    clock: Clock
    room: Room
    new_visitor: Callable[[str | None], Visitor]

    def stranger(self, admission: str | None = None) -> Visitor:
        """Someone without an admission, or with a given one."""
        return self.new_visitor(admission)

    def visitor(self) -> Visitor:
        """Someone whom the waiting room let in."""
        return self.new_visitor(self.room.admission())

    def customer(self, account: Account) -> Visitor:
        """Someone whom the waiting room let in, and who is logged in."""
        return self.visitor().log_in(self.access_tokens.issue(Login(account, f"family-{account.id}"), self.clock.now_s))

    async def sweep(self) -> Swept:
        """What the sweeper does every few seconds, now."""
        return await sweeper.sweep(self.db, self.gateway, self.clock.now_s)


@pytest.fixture
def gateway_settings(bank: PrivateSandbox) -> dict[str, str]:
    """By which a site finds its gateway."""
    return {"BOOKING_SANDBOX_URL": bank.url, "BOOKING_SANDBOX_SECRET": bank.secret}


@pytest.fixture
async def site(
    db: Database,
    database_url: str,
    redis_url: str,
    bank: PrivateSandbox,
    gateway_settings: dict[str, str],
    clock: Clock,
    room: Room,
    tmp_path: Path,
) -> AsyncIterator[Site]:
    environment = {
        "BOOKING_STATE_FOLDER": str(tmp_path / "state"),
        "BOOKING_DATABASE_URL": database_url,
        "BOOKING_REDIS_URL": redis_url,
        "BOOKING_ADMISSION_KEYS": str(room.key_file),
        "BOOKING_PUBLIC_URL": bank.site_url,
        "BOOKING_HOLD_S": str(HOLD_S),
        # One sweep at the start, and none in the midst of a test.
        "BOOKING_SWEEP_S": "3600",
        **gateway_settings,
    }
    app = build(read(environment), clock)
    async with AsyncExitStack() as stack, TestServer(app) as server:
        visitors: list[Visitor] = []

        def new_visitor(admission: str | None) -> Visitor:
            visitor = Visitor(server.make_url("/"), bank, admission)
            visitors.append(visitor)
            stack.push_async_exit(visitor)
            return visitor

        own = app[SITE]
        # What a test makes due is for its own sweeps.
        await eventually(lambda: any(_sweeps(own.metrics, outcome) for outcome in SWEEPS))
        yield Site(server, db, bank, own.gateway, own.access_tokens, clock, room, new_visitor)


def _sweeps(metrics: Metrics, outcome: str) -> float:
    return metrics.registry.get_sample_value("booking_sweeps_total", {"outcome": outcome}) or 0


@pytest.fixture
async def ada(site: Site) -> Visitor:
    """A visitor with an account."""
    return await site.visitor().sign_up("Ada Lovelace")


@pytest.fixture
async def grace(site: Site) -> Visitor:
    """Another visitor with an account."""
    return await site.visitor().sign_up("Grace Hopper")


@pytest.fixture
async def flight_id(site: Site) -> int:
    """A flight of 80 free seats, the day after tomorrow."""
    return await add_flight(site.db, departure())
