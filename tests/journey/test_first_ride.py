"""The whole way, by the demo itself: a person waits among a crowd, is let in, finds a flight, and books for a party;
with JavaScript and without."""

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

from tests.browser import chromium, needs_chromium
from tests.journey import trip
from tests.journey.demo import Demo, answers_without_admission, running, until_in_line

TURN_MS = 120_000
# Twice as many as may be inside.
CROWD = 40


async def position(page: Page) -> int:
    text = await page.locator("#position").inner_text()
    return int(re.sub(r"\D", "", text))


async def wait_for_the_turn(page: Page, demo: Demo) -> None:
    """Sees the position fall by itself; then the operator opens the tap, and the page moves on by itself."""
    await expect(page.get_by_role("heading", name="You are in line")).to_be_visible()
    await expect(page.get_by_text("Our winter fares")).to_be_visible()
    highest = 0
    async with asyncio.timeout(TURN_MS / 1000):
        # It may rise before: by those who came earlier, and are seen for the first time.
        while (now := await position(page)) >= highest:
            highest = now
            await asyncio.sleep(0.1)
    demo.set("rate_per_minute = 30 ", "rate_per_minute = 3000 ")
    demo.set("cap = 20 ", "cap = 99 ")
    await expect(page.get_by_role("button", name="Find flights")).to_be_visible(timeout=TURN_MS)


@needs_chromium
@pytest.mark.parametrize("java_script", [True, False], ids=["with JavaScript", "without JavaScript"])
async def test_a_visitor_waits_is_admitted_and_books_for_a_party(java_script: bool) -> None:
    async with running(crowd=CROWD) as demo, chromium() as browser:
        await until_in_line(demo, CROWD // 4)
        assert await answers_without_admission(demo) == 401, "booking believes nobody without an admission"
        page = await browser.new_page(java_script_enabled=java_script)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(demo.url)
        await wait_for_the_turn(page, demo)
        await trip.find_a_flight(page)
        seats = await trip.choose_seats(page)
        await trip.sign_up(page, "ada@example.com")
        await trip.name_passengers(page)
        await trip.go_to_the_bank(page)
        reference = await trip.pay(page)
        await trip.expect_tickets(page, seats)
        await page.locator("#my-trips").click()
        await expect(page.get_by_text(reference)).to_be_visible(timeout=TURN_MS)
        assert not complaints
