"""Home and the results of a search, as a browser without scripts uses them."""

import re

import pytest

from booking.airports import AIRPORTS
from tests.booking.bench import HOUR_S, NOW_S, add_flight, departure
from tests.booking.conftest import Site

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ROUTE = "/flights?origin=ICN&destination=CJU&start=2027-01-15&end=2027-01-25"


@pytest.fixture
async def many_flights(site: Site) -> int:
    """Sixty flights in ten days from Incheon to Jeju."""
    for number in range(60):
        await add_flight(site.db, departure(NOW_S + (number + 1) * 4 * HOUR_S, number=f"H7 {number:03}"))
    return 60


def links(text: str, label: str) -> dict[str, str]:
    """Where the links of one navigation lead, by their text."""
    found = re.search(rf'<nav[^>]*aria-label="{label}".*?</nav>', text, re.DOTALL)
    assert found
    return {
        text: path.replace("&amp;", "&") for path, text in re.findall(r'<a href="([^"]+)"[^>]*>(\w+)</a>', found[0])
    }


def numbers(text: str) -> list[str]:
    return re.findall(r"H7 \d{3}(?= ·)", text)


async def test_the_form_has_every_airport_and_begins_today(site: Site) -> None:
    page = await site.visitor().page("/")
    assert len(re.findall(r'<option value="[A-Z]{3}"', page.text)) == 2 * len(AIRPORTS)
    assert ("start", "2027-01-15") in sent_by_get(page.text)


def sent_by_get(text: str) -> list[tuple[str, str]]:
    return re.findall(r'name="(\w+)" type="\w+" value="([^"]*)"', text)


async def test_pages_have_first_previous_two_around_next_and_last(site: Site, many_flights: int) -> None:
    page = await site.visitor().page(f"{ROUTE}&page=4")
    assert list(links(page.text, "Pages")) == ["First", "Previous", "2", "3", "5", "6", "Next", "Last", "20", "50"]
    assert f"{many_flights} flights" in page.text


async def test_a_link_keeps_the_rest_of_the_search(site: Site, many_flights: int) -> None:
    visitor = site.visitor()
    first = await visitor.page(f"{ROUTE}&sort=arrival&size=20&party=2")
    second = await visitor.page(links(first.text, "Pages")["Next"])
    assert {"sort=arrival", "size=20", "party=2", "page=3"} <= set(
        links(second.text, "Pages")["Next"].split("?")[1].split("&")
    )
    assert not set(numbers(first.text)) & set(numbers(second.text))


async def test_another_order_begins_at_the_first_page(site: Site, many_flights: int) -> None:
    page = await site.visitor().page(f"{ROUTE}&page=3")
    assert "page=1" in links(page.text, "Sort")["price"]


async def test_a_page_behind_the_last_leads_to_it(site: Site, many_flights: int) -> None:
    page = await site.visitor().page(f"{ROUTE}&page=7")
    assert "There are 6 pages." in page.text
    last = re.search(r'href="([^"]+)">Go to the last one', page.text)
    assert last
    assert "page=6" in last[1]


async def test_the_size_of_the_party_is_carried_to_the_seat_map(site: Site, flight_id: int) -> None:
    visitor = site.visitor()
    page = await visitor.page(f"{ROUTE}&party=3")
    assert f'href="/flights/{flight_id}?party=3"' in page.text
    assert "Choose 3 seats" in (await visitor.page(f"/flights/{flight_id}?party=3")).text


async def test_faults_stand_next_to_their_fields_and_what_was_typed_is_kept(site: Site) -> None:
    page = await site.visitor().page("/flights?origin=ICN&destination=ICN&start=soon&end=2027-01-20&party=10")
    assert page.status == 400
    assert set(re.findall(r'id="(\w+)-fault"', page.text)) == {"destination", "start", "party"}
    assert ("end", "2027-01-20") in sent_by_get(page.text)
    assert '<option value="ICN" selected>' in page.text


@pytest.mark.parametrize("fault", ["sort=id", "size=500", "page=0", "cabin=first"])
async def test_what_the_form_has_no_field_for_is_said_as_well(site: Site, fault: str) -> None:
    page = await site.visitor().page(f"{ROUTE}&{fault}")
    assert page.status == 400
    assert re.search(rf'class="fault">{fault.partition("=")[0]}: ', page.text)
