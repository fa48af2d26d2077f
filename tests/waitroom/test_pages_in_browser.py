"""The waiting page lives: in a real Chromium, under its own policy, in front of a site whose line the test scripts."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

import waitroom
from tests.browser import chromium, needs_chromium
from waitroom import words
from waitroom.pages import Pages, content_security_policy
from waitroom.place import Place

NONCE = "x7Qm2Lr9bT4kVw1pZs8e"
TITLE = "Summer sale"
PAGES = Pages()
PLACE = Place("waiting", poll_after_ms=50, position=1204, waiting=5310, wait_s=(130, 230))
SOON_S = 8
LEAVING_S = 0.3  # time for a page that still asks to learn that it has no place, and to join again

pytestmark = [
    needs_chromium,
    pytest.mark.asyncio(loop_scope="module"),
]


class Site:
    """A site behind a line of one: `place` is told to each poll, and the page waits until `inside`."""

    def __init__(self) -> None:
        self.place = PLACE
        self.inside = False
        self.refusing = False
        self.status: int | None = 200  # of the polls; None cuts their connections
        self.refresh_s = 60
        self.loads: list[float] = []
        self.polls: list[float] = []
        self.leaves = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/place", self._place)
        app.router.add_post("/leave", self._leave)
        app.router.add_get("/{path:.*}", self._page)
        return app

    async def _page(self, request: web.Request) -> web.Response:
        self.loads.append(monotonic())
        if self.inside:
            return web.Response(text="<h1>inside!</h1>", content_type="text/html")
        if self.refusing:
            return answer(PAGES.refused(room_title=TITLE, retry_after_s=1, here=request.path_qs, nonce=NONCE))
        page = PAGES.waiting(
            self.place if self.place.state == "waiting" else PLACE,
            room_title=TITLE,
            place_url="/place",
            leave_url="/leave",
            here=request.path_qs,
            refresh_s=self.refresh_s,
            nonce=NONCE,
        )
        return answer(page)

    async def _place(self, request: web.Request) -> web.Response:
        self.polls.append(monotonic())
        if self.status is None:
            assert request.transport
            request.transport.abort()
        return web.json_response(self.place.to_json(), status=self.status or 200)

    async def _leave(self, _request: web.Request) -> web.Response:
        self.leaves += 1
        self.place = Place("none", poll_after_ms=50)
        await asyncio.sleep(LEAVING_S)
        return answer(PAGES.left(room_title=TITLE, nonce=NONCE))


def answer(page: str) -> web.Response:
    return web.Response(
        text=page,
        content_type="text/html",
        headers={"Content-Security-Policy": content_security_policy(NONCE), "Cache-Control": "private, no-store"},
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


class Visit:
    """One visitor's tab, the site it looks at, and what the browser complained of."""

    def __init__(self, site: Site, url: str, page: Page) -> None:
        self.site = site
        self.url = url
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def text(self, text: str) -> Locator:
        """What eyes can read; what a screen reader is told has the role of a status."""
        return self.page.get_by_text(text).and_(self.page.locator(":not([role=status])"))

    async def shows(self, text: str) -> None:
        await expect(self.text(text)).to_be_visible()

    async def hides(self, text: str) -> None:
        await expect(self.text(text)).to_be_hidden()


@asynccontextmanager
async def visit(browser: Browser, **options: Any) -> AsyncIterator[Visit]:
    site = Site()
    server = TestServer(site.app())
    await server.start_server()
    context: BrowserContext = await browser.new_context(**options)
    try:
        yield Visit(site, str(server.make_url("/flights?day=1")), await context.new_page())
    finally:
        async with asyncio.timeout(SOON_S):  # Chromium may never finish closing a page that is about to show another
            await context.close()
        await server.close()


@pytest_asyncio.fixture(loop_scope="module")
async def waiting(browser: Browser) -> AsyncIterator[Visit]:
    """A visitor who waits; the browser must have had nothing to complain of in the end."""
    async with visit(browser) as visitor:
        await visitor.page.goto(visitor.url)
        await visitor.shows("1,204")
        yield visitor
        lost = "Failed to load resource"  # what the tests of a lost connection cause
        assert [text for text in visitor.complaints if lost not in text] == []


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():
            await asyncio.sleep(0.01)


# Waiting


async def test_position_falls_without_a_reload(waiting: Visit) -> None:
    waiting.site.place = replace(PLACE, position=903, waiting=4800, wait_s=(70, 110), message="Doors close at ten")
    await expect(waiting.page.locator("#position")).to_have_text("903")
    await waiting.shows("4,800")
    await waiting.shows("between 1 and 2 minutes")
    await waiting.shows("Doors close at ten")
    await waiting.shows("Last updated:")
    await expect(waiting.page).to_have_title("#903 · Waiting · Summer sale")
    assert len(waiting.site.loads) == 1


async def test_progress_counts_from_arrival_and_survives_a_reload(waiting: Visit) -> None:
    waiting.site.place = replace(PLACE, position=301)
    progress = waiting.page.get_by_role("progressbar")
    await expect(progress).to_have_js_property("value", 903)
    await waiting.page.reload()
    await expect(progress).to_have_js_property("value", 903)
    await expect(progress).to_have_js_property("max", 1204)


