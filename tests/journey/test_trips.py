"""A trip for three from the home page to the refund, in each language, on a desk and in a hand: every page speaks the
language, leads on, and keeps nobody out by how it is built."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, ViewportSize, expect

from tests.axe import violations
from tests.browser import chromium, needs_chromium
from tests.journey import trip
from tests.journey.demo import Demo, running

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="module")]

REFUND_S = 120
VIEWPORTS = {"desktop": ViewportSize(width=1280, height=900), "phone": ViewportSize(width=390, height=844)}
SAID = {
    "en": {"home": "Calm days, clear skies.", "ticket": "Have a good flight!", "refund": "went back to you."},
    "ko": {"home": "잔잔한 하루, 맑은 하늘.", "ticket": "즐거운 여행 되세요!", "refund": "환불을 마쳤습니다."},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo() -> AsyncIterator[Demo]:
    """One with no crowd: whoever comes is let in at once."""
    async with running(crowd=0) as demo:
        yield demo


class Looks:
    """Looks at a page as a visitor would, and keeps a picture of it."""

    def __init__(self, page: Page, language: str, folder: Path) -> None:
        self._page = page
        self._language = language
        self._folder = folder

    async def at(self, name: str) -> None:
        page = self._page
        await page.screenshot(path=self._folder / f"{name}.png", full_page=True)
        assert await page.locator("html").get_attribute("lang") == self._language
        assert await violations(page) == []
        assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth"), "one must scroll sideways"


async def until_refunded(page: Page, said: str) -> None:
    async with asyncio.timeout(REFUND_S):
        while not await page.get_by_text(said).count():
            await asyncio.sleep(0.5)
            await page.reload()


@pytest.mark.parametrize("device", VIEWPORTS)
@pytest.mark.parametrize("language", SAID)
async def test_three_people_fly(demo: Demo, tmp_path: Path, language: str, device: str) -> None:
    said = SAID[language]
    async with chromium() as browser:
        page = await browser.new_page(viewport=VIEWPORTS[device], locale="fr", has_touch=device == "phone")
        look = Looks(page, language, tmp_path)
        await page.goto(demo.url)
        if language == "ko":
            await page.get_by_role("button", name="한국어").click()
        await expect(page.get_by_text(said["home"])).to_be_visible()
        await look.at("home")
        await trip.find_a_flight(page)
        await look.at("results")
        seats = await trip.choose_seats(page)
        await look.at("seats")
        await trip.sign_up(page, f"{language}-{device}@example.com")
        await look.at("passengers")
        await trip.name_passengers(page)
        await look.at("pay")
        await trip.go_to_the_bank(page)
        await look.at("bank")
        reference = await trip.pay(page)
        await expect(page.get_by_text(said["ticket"])).to_be_visible()
        await trip.expect_tickets(page, seats)
        await look.at("tickets")
        await page.locator("#my-trips").click()
        await look.at("trips")
        await page.locator(f"a[href='/bookings/{reference}']").click()
        await page.locator("#to-cancel").click()
        await look.at("cancel")
        await page.locator("#cancel").click()
        await until_refunded(page, said["refund"])
        await look.at("refunded")
        await page.locator("#my-account").click()
        await look.at("account")
