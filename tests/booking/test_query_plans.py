"""What many ask at once goes by an index, however large the timetable, and takes a fixed number of statements."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection, Row, event, insert, select, text

from booking import schema, search, seat_maps
from booking.cache import Cache
from booking.db import Database
from booking.tables import flight_cabins, flights
from tests.booking.bench import NOW_S, add_flight, departure
from tests.booking.mariadb import PrivateMariaDB
from tests.booking.sale import Sale

FLIGHTS = 3_000
ROUTE_INDEX = "ix_flights_origin_destination_departs_on"
BUSY_ROUTE = {"origin": "GMP", "destination": "CJU", "start": "2027-01-15", "end": "2027-02-10"}


@dataclass(frozen=True)
class Statement:
    text: str
    values: Any


class Recorder:
    """The SELECTs of a database, from now on."""

    def __init__(self, db: Database) -> None:
        self.statements: list[Statement] = []
        event.listen(db.engine.sync_engine, "before_cursor_execute", self._note)

    def _note(self, _connection: Connection, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if statement.startswith("SELECT"):
            self.statements.append(Statement(statement, values))


async def explained(db: Database, statements: list[Statement]) -> list[Row[Any]]:
    """One row for each table that each of them reads."""
    async with db.engine.connect() as connection:
        return [
            row
            for statement in statements
            for row in await connection.exec_driver_sql(f"EXPLAIN {statement.text}", statement.values)
        ]


@pytest.fixture(scope="module")
def timetable_url(mariadb: PrivateMariaDB) -> Iterator[str]:
    mariadb.execute("CREATE DATABASE timetable CHARACTER SET utf8mb4")
    yield mariadb.url("timetable")
    mariadb.execute("DROP DATABASE timetable")


@pytest.fixture
async def timetable(timetable_url: str) -> AsyncIterator[Database]:
    """Some thousand flights of thirty days, without their seats, and what the optimizer needs to know of them."""
    async with Database(timetable_url) as db:
        await schema.migrate(db)
        async with db.engine.begin() as connection:
            if not await connection.scalar(select(flights.c.id).limit(1)):
                await connection.execute(insert(flights), list(map(_flight, range(FLIGHTS))))
                await connection.execute(insert(flight_cabins), [row for n in range(FLIGHTS) for row in _cabins(n)])
        async with db.engine.connect() as connection:
            await connection.execute(text("ANALYZE TABLE flights, flight_cabins"))
        yield db


def _flight(number: int) -> dict[str, Any]:
    routes = (("GMP", "CJU"), ("CJU", "GMP"), ("ICN", "CJU"), ("JFK", "LHR"), ("LHR", "JFK"), ("GMP", "HND"))
    origin, destination = routes[number % len(routes)]
    wanted = departure(NOW_S + number * 900, number=f"H7 {number}", origin=origin, destination=destination)
    columns = [column.name for column in flights.c if column.name not in {"id", "aircraft"}]
    return {name: getattr(wanted, name) for name in columns} | {"id": number + 1, "aircraft": wanted.aircraft.name}


def _cabins(number: int) -> list[dict[str, Any]]:
    prices = {"economy": 79_000, "business": 173_800}
    return [
        {"flight_id": number + 1, "cabin": cabin, "price_minor": price, "seats": 8, "free": number % 9}
        for cabin, price in prices.items()
    ]


@pytest.mark.parametrize("sort", search.SORTS)
@pytest.mark.parametrize("narrowed", [{}, {"party": "4"}, {"party": "2", "cabin": "business"}, {"page": "9"}])
async def test_a_search_goes_by_the_index_of_its_route(
    timetable: Database, cache: Cache, sort: str, narrowed: dict[str, str]
) -> None:
    recorder = Recorder(timetable)
    found = await search.find(timetable, cache, search.parse(BUSY_ROUTE | narrowed | {"sort": sort}, NOW_S), NOW_S)
    assert found.total > 100, "the search must be worth an index"

    plan = await explained(timetable, recorder.statements)

    by_flight = [row for row in plan if row.table == "flights"]
    by_cabin = [row for row in plan if row.table == "flight_cabins"]
    assert {row.key for row in by_flight} == {ROUTE_INDEX}
    assert {row.type for row in by_flight} <= {"range", "ref"}
    assert {row.key for row in by_cabin} == {"PRIMARY"}
    assert {row.type for row in by_cabin} <= {"ref", "eq_ref", "range"}
    assert {row.table for row in plan if not row.table.startswith("<")} == {"flights", "flight_cabins"}


async def test_a_seat_map_goes_by_the_seats_of_its_flight(timetable: Database, cache: Cache) -> None:
    sold = [await add_flight(timetable, departure(number=f"X7 {number}", origin="SIN")) for number in range(10)]
    await Sale(timetable, sold[0]).hold(await Sale(timetable, sold[0]).buyer("Ada"), "7C")
    recorder = Recorder(timetable)
    await seat_maps.find(timetable, cache, sold[0], NOW_S)

    plan = await explained(timetable, recorder.statements)

    assert {(row.table, row.key) for row in plan} == {
        ("flights", "PRIMARY"),
        ("flight_cabins", "PRIMARY"),
        ("seats", "PRIMARY"),
        ("bookings", "PRIMARY"),
    }
    assert {row.type for row in plan} <= {"const", "ref", "eq_ref", "range"}


@pytest.mark.parametrize("found", [1, 40])
async def test_a_search_takes_three_statements_whatever_it_finds(db: Database, cache: Cache, found: int) -> None:
    for number in range(found):
        await add_flight(db, departure(NOW_S + (number + 1) * 600, number=f"H7 {number}"))
    recorder = Recorder(db)
    query = {"origin": "ICN", "destination": "CJU", "start": "2027-01-15", "end": "2027-01-20", "size": "50"}
    page = await search.find(db, cache, search.parse(query, NOW_S), NOW_S)
    assert len(page.offers) == found
    assert len(recorder.statements) == 3


async def test_a_seat_map_takes_three_statements(db: Database, cache: Cache) -> None:
    flight_id = await add_flight(db, departure())
    recorder = Recorder(db)
    await seat_maps.find(db, cache, flight_id, NOW_S)
    assert len(recorder.statements) == 3
