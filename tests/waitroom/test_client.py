"""The reference client of docs/place-api.md: in a real Chromium, from another origin, before a running waitroom."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, Request

from tests.browser import needs_chromium
from tests.servers import PATIENCE_S, PrivateRedis
from tests.waitroom.running import APP, PAGE, Waitroom, origin, visitor

CLIENT = Path(__file__).parents[2] / "docs/examples/waitroom-client.js"
BEGIN = """async (url) => {
  const { admitted } = await import("/waitroom-client.js");
  const leaving = new AbortController();
  const fetched = window.fetch;
  window.fetch = (...request) => (asked_ms.push(Date.now()), fetched(...request));
  Object.assign(window, { places: [], asked_ms: [], leave: () => leaving.abort(new Error("enough")) });
  window.ended = admitted(url, { onPlace: (place) => places.push(place), signal: leaving.signal }).then(
    async (response) => ({ status: response.status, body: await response.text() }),
    (error) => ({ name: error.name, code: error.code, message: error.message }),
  );
}"""
MAKE_CODE = """async (url) => {
  const fields = { Accept: "application/json" };
  const response = await fetch(url, { method: "POST", headers: fields, credentials: "include" });
  return response.json();
}"""

pytestmark = [
    needs_chromium,
    pytest.mark.asyncio(loop_scope="module"),
]


@dataclass
class App:
    """An app's page, whose clock the test holds, and what it has asked of the waitroom; `somebody` is inside before it
    comes."""

    page: Page
    waitroom: Waitroom
    somebody: aiohttp.ClientSession
    asked: list[str] = field(default_factory=list)

    def note(self, request: Request) -> None:
        if request.url.startswith(self.waitroom.url):
            self.asked.append(request.url.removeprefix(self.waitroom.url))

    async def begin(self, target: str = "/sale") -> None:
        await self.page.evaluate(BEGIN, f"{self.waitroom.url}{target}")

    async def pauses_ms(self) -> list[int]:
        """How long it waited before each request but the first, by the page's clock."""
        asked_ms: list[int] = await self.page.evaluate("asked_ms")
        return [after - before for before, after in pairwise(asked_ms)]

    async def places(self, count: int) -> list[dict[str, Any]]:
        """What it was told of its place, once it was told so often."""
        await self.page.wait_for_function("(count) => places.length >= count", arg=count)
        told: list[dict[str, Any]] = await self.page.evaluate("places")
        return told

    async def hold_the_clock(self) -> None:
        await self.page.clock.pause_at(await self.page.evaluate("Date.now() + 1000"))

    async def pass_ms(self, milliseconds: int) -> None:
        await self.page.clock.run_for(milliseconds)

    async def until_polls(self, count: int) -> None:
        await self.until_asked(count + 1)

    async def until_asked(self, count: int) -> None:
        """Time passes for the page until it has asked so often. What it was answered may not have reached it yet."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.asked) < count:
                await self.pass_ms(100)

    async def ended(self) -> dict[str, Any]:
        """How the wait ends, while time goes on for the page."""
        await self.page.clock.resume()
        told: dict[str, Any] = await self.page.evaluate("ended")
        return told

    async def on_polls(self, handle: Any) -> None:
        await self.page.route("**/.waitroom/rooms/site/place", handle)

    async def free_a_place(self) -> None:
        async with self.somebody.post(f"{self.waitroom.url}/.waitroom/rooms/site/leave"):
            pass


@asynccontextmanager
async def opened(browser: Browser, folder: Path, redis: PrivateRedis, **room: Any) -> AsyncIterator[App]:
    """The app of another origin on the same host, so that cookies are sent along (SameSite=Lax)."""
    files = web.Application()
    files.router.add_get("/", _blank)
    files.router.add_static("/", CLIENT.parent)
    async with TestServer(files) as server, origin() as site, visitor() as somebody:
        app = f"http://127.0.0.1:{server.port}"
        site.says["/sale"] = {"Access-Control-Allow-Origin": app, "Access-Control-Allow-Credentials": "true"}
        waitroom = Waitroom(folder, redis.url, site.port)
        waitroom.set(**({"cap": 1, "cors_origins": [app]} | room))
        context = await browser.new_context()
        async with waitroom.serving():
            async with somebody.get(waitroom.url, headers=PAGE):
                pass
            page = await context.new_page()
            await page.clock.install()
            await page.goto(f"{app}/")
            told = App(page, waitroom, somebody)
            page.on("request", told.note)
            yield told
            await context.close()


async def _blank(_: web.Request) -> web.Response:
    return web.Response(text="<!doctype html>", content_type="text/html")


async def test_an_app_joins_waits_and_goes_in(browser: Browser, tmp_path: Path, redis: PrivateRedis) -> None:
    async with opened(browser, tmp_path, redis) as app:
        await app.begin()
        assert [place["position"] for place in await app.places(1)] == [1]
        await app.free_a_place()
        ended = await app.ended()
        assert ended["status"] == 200
        assert '"path": "/sale"' in ended["body"]
        places = await app.page.evaluate("places")
        assert {place["state"] for place in places[:-1]} == {"waiting"}
        assert places[-1]["state"] == "called"
        assert app.asked == ["/sale", *["/.waitroom/rooms/site/place"] * (len(places) - 1), "/sale"]


async def test_who_need_not_wait_is_in_at_once(browser: Browser, tmp_path: Path, redis: PrivateRedis) -> None:
    async with opened(browser, tmp_path, redis, cap=2) as app:
        await app.begin()
        assert (await app.ended())["status"] == 200
        assert app.asked == ["/sale"]
        assert await app.page.evaluate("places") == []


async def test_it_asks_when_it_is_told_to_and_not_before(browser: Browser, tmp_path: Path, redis: PrivateRedis) -> None:
    async with opened(browser, tmp_path, redis) as app:
        await app.hold_the_clock()
        await app.begin()
        for polls in (1, 2):
            await app.places(polls)
            await app.until_polls(polls)
        told = [place["poll_after_ms"] for place in await app.places(2)]
        assert all(pause >= after for pause, after in zip(await app.pauses_ms(), told, strict=False))
        assert await app.pauses_ms() != []


async def test_a_lost_network_is_outlasted(browser: Browser, tmp_path: Path, redis: PrivateRedis) -> None:
    """Each try comes later than the one before."""
    async with opened(browser, tmp_path, redis) as app:
        await app.hold_the_clock()
        await app.begin()
        await app.places(1)
        await app.on_polls(lambda route: route.abort("internetdisconnected"))
        await app.until_polls(5)
        pauses_ms = (await app.pauses_ms())[1:]
        assert all(pause_ms >= 500 * 2**failures for failures, pause_ms in enumerate(pauses_ms))
        assert len(pauses_ms) >= 4
        await app.page.unroute_all()
        await app.free_a_place()
        assert (await app.ended())["status"] == 200


async def test_who_is_told_when_to_come_back_comes_then(browser: Browser, tmp_path: Path, redis: PrivateRedis) -> None:
    """As where all the lines are in use that a room may have: Retry-After is 30 then."""
    async with opened(browser, tmp_path, redis, paths=["/flights/{key}/*"], max_lines=1) as app:
        async with app.somebody.get(f"{app.waitroom.url}/flights/one/", headers=PAGE):
            pass
        await app.hold_the_clock()
        await app.begin("/flights/other/")
        await app.until_asked(2)
        assert (await app.pauses_ms())[0] >= 30_000


@pytest.mark.parametrize(
    ("room", "code"),
    [({"mode": "closed"}, "room_closed"), ({"identity": {"cookie": "id", "required": True}}, "no_identity")],
)
async def test_where_waiting_does_not_help_it_says_so(
    browser: Browser, tmp_path: Path, redis: PrivateRedis, room: dict[str, Any], code: str
) -> None:
    async with opened(browser, tmp_path, redis, **room) as app:
        await app.begin()
        ended = await app.ended()
        assert (ended["name"], ended["code"]) == ("NoPlaceError", code)
        assert app.asked == ["/sale"]


async def test_a_place_that_is_gone_is_not_taken_anew(browser: Browser, tmp_path: Path, redis: PrivateRedis) -> None:
    """As where the browser keeps no cookies: it would join again and again."""
    async with opened(browser, tmp_path, redis) as app:
        await app.begin()
        await app.places(1)
        await app.page.context.clear_cookies()
        assert (await app.ended())["code"] == "none"
        assert app.asked == ["/sale", "/.waitroom/rooms/site/place"]


async def test_a_place_that_was_moved_to_another_app_is_waited_for_no_more(
    browser: Browser, tmp_path: Path, redis: PrivateRedis
) -> None:
    """Nor is another one taken."""
    async with opened(browser, tmp_path, redis) as app, visitor() as other:
        await app.begin()
        await app.places(1)
        receipt = f"{app.waitroom.url}/.waitroom/rooms/site/receipt"
        url = (await app.page.evaluate(MAKE_CODE, receipt))["url"]
        async with other.post(url, headers=APP) as response:
            assert response.status == 200
        assert (await app.ended())["code"] == "moved"
        await app.begin()
        assert (await app.ended())["code"] == "moved"


async def test_who_has_enough_leaves_at_once(browser: Browser, tmp_path: Path, redis: PrivateRedis) -> None:
    async with opened(browser, tmp_path, redis) as app:
        await app.begin()
        await app.places(1)
        await app.page.evaluate("leave()")
        assert (await app.page.evaluate("ended"))["message"] == "enough"
