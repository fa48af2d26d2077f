"""Each page speaks the visitor's language: the account's, else the chosen one, else the browser's."""

import re

import pytest

from booking.airports import AIRPORTS
from booking.language import load
from tests.booking.bench import PASSWORD, Answer, Visitor
from tests.booking.conftest import Site
from tests.booking.forms import fill_in, seat_box

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PERSON = {"name": "홍길동", "email": "hong@example.org", "password": PASSWORD, "password_again": PASSWORD}


def language_of(page: Answer) -> str:
    found = re.search(r'<html lang="(\w+)">', page.text)
    assert found
    return found[1]


async def choose(visitor: Visitor, code: str, page: str = "/") -> Answer:
    return await fill_in(visitor, await visitor.page(page), "/language", language=code)


async def test_at_first_the_browser_says_it(site: Site) -> None:
    headers = {"Accept": "text/html", "Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"}
    page = await site.visitor().get("/", headers=headers)
    assert language_of(page) == "ko"
    assert page.headers["Content-Language"] == "ko"


async def test_a_language_chosen_lasts_and_leads_back_to_the_page(site: Site) -> None:
    visitor = site.visitor()
    led = await choose(visitor, "ko", "/flights?origin=ICN&destination=CJU")
    assert led.headers["Location"] == "/flights?origin=ICN&destination=CJU"
    assert language_of(await visitor.page("/sign-up")) == "ko"
    await choose(visitor, "en")
    assert language_of(await visitor.page("/sign-up")) == "en"


async def test_an_account_keeps_its_language_on_every_device(site: Site) -> None:
    here, there = site.visitor(), site.visitor()
    await choose(here, "ko")
    await fill_in(here, await here.page("/sign-up"), "/sign-up", **PERSON)
    await fill_in(there, await there.page("/log-in"), "/log-in", email=PERSON["email"], password=PASSWORD)
    assert language_of(await there.page("/trips")) == "ko"

    await choose(there, "en", "/trips")
    assert language_of(await there.page("/trips")) == "en"


async def test_a_language_that_there_is_not_is_refused(site: Site) -> None:
    assert (await choose(site.visitor(), "tlh")).status == 400


async def test_airports_stand_in_the_order_of_the_language(site: Site) -> None:
    visitor, korean = site.visitor(), load()["ko"]
    await choose(visitor, "ko")
    page = await visitor.page("/")
    cities = re.findall(r'<option value="[A-Z]{3}">(.+) \([A-Z]{3}\)</option>', page.text)[: len(AIRPORTS)]
    assert cities == sorted(korean.tell(airport.city) for airport in AIRPORTS.values())


async def test_what_is_wrong_is_said_in_the_language_of_the_page(ada: Visitor, grace: Visitor, flight_id: int) -> None:
    """A fault of a field, a problem of the sale with its values, and a page for what is not there."""
    flight = f"/flights/{flight_id}"
    await choose(grace, "ko")
    page = await grace.page(flight)
    await ada.held(flight_id, "7C")
    lost = await fill_in(grace, page, flight, seat=[seat_box(page, "7C")])
    assert "방금 다른 분이 선택한 좌석입니다: 7C." in lost.text
    faulty = await fill_in(grace, await grace.page("/account"), "/account/name", name="")
    assert "이름을 80자 이내로 입력해 주세요." in faulty.text
    assert "찾을 수 없습니다" in (await grace.page("/bookings/BCDFGH")).text
