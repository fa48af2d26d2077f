"""The whole way, by the demo itself: a person waits among a crowd, is let in, finds a flight, picks a seat and pays."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser import chromium, needs_chromium
from tests.servers import free_port

START_S = 120
TURN_MS = 120_000


@pytest.fixture
def port() -> int:
    """One of 13,000 to 19,999, where only demos are: their other two are one and 1,100 above it."""
    return 13_000 + free_port() % 7_000


@asynccontextmanager
async def demo(folder: Path, port: int) -> AsyncIterator[Path]:
    """`scripts/demo` with a small crowd; gives the configuration file that it runs with."""
    command = (sys.executable, "-m", "scripts.demo", "--port", str(port), "--crowd", "40", "--flights", "120")
    root = Path(__file__).parents[2]
    with (folder / "output").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=root, env=os.environ | {"TMPDIR": str(folder)}, stdout=output, stderr=output
        )
    try:
        async with asyncio.timeout(START_S), aiohttp.ClientSession() as session:
            while "Ctrl-C stops" not in (folder / "output").read_text():
                assert process.returncode is None, (folder / "output").read_text()
                await asyncio.sleep(0.1)
            async with session.get(f"http://127.0.0.1:{port + 1}/", headers={"Accept": "text/html"}) as response:
                assert response.status == 401, "booking believes nobody without an admission"
        yield next(folder.glob("waitroom-demo-*/waitroom.toml"))
    finally:
        process.terminate()
        await process.wait()


async def position(page: Page) -> int:
    text = await page.locator("#position").inner_text()
    return int(re.sub(r"\D", "", text))


async def wait_for_the_turn(page: Page, config: Path) -> None:
    """Sees the position fall by itself; then the operator opens the tap, and the page moves on by itself."""
    await expect(page.get_by_role("heading", name="You are in line")).to_be_visible()
    await expect(page.get_by_text("Our winter fares")).to_be_visible()
    first = await position(page)
    await expect(page.locator("#position")).not_to_have_text(f"{first}", timeout=TURN_MS)
    assert await position(page) < first
    text = config.read_text()
    config.write_text(
        text.replace("rate_per_minute = 30 ", "rate_per_minute = 3000 ").replace("cap = 20 ", "cap = 99 ")
    )
    await expect(page.get_by_role("button", name="Find flights")).to_be_visible(timeout=TURN_MS)


async def choose_a_seat(page: Page) -> str:
    await page.get_by_label("From", exact=True).select_option(value="JFK")
    await page.get_by_label("To", exact=True).select_option(value="LHR")
    later = datetime.now(UTC).date() + timedelta(days=2)  # today's flights may have left, wherever today is
    await page.get_by_label("Last day").fill(later.isoformat())
    await page.locator("#find").click()
    await page.get_by_role("link", name=re.compile("Choose a seat on flight")).last.click()
    seat = page.locator("input[name=seat]:enabled").first
    label = await seat.get_attribute("value")
    assert label
    await seat.focus()
    await page.keyboard.press("Space")
    await page.locator("#hold").click()
    return label


async def sign_up(page: Page) -> None:
    await page.locator("#to-sign-up").click()
    await page.get_by_label("Full name").fill("Ada Lovelace")
    await page.get_by_label("E-mail").fill("ada@example.com")
    await page.get_by_label("Password", exact=True).fill("the analytical engine")
    await page.get_by_label("Password again").fill("the analytical engine")
    await page.locator("#create-account").click()
    await page.locator("#hold").click()


async def pay(page: Page) -> None:
    await page.get_by_label("Card number").fill("4242 4242 4242 4242")
    await page.get_by_label("Good until").fill("12/29")
    await page.get_by_label("Security code").fill("123")
    await page.locator("#pay").click()


@needs_chromium
async def test_a_visitor_waits_is_admitted_and_books_a_seat(tmp_path: Path, port: int) -> None:
    async with demo(tmp_path, port) as config, chromium() as browser:
        page = await browser.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"http://127.0.0.1:{port}/")
        await wait_for_the_turn(page, config)
        seat = await choose_a_seat(page)
        await sign_up(page)
        await pay(page)
        await expect(page.locator("#ticket")).to_be_visible()
        await expect(page.locator("#ticket-seat")).to_contain_text(seat)
        reference = await page.locator("#reference").inner_text()
        assert re.fullmatch("[A-Z]{6}", reference.strip())
        await page.locator("#my-trips").click()
        await expect(page.get_by_text(reference)).to_be_visible()
        assert not complaints
