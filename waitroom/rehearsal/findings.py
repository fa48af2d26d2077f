"""What follows from a record: how long people waited, what was promised to them, and whether it was kept. Pure, and the
same for a rehearsal as for a plan."""

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from waitroom.limits import Limits
from waitroom.rehearsal.crowd import Habits
from waitroom.rehearsal.record import FAILED, NEVER, REFUSED, Record, Sample

MINUTE_S = 60.0
# A visitor that goes in within this time did not wait, whatever the network took.
AT_ONCE_S = 1.0
# Another process may tell of the line as it was a tick ago: who is told "waiting" so soon after a later number went in,
# was not overtaken for certain.
STALE_S = 1.0
# What a visitor is told on arrival is kept if so many of them wait no longer than they were told.
TOLD_SHARE = 0.9
# A visitor that is told 12 to 20 seconds learns of the call by a poll a second later.
TOLD_SLACK_S = 2.0
# Bars of the histogram of waits.
BARS = 30


@dataclass(frozen=True, slots=True)
class Spread:
    """How values are spread, in seconds; all 0 where there are none."""

    count: int
    p50_s: float
    p90_s: float
    p95_s: float
    p99_s: float
    longest_s: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """By nearest rank."""
        if not values:
            return cls(0, 0.0, 0.0, 0.0, 0.0, 0.0)
        ordered = sorted(values)
        ranks = [ordered[max(0, -(-len(ordered) * per_cent // 100) - 1)] for per_cent in (50, 90, 95, 99, 100)]
        return cls(len(ordered), *ranks)


@dataclass(frozen=True, slots=True)
class Promise:
    """What waitroom promises, whether it was kept (None: nobody could say), and by which figures."""

    text: str
    kept: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Told:
    """Of the visitors who were told a range on arrival and went in: how many waited that long, less, or more."""

    within: int
    sooner: int
    later: int

    @property
    def count(self) -> int:
        return self.within + self.sooner + self.later


@dataclass(frozen=True)
class Findings:
    """Everything that the report says, from what was seen and what was set."""

    habits: Habits
    limits: Limits
    record: Record
    is_plan: bool = False

    @property
    def arrived(self) -> int:
        """How many came."""
        return len(self.record.fates.arrived_s) - self.record.fates.arrived_s.count(NEVER)

    def count(self, fate: int) -> int:
        """How many visitors came to that end."""
        return self.record.fates.fate.count(fate)

    @cached_property
    def waits_s(self) -> "array[float]":
        """From arrival until inside, of those who went in without going away in between."""
        fates = self.record.fates
        rows = zip(fates.arrived_s, fates.entered_s, fates.was_away, strict=True)
        return array("d", [entered - arrived for arrived, entered, away in rows if entered >= 0 and not away])

    @cached_property
    def waits(self) -> Spread:
        return Spread.of(self.waits_s)

    @cached_property
    def origin(self) -> Spread:
        """Of requests to the site from inside."""
        return Spread.of(self.record.origin_s[1])

    @cached_property
    def at_once(self) -> int:
        """How many went in without a wait."""
        return sum(wait <= AT_ONCE_S for wait in self.waits_s)

    @cached_property
    def told(self) -> Told:
        fates = self.record.fates
        within = sooner = later = 0
        rows = zip(fates.arrived_s, fates.entered_s, fates.told_low_s, fates.told_high_s, fates.was_away, strict=True)
        for arrived, entered, low, high, away in rows:
            if entered < 0 or high < 0 or away:
                continue
            wait = entered - arrived
            within += low - TOLD_SLACK_S <= wait <= high + TOLD_SLACK_S
            sooner += wait < low - TOLD_SLACK_S
            later += wait > high + TOLD_SLACK_S
        return Told(within, sooner, later)

    @cached_property
    def overtaken(self) -> int:
        """How many visitors saw a later number go in while they waited, present all the time (I3)."""
        return overtaken(self.record)

    @cached_property
    def most_inside(self) -> int:
        return max((sample.inside for sample in self.record.samples), default=0)

    @cached_property
    def most_waiting(self) -> int:
        return max((sample.waiting for sample in self.record.samples), default=0)

    @cached_property
    def most_calls(self) -> int:
        """In any 60 seconds."""
        return most_within(self.record.samples, MINUTE_S)

    @cached_property
    def burst(self) -> float:
        """The most calls beyond those that the rate gives, in any interval that was seen."""
        return most_beyond(self.record.samples, self.limits.rate_per_minute / MINUTE_S)

    @cached_property
    def most_polls_per_s(self) -> float:
        """Over ten seconds."""
        samples = self.record.samples
        polls = [sample.polls for sample in samples]
        times = [sample.at_s for sample in samples]
        best = 0.0
        for i, at_s in enumerate(times):
            before = bisect_left(times, at_s - 10.0)
            if before < i and at_s - times[before] >= 4.0:
                best = max(best, (polls[i] - polls[before]) / (at_s - times[before]))
        return best

    @cached_property
    def line_ends_s(self) -> float:
        """When the last who waited was called; 0 where nobody waited."""
        return max((sample.at_s for sample in self.record.samples if sample.waiting), default=0.0)

    @property
    def binding(self) -> str:
        """What kept the line from moving faster: "rate", "cap", or "" where nobody can say."""
        share = self.record.full_share
        if share is None:
            share = _full_share(self.record.samples, self.limits.cap)
        return "" if share is None or not self.most_waiting else "cap" if share > 0.5 else "rate"

    @property
    def errors(self) -> int:
        return self.record.errors.total()

    @cached_property
    def promises(self) -> list[Promise]:
        """Each with what was seen of it."""
        return [self._cap(), self._rate(), self._order(), self._truth(), *([] if self.is_plan else [self._answers()])]

    @property
    def broken(self) -> list[Promise]:
        return [promise for promise in self.promises if promise.kept is False]

    @property
    def verdict(self) -> str:
        """In a few words."""
        known = [promise for promise in self.promises if promise.kept is not None]
        if self.broken:
            return f"{len(self.broken)} of {len(known)} promises broken"
        if self.record.was_stopped:
            return "Not finished; no promise broken so far"
        return "All promises kept"

    def histogram(self) -> list[tuple[float, float, int]]:
        """The waits in bars of a round length: from, to (seconds), and how many."""
        longest_s = self.waits.longest_s
        width_s = next((width for width in ROUND_S if longest_s / width <= BARS), ROUND_S[-1])
        counts = [0] * (int(longest_s // width_s) + 1)
        for wait in self.waits_s:
            counts[int(max(0.0, wait) // width_s)] += 1
        return [(i * width_s, (i + 1) * width_s, count) for i, count in enumerate(counts)]

    def _cap(self) -> Promise:
        cap = self.limits.cap
        kept = self.most_inside <= cap if self.limits.mode in ("auto", "queue") else None
        return Promise(
            "Never more inside than the cap", kept, f"at most {self.most_inside:,} inside at once, cap {cap:,}"
        )

    def _rate(self) -> Promise:
        kept = self.burst <= self.limits.burst if self.limits.mode in ("auto", "queue") else None
        return Promise(
            "Never more calls than the rate allows",
            kept,
            f"at most {max(0, math.floor(self.burst)):,} more than the rate gives, in any interval, and a burst of "
            f"{self.limits.burst:,} is allowed; {self.most_calls:,} calls within the 60 s with the most",
        )

    def _order(self) -> Promise:
        told = "nobody" if not self.overtaken else f"{self.overtaken:,} visitors"
        kept = self.overtaken == 0 if any(self.record.fates.number) else None
        return Promise("Nobody who waits is overtaken", kept, f"{told} saw a later number go in first")

    def _truth(self) -> Promise:
        told = self.told
        if not told.count:
            return Promise("The wait is no longer than told", None, "nobody had to be told a wait")
        in_time = (told.within + told.sooner) / told.count
        detail = (
            f"{in_time:.1%} waited no longer than the range shown on arrival ({told.within / told.count:.1%} within "
            f"it, {told.sooner / told.count:.1%} less); {TOLD_SHARE:.0%} should"
        )
        return Promise("The wait is no longer than told", in_time >= TOLD_SHARE, detail)

    def _answers(self) -> Promise:
        lost = self.count(FAILED) + self.count(REFUSED)
        requests = self.record.polls + self.record.requests + self.arrived
        detail = f"{self.errors:,} of {requests:,} requests went wrong; {lost:,} visitors were not served for that"
        return Promise("Every request is answered", self.errors == 0, detail)


ROUND_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200)


def overtaken(record: Record) -> int:
    """Counts the visitors of whom a poll was answered with "waiting" that left after a later number had gone in, though
    that number was called while they were present.

    A number was called somewhere between the last poll at which it waited and the moment it was in: if a visitor before
    it was present by then, and still waits later, it was overtaken. Who was away is not counted on either side.
    """
    fates = record.fates
    rows = sorted((number, i) for i, number in enumerate(fates.number) if number and not fates.was_away[i])
    count = 0
    first_in_s = float("inf")  # of the later numbers, the one that went in first
    uncalled_s = 0.0  # and when it was certainly not called yet
    for _, i in reversed(rows):
        count += first_in_s + STALE_S < fates.waiting_s[i] and 0 <= fates.present_s[i] <= uncalled_s
        if 0 <= fates.entered_s[i] < first_in_s:
            first_in_s, uncalled_s = fates.entered_s[i], max(fates.arrived_s[i], fates.waiting_s[i])
    return count


@dataclass(frozen=True, slots=True)
class Variant:
    """What other limits would give, in a plan."""

    name: str
    findings: Findings


def most_within(samples: Sequence[Sample], window_s: float) -> int:
    """The most calls between two samples that are at most so far apart."""
    times = [0.0] + [sample.at_s for sample in samples]
    called = [0] + [sample.called for sample in samples]
    starts = (bisect_left(times, at_s - window_s) for at_s in times)
    return max(called[end] - called[start] for end, start in enumerate(starts))


def most_beyond(samples: Sequence[Sample], per_s: float) -> float:
    """The most calls between any two samples beyond what a rate gives in the time between them."""
    most = 0.0
    least = 0.0  # of the calls before, less what the rate had given by then
    for sample in samples:
        most = max(most, sample.called - per_s * sample.at_s - least)
        least = min(least, sample.called - per_s * sample.at_s)
    return most


def _full_share(samples: Sequence[Sample], cap: int) -> float | None:
    """Of the samples with a line, the share in which nobody more could be inside; None without a line."""
    waited = [sample for sample in samples if sample.waiting]
    return sum(sample.inside >= cap for sample in waited) / len(waited) if waited else None


def per_minute(times_s: Sequence[float], width_s: float, until_s: float) -> list[tuple[float, float]]:
    """Events as a rate: for each interval of a width, its middle and the events a minute in it. `times_s` ascend."""
    edges = [i * width_s for i in range(int(until_s // width_s) + 2)]
    places = [bisect_right(times_s, edge) for edge in edges]
    rates = [(later - before) * MINUTE_S / width_s for before, later in pairwise(places)]
    return [(edge + width_s / 2, rate) for edge, rate in zip(edges, rates, strict=False)]
