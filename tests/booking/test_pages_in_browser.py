"""The pages in a real Chromium: whether all can use them, and what the seat map does while others buy."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route, ViewportSize, expect

from tests.axe import violations
from tests.booking.bank import DECLINED
from tests.booking.bench import HOUR_S, NOW_S, Visitor, add_flight, departure
from tests.booking.conftest import Site
from tests.booking.trip import bought, chosen, named, to_the_bank
from tests.browser import chromium, needs_chromium

pytestmark = [pytest.mark.parametrize("database_url", ["sqlite"], indirect=True), needs_chromium]

DESKTOP, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)

Open = Callable[[str], Awaitable[Page]]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def context_of(site: Site, browser: Browser, visitor: Visitor, language: str = "en") -> BrowserContext:
    """A browser that the waiting room let in, with what a visitor is known by."""
    headers = {"X-Waitroom-Admission": visitor.admission}
    context = await browser.new_context(viewport=DESKTOP, extra_http_headers=headers)
    own = {"halcyon-language": language} | visitor.cookies()
    address = str(site.server.make_url("/"))
    await context.add_cookies([{"name": name, "value": value, "url": address} for name, value in own.items()])
    return context


@pytest.fixture
async def open_map(site: Site, browser: Browser, grace: Visitor, flight_id: int) -> Page:
    """The seat map, as Grace looks at it."""
    page = await (await context_of(site, browser, grace)).new_page()
    await page.goto(str(site.server.make_url(f"/flights/{flight_id}")))
    return page


async def a_life_of_bookings(site: Site, ada: Visitor, flight_id: int) -> list[str]:
    """One booking in each state; gives the paths of all pages about them."""
    ticketed = await bought(site, ada, flight_id)
    cancelled = await bought(site, ada, await _another_flight(site, 1))
    await ada.cancel(cancelled)
    lapsed = await chosen(ada, await _another_flight(site, 2), "7C")
    site.clock.pass_s(901)
    held = await chosen(ada, await _another_flight(site, 3), "7C", "7D", "8C")
    ada.carry(site.room.admission(sub="waits for the bank"))
    open_ = await named(ada, await _another_flight(site, 4), passenger_1="Ada Lovelace")
    await to_the_bank(ada, open_)
    ada.carry(site.room.admission(sub="declined"))
    declined = await named(ada, await _another_flight(site, 5), passenger_1="Ada Lovelace")
    await site.bank.pay((await to_the_bank(ada, declined)).headers["Location"], DECLINED)
    await ada.page(f"/bookings/{declined}/return")
    alone = (ticketed, cancelled, lapsed, held, open_)
    parts = (f"{ticketed}/cancel", f"{held}/passengers", f"{open_}/pay", f"{open_}/return", f"{declined}/pay")
    return [f"/bookings/{path}" for path in (*alone, *parts)]


async def _another_flight(site: Site, number: int) -> int:
    return await add_flight(site.db, departure(NOW_S + (48 + number) * HOUR_S, number=f"H7 {number}"))


async def _without_refresh(route: Route) -> None:
    """The page that waits would load itself again in the midst of the test."""
    response = await route.fetch()
    headers = {name: value for name, value in response.headers.items() if name.lower() != "refresh"}
    await route.fulfill(response=response, headers=headers)


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_nobody_is_kept_from_using_a_page(
    site: Site, browser: Browser, ada: Visitor, flight_id: int, language: str
) -> None:
    """By the rules of axe-core, and without scrolling sideways on a phone."""
    await ada.ask("PATCH", "/api/account", json={"language": language})
    of_bookings = await a_life_of_bookings(site, ada, flight_id)
    route = "/flights?origin=ICN&destination=CJU&party=3"
    of_all = ["/", route, f"{route}&start=soon", f"/flights/{flight_id}?seat=8C&seat=7A", "/log-in", "/sign-up"]
    page = await (await context_of(site, browser, ada, language)).new_page()
    await page.route("**/return", _without_refresh)
    wrong: dict[str, list[str]] = {}
    for path in [*of_all, "/trips", "/account", "/nowhere", "/api/docs", *of_bookings]:
        await page.goto(str(site.server.make_url("/")).rstrip("/") + path)
        assert await page.locator("html").get_attribute("lang") == language
        for viewport in (DESKTOP, PHONE):
            await page.set_viewport_size(viewport)
            found = await violations(page)
            if await page.evaluate("document.documentElement.scrollWidth") > viewport["width"]:
                found.append("it is wider than the window")
            if found:
                wrong[f"{path} at {viewport['width']}"] = found
    assert not wrong


async def test_a_seat_that_someone_else_takes_is_marked_and_said(open_map: Page, ada: Visitor, flight_id: int) -> None:
    for label in ("7C", "7D"):
        await open_map.locator(f"#seat-{label}").check()
    await expect(open_map.locator("#choice")).to_have_text("Chosen: 7C, 7D")

    await ada.held(flight_id, "7C", "8A")

    await expect(open_map.locator("#news")).to_contain_text("Seat 7C was taken by someone else")
    await expect(open_map.locator("#choice")).to_have_text("Chosen: 7D")
    await expect(open_map.locator("#seat-8A")).to_be_disabled()
    await expect(open_map.get_by_label("7C, Economy, held by someone")).to_be_disabled()
    await expect(open_map.locator("#free")).to_have_text("78")
    await open_map.locator("#hold").click()
    await expect(open_map.get_by_label("Passenger on seat 7D")).to_be_visible()


async def test_a_seat_that_is_given_back_can_be_taken_without_loading_the_page_again(
    open_map: Page, ada: Visitor, flight_id: int
) -> None:
    """Its version is another one by then."""
    reference = await ada.held(flight_id, "7C")
    await expect(open_map.locator("#seat-7C")).to_be_disabled()
    await ada.cancel(reference)
    await expect(open_map.locator("#seat-7C")).to_be_enabled()
    await open_map.locator("#seat-7C").check()
    await open_map.locator("#hold").click()
    await expect(open_map.get_by_label("Passenger on seat 7C")).to_be_visible()


async def test_the_price_follows_the_seats_and_the_fare(open_map: Page) -> None:
    for label in ("1A", "7C"):
        await open_map.locator(f"#seat-{label}").check()
    await expect(open_map.locator("#total")).to_have_text("Total ₩252,800")
    await open_map.get_by_label(re.compile("^Flex")).check()
    await expect(open_map.locator("#total")).to_have_text("Total ₩328,640")
    await open_map.locator("#seat-1A").uncheck()
    await expect(open_map.locator("#total")).to_have_text("Total ₩102,700")


async def test_a_tenth_seat_is_not_ticked(open_map: Page) -> None:
    for row in range(3, 12):
        await open_map.locator(f"#seat-{row}A").check()
    await open_map.locator("#seat-12A").click(force=True)
    await expect(open_map.locator("#seat-12A")).not_to_be_checked()
    await expect(open_map.locator("#news")).to_have_text("9 seats at most can be booked at once.")


async def test_seats_are_chosen_and_held_by_the_keyboard_alone(open_map: Page) -> None:
    await open_map.locator("#fare-saver").focus()
    await open_map.keyboard.press("ArrowDown")
    await expect(open_map.locator("#fare-flex")).to_be_checked()
    await open_map.keyboard.press("Tab")
    await open_map.keyboard.press("Space")
    await open_map.keyboard.press("Tab")
    await open_map.keyboard.press("Space")
    await expect(open_map.locator("#choice")).to_have_text("Chosen: 1A, 1C")
    await open_map.keyboard.press("Enter")
    await expect(open_map.get_by_label("Passenger on seat 1C")).to_be_visible()


async def test_a_map_that_has_not_changed_is_not_sent_again(open_map: Page) -> None:
    async with open_map.expect_response(lambda response: response.status == 304) as unchanged:
        pass
    assert (await unchanged.value).url.endswith("/seats")
