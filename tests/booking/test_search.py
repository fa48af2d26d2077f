"""Search: what is asked for is checked in every part, and what is found can be booked."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.errors import Invalid
from booking.search import MOST_DAYS, Search, parse
from tests.booking.bench import HOUR_S, NOW_S, add_flight, departure
from tests.booking.conftest import Site

# At NOW_S it is 15 January 2027, 17:00 in Seoul and 03:00 in New York.
GOOD = {"origin": "ICN", "destination": "CJU", "start": "2027-01-15", "end": "2027-01-20"}
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_a_whole_search_is_understood() -> None:
    query = GOOD | {"sort": "price", "size": "50", "page": "3"}
    expected = Search("ICN", "CJU", date(2027, 1, 15), date(2027, 1, 20), "price", 50, 3)
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


@given(st.dictionaries(st.sampled_from(["origin", "destination", "start", "end", "sort", "size", "page"]), st.text()))
def test_no_query_does_anything_but_parse_or_name_its_faults(query: dict[str, str]) -> None:
    with suppress(Invalid):
        found = parse(GOOD | query, NOW_S)
        assert 0 <= (found.end - found.start).days < MOST_DAYS


async def test_it_finds_the_flights_of_the_days_and_no_departed_one(site: Site) -> None:
    for number, hours in enumerate([-1, 1, 24, 6 * 24]):
        await add_flight(site.db, departure(NOW_S + hours * HOUR_S, number=f"H7 {number}"))
    await add_flight(site.db, departure(NOW_S + 2 * HOUR_S, number="H7 9", origin="GMP"))

    answer = await site.visitor().get("/api/flights?origin=ICN&destination=CJU&start=2027-01-15&end=2027-01-20")

    assert [flight["number"] for flight in answer.json["flights"]] == ["H7 1", "H7 2"]
    assert [flight["free_seats"] for flight in answer.json["flights"]] == [80, 80]


async def test_a_taken_seat_is_not_counted_as_free(site: Site, flight_id: int) -> None:
    ada = await site.visitor().sign_up()
    await ada.held(flight_id, "7C")
    answer = await ada.get("/api/flights?origin=ICN&destination=CJU&end=2027-01-20")
    assert answer.json["flights"][0]["free_seats"] == 79


@on_sqlite
async def test_pages_are_sorted_and_complete(site: Site) -> None:
    prices = {number: 50_000 + number * 7 % 23 * 1_000 for number in range(23)}
    for number, price in prices.items():
        flight = departure(NOW_S + (1 + number) * HOUR_S // 4, number=f"H7 {number}", economy_minor=price)
        await add_flight(site.db, flight)
    visitor = site.visitor()
    path = "/api/flights?origin=ICN&destination=CJU&start=2027-01-15&sort=price"

    pages = [(await visitor.get(f"{path}&page={page}")).json for page in (1, 2, 3, 4)]

    found = [flight["economy_minor"] for page in pages for flight in page["flights"]]
    assert found == sorted(prices.values())
    assert [len(page["flights"]) for page in pages] == [10, 10, 3, 0]
    assert {page["last_page"] for page in pages} == {3}


@on_sqlite
async def test_the_page_names_faults_next_to_the_form(site: Site) -> None:
    answer = await site.visitor().page("/flights?origin=ICN&destination=ICN&start=2020-01-01&size=7")

    assert answer.status == 400
    assert 'id="destination-fault"' in answer.text
    assert "That day is over. The first one is 2027-01-15." in answer.text
    assert "A page has 10, 20, 50 flights." in answer.text
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
    assert 'aria-label="Choose a seat on flight H7 10,' in (await visitor.page(f"{path}&page=2")).text
    assert "There are 2 pages." in (await visitor.page(f"{path}&page=9")).text


@on_sqlite
async def test_what_was_asked_for_is_escaped(site: Site) -> None:
    answer = await site.visitor().page(
        "/flights?origin=ICN&destination=CJU&start=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"
    )
    assert "<script>alert" not in answer.text
