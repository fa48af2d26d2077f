"""Four processes drive one line for a crowd of 3,000, of whom 900 vanish without a word: one run, judged afterwards.

The crowd is that of a sale, 85 times as fast: all have come when it opens, and wait for 20 to 60 presence windows of
700 ms instead of a minute. Who vanishes does so at a moment of its wait, spread evenly over it. Until the presence
window is over nobody can tell such a visitor from one who polls again in a moment, so that those who vanish within the
last two windows before their turn are called in vain, however good the line is. The longer the wait in presence
windows, the fewer they are: here 1 to 2 in 100 calls.
"""

import asyncio
import json
import sys
from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from heapq import heapreplace
from itertools import cycle
from math import inf
from pathlib import Path
from typing import cast

import pytest

from tests.servers import PrivateRedis
from tests.turns import Turns
from tests.waitroom.crowd_process import CAP, COMING, LIMITS, LINE, PROCESSES, VISITORS, Fate, Plan, Report, now_ms
from waitroom.store_keys import line_keys

STATE, *_ = line_keys(LINE)
INSIDE = line_keys(LINE)[5]
ROOT = Path(__file__).parents[2]
SEED = 20_260_704
# From the start of the processes to the opening; the crowd comes as soon as they are up.
OPENS_AFTER_MS = 16_500
TIMEOUT_S = 180
MOST_TRIES = 3
# The share of used calls is taken until so many were used: until then the line is never short.
COUNTED = 2_000


class Watch:
    """Looks at who is inside, from without, until it is stopped."""

    def __init__(self, redis: PrivateRedis) -> None:
        self.most_inside = 0
        self.called_ms: dict[int, int] = {}
        self._redis = redis.client
        self._stopped = False

    async def run(self) -> None:
        while not self._stopped:
            members = self._redis.zrange(INSIDE, 0, -1, withscores=True)
            self._note(cast("list[tuple[bytes, float]]", members))
            await asyncio.sleep(0.01)

    def _note(self, members: list[tuple[bytes, float]]) -> None:
        self.most_inside = max(self.most_inside, len(members))
        for number, lease_end_ms in members:
            if lease_end_ms <= now_ms() + LIMITS.claim_ms:  # not claimed yet, and so it tells when it was called
                self.called_ms.setdefault(int(number), int(lease_end_ms) - LIMITS.claim_ms)

    def stop(self) -> None:
        self._stopped = True


@dataclass(frozen=True)
class Story:
    """What happened.

    `steps_ms` is when any process asked for the line to be advanced, `most_inside` the most that were inside then,
    counted together with the calls; `most_watched` is the most that was seen from without. `called` counts all calls of
    the line, and `watched_ms` has the first call of a number as seen from without. `longest_halt_s` is how long one of
    the four did not run at a time.
    """

    opens_ms: int
    fates: list[Fate]
    steps_ms: list[int]
    most_inside: int
    most_watched: int
    called: int
    watched_ms: dict[int, int]
    longest_halt_s: float = 0

    def __repr__(self) -> str:
        in_vain = self.called - len(self.came_in)
        return (
            f"<Story most_inside={self.most_inside} came_in={len(self.came_in)} in_vain={in_vain} "
            f"called_while_present={self.called_while_present} used_share={self.used_share(at_any_moment=False):.3f} "
            f"at_any_moment={self.used_share(at_any_moment=True):.3f} longest_halt_s={self.longest_halt_s:.2f}>"
        )

    @property
    def is_fair(self) -> bool:
        """Whether all four processes could run: visitors whose process stands still can't come when they are called."""
        return self.longest_halt_s < LIMITS.claim_ms * 0.75 / 1000

    @property
    def came_in(self) -> list[Fate]:
        """In the order in which they were called."""
        return sorted((fate for fate in self.fates if fate.left_ms), key=lambda fate: (fate.called_ms, fate.number))

    def calls_ms(self, fate: Fate) -> set[int]:
        """When a visitor was called, as it saw it itself, and as was seen from without: it may have missed one."""
        return {fate.called_ms, self.watched_ms.get(fate.number, 0)} - {0}

    def first_call_ms(self, fate: Fate) -> float:
        return min(self.calls_ms(fate), default=inf)

    def overtaken(self) -> list[Fate]:
        """Who was present for certain, and not called yet, at a moment when a later number was called."""
        found = []
        later_calls_ms: list[int] = []
        for fate in sorted(self.fates, key=lambda fate: fate.number, reverse=True):
            if any(self._is_passed(fate, start, end, later_calls_ms) for start, end in fate.present_ms):
                found.append(fate)
            for call_ms in self.calls_ms(fate):
                insort(later_calls_ms, call_ms)
        return found

    def _is_passed(self, fate: Fate, start_ms: int, end_ms: int, later_calls_ms: list[int]) -> bool:
        at = bisect_right(later_calls_ms, start_ms)
        return at < len(later_calls_ms) and later_calls_ms[at] < min(end_ms, self.first_call_ms(fate))

    @property
    def called_while_present(self) -> int:
        """How many were called while they were present for certain."""
        return sum(
            any(start < self.first_call_ms(fate) <= end for start, end in fate.present_ms) for fate in self.fates
        )

    def used_share(self, *, at_any_moment: bool) -> float:
        """Of the calls that rate and cap allow until COUNTED were used, the share that was: of those that they allow at
        the steps of the four, or at any moment."""
        until_ms = self.came_in[COUNTED - 1].called_ms
        used = [fate for fate in self.came_in if fate.called_ms <= until_ms]
        stays_ms = [fate.left_ms - fate.called_ms for fate in used]
        moments = range(self.opens_ms, until_ms + 1)
        steps = moments if at_any_moment else [step for step in self.steps_ms if step in moments]
        return len(used) / ideal_calls(steps, stays_ms)


