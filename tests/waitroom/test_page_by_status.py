"""The waiting page in a room with a public status: it finds its place by that, and asks the line itself only where it
must: to stay present, near the front, and wherever the status tells nothing."""

import json
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser import needs_chromium
from tests.waitroom.status_reader import read
from tests.waitroom.test_status import HEAD, NOW_MS, seen, status_of
from tests.waitroom.waiting_site import PLACE, Visit, until, visit
from waitroom.estimate import Estimate
from waitroom.place import Place
from waitroom.status import Clue, Status

LONG_MS = 600_000
NUMBER = HEAD + 500
# By which the page looks about once a second, as often as it ever does.
PACE = Estimate(rate_per_s=50, free=0, slow_per_s=30, fast_per_s=50)
CALLED = Place("called", poll_after_ms=50)
SCRIPT = (resources.files("waitroom") / "templates" / "status.js").read_text("utf-8")
CASES = 300
BYTES = b"\x00\xff\x81\x5a"

pytestmark = [
    needs_chromium,
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(loop_scope="module")
async def far(browser: Browser) -> AsyncIterator[Visit]:
    """A page far from the front, which has seen the line itself and the status."""
    async with visit(browser) as one:
        one.site.place = replace(PLACE, position=500, waiting=1_000, wait_s=(12, 30), poll_after_ms=50)
        one.site.clue = Clue(NUMBER, LONG_MS, NOW_MS)
        one.site.public = line(2_000)
        yield one
        assert one.complaints == []


def line(numbers: int, head: int = HEAD, **changes: Any) -> Status:
    """That of a line in which so many numbers are present behind head."""
    snapshot = replace(seen(b"\xff" * (numbers // 8)), head=head, here_from=head + 1)
    return replace(status_of(snapshot, PACE), ask_after_ms=LONG_MS, **changes)


async def shows(one: Visit, position: str) -> None:
    await expect(one.page.locator("#position")).to_have_text(position)


async def looks(one: Visit, more: int = 2) -> None:
    """Until the page has read the status a few times more."""
    before = len(one.site.looks)
    await until(lambda: len(one.site.looks) >= before + more)


async def wake(one: Visit) -> None:
    await one.page.evaluate("dispatchEvent(new Event('online'))")


async def test_it_follows_the_line_and_asks_it_once(far: Visit) -> None:
    await far.page.goto(far.url)
    await looks(far)
    far.site.public = line(1_600, HEAD + 400)
    await shows(far, "100")
    await expect(far.page.locator("#waiting")).to_have_text("1,600")
    await shows(far, "100")
    assert len(far.site.polls) == 1


async def test_it_reads_the_status_as_nobody_and_lets_caches_answer(far: Visit) -> None:
    await far.page.context.add_cookies([{"name": "ticket", "value": "1", "url": far.url}])
    await far.page.goto(far.url)
    await looks(far)
    assert all("Cookie" not in fields and fields.get("Cache-Control") != "no-cache" for fields in far.site.looks)
    assert far.site.showings[0].get("Cookie") == "ticket=1"


async def test_it_goes_in_when_the_status_says_that_the_number_was_called(far: Visit) -> None:
    await far.page.goto(far.url)
    await looks(far)
    far.site.place, far.site.clue = CALLED, Clue(None, None, NOW_MS)
    far.site.inside = True
    assert len(far.site.polls) == 1
    far.site.public = line(1_000, NUMBER)
    await expect(far.page.get_by_role("heading", name="inside!")).to_be_visible()


async def test_it_shows_itself_to_the_line_in_time(far: Visit) -> None:
    far.site.clue = Clue(NUMBER, 2_500, NOW_MS)
    await far.page.goto(far.url)
    await until(lambda: len(far.site.polls) >= 3)
    first, second, third = far.site.polls[:3]
    assert second - first < 2.5 + 2 > third - second
    assert len(far.site.looks) >= 2


async def test_a_presence_window_that_was_made_shorter_counts_at_once(far: Visit) -> None:
    await far.page.goto(far.url)
    await looks(far)
    far.site.public = replace(line(2_000), ask_after_ms=10)
    await until(lambda: len(far.site.polls) >= 2)


async def test_near_the_front_it_asks_the_line_itself(far: Visit) -> None:
    far.site.place = replace(PLACE, position=3, wait_s=(10, 30), poll_after_ms=50)
    far.site.status_s = 5
    await far.page.goto(far.url)
    await until(lambda: len(far.site.polls) >= 4)
    assert far.site.looks == []


async def test_who_comes_near_by_the_status_asks_the_line_itself(far: Visit) -> None:
    far.site.status_s = 1
    far.site.public = replace(line(2_000), pace=replace(PACE, rate_per_s=30, fast_per_s=30))
    await far.page.goto(far.url)
    await looks(far, 1)
    far.site.place = replace(far.site.place, position=1, wait_s=(0, 10))
    far.site.public = line(1_600, NUMBER - 1)
    await shows(far, "1")
    await until(lambda: len(far.site.polls) >= 3)


@pytest.mark.parametrize(
    "change",
    [
        lambda told: replace(told, state="closed", head=0, steps=()),
        lambda told: replace(told, made_ms=NOW_MS - 3_600_000),
        lambda told: None,
    ],
    ids=["another state", "too old", "gone"],
)
async def test_where_the_status_tells_nothing_it_asks_the_line_itself(
    far: Visit, change: Callable[[Status], Status | None]
) -> None:
    await far.page.goto(far.url)
    await looks(far)
    far.site.public = change(line(2_000))
    await until(lambda: len(far.site.polls) >= 3)
    await shows(far, "500")
    assert all("503" in complaint for complaint in far.complaints)
    far.complaints.clear()


async def test_who_was_told_no_number_asks_the_line_itself(far: Visit) -> None:
    far.site.clue = Clue(None, None, NOW_MS)
    await far.page.goto(far.url)
    await until(lambda: len(far.site.polls) >= 4)
    assert far.site.looks == []


async def test_a_pause_and_a_word_of_the_operator_come_with_the_status(far: Visit) -> None:
    await far.page.goto(far.url)
    await looks(far)
    far.site.public = replace(line(2_000), pace=None, paused="hold", message="Back at ten.")
    await far.shows("The organiser has paused the line.")
    await far.shows("Back at ten.")
    await expect(far.page.locator("#wait-part")).to_be_hidden()
    assert len(far.site.polls) == 1


async def test_two_tabs_follow_one_and_each_has_its_own_number(far: Visit) -> None:
    """Who joins anew in another tab has another place in both."""
    await far.page.goto(far.url)
    await looks(far)
    other = Visit(far.site, far.url, await far.page.context.new_page())
    far.site.place = replace(far.site.place, position=900)
    far.site.clue = Clue(HEAD + 900, LONG_MS, NOW_MS)
    await other.page.goto(other.url)
    await looks(other)
    for tab in (far, other):
        await shows(tab, "900")
    await other.page.close()
    await wake(far)
    await looks(far)
    await shows(far, "900")


async def test_the_script_reads_a_status_as_everybody_does(browser: Browser) -> None:
    """Of many lines that were made up."""
    cases = []
    chance = random.Random(7)
    for _ in range(CASES):
        stretches = [bytes([chance.choice(BYTES)]) * chance.randint(1, 400) for _ in range(chance.randint(1, 12))]
        snapshot = seen(b"".join(stretches), late=chance.choice([0, 3]))
        rates = [chance.uniform(0.1, 900) for _ in range(3)]
        estimate = Estimate(rates[0], chance.randint(0, 500), rates[1], rates[2], chance.choice([0, 0.0003, 0.02]))
        text = status_of(snapshot, estimate).to_json()
        cases.append((json.loads(text), HEAD + 1 + chance.randrange(len(snapshot.here) * 8 + 9)))
    page = await browser.new_page()
    told = await page.evaluate(
        f"""(cases) => {{
          const part = () => ({{ dataset: {{}} }}), onJump = () => null, tabs = null;
          {SCRIPT}
          return cases.map(([status, number]) => {{
            const {{ head, late, waiting, steps, pace }} = status;
            const position = late + 1 + presentBefore(number, head, waiting - late, steps);
            return [position, waitBy(pace, position)];
          }});
        }}""",
        cases,
    )
    await page.close()
    for (document, number), (position, wait_s) in zip(cases, told, strict=True):
        own_position, own_wait_s = read(document, number)
        assert position == own_position
        assert own_wait_s is not None
        # The last bit of a logarithm may differ.
        assert wait_s == pytest.approx(own_wait_s, abs=1)
