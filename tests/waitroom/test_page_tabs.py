"""The waiting page in several tabs, hidden, frozen and asleep: one asks for all, and the place is kept."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser import needs_chromium
from tests.waitroom.waiting_site import PLACE, Visit, until, visit
from waitroom.place import Place

LONG_MS = 600_000
CALLED = Place("called", poll_after_ms=50, claim_in_ms=58_000, can_extend=True)

pytestmark = [
    needs_chromium,
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(loop_scope="module")
async def tabs(browser: Browser) -> AsyncIterator[tuple[Visit, Visit]]:
    """Two tabs of one visitor, who looks at the second; that one has asked last."""
    async with visit(browser) as first:
        await first.page.goto(first.url)
        await first.shows("1,204")
        await first.looks_elsewhere()
        first.site.place = replace(PLACE, position=1100, poll_after_ms=1_000)
        second = Visit(first.site, first.url, await first.page.context.new_page())
        await second.page.goto(second.url)
        for tab in (first, second):
            await expect(tab.page.locator("#position")).to_have_text("1,100")
        yield first, second
        assert [text for tab in (first, second) for text in tab.complaints] == []


def polls_of(tab: Visit) -> list[str]:
    """The polls of this tab alone, as it sends them."""
    polls: list[str] = []
    tab.page.on("request", lambda request: polls.append(request.url) if request.url.endswith("/place") else None)
    return polls


async def wake(tab: Visit) -> None:
    await tab.page.evaluate("dispatchEvent(new Event('online'))")


# Several


async def test_two_tabs_ask_no_more_often_than_one(tabs: tuple[Visit, Visit]) -> None:
    """Told to ask each second: were both to ask, most polls would follow another within less."""
    polls = tabs[0].site.polls
    before = len(polls)
    await until(lambda: len(polls) > before + 12)
    told = polls[before:]
    assert sum(later - sooner < 0.9 for sooner, later in pairwise(told)) <= 3


async def test_tab_shows_what_another_was_told(tabs: tuple[Visit, Visit]) -> None:
    first, second = tabs
    first.site.place = replace(PLACE, position=900, poll_after_ms=LONG_MS)
    for tab in tabs:
        await expect(tab.page.locator("#position")).to_have_text("900")
    asked = polls_of(first)
    first.site.place = replace(PLACE, position=800, poll_after_ms=LONG_MS)
    await wake(second)
    await expect(first.page.locator("#position")).to_have_text("800")
    assert asked == []


async def test_tab_takes_over_where_the_other_is_closed(tabs: tuple[Visit, Visit]) -> None:
    first, second = tabs
    await second.page.close()
    first.site.place = replace(PLACE, position=700)
    await expect(first.page.locator("#position")).to_have_text("700")


async def test_tab_takes_over_where_the_other_gets_no_answer(tabs: tuple[Visit, Visit]) -> None:
    first, second = tabs
    await second.page.route("**/place", lambda _route: None)
    first.site.place = replace(PLACE, position=700)
    await expect(first.page.locator("#position")).to_have_text("700")
    second.complaints.clear()  # of what was given up


async def test_the_tab_that_is_looked_at_goes_in_and_then_the_other(tabs: tuple[Visit, Visit]) -> None:
    first, second = tabs
    titles: list[str] = []

    def note(title: str) -> None:
        titles.append(title)

    await first.page.expose_function("noteTitle", note)
    await first.page.evaluate(
        "new MutationObserver(() => noteTitle(document.title))"
        ".observe(document.querySelector('title'), { childList: true })"
    )
    first.site.inside = True
    first.site.place = CALLED
    await second.shows("inside!")
    first.site.place = Place("inside", poll_after_ms=1_000)
    await first.shows("inside!")
    assert [title for title in titles if title.startswith("●")] == []


async def test_who_leaves_in_one_tab_has_left_in_all(tabs: tuple[Visit, Visit]) -> None:
    first, second = tabs
    await second.page.get_by_text("Leave the line", exact=True).click()
    await second.page.get_by_role("button", name="Yes, leave the line").click()
    for tab in tabs:
        await expect(tab.page.get_by_role("heading", name="You have left the line")).to_be_visible()
    await expect(first.page.get_by_role("link", name="Join again")).to_be_visible()
    assert (first.site.leaves, len(first.site.loads)) == (1, 2)


async def test_tabs_that_do_not_hear_each_other_ask_each_for_itself(browser: Browser) -> None:
    async with visit(browser) as first:
        await first.page.context.add_init_script("delete window.BroadcastChannel")
        second = Visit(first.site, first.url, await first.page.context.new_page())
        asked = [polls_of(tab) for tab in (first, second)]
        for tab in (first, second):
            await tab.page.goto(tab.url)
        await until(lambda: all(len(polls) > 3 for polls in asked))
        assert first.complaints + second.complaints == []


# Hidden, frozen, asleep


@pytest.mark.parametrize("missing", ["window.setTimeout = () => 0", "delete window.Worker"])
async def test_page_asks_on_by_whichever_clock_runs(browser: Browser, missing: str) -> None:
    """In a hidden tab the timers of the page all but stand still; some browsers lend it no worker."""
    async with visit(browser) as visitor:
        await visitor.page.add_init_script(missing)
        await visitor.page.goto(visitor.url)
        await until(lambda: len(visitor.site.polls) > 3)
        visitor.site.place = replace(PLACE, position=77)
        await visitor.shows("77")
        assert visitor.complaints == []


async def test_page_that_was_frozen_asks_as_soon_as_it_thaws(browser: Browser) -> None:
    """By the event of the page's life cycle: a browser that runs without a screen freezes none."""
    async with visit(browser) as visitor:
        visitor.site.place = replace(PLACE, poll_after_ms=LONG_MS)
        await visitor.page.goto(visitor.url)
        await visitor.shows("Last updated")
        visitor.site.place = replace(PLACE, position=77, poll_after_ms=LONG_MS)
        await visitor.page.evaluate("document.dispatchEvent(new Event('resume'))")
        await visitor.shows("77")
        assert len(visitor.site.loads) == 1


async def test_page_on_a_machine_that_slept_asks_as_soon_as_it_wakes(browser: Browser) -> None:
    async with visit(browser) as visitor:
        visitor.site.place = replace(PLACE, poll_after_ms=LONG_MS)
        await visitor.page.goto(visitor.url)
        await visitor.shows("Last updated")
        visitor.site.place = replace(PLACE, position=77, poll_after_ms=LONG_MS)
        await visitor.page.evaluate("() => { const now = Date.now; Date.now = () => now() + 600_000; }")
        await visitor.shows("77")


async def test_closing_or_leaving_the_page_gives_nothing_up(browser: Browser) -> None:
    async with visit(browser) as visitor:
        await visitor.page.goto(visitor.url)
        await visitor.shows("1,204")
        await visitor.page.goto("about:blank")
        await visitor.page.go_back()
        await visitor.shows("1,204")
        await visitor.page.close(run_before_unload=True)
        assert visitor.site.leaves == 0