async def test_pause_is_told_and_ends(waiting: Visit) -> None:
    waiting.site.place = replace(PLACE, paused="hold")
    await waiting.shows("The organiser has paused the line.")
    await waiting.hides("Estimated wait")
    waiting.site.place = PLACE
    await waiting.hides("The organiser has paused the line.")
    await waiting.shows("Estimated wait")


async def test_lost_store_is_told_and_ends(waiting: Visit) -> None:
    waiting.site.place = Place("waiting", poll_after_ms=50, paused="store_lost")
    await waiting.shows("We are reconnecting to the line.")
    await waiting.hides("Your position")
    waiting.site.place = PLACE
    await waiting.hides("We are reconnecting to the line.")
    await waiting.shows("1,204")


async def test_screen_reader_hears_only_what_is_worth_saying(waiting: Visit) -> None:
    """A step within the same tenth of the way and the same minutes is silent; the next tenth is said."""
    spoken = waiting.page.get_by_role("status")
    for position in (1203, 1202):
        waiting.site.place = replace(PLACE, position=position)
        await expect(waiting.page.locator("#position")).to_have_text(f"{position:,}")
    await expect(spoken).to_be_empty()
    waiting.site.place = replace(PLACE, position=600)
    await expect(spoken).to_have_text("Your position 600. Estimated wait between 2 and 4 minutes")


async def test_returning_to_the_tab_asks_at_once_but_never_more_than_once_a_second(waiting: Visit) -> None:
    await waits_long(waiting)
    before = len(waiting.site.polls)
    waiting.site.place = replace(waiting.site.place, position=690)
    await waiting.page.evaluate("for (let i = 0; i < 50; i++) document.dispatchEvent(new Event('visibilitychange'))")
    await waiting.shows("690")  # the answer is there: what comes while one is awaited asks nothing more
    await waiting.page.evaluate("for (let i = 0; i < 50; i++) dispatchEvent(new Event('online'))")
    await until(lambda: len(waiting.site.polls) > before + 1)
    assert waiting.site.polls[-1] - waiting.site.polls[-2] > 0.9


async def waits_long(visitor: Visit) -> None:
    """The page has been told to ask again only after a minute."""
    visitor.site.place = replace(PLACE, position=700, poll_after_ms=60_000)
    await visitor.shows("700")


# Losing the network


@pytest.mark.parametrize("status", [None, 502], ids=["connections cut", "bad gateway"])
async def test_lost_connection_is_shown_and_heals_by_itself(waiting: Visit, status: int | None) -> None:
    waiting.site.status = status
    await waiting.shows("The connection was lost. Your place is kept")
    waiting.site.status = 200
    waiting.site.place = replace(PLACE, position=77)
    await waiting.hides("The connection was lost.")
    await waiting.shows("77")
    assert len(waiting.site.loads) == 1


async def test_failing_polls_grow_rarer(waiting: Visit) -> None:
    waiting.site.place = replace(PLACE, position=900, poll_after_ms=1000)
    await waiting.shows("900")
    waiting.site.status = 503
    await waiting.shows("The connection was lost.")
    since = len(waiting.site.polls)
    await until(lambda: len(waiting.site.polls) == since + 2)
    first, second, third = waiting.site.polls[-3:]
    assert 0.7 < second - first < 1.6
    assert 1.4 < third - second < 3


async def test_offline_visitor_is_told_and_goes_on_as_soon_as_connected(waiting: Visit) -> None:
    """Back online it asks at once, although told to ask only after a minute."""
    await waits_long(waiting)
    await waiting.page.context.set_offline(True)
    await waiting.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await waiting.shows("You are offline. Your place is kept")
    waiting.site.place = replace(PLACE, position=65)
    await waiting.page.context.set_offline(False)
    await waiting.hides("You are offline.")
    await waiting.shows("65")


# Going on


@pytest.mark.parametrize("state", ["called", "inside"])
async def test_called_visitor_goes_in_by_itself(waiting: Visit, state: Any) -> None:
    waiting.site.inside = True
    waiting.site.place = Place(state, poll_after_ms=1000)
    await waiting.shows("inside!")
    assert waiting.page.url == waiting.url
    assert await waiting.page.evaluate("history.length") == 2, "the waiting page is no step in the history"


async def test_address_with_a_fragment_leads_in_too(waiting: Visit) -> None:
    """A browser that is told to go where it is, with a fragment, would only scroll."""
    await waiting.page.goto(f"{waiting.url}#seats")
    await waiting.page.reload()
    waiting.site.inside = True
    waiting.site.place = Place("called", poll_after_ms=1000)
    await waiting.shows("inside!")
    assert waiting.page.url == f"{waiting.url}#seats"


