"""A trip in a browser, from the home page to the tickets, in any language: elements are found by their names."""

import re
from datetime import UTC, datetime, timedelta

from playwright.async_api import Page, expect

PARTY = ("Ada Lovelace", "Grace Hopper", "홍길동")
PASSWORD = "the analytical engine"
CARD = "4242 4242 4242 4242"


async def find_a_flight(page: Page) -> None:
    await page.locator("#origin").select_option(value="JFK")
    await page.locator("#destination").select_option(value="LHR")
    later = datetime.now(UTC).date() + timedelta(days=6)  # today's flights may have left, wherever today is
    await page.locator("#end").fill(later.isoformat())
    await page.locator("#party").select_option(f"{len(PARTY)}")
    await page.locator("#find").click()
    await expect(page.locator("ol.offers")).to_be_visible()


async def choose_seats(page: Page) -> list[str]:
    """The first free seats, one for each of the party, by the keyboard; and the fare of which all comes back."""
    await page.locator("ol.offers a.button").last.click()
    await page.locator("#fare-flex").check()
    free = page.locator("input[name=seat]:enabled")
    labels = []
    for number in range(len(PARTY)):
        await free.nth(number).focus()
        await page.keyboard.press("Space")
        labels.append(await free.nth(number).get_attribute("data-label") or "")
    return labels


async def sign_up(page: Page, email: str) -> None:
    """On the way: to hold seats takes an account. Leads back to the map, where the choice is kept."""
    await page.locator("#hold").click()
    await page.locator("#to-sign-up").click()
    await page.locator("#name").fill(PARTY[0])
    await page.locator("#email").fill(email)
    await page.locator("#password").fill(PASSWORD)
    await page.locator("#password_again").fill(PASSWORD)
    await page.locator("#create-account").click()
    await expect(page.locator("input[name=seat]:checked")).to_have_count(len(PARTY))
    await page.locator("#hold").click()


async def name_passengers(page: Page) -> None:
    await expect(page.locator("#passenger_1")).to_have_value(PARTY[0])
    for position, name in enumerate(PARTY, 1):
        await page.locator(f"#passenger_{position}").fill(name)
    await page.locator("#name-passengers").click()
    await expect(page.locator("#pay")).to_be_visible()


async def go_to_the_bank(page: Page) -> None:
    await page.locator("#pay").click()
    await expect(page.locator("#card_number")).to_be_visible()


async def pay(page: Page) -> str:
    """On the bank's page; returns the reference that the tickets show."""
    await page.locator("#card_number").fill(CARD)
    await page.locator("#card_expires").fill("12/49")
    await page.locator("#card_code").fill("123")
    await page.locator("button").first.click()
    await expect(page.locator("#ticket")).to_be_visible()
    reference = (await page.locator("#reference").inner_text()).strip()
    assert re.fullmatch("[A-Z]{6}", reference)
    return reference


async def expect_tickets(page: Page, seats: list[str]) -> None:
    """One for each of the party, with a name, a seat and a code."""
    tickets = page.locator("article.ticket")
    await expect(tickets).to_have_count(len(PARTY))
    for number, (name, seat) in enumerate(zip(PARTY, seats, strict=True)):
        await expect(tickets.nth(number)).to_contain_text(name)
        await expect(tickets.nth(number).locator(".big")).to_have_text(seat)
        await expect(tickets.nth(number).locator("svg")).to_be_visible()
