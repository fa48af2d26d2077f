"""The dashboard in a real Chromium, on a waitroom that runs: it shows what Redis has, and what is set there holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.axe import violations
from tests.browser import chromium, needs_chromium
from tests.servers import PrivateRedis, eventually
from tests.waitroom.running import Origin, Waitroom
from tests.waitroom.serving import serve
from tests.waitroom.visitors import Come, Visitor
from waitroom import admin_tokens

pytestmark = needs_chromium

READER = admin_tokens.made()
PHONE = {"width": 390, "height": 844}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
def site(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> Waitroom:
    """With room for five, who are waited for as long as a test may take: they only look for their place."""
    site = Waitroom(tmp_path, redis.url, origin.port)
    site.set(title="Halcyon Air", cap=5, claim_s=600)
    return site


class Watched:
    """A page with the dashboard: what it asked for, and what its console was told."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.told: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.told.append(message.text))
        page.on("pageerror", lambda error: self.told.append(str(error)))

    async def figure(self, name: str, text: str) -> None:
        await expect(self.page.locator(f"[data-figure={name}]")).to_have_text(text)


@asynccontextmanager
async def watching(
    browser: Browser, site: Waitroom, token: str | None = None, **context: object
) -> AsyncIterator[Watched]:
    """The dashboard once it is live."""
    async with await browser.new_context(**context) as opened:  # type: ignore[arg-type]  # playwright names them all
        watched = Watched(await opened.new_page())
        await watched.page.goto(f"{site.desk_url}/#token={token or site.token}")
        await expect(watched.page.get_by_role("status").first).to_have_text("Live")
        yield watched


@asynccontextmanager
async def crowd(site: Waitroom, come: Come, size: int) -> AsyncIterator[list[Visitor]]:
    """Visitors who go on asking for their place."""
    visitors = [await come(site) for _ in range(size)]

    async def visit(one: Visitor) -> None:
        await one.get()
        while True:
            await one.place()
            await asyncio.sleep(0.5)

    tasks = [asyncio.create_task(visit(one)) for one in visitors]
    try:
        yield visitors
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def inside(redis: PrivateRedis) -> int:
    return redis.client.zcard("wr:{site}:inside")


def waiting(redis: PrivateRedis) -> int:
    count = redis.client.bitcount("wr:{site}:here") + redis.client.zcard("wr:{site}:late")
    return int(count)


def in_force(redis: PrivateRedis, knob: str) -> str:
    return redis.client.hget("wr:{site}:state", knob).decode()  # type: ignore[union-attr]


async def test_an_operator_sees_what_is_and_turns_a_knob(
    site: Waitroom, redis: PrivateRedis, come: Come, browser: Browser
) -> None:
    """Two workers, a crowd, and the desk beside: nothing on the page is from elsewhere."""
    site.server = {"workers": 2}
    site.set(title="Halcyon Air", cap=5, claim_s=600)
    async with serve(site), crowd(site, come, 17), watching(browser, site) as desk:
        page = desk.page
        await expect(page.get_by_role("heading", level=1, name="Halcyon Air")).to_be_visible()
        await eventually(lambda: (inside(redis), waiting(redis)) == (5, 12))
        await desk.figure("inside", "5")
        await desk.figure("waiting", "12")
        await desk.figure("cap", "5")
        await desk.figure("rate", "600")
        await expect(page.locator("#processes")).to_have_text("2 processes")
        await expect(page.locator("[data-figure=origin-note]")).to_contain_text("1 of 1 up")
        counts = await page.locator("#counts dd").all_inner_texts()
        assert counts[:2] == [redis.client.hget("wr:{site}:state", of).decode() for of in ("joined", "called")]  # type: ignore[union-attr]

        await page.get_by_role("button", name="Change cap").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Visitors inside").fill("8")
        await expect(dialog.locator("#dialog-change")).to_have_text("Cap: 5 inside → 8 inside")
        await dialog.get_by_label("How long").select_option("for an hour")
        await dialog.get_by_label("Why").fill("the origin has room")
        await dialog.get_by_role("button", name="Set 8 inside").click()
        await eventually(lambda: (in_force(redis, "cap"), inside(redis), waiting(redis)) == ("8", 8, 9))
        await desk.figure("cap", "8")
        await desk.figure("inside", "8")
        await desk.figure("waiting", "9")
        override = page.locator("#knobs .override")
        await expect(override).to_contain_text("Set by local@127.0.0.1")
        await expect(override).to_contain_text("“the origin has room” · configured: 5 inside")
        await expect(page.locator("#audit li").first).to_contain_text("set cap: 5 inside → 8 inside, until")

        await page.get_by_role("button", name="Clear the override of cap").click()
        await dialog.get_by_role("button", name="Clear it").click()
        await eventually(lambda: in_force(redis, "cap") == "5")
        await desk.figure("cap", "5")
        await expect(override).to_have_count(0)
        assert {url.removeprefix(site.desk_url)[:1] for url in desk.requests} == {"/"}
        assert not any(site.token in url.partition("#")[0] for url in desk.requests)
        assert desk.told == []


