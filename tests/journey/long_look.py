"""What becomes of a page that somebody looks at for long: the network is lost, the tab sleeps, Redis is lost with all
it knew, and the proxy is started anew. The place is kept through all of it, and the page goes on by itself."""

import asyncio
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from playwright.async_api import Browser, Page, Request, expect

from tests.servers import PrivateRedis
from tests.waitroom.proxy.process import serving
from tests.waitroom.running import Waitroom, origin, payload_of

PRESENCE_S = 10


@dataclass(frozen=True, slots=True)
class Spans:
    """For how long, in seconds, the network is away, the tab stands still, and Redis is away."""

    offline_s: float
    frozen_s: float
    without_redis_s: float


@dataclass
class Look:
    """What was seen: the number by which the visitor stood in line at each step, when the page asked for its place, and
    what it loaded."""

    numbers: dict[str, int] = field(default_factory=dict)
    polls: list[float] = field(default_factory=list)
    polls_while_frozen: int = 0
    loads: list[str] = field(default_factory=list)

    def note(self, request: Request) -> None:
        if request.is_navigation_request():
            self.loads.append(request.url)
        elif "/place" in request.url:
            self.polls.append(monotonic())

    @property
    def shortest_gap_s(self) -> float:
        """Between two polls."""
        return min(after - before for before, after in zip(self.polls, self.polls[1:], strict=False))


async def long_look(browser: Browser, folder: Path, redis: PrivateRedis, spans: Spans) -> Look:
    """Holds a line, lets all of it happen to its one visitor, and then lets the line move until the visitor is in."""
    look = Look()
    room = {"cap": 1, "presence_s": PRESENCE_S}
    async with origin() as told:
        waitroom = Waitroom(folder, redis.url, told.port)
        waitroom.set(**room, mode="hold")
        page = await browser.new_page()
        page.on("request", look.note)
        async with serving(waitroom):
            await page.goto(f"{waitroom.url}/flights")
            await _stands(page, look, "arrived")
            await _lose_the_network(page, spans.offline_s)
            await _stands(page, look, "was offline")
            look.polls_while_frozen = await _freeze(browser, look, spans.frozen_s)
            await _stands(page, look, "was frozen")
            await _lose_redis(page, redis, spans.without_redis_s)
            await _stands(page, look, "Redis was lost")
        await expect(page.locator("#lost")).to_be_visible()
        async with serving(waitroom):
            await expect(page.locator("#lost")).to_be_hidden()
            await _stands(page, look, "proxy was restarted")
            waitroom.set(**room, mode="auto")
            await expect(page.get_by_text('"path"')).to_be_visible()
            await page.wait_for_load_state("networkidle")
            look.numbers["inside"] = await _number(page)
        await page.close()
    return look


async def _stands(page: Page, look: Look, step: str) -> None:
    """Sees the page tell the first position, and the line paused by its operator and nothing else."""
    await expect(page.locator("#position")).to_have_text("1")
    await expect(page.locator("#hold")).to_be_visible()
    for trouble in ("offline", "lost", "store_lost"):
        await expect(page.locator(f"#{trouble}")).to_be_hidden()
    look.numbers[step] = await _number(page)


async def _number(page: Page) -> int:
    ticket = next(cookie["value"] for cookie in await page.context.cookies() if cookie["name"] == "wr-site")
    return int(payload_of(ticket)[2])


async def _lose_the_network(page: Page, for_s: float) -> None:
    await page.context.set_offline(True)
    await expect(page.locator("#offline")).to_be_visible()
    await asyncio.sleep(for_s)
    await page.context.set_offline(False)


async def _freeze(browser: Browser, look: Look, for_s: float) -> int:
    """Stops the processes that run pages, as a machine that sleeps does; gives how often the page asked meanwhile."""
    devtools = await browser.new_browser_cdp_session()
    found = (await devtools.send("SystemInfo.getProcessInfo"))["processInfo"]
    await devtools.detach()
    renderers = [process["id"] for process in found if process["type"] == "renderer"]
    for renderer in renderers:
        os.kill(renderer, signal.SIGSTOP)
    before = len(look.polls)
    await asyncio.sleep(for_s)
    while_frozen = len(look.polls) - before
    for renderer in renderers:
        os.kill(renderer, signal.SIGCONT)
    return while_frozen


async def _lose_redis(page: Page, redis: PrivateRedis, for_s: float) -> None:
    redis.kill()
    await expect(page.locator("#store_lost")).to_be_visible()
    await asyncio.sleep(for_s)
    redis.start()
