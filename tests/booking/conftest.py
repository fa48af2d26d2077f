"""Fixtures of the booking tests: both databases, for real, and a site that serves over HTTP."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp.test_utils import BaseTestServer, TestServer

from booking import schema
from booking.app import build
from booking.db import Database
from booking.settings import read
from tests.booking.bench import HOLD_S, Clock, Room, Visitor, add_flight, departure
from tests.booking.mariadb import INSTALL, SERVER, PrivateMariaDB


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


@pytest.fixture(params=["sqlite", "mariadb"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'booking.db'}"
        return
    server: PrivateMariaDB = request.getfixturevalue("mariadb")
    server.execute("CREATE DATABASE booking CHARACTER SET utf8mb4")
    yield server.url("booking")
    server.execute("DROP DATABASE booking")


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """A database with the schema, and nothing in it."""
    async with Database(database_url) as db:
        await schema.migrate(db)
        yield db


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@dataclass(frozen=True)
class Site:
    """A site that serves, its database and its clock."""

    server: BaseTestServer
    db: Database
    clock: Clock
    room: Room
    new_visitor: Callable[[str | None], Visitor]

    def stranger(self, admission: str | None = None) -> Visitor:
        """Someone without an admission, or with a given one."""
        return self.new_visitor(admission)

    def visitor(self) -> Visitor:
        """Someone whom the waiting room let in."""
        return self.new_visitor(self.room.admission())


@pytest.fixture
async def site(db: Database, database_url: str, clock: Clock, room: Room) -> AsyncIterator[Site]:
    environment = {
        "BOOKING_DATABASE_URL": database_url,
        "BOOKING_ADMISSION_KEYS": str(room.key_file),
        "BOOKING_HOLD_S": str(HOLD_S),
        # One sweep at the start, and none in the midst of a test.
        "BOOKING_SWEEP_S": "3600",
    }
    async with AsyncExitStack() as stack, TestServer(build(read(environment), clock)) as server:
        visitors: list[Visitor] = []

        def new_visitor(admission: str | None) -> Visitor:
            visitor = Visitor(server.make_url("/"), admission)
            visitors.append(visitor)
            stack.push_async_exit(visitor)
            return visitor

        yield Site(server, db, clock, room, new_visitor)


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