async def test_modes_and_the_message_are_set_from_the_desk(
    site: Waitroom, redis: PrivateRedis, come: Come, browser: Browser
) -> None:
    """What those who wait read is there with their next poll."""
    async with site.serving(), crowd(site, come, 7) as visitors, watching(browser, site) as desk:
        dialog = desk.page.get_by_role("dialog")
        await desk.page.get_by_role("button", name="Hold", exact=True).click()
        await dialog.get_by_role("button", name="Set Hold").click()
        await eventually(lambda: in_force(redis, "mode") == "hold")
        await expect(desk.page.get_by_role("button", name="Hold", exact=True)).to_have_attribute("aria-pressed", "true")
        await desk.figure("rate-note", "paused: nobody is called")
        await desk.page.get_by_role("button", name="Change message").click()
        await dialog.get_by_label("Those who wait read").fill("We are back at 9.")
        await dialog.get_by_role("button", name="Show this message").click()
        async with asyncio.timeout(60):
            while "We are back at 9." not in [(await one.place()).get("message") for one in visitors]:
                await asyncio.sleep(0.1)
        await desk.page.get_by_role("button", name="Clear all overrides").click()
        await dialog.get_by_role("button", name="Clear all 2").click()
        await eventually(lambda: in_force(redis, "mode") == "auto")


async def test_what_is_refused_is_told_where_it_was_asked(
    site: Waitroom, redis: PrivateRedis, browser: Browser
) -> None:
    async with site.serving(), watching(browser, site) as desk:
        dialog = desk.page.get_by_role("dialog")
        await desk.page.get_by_role("button", name="Change session").click()
        await dialog.get_by_label("Seconds").fill("5")
        await dialog.get_by_role("button", name="Set 5 s").click()
        await expect(dialog.get_by_role("alert")).to_contain_text("session_s")
        await desk.page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        assert (await site.ask("rooms/site"))["overrides"] == []


async def test_the_line_is_begun_anew_only_by_who_types_its_name(
    site: Waitroom, redis: PrivateRedis, come: Come, browser: Browser
) -> None:
    async with site.serving(), crowd(site, come, 7), watching(browser, site) as desk:
        await desk.figure("waiting", "2")
        epoch = int(in_force(redis, "epoch"))
        await desk.page.get_by_text("Single places, and a new line").click()
        await desk.page.get_by_role("button", name="Begin the line anew").click()
        dialog = desk.page.get_by_role("dialog")
        await expect(dialog).to_contain_text("2 wait in it, 5 are inside")
        void = dialog.get_by_role("button", name="Void all places")
        await expect(void).to_be_disabled()
        await dialog.get_by_label("Type site to go on").fill("site")
        await void.click()
        await eventually(lambda: int(in_force(redis, "epoch")) == epoch + 1)


async def test_a_reader_looks_and_has_nothing_to_turn(site: Waitroom, browser: Browser) -> None:
    digest = admin_tokens.digest(READER).hex()
    site.config.write_text(
        site.config.read_text() + f'[[admin.tokens]]\nname = "rita"\nrole = "reader"\nsha256 = "{digest}"\n'
    )
    async with site.serving(), watching(browser, site, READER) as desk:
        await desk.figure("cap", "5")
        await expect(desk.page.get_by_role("button", name="Change")).to_have_count(0)
        for mode in await desk.page.locator("#modes button").all():
            await expect(mode).to_be_disabled()
        await expect(desk.page.locator("#holder")).to_have_text("rita, who may only look")


