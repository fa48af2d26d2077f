"""The waiting page lives: in a real Chromium, under its own policy, in front of a site whose line the test scripts."""

import json
import re
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, time
from typing import Any

import pytest
import pytest_asyncio
from click.testing import CliRunner
from markupsafe import escape
from playwright.async_api import Browser, Locator, Page, expect

import waitroom
from tests.axe import violations
from tests.browser import needs_chromium
from tests.servers import PrivateRedis
from tests.waitroom.running import PAGE, TIMEOUT_MS, Waitroom, origin, payload_of, visitor
from tests.waitroom.waiting_site import DRAWN, EARLY, LANGUAGES, PLACE, SEALED, SOON_S, Visit, until, visit
from waitroom import words
from waitroom.cli import main
from waitroom.line import REDIS_CLOCK
from waitroom.place import Place
from waitroom.store import Store

pytestmark = [
    needs_chromium,
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(loop_scope="module")
async def waiting(browser: Browser) -> AsyncIterator[Visit]:
    """A visitor who waits; the browser must have had nothing to complain of in the end."""
    async with visit(browser) as visitor:
        await visitor.page.goto(visitor.url)
        await visitor.shows("1,204")
        yield visitor
        lost = "Failed to load resource"  # what the tests of a lost connection cause
        assert [text for text in visitor.complaints if lost not in text] == []


@pytest_asyncio.fixture(loop_scope="module")
async def early(browser: Browser) -> AsyncIterator[Visit]:
    """A visitor who came an hour before the opening."""
    async with visit(browser, timezone_id="Asia/Tokyo") as visitor:
        visitor.site.opens_in(3600)
        await visitor.page.goto(visitor.url)
        await visitor.shows("You\N{RIGHT SINGLE QUOTATION MARK}re early")
        yield visitor
        assert visitor.complaints == []


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
    page, before = waiting.page, len(waiting.site.polls)
    await page.evaluate(
        "() => { const ask = fetch; window.asked = [];"
        " window.fetch = (...what) => (asked.push(performance.now()), ask(...what)); }"
    )
    waiting.site.place = replace(waiting.site.place, position=690)
    await page.evaluate("for (let i = 0; i < 50; i++) document.dispatchEvent(new Event('visibilitychange'))")
    await waiting.shows("690")  # the answer is there: what comes while one is awaited asks nothing more
    await page.evaluate("for (let i = 0; i < 50; i++) dispatchEvent(new Event('online'))")
    await until(lambda: len(waiting.site.polls) > before + 1)
    one, another = await page.evaluate("asked")
    assert another - one > 900


async def waits_long(visitor: Visit) -> None:
    """The page has been told to ask again only after a minute."""
    visitor.site.place = replace(PLACE, position=700, poll_after_ms=60_000)
    await visitor.shows("700")


# Before the opening


def countdown(visitor: Visit) -> Locator:
    return visitor.page.get_by_role("timer")


async def noted(page: Page, count: int) -> list[str]:
    """What was noted, as soon as there is so much of it."""
    await page.wait_for_function("(count) => noted.length >= count", arg=count, timeout=SOON_S * 1000)
    texts: list[str] = await page.evaluate("noted")
    return texts


async def note_changes(page: Page, name: str) -> None:
    """Lets the page keep each text that an element has from now on, as `noted`."""
    await page.evaluate(
        """(name) => {
          const element = document.getElementById(name);
          window.noted = [];
          new MutationObserver(() => noted.push(element.textContent)).observe(element, { childList: true });
        }""",
        name,
    )


async def test_the_time_runs_down_without_being_asked_for(early: Visit) -> None:
    early.site.opens_in(3000, replace(EARLY, poll_after_ms=3_600_000))
    await expect(countdown(early)).to_have_text(re.compile("^4[0-9]:"))
    polls = len(early.site.polls)
    await note_changes(early.page, "countdown")
    shown = await noted(early.page, 3)
    assert shown == sorted(set(shown), reverse=True)
    assert len(early.site.polls) == polls


async def test_countdown_never_goes_back_however_late_the_answers_are(early: Visit) -> None:
    early.site.slowest_s = 0.5
    early.site.opens_in(3000)
    await expect(countdown(early)).to_have_text(re.compile("^4[0-9]:"))
    await note_changes(early.page, "countdown")
    polls = len(early.site.polls)
    shown = await noted(early.page, 5)
    assert len(early.site.polls) > polls + 3
    assert shown == sorted(set(shown), reverse=True)


async def test_countdown_follows_an_opening_that_is_moved(early: Visit) -> None:
    moved = replace(EARLY, opens_ms=EARLY.opens_ms + 2 * 3_600_000)
    early.site.opens_in(3 * 3600, moved)
    await expect(countdown(early)).to_have_text(re.compile("^2:59:"))
    await early.shows("Monday, October 12 at 7:00\N{NARROW NO-BREAK SPACE}PM GMT+9")
    early.site.opens_in(1200)
    await expect(countdown(early)).to_have_text(re.compile("^19:"))


async def test_opening_is_told_in_the_time_of_the_visitor(early: Visit) -> None:
    await early.shows("Monday, October 12 at 5:00\N{NARROW NO-BREAK SPACE}PM GMT+9")
    await expect(early.page).to_have_title("Opens Mon 5:00\N{NARROW NO-BREAK SPACE}PM · Summer sale")


async def test_who_is_early_sees_how_many_have_come_and_no_position(early: Visit) -> None:
    early.site.place = replace(EARLY, waiting=6000)
    await early.shows("6,000")
    await expect(early.page.locator("#position")).to_be_hidden()
    await early.hides("Estimated wait")
    await expect(early.page.get_by_role("progressbar")).to_be_hidden()


async def test_screen_reader_is_told_the_time_now_and_then_only(early: Visit) -> None:
    spoken = early.page.get_by_role("status")
    await note_changes(early.page, "spoken")
    early.site.opens_in(110)
    await expect(spoken).to_have_text("This opens in less than 2 minutes")
    early.site.opens_in(58)
    await expect(spoken).to_have_text("This opens in less than a minute")
    before = await countdown(early).text_content()
    await expect(countdown(early)).not_to_have_text(before or "")
    minutes = ["This opens in less than 2 minutes", "This opens in less than a minute"]
    assert await early.page.evaluate("noted") == minutes


async def test_at_the_opening_the_page_becomes_the_waiting_page_and_leads_in(early: Visit) -> None:
    early.site.opens_in(1.5)
    await early.shows("It is opening now.")
    await early.hides("This opens in")
    early.site.place = replace(PLACE, draw=DRAWN)
    await early.shows("You are in line")
    await early.shows("1,204")
    await early.shows("People waiting")
    await expect(early.page.get_by_role("progressbar")).to_be_visible()
    for gone in ("re early", "It is opening now.", "Places are drawn at random", "here already"):
        await early.hides(gone)
    assert len(early.site.loads) == 1
    early.site.inside = True
    early.site.place = Place("called", poll_after_ms=1000)
    await early.shows("inside!")


async def test_line_that_gets_an_opening_while_one_waits_shows_it(waiting: Visit) -> None:
    waiting.site.opens_in(3600)
    await waiting.shows("re early")
    assert len(waiting.site.loads) == 2


async def test_lost_connection_does_not_stop_the_countdown(early: Visit) -> None:
    early.site.status = 502
    await early.shows("The connection was lost. Your place is kept")
    before = await countdown(early).text_content()
    await expect(countdown(early)).not_to_have_text(before or "")
    early.site.status = 200
    await early.hides("The connection was lost.")
    early.complaints.clear()  # of the answers that were no 200


async def test_draw_can_be_checked_with_what_the_page_shows(early: Visit) -> None:
    """Commitment and arrival before the opening; afterwards the same, the seed, and a command that agrees."""
    page = early.page
    sealed = page.get_by_role("definition").filter(has_text=SEALED.commitment)
    await expect(sealed).to_be_hidden()
    await page.get_by_text("How can I check the draw?").click()
    await expect(sealed).to_be_visible()
    await early.hides("waitroom verify-draw")
    early.site.place = replace(PLACE, draw=DRAWN)
    command = page.locator("code")
    await expect(command).to_be_visible()
    checked = CliRunner().invoke(main, shlex.split(await command.inner_text())[1:])
    assert checked.exit_code == 0
    assert checked.output.splitlines()[-1] == f"Arrival 17 of the draw of 1,000,000 has place {DRAWN.place:,}"
    await expect(page.locator("#draw dl")).to_contain_text(f"counted from 1 {DRAWN.place:,}")


async def test_command_stays_selected_while_the_page_asks_on(early: Visit) -> None:
    early.site.place = replace(PLACE, draw=DRAWN)
    await early.page.get_by_text("How can I check the draw?").click()
    await early.page.locator("code").click()
    polls = len(early.site.polls)
    await until(lambda: len(early.site.polls) > polls + 3)
    selected = await early.page.evaluate("getSelection().toString()")
    assert selected.strip() == await early.page.locator("code").inner_text()


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
    """By the times that the page sets itself, but for that which it gives an answer: when they are over is a matter of
    the machine."""
    await waiting.page.evaluate(
        "() => { const later = setTimeout; window.paused = [];"
        " const isBeat = (ms) => ms === 5_000;"
        " window.setTimeout = (work, ms, ...given) => {"
        "   if (ms < 10_000 && !isBeat(ms)) paused.push(ms); return later(work, ms, ...given); } }"
    )
    waiting.site.place = replace(PLACE, position=900, poll_after_ms=1000)
    await waiting.shows("900")
    waiting.site.status = 503
    await waiting.page.wait_for_function("() => paused.length > paused.lastIndexOf(1000) + 2", timeout=SOON_S * 1000)
    paused = await waiting.page.evaluate("() => paused.slice(paused.lastIndexOf(1000))")
    assert paused[0] == 1000
    assert 750 <= paused[1] <= 1250
    assert 1500 <= paused[2] <= 2500


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
    await until(lambda: len(waiting.site.loads) >= 2)
    waiting.site.place = replace(PLACE, position=5000)
    await waiting.shows("5,000")


async def test_page_does_not_reload_in_a_loop(waiting: Visit) -> None:
    """Where loading leads back to the waiting page time after time, each further try waits twice as long."""
    waiting.site.place = Place("called", poll_after_ms=10)
    await until(lambda: len(waiting.site.loads) >= 4)
    waiting.site.place = replace(PLACE, position=77)
    await waiting.shows("77")
    _, first, second, third = waiting.site.loads[:4]
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
        await expect(visitor.page.get_by_role("link", name="Go in")).to_have_js_property("href", visitor.url)
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


async def test_early_page_without_javascript_says_it_all_and_leads_on(browser: Browser) -> None:
    """It is looked at while it does not refresh itself, which would close what was opened."""
    async with visit(browser, java_script_enabled=False) as visitor:
        visitor.site.refresh_s = 3600
        visitor.site.now_s = float  # it stands still
        visitor.site.opens_in(7205)
        await visitor.page.goto(visitor.url)
        await visitor.shows("re early")
        await visitor.shows("2:00:0")
        await visitor.shows("Monday, October 12, 2026, 8:00\N{NARROW NO-BREAK SPACE}AM UTC")
        await visitor.page.get_by_text("How can I check the draw?").click()
        await expect(visitor.page.get_by_role("definition").filter(has_text=SEALED.commitment)).to_be_visible()
        visitor.site.refresh_s = 1
        await visitor.page.reload()
        visitor.site.refresh_s = 3600
        visitor.site.place = replace(PLACE, draw=DRAWN)
        await visitor.shows("You are in line")
        await visitor.page.get_by_text("How can I check the draw?").click()
        await visitor.shows("waitroom verify-draw")
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


@pytest.mark.parametrize(
    "wish",
    [{"contrast": "more"}, {"forced_colors": "active"}, {"reduced_motion": "reduce"}],
    ids=lambda wish: next(iter(wish)),
)
async def test_page_honours_how_a_visitor_wants_to_see(browser: Browser, wish: dict[str, Any]) -> None:
    async with visit(browser, **wish) as visitor:
        visitor.site.place = replace(PLACE, position=903)
        await visitor.page.goto(visitor.url)
        await visitor.shows("903")
        assert await violations(visitor.page) == []
        styled = await visitor.page.evaluate(
            """() => {
              const bar = document.querySelector('progress');
              const quiet = getComputedStyle(document.querySelector('.position')).color;
              return {
                contrast: quiet === getComputedStyle(document.body).color,
                forced_colors: getComputedStyle(bar).borderTopWidth === '1px',
                reduced_motion: getComputedStyle(bar, '::-webkit-progress-value').transitionDuration === '0s',
              };
            }"""
        )
        assert styled[next(iter(wish))]


async def test_place_is_kept_until_a_moment_in_the_time_of_the_visitor(browser: Browser) -> None:
    """At once, and as later answers say."""
    async with visit(browser, timezone_id="Asia/Tokyo") as visitor:
        kept = replace(PLACE, kept_until_ms=EARLY.opens_ms, poll_after_ms=60_000)
        visitor.site.place = kept
        visitor.site.status = 503
        await visitor.page.goto(visitor.url)
        time = visitor.page.locator("p:not([hidden]) > time")
        await expect(time).to_have_text("Monday, October 12 at 5:00\N{NARROW NO-BREAK SPACE}PM")
        visitor.site.status = 200
        visitor.site.place = replace(kept, kept_until_ms=EARLY.opens_ms + 3_600_000)
        await expect(time).to_have_text("Monday, October 12 at 6:00\N{NARROW NO-BREAK SPACE}PM")


async def test_line_is_left_by_the_keyboard_alone(waiting: Visit) -> None:
    await waiting.page.get_by_text("Leave the line", exact=True).focus()
    await waiting.page.keyboard.press("Enter")
    await waiting.page.keyboard.press("Tab")
    await expect(waiting.page.get_by_role("button", name="Yes, leave the line")).to_be_focused()
    await waiting.page.keyboard.press("Enter")
    await waiting.shows("You have left the line")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_draw_fits_a_narrow_screen(browser: Browser, scheme: Any) -> None:
    async with visit(browser, viewport={"width": 320, "height": 640}, color_scheme=scheme) as visitor:
        visitor.site.opens_in(364.99 * 86_400)
        await visitor.page.goto(visitor.url)
        await visitor.shows("364 days 23 h")
        await visitor.page.get_by_text("How can I check the draw?").click()
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") == 320
        visitor.site.place = replace(PLACE, draw=DRAWN)
        await visitor.shows("waitroom verify-draw")
        assert await visitor.page.evaluate("document.documentElement.scrollWidth") == 320


async def test_first_view_is_one_request(browser: Browser) -> None:
    async with visit(browser) as visitor:
        asked: list[str] = []
        visitor.page.on("request", lambda request: asked.append(request.url))
        response = await visitor.page.goto(visitor.url)
        await until(lambda: len(visitor.site.polls) > 0)
        assert response
        asked_of_site = [url for url in asked if not url.startswith("blob:")]
        assert {url.rsplit("/", 1)[1] for url in asked_of_site} == {"flights?day=1", "place"}
        assert (await response.all_headers())["content-encoding"] == "gzip"
        assert (await response.request.sizes())["responseBodySize"] <= 14 * 1024


@pytest.mark.parametrize("code", LANGUAGES.codes)
async def test_browser_and_server_say_the_same_times(browser: Browser, code: str) -> None:
    language = LANGUAGES.of(code)
    script = (Path(waitroom.__file__).parent / "templates" / "words.js").read_text()
    edges_s = [0, 1, 59, 60, 61, 119, 120, 121, 1799, 1800, 1801, 3599, 3600, 5400, 7199, 7200, 7201, 9000, 90_000]
    ranges = [None, *((low, high) for low in edges_s for high in edges_s if low <= high)]
    page = await browser.new_page()
    main = f"<main data-tag='{language.tag}' data-words='{escape(json.dumps(words.spoken(language)))}'></main>"
    await page.set_content(main)
    said = await page.evaluate(f"(ranges) => {{ {script}; return ranges.map(waitInWords); }}", ranges)
    left_ms = [-1, 0, 1, 999, 1000, 59_001, 754_000, 3_599_001, 7_384_000, 86_399_001, 172_799_000, 200_000_000]
    counted = await page.evaluate(f"(left) => {{ {script}; return left.map(countdownInWords); }}", left_ms)
    await page.close()
    assert said == [words.wait(language, wait_s) for wait_s in ranges]
    assert counted == [words.countdown(language, left) for left in left_ms]


# Before a whole waitroom


@asynccontextmanager
async def whole_waitroom(folder: Path, redis: PrivateRedis, **room: Any) -> AsyncIterator[Waitroom]:
    """All of it, in the event loop of these tests."""
    async with origin() as told:
        waitroom = Waitroom(folder, redis.url, told.port)
        waitroom.set(**room)
        async with waitroom.serving():
            yield waitroom


async def lose(redis: PrivateRedis, page: Page, how: str) -> None:
    """Takes the place away, as the operator's commands do."""
    ticket = next(cookie["value"] for cookie in await page.context.cookies() if cookie["name"] == "wr-site")
    number = int(payload_of(ticket)[2])
    store = Store(redis.url, TIMEOUT_MS)
    match how:
        case "revoke":
            await store.run("revoke", "site", [int(time() + 3600) * 1000, number])
        case "reset":
            await store.run("reset", "site", [REDIS_CLOCK, 2])
    await store.close()


async def test_early_visitor_waits_for_the_opening_and_goes_in(
    browser: Browser, tmp_path: Path, redis: PrivateRedis
) -> None:
    """The opening comes sooner than planned; the line is held, so that there is time to look; then it moves."""
    room = {"cap": 1, "presence_s": 5, "draw": "sale"}
    later = datetime.now(UTC) + timedelta(hours=1)
    async with whole_waitroom(tmp_path, redis, **room, mode="hold", opens_at=later) as waitroom:
        page = await browser.new_page()
        loads: list[str] = []
        page.on("domcontentloaded", lambda page: loads.append(page.url))
        await page.goto(waitroom.url)
        # A line that is new gives no arrival until all who might have one could have shown it.
        await expect(page.get_by_role("timer")).to_contain_text(re.compile("^5[0-9]:"), timeout=SOON_S * 1000)
        loads.clear()
        await page.get_by_text("How can I check the draw?").click()
        arrival = page.locator("[data-draw-has=arrival]")
        await expect(arrival).to_contain_text("0")
        sealed = await page.locator("dd[data-draw=commitment]").text_content()
        soon = datetime.now(UTC) + timedelta(seconds=3)
        waitroom.set(**room, mode="hold", opens_at=soon)
        await expect(page.locator("#hold")).to_be_visible(timeout=SOON_S * 1000)
        await expect(page.locator("#position")).to_have_text("1")
        assert await page.locator("dd[data-draw=commitment]").text_content() == sealed
        checked = CliRunner().invoke(main, shlex.split(await page.locator("code").inner_text())[1:])
        place = await page.locator("dd[data-draw=place]").text_content()
        assert checked.output.splitlines()[-1] == f"Arrival 0 of the draw of 1,000,000 has place {place}"
        assert loads == []
        waitroom.set(**room, mode="auto", opens_at=soon)
        await expect(page.get_by_text('"path"')).to_be_visible(timeout=SOON_S * 1000)
        await page.wait_for_load_state()
        assert len(loads) == 1
        await page.close()


@pytest.mark.parametrize(
    ("how", "title"),
    [("revoke", "Your place was taken away"), ("reset", "The line was started anew")],
)
async def test_visitor_who_loses_the_place_is_told_why_once(
    browser: Browser, tmp_path: Path, redis: PrivateRedis, how: str, title: str
) -> None:
    async with whole_waitroom(tmp_path, redis, cap=1, presence_s=5) as waitroom, visitor() as inside:
        for _ in range(2):
            async with inside.get(waitroom.url, headers=PAGE):
                pass
        page = await browser.new_page()
        await page.goto(f"{waitroom.url}/flights")
        await expect(page.locator("#position")).to_have_text("1")
        loads: list[str] = []
        page.on("domcontentloaded", lambda page: loads.append(page.url))
        await lose(redis, page, how)
        await expect(page.get_by_role("heading", name=title)).to_be_visible(timeout=SOON_S * 1000)
        await page.wait_for_load_state()
        assert loads == [f"{waitroom.url}/flights"]
        await page.wait_for_load_state("networkidle")
        assert loads == [f"{waitroom.url}/flights"]
        if how == "revoke":
            await page.reload()
            await expect(page.get_by_role("heading", name=title)).to_be_visible()
        else:
            await page.get_by_role("link", name="Join the new line").click()
            await expect(page.get_by_role("heading", name="You are in line")).to_be_visible()
        await page.close()
