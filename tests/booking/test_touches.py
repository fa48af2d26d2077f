"""A sale is told to the cache: to this process at once, to the others in a batch, with the flight's route."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from pydantic import TypeAdapter
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.cache import Cache, Kind
from booking.db import Database, touch
from booking.store import Store
from booking.tables import flights
from booking.touches import Touches, flight_subject, route_subject
from tests.booking.bench import NOW_S, add_flight, departure
from tests.servers import PrivateRedis, eventually

KIND = Kind("words", life_s=10, shape=TypeAdapter(list[str]))
ROUTE, BACK = route_subject("ICN", "CJU"), route_subject("CJU", "ICN")

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def telling(db: Database, cache: Cache) -> AsyncIterator[None]:
    touches = Touches(db, cache)
    db.when_touched.append(touches.note)
    task = asyncio.create_task(touches.tell_for_ever())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def sell(connection: AsyncConnection, *flight_ids: int) -> None:
    for flight_id in flight_ids:
        await connection.execute(update(flights).where(flights.c.id == flight_id).values(grade="sold"))
        touch(connection, flight_id)


async def words(cache: Cache, subject: str, word: str) -> list[str]:
    async def make() -> list[str]:
        return [word]

    return await cache.get(KIND, subject, subject, NOW_S, make)


def generation(redis: PrivateRedis, subject: str) -> int:
    return int(redis.client.get(f"cache:generation:{subject}") or 0)


@pytest.mark.usefixtures("telling")
async def test_whoever_sold_sees_it_at_once(db: Database, cache: Cache) -> None:
    """In the next breath, on the seat map as in a search of the route."""
    flight_id = await add_flight(db, departure())
    for subject in (flight_subject(flight_id), ROUTE):
        await words(cache, subject, "before")
    await db.write(sell, flight_id)
    for subject in (flight_subject(flight_id), ROUTE):
        assert await words(cache, subject, "after") == ["after"]


@pytest.mark.usefixtures("telling")
async def test_other_processes_see_it_soon(db: Database, redis: PrivateRedis, store: Store) -> None:
    flight_id = await add_flight(db, departure())
    elsewhere = Cache(store)
    for subject in (flight_subject(flight_id), ROUTE, BACK):
        await words(elsewhere, subject, "before")

    await db.write(sell, flight_id)
    await eventually(lambda: generation(redis, ROUTE) and generation(redis, flight_subject(flight_id)))

    assert await words(elsewhere, flight_subject(flight_id), "after") == ["after"]
    assert await words(elsewhere, ROUTE, "after") == ["after"]
    assert await words(elsewhere, BACK, "after") == ["before"]


@pytest.mark.usefixtures("telling")
async def test_what_was_told_can_be_kept_again(db: Database, cache: Cache, redis: PrivateRedis) -> None:
    flight_id = await add_flight(db, departure())
    await db.write(sell, flight_id)
    await eventually(lambda: generation(redis, ROUTE))
    await words(cache, ROUTE, "new")
    assert await words(cache, ROUTE, "newer") == ["new"]


async def test_a_rush_is_told_in_one_batch(db: Database, cache: Cache, redis: PrivateRedis) -> None:
    ids = [await add_flight(db, departure(number=f"H7 {number}")) for number in range(3)]
    touches = Touches(db, cache)
    db.when_touched.append(touches.note)
    for _ in range(10):
        await db.write(sell, *ids)
    task = asyncio.create_task(touches.tell_for_ever())
    await eventually(lambda: generation(redis, ROUTE))
    task.cancel()
    assert [generation(redis, subject) for subject in (ROUTE, *map(flight_subject, ids))] == [1, 1, 1, 1]


async def test_what_is_undone_is_not_told(db: Database, cache: Cache) -> None:
    flight_id = await add_flight(db, departure())
    touches = Touches(db, cache)
    db.when_touched.append(touches.note)

    async def undone(connection: AsyncConnection) -> None:
        await sell(connection, flight_id)
        raise KeyError

    await words(cache, ROUTE, "before")
    with pytest.raises(KeyError):
        await db.write(undone)
    assert await words(cache, ROUTE, "after") == ["before"]