async def test_who_has_no_good_token_stays_outside_and_who_has_one_keeps_it(site: Waitroom, browser: Browser) -> None:
    async with site.serving(), await browser.new_context() as context:
        page = await context.new_page()
        await page.goto(site.desk_url)
        await page.get_by_label("Token").fill("wrong")
        await page.get_by_role("button", name="Open the desk").click()
        await expect(page.get_by_role("alert").first).to_contain_text("This token is not known")
        assert await violations(page) == []
        await page.get_by_label("Token").fill(site.token)
        await page.get_by_role("button", name="Open the desk").click()
        await expect(page.get_by_role("heading", level=1, name="Halcyon Air")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("heading", level=1, name="Halcyon Air")).to_be_visible()
        assert site.token not in page.url
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_label("Token")).to_be_visible()
        assert await page.evaluate("sessionStorage.length") == 0


async def test_the_desk_says_that_it_is_not_live_and_comes_back_by_itself(site: Waitroom, browser: Browser) -> None:
    async with AsyncExitStack() as stack:
        async with site.serving():
            desk = await stack.enter_async_context(watching(browser, site))
            await desk.figure("cap", "5")
        status = desk.page.get_by_role("status").first
        await expect(status).to_contain_text("Not live since")
        site.set(title="Halcyon Air", cap=6)
        async with site.serving():
            await expect(status).to_have_text("Live")
            await desk.figure("cap", "6")


async def test_lost_redis_and_a_refused_file_are_told_on_top(
    tmp_path: Path, own_redis: PrivateRedis, origin: Origin, browser: Browser
) -> None:
    site = Waitroom(tmp_path / "w", own_redis.url, origin.port)
    site.set()
    async with site.serving(), watching(browser, site) as desk:
        alerts = desk.page.locator("#alerts")
        site.config.write_text(site.config.read_text() + "cap = 0\n")
        await expect(alerts).to_contain_text("The new configuration is refused, the old one is in force. rooms[1].cap")
        own_redis.kill()
        await expect(alerts).to_contain_text("Redis is lost for site")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1440, "height": 900}, PHONE], ids=["desktop", "phone"])
async def test_everybody_can_use_it(
    site: Waitroom, come: Come, browser: Browser, scheme: str, size: dict[str, int]
) -> None:
    """On a phone and on a desk, by day and by night, by mouse, keyboard or voice: nothing that axe finds, nothing to be
    scrolled sideways."""
    origin = f"http://127.0.0.1:{site.origin_port}"
    flights = {"name": "flights", "paths": ["/flights/{key}/*"], "origins": [origin]}
    site.set_rooms(flights, {"title": "Halcyon Air", "cap": 5})
    async with (
        site.serving(),
        crowd(site, come, 7),
        watching(browser, site, color_scheme=scheme, viewport=size) as desk,
    ):
        page = desk.page
        await page.get_by_role("link", name="Halcyon Air").click()
        await site.ask("rooms/site/knobs", {"set": {"rate_per_minute": 1200}, "why": "the sale is on"})
        await expect(page.locator("#knobs .override")).to_be_visible()
        await expect(page.locator("#charts canvas")).to_have_count(6)
        assert await violations(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") == size["width"]
        rate = page.get_by_role("button", name="Change rate")
        await rate.focus()
        await page.keyboard.press("Enter")
        assert await violations(page) == []
        await page.keyboard.press("Escape")
        await expect(rate).to_be_focused()
        await page.get_by_role("link", name="flights").click()
        await expect(page.get_by_text("Nobody has come yet.")).to_be_visible()
        await (await come(site)).get("/flights/ha204/seats")
        await expect(page.locator("#lines tr")).to_contain_text(["ha204Auto100"])
        assert await violations(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") == size["width"]
        assert desk.told == []


async def test_the_files_are_public_strict_and_empty_of_secrets(site: Waitroom, browser: Browser) -> None:
    """Without a token the page is there, and knows nothing; nothing inline runs in it, and nobody may frame it."""
    async with site.serving(), await browser.new_context() as context:
        page = await context.new_page()
        answer = await page.goto(site.desk_url)
        assert answer
        fields = await answer.all_headers()
        assert "default-src 'none'" in fields["content-security-policy"]
        assert "unsafe" not in fields["content-security-policy"]
        assert (fields["x-frame-options"], fields["x-content-type-options"]) == ("DENY", "nosniff")
        assert "access-control-allow-origin" not in fields
        for path in ("/../pyproject.toml", "/%2e%2e/api.py", "/vendor/", "/vendor/README.md", "/static/main.js"):
            assert (await context.request.get(site.desk_url + path)).status == 404
