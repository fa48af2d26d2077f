"""Seat maps from the cache are those of the database, and a sale is on them."""

import asyncio
from dataclasses import replace

import pytest

from booking import flights, seat_maps
from booking.cache import Cache
from booking.db import Database
from booking.errors import Unknown
from booking.touches import Touches
from tests.booking.bench import NOW_S, add_flight, departure
from tests.booking.sale import Sale

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def sale(db: Database, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> Sale:
    """Maps live for longer than a busy machine takes from one line of a test to the next."""
    monkeypatch.setattr(seat_maps, "SEAT_MAPS", replace(seat_maps.SEAT_MAPS, life_s=600))
    db.when_touched.append(Touches(db, cache).note)
    return Sale(db, await add_flight(db, departure()))


async def test_a_map_comes_out_of_the_cache_as_it_went_in(sale: Sale, cache: Cache) -> None:
    await sale.hold(await sale.buyer("Ada"), "7C")
    fresh = await flights.seat_map(sale.db, sale.flight_id, NOW_S)
    await cache.renew({f"flight:{sale.flight_id}"})
    outcomes: list[tuple[str, str]] = []
    cache.observe = lambda *outcome: outcomes.append(outcome)

    for _ in range(2):
        assert await seat_maps.find(sale.db, cache, sale.flight_id, NOW_S) == fresh
    assert outcomes == [("seat_map", "miss"), ("seat_map", "hit")]


async def test_a_seat_that_was_just_held_is_not_shown_as_free(sale: Sale, cache: Cache) -> None:
    await seat_maps.find(sale.db, cache, sale.flight_id, NOW_S)
    await sale.hold(await sale.buyer("Ada"), "7C")
    shown = await seat_maps.find(sale.db, cache, sale.flight_id, NOW_S)
    assert [seat.label for seat in shown.seats if not seat.is_free] == ["7C"]


@on_sqlite
async def test_a_crowd_before_a_hot_flight_makes_one_query(sale: Sale, cache: Cache) -> None:
    names: list[str] = []
    sale.db.observe = lambda name, *_: names.append(name)
    maps = [seat_maps.find(sale.db, cache, sale.flight_id, NOW_S) for _ in range(100)]
    assert {shown.free for shown in await asyncio.gather(*maps)} == {80}
    assert names == ["seat_map"]


@on_sqlite
async def test_a_flight_that_is_not_there_is_unknown(db: Database, cache: Cache) -> None:
    with pytest.raises(Unknown):
        await seat_maps.find(db, cache, 7, NOW_S)
