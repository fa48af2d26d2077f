"""A site whose line a test scripts, with the real waiting page in front of it, and a visitor's tab that looks at it."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from waitroom.draw import Draw, commitment
from waitroom.languages import Languages
from waitroom.pages import Face, Pages, Ways, content_security_policy
from waitroom.place import DrawTold, Place
from waitroom.prepared import Filled

if TYPE_CHECKING:
    from waitroom.status import Clue, Status

NONCE = "x7Qm2Lr9bT4kVw1pZs8e"
LANGUAGES = Languages()
PAGES = Pages(LANGUAGES)
TITLE = "Summer sale"
FACE = Face(TITLE, LANGUAGES.of("en"))
PLACE = Place("waiting", poll_after_ms=50, position=1204, waiting=5310, wait_s=(130, 230))
SEALED = DrawTold(commitment(bytes(32)), 1_000_000, 17)
DRAWN = replace(SEALED, seed=bytes(32).hex(), place=Draw(bytes(32), 1_000_000).place(17))
EARLY = Place("early", poll_after_ms=50, waiting=5310, opens_ms=1_791_792_000_000, draw=SEALED)
SOON_S = 60
LEAVING_S = 0.3  # time for a page that still asks to learn that it has no place, and to join again


class Site:
    """A site behind a line of one: `place` is told to each poll, and the page waits until `inside`. While the place is
    early, the line opens at the time `opens` of the test's clock, and each answer may take up to `slowest_s`. With a
    `clue` the line has a status, which is `public`; `looks` has the fields of those who read it, `showings` of those
    who asked for the number."""

    def __init__(self) -> None:
        self.place = PLACE
        self.inside = False
        self.is_new = False
        self.refusing = False
        self.status: int | None = 200  # of the polls; None cuts their connections
        self.refresh_s = 60
        self.loads: list[float] = []
        self.polls: list[float] = []
        self.extensions = 0
        self.leaves = 0
        self.opens = 0.0
        self.now_s: Callable[[], float] = monotonic
        self.slowest_s = 0.0
        self.clue: Clue | None = None
        self.public: Status | None = None
        self.status_s = 0
        self.looks: list[Mapping[str, str]] = []
        self.showings: list[Mapping[str, str]] = []

    def opens_in(self, seconds: float, place: Place = EARLY) -> None:
        self.place = place
        self.opens = self.now_s() + seconds

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/place", self._place)
        app.router.add_get("/number", self._number)
        app.router.add_get("/status", self._status)
        app.router.add_post("/extend", self._extend)
        app.router.add_post("/leave", self._leave)
        app.router.add_get("/{path:.*}", self._page)
        return app

    async def _page(self, request: web.Request) -> web.Response:
        self.loads.append(monotonic())
        if self.inside:
            return web.Response(text="<h1>inside!</h1>", content_type="text/html")
        if self.refusing:
            return answer(PAGES.refused(FACE, retry_after_s=1, here=request.path_qs, nonce=NONCE))
        page = PAGES.waiting(
            self._told() if self.place.state in ("early", "waiting") else PLACE,
            FACE,
            Ways("/place", "/extend", "/leave", "/receipt", *self._by_status()),
            here=request.path_qs,
            refresh_s=self.refresh_s,
            nonce=NONCE,
            is_new=self.is_new,
        )
        return answer(page)

    async def _place(self, request: web.Request) -> web.Response:
        self.polls.append(monotonic())
        if self.status is None:
            assert request.transport
            request.transport.abort()
        told = self._told()
        await asyncio.sleep(random.uniform(0, self.slowest_s))
        return web.json_response(text=told.to_json(), status=self.status or 200)

    def _by_status(self) -> tuple[str, str, int] | tuple[()]:
        return ("/number", "/status", self.status_s) if self.clue else ()

    async def _number(self, request: web.Request) -> web.Response:
        self.polls.append(monotonic())
        self.showings.append(request.headers)
        assert self.clue
        return web.json_response(json.loads(self._told().to_json()) | json.loads(self.clue.to_json()))

    async def _status(self, request: web.Request) -> web.Response:
        self.looks.append(request.headers)
        if self.public is None:
            return web.Response(status=503)
        return web.json_response(text=self.public.to_json(), headers={"Cache-Control": f"max-age={self.status_s}"})

    def _told(self) -> Place:
        if self.place.state != "early":
            return self.place
        return replace(self.place, opens_in_ms=max(0, round(1000 * (self.opens - self.now_s()))))

    async def _extend(self, _request: web.Request) -> web.Response:
        self.extensions += 1
        if self.status != 200:
            return web.Response(status=503)
        self.place = replace(self.place, claim_in_ms=(self.place.claim_in_ms or 0) + 60_000, can_extend=False)
        return web.json_response(text=self.place.to_json())

    async def _leave(self, _request: web.Request) -> web.Response:
        self.leaves += 1
        self.place = Place("none", poll_after_ms=50)
        await asyncio.sleep(LEAVING_S)
        return answer(PAGES.left(FACE, nonce=NONCE))


def answer(page: Filled) -> web.Response:
    return web.Response(
        body=page.gzipped(),
        content_type="text/html",
        charset="utf-8",
        headers={
            "Content-Security-Policy": content_security_policy(NONCE),
            "Cache-Control": "private, no-store",
            "Content-Encoding": "gzip",
        },
    )


class Visit:
    """One visitor's tab, the site it looks at, and what the browser complained of."""

    def __init__(self, site: Site, url: str, page: Page) -> None:
        self.site = site
        self.url = url
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    async def looks_elsewhere(self) -> None:
        """As by a click on another tab. A browser that runs without a screen hides none."""
        await self._hidden("true")

    async def looks_again(self) -> None:
        await self._hidden("false")

    async def _hidden(self, value: str) -> None:
        await self.page.evaluate(
            f"Object.defineProperty(document, 'hidden', {{ value: {value}, configurable: true }});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )

    def text(self, text: str) -> Locator:
        """What eyes can read; what a screen reader is told has the role of a status, or of an alert."""
        return self.page.get_by_text(text).and_(self.page.locator(":not([role=status], [role=alert])"))

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


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():
            await asyncio.sleep(0.01)