def ideal_calls(steps_ms: Sequence[int], stays_ms: Sequence[int]) -> int:
    """How many a line calls that calls at each step what bucket and cap allow, and nobody in vain.

    The bucket is full at first, and somebody waits at all times. Each called visitor holds its place as long as those
    did who came in, in the same order, from the call to the release.
    """
    full = LIMITS.burst * 60_000
    bucket, refilled_ms, called = full, steps_ms[0], 0
    stays = cycle(stays_ms)
    free_ms = [steps_ms[0]] * CAP
    for now in steps_ms:
        bucket = min(full, bucket + (now - refilled_ms) * LIMITS.rate_per_minute)
        refilled_ms = now
        while bucket >= 60_000 and free_ms[0] <= now:
            heapreplace(free_ms, now + next(stays))
            bucket, called = bucket - 60_000, called + 1
    return called


async def lived(plan: Plan) -> Report:
    """Runs one process to its end."""
    arguments = "-m", "tests.waitroom.crowd_process", json.dumps(asdict(plan))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT)
    try:
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Report.from_json(Path(plan.report).read_text())


async def told(redis: PrivateRedis, folder: Path) -> Story:
    opens_ms = now_ms() + OPENS_AFTER_MS
    plans = [Plan(redis.url, process, SEED, opens_ms, str(folder / f"{process}.json")) for process in range(PROCESSES)]
    watch = Watch(redis)
    watching = asyncio.create_task(watch.run())
    async with asyncio.timeout(TIMEOUT_S):
        reports = await asyncio.gather(*(lived(plan) for plan in plans))
    watch.stop()
    await watching
    return Story(
        opens_ms=opens_ms,
        fates=[fate for report in reports for fate in report.fates],
        steps_ms=sorted(step for report in reports for step in report.steps_ms),
        most_inside=max(report.most_inside for report in reports),
        most_watched=watch.most_inside,
        called=int(cast("bytes", redis.client.hget(STATE, "called"))),
        watched_ms=watch.called_ms,
        longest_halt_s=max(report.longest_halt_s for report in reports),
    )


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory, turns: Turns) -> list[Story]:
    """One, unless the machine let a process stand still: then it is told again, and each is judged for what must hold
    at all times."""
    stories: list[Story] = []
    while len(stories) < MOST_TRIES and not (stories and stories[-1].is_fair):
        folder = tmp_path_factory.mktemp("crowd")
        redis = PrivateRedis(folder)
        redis.start()
        try:
            with turns.alone():
                stories.append(asyncio.run(told(redis, folder)))
        finally:
            redis.client.close()
            redis.kill()
    return stories


def test_never_more_are_inside_than_the_cap(stories: list[Story]) -> None:
    """I1: only calls fill places, and each step in which one of the four could call was seen. The cap was reached, so
    that it was it that held."""
    assert {story.most_inside for story in stories} == {CAP}
    assert max(story.most_watched for story in stories) <= CAP


def test_nobody_present_is_overtaken(stories: list[Story]) -> None:
    """I3: whenever a number was called, every lower one that was present had been called. Present is of whom Redis
    heard within the presence window, as far as that is certain."""
    assert [story.overtaken() for story in stories] == [[]] * len(stories)
    assert stories[-1].called_while_present > COMING / 2


def test_nobody_who_came_is_left_out(stories: list[Story]) -> None:
    """I5, I4: all who did not vanish came in, each by a number of its own."""
    for story in stories:
        assert len(story.came_in) == COMING
        assert not any(fate.vanishes for fate in story.came_in)
        assert len({fate.number for fate in story.fates}) == VISITORS


def test_of_the_calls_that_rate_and_cap_allow_97_in_100_are_used_by_visitors_who_came(stories: list[Story]) -> None:
    """The calls that their visitors followed, divided by those of an ideal line in the same time, from the opening
    until 2,000 were used. The ideal line knows who has vanished, and calls whenever one of the four asks it to; so what
    is lost is what was called in vain, or not called though bucket and cap allowed it.

    What a machine loses that lets no process run for a while is not the line's. Held against a line that calls at any
    moment, and so never leaves a place empty until the next tick, the share is 98 in 100 on a machine with time to
    spare; it is looked at here only to see that the four asked often enough.
    """
    story = stories[-1]
    assert story.used_share(at_any_moment=False) >= 0.97
    assert story.used_share(at_any_moment=True) >= 0.9


def test_a_story_knows_who_was_overtaken() -> None:
    """The judge: of three, the first was present when the third was called; the second came back after that."""
    fates = [
        Fate(1, vanishes=False, called_ms=900, left_ms=990, present_ms=[[100, 950]]),
        Fate(2, vanishes=False, called_ms=910, left_ms=990, present_ms=[[100, 300], [600, 1400]]),
        Fate(3, vanishes=False, called_ms=500, left_ms=990, present_ms=[[100, 950]]),
    ]
    story = Story(0, fates, steps_ms=[], most_inside=3, most_watched=3, called=3, watched_ms={})
    assert [fate.number for fate in story.overtaken()] == [1]


def test_the_ideal_line_is_bound_by_the_rate_where_stays_are_short() -> None:
    assert ideal_calls(range(10_001), [100]) == LIMITS.burst + 10_000 * LIMITS.rate_per_minute // 60_000


def test_the_ideal_line_is_bound_by_the_cap_where_stays_are_long() -> None:
    assert ideal_calls(range(10_501), [1_000]) == 11 * CAP


def test_the_ideal_line_calls_at_its_steps_only() -> None:
    assert ideal_calls([0, 1_500], [1_000]) == 2 * CAP
