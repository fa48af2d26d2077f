"""Search: what is asked for is checked in every part, and what is found can be booked."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.cache import Cache
from booking.db import Database
from booking.errors import Invalid
from booking.search import MOST_DAYS, SORTS, Page, Search, find, parse
from booking.tables import flight_cabins
from tests.booking.bench import HOUR_S, NOW_S, add_flight, departure
from tests.booking.conftest import Site

# At NOW_S it is 15 January 2027, 17:00 in Seoul and 03:00 in New York.
GOOD = {"origin": "ICN", "destination": "CJU", "start": "2027-01-15", "end": "2027-01-20"}
ECONOMY_MINOR, BUSINESS_MINOR = 79_000, 173_800
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def leave(db: Database, flight_id: int, free: Mapping[str, int]) -> None:
    """Leaves so many seats free in some cabins of a flight."""

    async def count(connection: AsyncConnection) -> None:
        for cabin, seats in free.items():
            is_it = (flight_cabins.c.flight_id == flight_id) & (flight_cabins.c.cabin == cabin)
            await connection.execute(update(flight_cabins).where(is_it).values(free=seats))

    await db.write(count)


def numbers(page: Page) -> list[str]:
    return [offer.flight.number for offer in page.offers]


def test_a_whole_search_is_understood() -> None:
    query = GOOD | {"party": "4", "cabin": "economy", "sort": "price", "size": "50", "page": "3"}
    expected = Search("ICN", "CJU", date(2027, 1, 15), date(2027, 1, 20), 4, "economy", "price", 50, 3)
    assert parse(query, NOW_S) == expected


def test_without_days_it_is_today_at_the_origin() -> None:
    late_s = NOW_S + 10 * HOUR_S  # 03:00 of the 16th in Seoul
    found = parse({"origin": "icn", "destination": "cju"}, late_s)
    assert (found.start, found.end) == (date(2027, 1, 16), date(2027, 1, 16))


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"origin": ""}, {"origin"}),
        ({"origin": "XXX"}, {"origin"}),
        ({"destination": "ICN"}, {"destination"}),
        ({"start": "2027-01-14"}, {"start"}),
        ({"start": "15.1.2027"}, {"start"}),
        ({"end": "2027-01-14"}, {"end"}),
        ({"end": "2027-02-14"}, {"end"}),
        ({"end": "9999-99-99"}, {"end"}),
        ({"sort": "id; DROP TABLE flights"}, {"sort"}),
        ({"size": "1000000"}, {"size"}),
        ({"size": "11"}, {"size"}),
        ({"size": "²"}, {"size"}),
        ({"party": "0"}, {"party"}),
        ({"party": "10"}, {"party"}),
        ({"cabin": "first"}, {"cabin"}),
        ({"page": "0"}, {"page"}),
        ({"page": "-1"}, {"page"}),
        ({"page": "99999999999999999999"}, {"page"}),
        ({"origin": "", "start": "2020-01-01", "end": "x", "sort": "x", "size": "x", "page": "x"},
         {"origin", "start", "end", "sort", "size", "page"}),
    ],
)  # fmt: skip
def test_every_fault_is_named(change: Mapping[str, str], faults: set[str]) -> None:
    with pytest.raises(Invalid) as error:
        parse(GOOD | dict(change), NOW_S)
    assert set(error.value.faults) == faults


def test_the_longest_range_is_thirty_days_with_both_ends() -> None:
    assert MOST_DAYS == 30
    assert parse(GOOD | {"end": "2027-02-13"}, NOW_S).end == date(2027, 2, 13)


def test_a_search_is_spelled_as_it_is_read() -> None:
    search = parse(GOOD | {"party": "2", "sort": "price"}, NOW_S)
    assert parse(dict(parse_qsl(search.query())), NOW_S) == search


PARAMETERS = ["origin", "destination", "start", "end", "party", "cabin", "sort", "size", "page"]


@given(st.dictionaries(st.sampled_from(PARAMETERS), st.text()))
def test_no_query_does_anything_but_parse_or_name_its_faults(query: dict[str, str]) -> None:
    with suppress(Invalid):
        found = parse(GOOD | query, NOW_S)
        assert 0 <= (found.end - found.start).days < MOST_DAYS


async def test_it_finds_the_flights_of_the_days_and_no_departed_one(db: Database, cache: Cache) -> None:
    for number, hours in enumerate([-1, 1, 24, 6 * 24]):
        await add_flight(db, departure(NOW_S + hours * HOUR_S, number=f"H7 {number}"))
    await add_flight(db, departure(NOW_S + 2 * HOUR_S, number="H7 9", origin="GMP"))

    found = await find(db, cache, parse(GOOD, NOW_S), NOW_S)

    assert numbers(found) == ["H7 1", "H7 2"]
    assert [(offer.free, offer.price_minor) for offer in found.offers] == [(80, ECONOMY_MINOR)] * 2


async def test_only_flights_with_room_for_the_whole_party_in_one_cabin_are_found(db: Database, cache: Cache) -> None:
    left = {
        "H7 1": {"economy": 3, "business": 2},
        "H7 2": {"economy": 0, "business": 4},
        "H7 3": {"economy": 0, "business": 0},
    }
    for hours, (number, free) in enumerate(left.items(), 1):
        await leave(db, await add_flight(db, departure(NOW_S + hours * HOUR_S, number=number)), free)

    async def found(party: int, cabin: str = "") -> list[tuple[str, int]]:
        query = GOOD | {"party": str(party), "cabin": cabin}
        offers = (await find(db, cache, parse(query, NOW_S), NOW_S)).offers
        return [(offer.flight.number, offer.price_minor) for offer in offers]

    assert await found(1) == [("H7 1", ECONOMY_MINOR), ("H7 2", BUSINESS_MINOR)]
    assert await found(3) == [("H7 1", ECONOMY_MINOR), ("H7 2", BUSINESS_MINOR)]
    assert await found(4) == [("H7 2", BUSINESS_MINOR)]
    assert await found(5) == []
    assert await found(2, "business") == [("H7 1", BUSINESS_MINOR), ("H7 2", BUSINESS_MINOR)]
    assert await found(1, "economy") == [("H7 1", ECONOMY_MINOR)]


@pytest.mark.parametrize("sort", SORTS)
async def test_pages_are_sorted_and_complete(db: Database, cache: Cache, sort: str) -> None:
    """The price is that of the lowest cabin with room: on every fifth flight economy is sold out."""
    expected = []
    for number in range(23):
        price, departs_s = 50_000 + number * 7 % 23 * 1_000, NOW_S + (1 + number * 5 % 23) * HOUR_S // 4
        arrives_s = departs_s + (1 + number * 3 % 7) * HOUR_S
        flight = departure(departs_s, arrives_s=arrives_s, number=f"H7 {number}", economy_minor=price)
        flight_id = await add_flight(db, flight)
        if number % 5 == 0:
            await leave(db, flight_id, {"economy": 0})
            price = BUSINESS_MINOR
        expected.append({"departure": departs_s, "arrival": arrives_s, "price": price})

    searches = [parse(GOOD | {"sort": sort, "page": str(number)}, NOW_S) for number in (1, 2, 3, 4)]
    pages = [await find(db, cache, search, NOW_S) for search in searches]

    found = [
        {"departure": offer.flight.departs_s, "arrival": offer.flight.arrives_s, "price": offer.price_minor}
        for page in pages
        for offer in page.offers
    ]
    assert [flight[sort] for flight in found] == sorted(flight[sort] for flight in expected)
    assert sorted(map(str, found)) == sorted(map(str, expected))
    assert [len(page.offers) for page in pages] == [10, 10, 3, 0]
    assert {page.last for page in pages} == {3}


@on_sqlite
async def test_a_page_comes_out_of_the_cache_as_it_went_in(db: Database, cache: Cache) -> None:
    await add_flight(db, departure())
    fresh = await find(db, cache, parse(GOOD, NOW_S), NOW_S)
    outcomes: list[tuple[str, str]] = []
    cache.observe = lambda *outcome: outcomes.append(outcome)
    assert await find(db, cache, parse(GOOD, NOW_S), NOW_S) == fresh
    assert outcomes == [("search", "hit")]


@on_sqlite
@pytest.mark.parametrize(
    "change",
    [{"origin": "CJU", "destination": "ICN"}, {"start": "2027-01-16"}, {"end": "2027-01-21"}, {"party": "2"},
     {"cabin": "economy"}, {"sort": "price"}, {"size": "20"}, {"page": "2"}],
)  # fmt: skip
async def test_every_parameter_is_part_of_the_key(db: Database, cache: Cache, change: Mapping[str, str]) -> None:
    for number, origin, destination in ((1, "ICN", "CJU"), (2, "CJU", "ICN")):
        await add_flight(db, departure(number=f"H7 {number}", origin=origin, destination=destination))
    await find(db, cache, parse(GOOD, NOW_S), NOW_S)
    outcomes: list[tuple[str, str]] = []
    cache.observe = lambda *outcome: outcomes.append(outcome)
    await find(db, cache, parse(GOOD | dict(change), NOW_S), NOW_S)
    assert outcomes == [("search", "miss")]


@on_sqlite
async def test_where_nothing_was_found_a_new_flight_is_found_at_once(db: Database, cache: Cache) -> None:
    assert numbers(await find(db, cache, parse(GOOD, NOW_S), NOW_S)) == []
    await add_flight(db, departure())
    assert numbers(await find(db, cache, parse(GOOD, NOW_S), NOW_S)) == ["H7 102"]


@on_sqlite
async def test_the_page_names_faults_next_to_the_form(site: Site) -> None:
    answer = await site.visitor().page("/flights?origin=ICN&destination=ICN&start=2020-01-01&size=7")

    assert answer.status == 400
    assert 'id="destination-fault"' in answer.text
    assert "That day is over. The first one is 2027-01-15." in answer.text
    assert "One of 10, 20, 50." in answer.text
    assert '<option value="ICN" selected>' in answer.text


@on_sqlite
async def test_the_page_shows_local_times_and_leads_through_the_pages(site: Site) -> None:
    for number in range(11):
        flight = departure(NOW_S + (1 + number) * 600, number=f"H7 {number}")
        await add_flight(site.db, flight)
    visitor = site.visitor()
    path = "/flights?origin=ICN&destination=CJU&start=2027-01-15&end=2027-01-16"

    first = await visitor.page(path)

    assert "17:10" in first.text
    assert "₩79,000" in first.text
    for label in ("Next page", "Last page", "Page 2"):
        assert f'page=2" aria-label="{label}"' in first.text
    assert 'aria-label="Previous page"' not in first.text
    assert 'aria-label="Choose seats on flight H7 10,' in (await visitor.page(f"{path}&page=2")).text
    assert "There are 2 pages." in (await visitor.page(f"{path}&page=9")).text


@on_sqlite
async def test_what_was_asked_for_is_escaped(site: Site) -> None:
    answer = await site.visitor().page(
        "/flights?origin=ICN&destination=CJU&start=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"
    )
    assert "<script>alert" not in answer.text
