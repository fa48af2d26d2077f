"""A called visitor goes in: at once who looks at the page, and in time who looks elsewhere and is fetched."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.axe import violations
from tests.browser import needs_chromium
from tests.waitroom.waiting_site import PLACE, SOON_S, Visit, until, visit
from waitroom.place import Place

CALLED = Place("called", poll_after_ms=50, claim_in_ms=58_000, can_extend=True)
LATE = replace(PLACE, position=2, is_late=True)
TURN = "It\N{RIGHT SINGLE QUOTATION MARK}s your turn"
MARKED = re.compile(f"^● {TURN}")
NOTES_SOUNDS = """
  window.sounded = 0;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...when) { sounded++; return start.apply(this, when); };
"""
NOTES_NOTIFICATIONS = """
  window.notified = [];
  window.Notification = class extends Notification {
    constructor(title, options) { super(title, options); notified.push(title); }
  };
"""

pytestmark = [
    needs_chromium,
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(loop_scope="module")
async def away(browser: Browser) -> AsyncIterator[Visit]:
    """A visitor who waits, and looks at something else meanwhile."""
    async with visit(browser) as visitor:
        await visitor.page.add_init_script(NOTES_SOUNDS)
        await visitor.page.goto(visitor.url)
        await visitor.shows("1,204")
        await visitor.looks_elsewhere()
        yield visitor
        assert [text for text in visitor.complaints if "Failed to load resource" not in text] == []


async def called(visitor: Visit, place: Place = CALLED) -> None:
    visitor.site.place = place
    await visitor.shows("Time left to go in")


# Looking elsewhere


async def test_who_looks_elsewhere_is_fetched_and_has_time_to_come(away: Visit) -> None:
    await called(away)
    page = away.page
    await expect(page).to_have_title(MARKED)
    await expect(page).to_have_title(re.compile(f"^{TURN}"))
    await expect(page.get_by_role("timer")).to_have_text(re.compile(r"^0:5\d$"))
    await expect(page.get_by_role("link", name="Go in")).to_be_focused()
    await expect(page.get_by_role("alert")).to_have_text(re.compile(f"^{TURN}. A place inside is reserved for you."))
    await away.hides("You are in line")
    await away.hides("We are taking you in.")
    assert await violations(page) == []
    assert len(away.site.loads) == 1


async def test_who_comes_back_is_not_hurried_and_goes_in_by_a_click(away: Visit) -> None:
    await called(away)
    await expect(away.page).to_have_title(MARKED)
    await away.looks_again()
    polls = len(away.site.polls)
    await until(lambda: len(away.site.polls) > polls + 3)
    await away.shows("Time left to go in")
    await expect(away.page).not_to_have_title(MARKED)
    away.site.inside = True
    await away.page.get_by_role("link", name="Go in").click()
    await away.shows("inside!")


async def test_page_goes_in_by_itself_before_the_time_is_up(away: Visit) -> None:
    away.site.inside = True
    await called(away, replace(CALLED, poll_after_ms=60_000, claim_in_ms=7_000))
    await away.shows("inside!")


async def test_page_stays_while_the_site_cannot_be_reached(away: Visit) -> None:
    """Loading it would show an error page of the browser."""
    await called(away, replace(CALLED, claim_in_ms=7_000))
    away.site.status = None
    await expect(away.page.get_by_role("timer")).to_have_text("0:00")
    assert len(away.site.loads) == 1
    away.site.status = 200
    away.site.place = LATE
    await away.shows("You were away when your number was called. You are served before the rest.")


async def test_place_that_lapsed_leads_back_to_the_line(away: Visit) -> None:
    await called(away)
    away.site.place = LATE
    await away.shows("You were away when your number was called.")
    await away.hides("Time left to go in")
    await expect(away.page).to_have_title(re.compile("^#2 · Waiting"))
    assert len(away.site.loads) == 1


@pytest.mark.parametrize("claim_in_ms", [None, 4_000])
async def test_where_there_is_no_time_to_take_the_page_goes_in_at_once(away: Visit, claim_in_ms: int | None) -> None:
    away.site.inside = True
    away.site.place = replace(CALLED, claim_in_ms=claim_in_ms)
    await away.shows("inside!")


# More time


async def test_more_time_is_given_once(away: Visit) -> None:
    await called(away)
    await away.looks_again()
    more = away.page.get_by_role("button", name="I need more time")
    await more.press("Enter")
    await away.shows("You have more time now. It can\N{RIGHT SINGLE QUOTATION MARK}t be extended again.")
    await expect(more).to_be_hidden()
    await expect(away.page.get_by_role("timer")).to_have_text(re.compile(r"^1:5\d$"))
    assert (away.site.extensions, len(away.site.loads)) == (1, 1)


async def test_who_can_get_no_more_time_is_not_offered_any(away: Visit) -> None:
    await called(away, replace(CALLED, can_extend=False))
    await expect(away.page.get_by_role("button", name="I need more time")).to_be_hidden()


async def test_more_time_that_could_not_be_given_is_told(away: Visit) -> None:
    await called(away, replace(CALLED, poll_after_ms=60_000))
    await away.looks_again()
    away.site.status = 503
    await away.page.get_by_role("button", name="I need more time").click()
    await away.shows("We could not give you more time just now.")
    away.site.status = 200
    await away.page.get_by_role("button", name="I need more time").click()
    await away.shows("You have more time now.")
    await away.hides("We could not give you more time just now.")


# Signals


async def test_who_wishes_hears_a_sound(browser: Browser) -> None:
    """Once to try it out, and then when called."""
    async with visit(browser) as visitor:
        await visitor.page.add_init_script(NOTES_SOUNDS)
        await visitor.page.goto(visitor.url)
        await visitor.page.get_by_label("Play a sound").check()
        assert await visitor.page.evaluate("sounded") == 2
        await visitor.looks_elsewhere()
        await called(visitor)
        await visitor.page.wait_for_function("() => sounded === 8", timeout=SOON_S * 1000)
        assert visitor.complaints == []


async def test_nobody_hears_a_sound_unasked(away: Visit) -> None:
    await called(away)
    await expect(away.page).to_have_title(MARKED)
    assert await away.page.evaluate("sounded") == 0


async def test_who_wishes_is_notified_also_after_a_reload(browser: Browser) -> None:
    async with visit(browser, permissions=["notifications"]) as visitor:
        await visitor.page.add_init_script(NOTES_NOTIFICATIONS)
        await visitor.page.goto(visitor.url)
        notify = visitor.page.get_by_label("Show a notification")
        await expect(notify).not_to_be_checked()
        await notify.check()
        await expect(notify).to_be_checked()
        tried = "You will be told like this when it\N{RIGHT SINGLE QUOTATION MARK}s your turn."
        await visitor.page.wait_for_function("() => notified.length === 1", timeout=SOON_S * 1000)
        assert await visitor.page.evaluate("notified") == [tried]
        await visitor.page.reload()
        await expect(notify).to_be_checked()
        await visitor.looks_elsewhere()
        await called(visitor)
        await visitor.page.wait_for_function("() => notified.length === 1", timeout=SOON_S * 1000)
        assert await visitor.page.evaluate("notified") == [TURN]
        assert visitor.complaints == []


async def test_notifications_that_the_browser_denies_are_not_offered(browser: Browser) -> None:
    async with visit(browser) as visitor:
        await visitor.page.add_init_script(
            "Object.defineProperty(Notification, 'permission', { get: () => 'denied', configurable: true })"
        )
        await visitor.page.goto(visitor.url)
        await expect(visitor.page.get_by_label("Play a sound")).to_be_visible()
        await expect(visitor.page.get_by_label("Show a notification")).to_be_hidden()


# Cookies


async def test_blocked_cookies_are_told_and_nothing_is_loaded_again(browser: Browser) -> None:
    """Each load would take another number."""
    async with visit(browser) as visitor:
        visitor.site.is_new = True
        visitor.site.place = Place("none", poll_after_ms=50)
        await visitor.page.goto(visitor.url)
        await visitor.shows("Your browser blocks cookies")
        await visitor.shows("Please allow cookies for this site in the settings of your browser")
        await visitor.hides("You are in line")
        await expect(visitor.page.get_by_text("Leave the line", exact=True)).to_be_hidden()
        await expect(visitor.page).to_have_title("Your browser blocks cookies")
        await visitor.looks_again()
        assert await violations(visitor.page) == []
        assert (len(visitor.site.loads), len(visitor.site.polls)) == (1, 1)
        visitor.site.place = PLACE
        await visitor.page.get_by_role("link", name="Try again").click()
        await visitor.shows("1,204")


async def test_browser_that_says_that_it_keeps_no_cookies_is_believed(browser: Browser) -> None:
    async with visit(browser) as visitor:
        await visitor.page.add_init_script("Object.defineProperty(navigator, 'cookieEnabled', { value: false })")
        await visitor.page.goto(visitor.url)
        await visitor.shows("Your browser blocks cookies")
        assert visitor.site.polls == []


async def test_who_keeps_the_ticket_and_loses_the_place_later_gets_another(browser: Browser) -> None:
    async with visit(browser) as visitor:
        visitor.site.is_new = True
        await visitor.page.goto(visitor.url)
        await visitor.shows("1,204")
        await until(lambda: len(visitor.site.polls) > 1)
        visitor.site.place = Place("none", poll_after_ms=50)
        await until(lambda: len(visitor.site.loads) == 2)
        visitor.site.place = PLACE
        await visitor.shows("1,204")