@pytest.mark.parametrize("state", ["none", "closed"])
async def test_page_loads_again_when_there_is_no_place_or_no_line(waiting: Visit, state: Any) -> None:
    waiting.site.place = Place(state, poll_after_ms=1000)
    await until(lambda: len(waiting.site.loads) == 2)
    waiting.site.place = replace(PLACE, position=5000)
    await waiting.shows("5,000")


async def test_page_does_not_reload_in_a_loop(waiting: Visit) -> None:
    """Where loading leads back to the waiting page time after time, each further try waits twice as long."""
    waiting.site.place = Place("called", poll_after_ms=10)
    await until(lambda: len(waiting.site.loads) == 4)
    waiting.site.place = replace(PLACE, position=77)
    await waiting.shows("77")
    _, first, second, third = waiting.site.loads
    assert second - first > 1.9
    assert third - second > 3.9


async def test_waiting_page_works_where_storage_is_blocked(browser: Browser) -> None:
    """Nothing can be remembered over a reload then, so each waits: a loop stays slow."""
    async with visit(browser) as visitor:
        await visitor.page.add_init_script(
            "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('', 'SecurityError') } })"
        )
        await visitor.page.goto(visitor.url)
        await visitor.shows("1,204")
        called = monotonic()
        visitor.site.inside = True
        visitor.site.place = Place("called", poll_after_ms=10)
        await expect(visitor.page).to_have_title("It\N{RIGHT SINGLE QUOTATION MARK}s your turn · Summer sale")
        await visitor.shows("We are taking you in.")
        await expect(visitor.page.get_by_role("link", name="Go in")).to_have_attribute("href", "/flights?day=1")
        await expect(visitor.page.get_by_text("inside!")).to_be_visible(timeout=SOON_S * 1000)
        assert visitor.site.loads[-1] - called > 2.8


async def test_leaving_asks_first_and_does_not_join_again(waiting: Visit) -> None:
    leave = waiting.page.get_by_role("button", name="Yes, leave the line")
    await expect(leave).to_be_hidden()
    await waiting.page.get_by_text("Leave the line", exact=True).click()
    waiting.site.place = replace(PLACE, position=1203)
    await expect(waiting.page.locator("#position")).to_have_text("1,203")
    await expect(leave).to_be_visible()
    await leave.click()
    await waiting.shows("You have left the line")
    assert (waiting.site.leaves, len(waiting.site.loads)) == (1, 1)


# Without JavaScript, and the other pages


async def test_without_javascript_the_refresh_leads_on(browser: Browser) -> None:
    async with visit(browser, java_script_enabled=False) as visitor:
        visitor.site.refresh_s = 1
        await visitor.page.goto(visitor.url)
        await visitor.shows("1,204")
        await expect(visitor.page.locator("main noscript")).to_be_visible()
        visitor.site.place = replace(PLACE, position=800)
        await visitor.shows("800")
        visitor.site.inside = True
        await visitor.shows("inside!")
        assert visitor.site.polls == []


@pytest.mark.parametrize("java_script", [True, False])
async def test_refused_visitor_is_tried_again(browser: Browser, *, java_script: bool) -> None:
    async with visit(browser, java_script_enabled=java_script) as visitor:
        visitor.site.refusing = True
        await visitor.page.goto(visitor.url)
        await visitor.shows("One moment, please")
        visitor.site.refusing = False
        await visitor.shows("1,204")
        assert visitor.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_fits_a_narrow_screen(browser: Browser, scheme: Any) -> None:
    """320 px wide, which is also 640 px at 200 % zoom, nothing runs out at the side (WCAG 2.2, 1.4.10)."""
    async with visit(browser, viewport={"width": 320, "height": 640}, color_scheme=scheme) as visitor:
        visitor.site.place = Place("waiting", 50, 8_888_888, 9_999_999, (50_000, 90_000), "hold", "m" * 200)
        await visitor.page.goto(visitor.url)
        await visitor.shows("8,888,888")
        await visitor.page.get_by_text("Leave the line", exact=True).click()
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") == 320


async def test_first_view_is_one_request(browser: Browser) -> None:
    async with visit(browser) as visitor:
        asked: list[str] = []
        visitor.page.on("request", lambda request: asked.append(request.url))
        response = await visitor.page.goto(visitor.url)
        await until(lambda: len(visitor.site.polls) > 0)
        assert response
        assert {url.rsplit("/", 1)[1] for url in asked} == {"flights?day=1", "place"}
        assert len(gzip.compress(await response.body())) < 6 * 1024


async def test_browser_and_server_say_the_same_times(browser: Browser) -> None:
    script = (Path(waitroom.__file__).parent / "templates" / "words.js").read_text()
    edges_s = [0, 1, 59, 60, 61, 119, 120, 121, 1799, 1800, 1801, 3599, 3600, 5400, 7199, 7200, 7201, 9000, 90_000]
    ranges = [None, *((low, high) for low in edges_s for high in edges_s if low <= high)]
    page = await browser.new_page()
    said = await page.evaluate(f"(ranges) => {{ {script}; return ranges.map(waitInWords); }}", ranges)
    await page.close()
    assert said == [words.wait(wait_s) for wait_s in ranges]
