"""A visitor chooses a language: it is kept, the pages speak it, and the choice leads nowhere but back."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser import chromium, needs_chromium
from tests.waitroom.running import PAGE, Origin, Waitroom, number_of, visitor

KOREAN = 'lang="ko" dir="ltr"'
LEADING_AWAY = [
    "//evil.example",
    "///evil.example",
    "https://evil.example",
    "javascript:alert(1)",
    "\\\\evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "\n//evil.example",
    "/x\r\nSet-Cookie: wr-site=stolen",
    "x@evil.example",
    "",
]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with visitor() as session:
        yield session


async def choose(
    session: aiohttp.ClientSession, waitroom: Waitroom, to: str, back: str = "/flights", *, method: str = "GET"
) -> aiohttp.ClientResponse:
    return await session.request(
        method, f"{waitroom.url}/.waitroom/language", params={"to": to, "back": back}, allow_redirects=False
    )


async def page_of(session: aiohttp.ClientSession, waitroom: Waitroom, **fields: str) -> aiohttp.ClientResponse:
    response = await session.get(f"{waitroom.url}/flights", headers={**PAGE, **fields})
    await response.read()
    return response


async def fill(waitroom: Waitroom, stack: AsyncExitStack) -> None:
    """Lets visitors in until the room is full."""
    for _ in range(2):
        session = await stack.enter_async_context(visitor())
        assert (await page_of(session, waitroom)).headers["Via"]


@pytest.fixture
async def full(waitroom: Waitroom) -> AsyncIterator[Waitroom]:
    """Who comes now waits."""
    async with AsyncExitStack() as stack:
        await fill(waitroom, stack)
        yield waitroom


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_choice_is_kept_and_leads_back(waitroom: Waitroom, session: aiohttp.ClientSession, method: str) -> None:
    response = await choose(session, waitroom, "ko", "/flights?day=1&to=caf%C3%A9", method=method)
    assert (response.status, response.headers["Location"]) == (303, "/flights?day=1&to=caf%C3%A9")
    assert response.headers["Cache-Control"] == "private, no-store"
    cookie = response.cookies["wr-.language"]
    assert (cookie.value, cookie["path"], cookie["samesite"], cookie["max-age"]) == ("ko", "/", "Lax", "31536000")


@pytest.mark.parametrize("to", ["tlh", "KO", "ko;", "../ko", ""])
async def test_language_that_there_is_not_is_no_choice(
    waitroom: Waitroom, session: aiohttp.ClientSession, to: str
) -> None:
    response = await choose(session, waitroom, to)
    assert (response.status, response.headers["Location"]) == (303, "/flights")
    assert not response.cookies


@pytest.mark.parametrize("back", LEADING_AWAY)
async def test_choice_never_leads_to_another_site(
    waitroom: Waitroom, session: aiohttp.ClientSession, back: str
) -> None:
    response = await choose(session, waitroom, "ko", back)
    assert re.match(r"/[^/\\]", response.headers["Location"])
    assert list(response.cookies) == ["wr-.language"]


async def test_no_two_pages_have_one_nonce_and_each_has_that_of_its_policy(full: Waitroom) -> None:
    """Whatever of a page's head is remembered for the next: of this, nothing."""
    nonces: list[str] = []
    for _ in range(3):
        async with visitor() as newcomer:
            page = await page_of(newcomer, full)
            told = set(re.findall(r"'nonce-([\w-]+)'", page.headers["Content-Security-Policy"]))
            assert told == set(re.findall(r'nonce="([\w-]+)"', await page.text()))
            nonces += told
    assert len(set(nonces)) == 3


async def test_choice_is_asked_for_and_not_posted(waitroom: Waitroom, session: aiohttp.ClientSession) -> None:
    response = await choose(session, waitroom, "ko", method="POST")
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")
    assert not response.cookies


async def test_page_speaks_the_language_that_was_chosen_and_the_place_stays(
    full: Waitroom, session: aiohttp.ClientSession
) -> None:
    english = await page_of(session, full, **{"Accept-Language": "en"})
    number = number_of(session)
    await choose(session, full, "ko")
    korean = await page_of(session, full, **{"Accept-Language": "en"})
    assert (english.headers["Content-Language"], korean.headers["Content-Language"]) == ("en", "ko")
    assert KOREAN in await korean.text()
    assert "대기열에서 기다리고 계십니다" in await korean.text()
    assert number_of(session) == number


async def test_page_speaks_the_language_that_the_browser_asks_for(
    full: Waitroom, session: aiohttp.ClientSession
) -> None:
    page = await page_of(session, full, **{"Accept-Language": "ar-EG,ar;q=0.9,en;q=0.8"})
    assert 'lang="ar" dir="rtl"' in await page.text()
    assert "Accept-Language" in page.headers["Vary"]


async def test_origin_learns_nothing_of_the_choice(
    waitroom: Waitroom, origin: Origin, session: aiohttp.ClientSession
) -> None:
    await choose(session, waitroom, "ko")
    await page_of(session, waitroom)
    await page_of(session, waitroom)
    assert [request.headers.get("Cookie") for request in origin.requests] == [None, "origin=1"]


async def test_room_speaks_its_own_language_to_who_asks_for_none_that_there_is(
    waitroom: Waitroom, tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    beside = waitroom.beside(tmp_path / "beside")
    beside.set(mode="closed", language="ko")
    async with beside.serving():
        for asks_for, speaks in [("", "ko"), ("tlh", "ko"), ("en", "en")]:
            page = await page_of(session, beside, **{"Accept-Language": asks_for})
            assert (page.status, page.headers["Content-Language"]) == (503, speaks)


@asynccontextmanager
async def waits(full: Waitroom, *, scripts: bool) -> AsyncIterator[Page]:
    """A visitor who has come to the full room, with or without JavaScript."""
    async with chromium() as browser:
        context = await browser.new_context(java_script_enabled=scripts, locale="en-GB")
        page = await context.new_page()
        await page.goto(f"{full.url}/flights?day=1")
        await expect(page.get_by_role("heading", name="You are in line")).to_be_visible()
        yield page


async def ticket_of(page: Page) -> str:
    return next(cookie["value"] for cookie in await page.context.cookies() if cookie["name"] == "wr-site")


@needs_chromium
@pytest.mark.parametrize("scripts", [True, False], ids=["with JavaScript", "without JavaScript"])
async def test_a_click_changes_the_language_and_keeps_the_number(full: Waitroom, *, scripts: bool) -> None:
    async with waits(full, scripts=scripts) as page:
        ticket = await ticket_of(page)
        await page.get_by_role("button", name="한국어").click()
        await expect(page.get_by_role("heading", name="대기열에서 기다리고 계십니다")).to_be_visible()
        await expect(page.locator("html")).to_have_attribute("lang", "ko")
        await expect(page.get_by_role("button", name="한국어")).to_have_attribute("aria-current", "true")
        await expect(page.locator("#position")).to_have_text("1")
        assert page.url == f"{full.url}/flights?day=1"
        assert await ticket_of(page) == ticket


@needs_chromium
async def test_no_browser_is_led_to_another_site(waitroom: Waitroom, session: aiohttp.ClientSession) -> None:
    """Browsers read addresses in their own way: backslashes as slashes, and without tabs and line breaks."""
    locations = [(await choose(session, waitroom, "ko", back)).headers["Location"] for back in LEADING_AWAY]
    async with chromium() as browser:
        page = await browser.new_page()
        led = "(locations) => locations.map((location) => new URL(location, 'https://site.example/a').origin)"
        assert set(await page.evaluate(led, locations)) == {"https://site.example"}
