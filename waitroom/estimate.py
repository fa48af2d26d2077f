"""How long the wait is: a range for each position, from the limits in force and from what was seen of the line.

Up to the cap, a line moves at the rate. From then on it moves as places come free, which nobody knows in advance: the
range spans what was seen over several times, and, until visitors have been seen to leave, what leases allow. Some who
wait give up: what is seen of that shortens the wait of those behind. Knows no clock. docs/waiting-page.md has the
figures by which it is judged.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from waitroom.limits import Limits

# Between two samples, and how far back they go: so long ago tells little of now.
GRAIN_MS = 10_000
MEMORY_MS = 600_000
# How fast places come free is measured over each of these.
WINDOWS_MS = (60_000, 180_000, MEMORY_MS)
# In less than this, chance would speak.
LEAST_MS = 5_000
MOVING = ("auto", "queue")
# The line counts as full from when the cap was reached until so much of it is free again.
SLACK = 0.1
# Of those who wait, some vanish: one number behind them is watched for so long, at least and at most.
WATCHED_MS = (60_000, 300_000)
# So few in front tell nothing of that.
LEAST_WATCHED = 20
# So many have been seen to leave before what leases allow counts for less.
LEFT = 30
# A minute's calls tell little of the next.
SHORTER, LONGER = 0.8, 1.25
# No line moves slower than this, in calls a second; or faster.
NEVER, AT_ONCE = 1e-6, 1e9


class Seen(Protocol):
    """A line at a moment. `called` only grows; `position` is that of a number that was not called."""

    @property
    def limits(self) -> Limits: ...
    @property
    def head(self) -> int: ...
    @property
    def tail(self) -> int: ...
    @property
    def called(self) -> int: ...
    @property
    def inside(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    def position(self, number: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Estimate:
    """At `rate_per_s` the line moves while `free` places last; then at a rate between `slow_per_s` and `fast_per_s`, if
    that is less. Of those who wait, the share `vanishing_per_s` gives up each second."""

    rate_per_s: float
    free: int
    slow_per_s: float
    fast_per_s: float
    vanishing_per_s: float = 0.0

    def wait_s(self, position: int) -> tuple[int, int] | None:
        """The range of seconds until a position is called, or None where nobody can say."""
        return Waits(self).of(position) if self.rate_per_s > 0 else None


class Waits:
    """How long the wait is by an estimate whose rate is above 0, prepared so that a crowd can ask for it."""

    __slots__ = ("_longest", "_shortest")

    def __init__(self, estimate: Estimate) -> None:
        self._shortest = _Course(estimate, estimate.fast_per_s)
        self._longest = _Course(estimate, estimate.slow_per_s)

    def of(self, position: int) -> tuple[int, int]:
        """The range of seconds until a position is called."""
        return math.floor(self._shortest.time_s(position) * SHORTER), math.ceil(self._longest.time_s(position) * LONGER)


class _Course:
    """How the line moves where so many places come free: the first who wait at its rate, those behind at that."""

    __slots__ = ("_first", "_first_s", "_rate_per_s", "_turnover_per_s", "_vanishing_per_s")

    def __init__(self, estimate: Estimate, turnover_per_s: float) -> None:
        rate = estimate.rate_per_s
        self._rate_per_s = rate
        self._turnover_per_s = turnover_per_s
        self._vanishing_per_s = estimate.vanishing_per_s
        self._first = estimate.free * rate / (rate - turnover_per_s) if rate > turnover_per_s else math.inf
        self._first_s = self.time_s(self._first) if rate > turnover_per_s else 0.0

    def time_s(self, position: float) -> float:
        """Until all up to a position are called or gone."""
        if position <= self._first:
            before_s, alone_s = 0.0, position / self._rate_per_s
        else:
            before_s, alone_s = self._first_s, (position - self._first) / self._turnover_per_s
        vanishing = self._vanishing_per_s
        return before_s + (math.log1p(vanishing * alone_s) / vanishing if vanishing else alone_s)


@dataclass(frozen=True, slots=True)
class _Sample:
    at_ms: int
    called: int
    left: int


@dataclass(frozen=True, slots=True)
class _Mark:
    """A number that is watched, as it was at first."""

    at_ms: int
    number: int
    position: int
    called: int


class Estimator:
    """What was seen of one line."""

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()
        self._first_ms: int | None = None
        self._full_ms: int | None = None
        self._called_ms = 0
        self._mark: _Mark | None = None
        self._vanishing_per_s = 0.0

    def note(self, now_ms: int, seen: Seen) -> Estimate:
        """Takes the line at a time of its own clock. Where its counts fell, or the clock did, all begins anew."""
        limits = seen.limits
        sample = _Sample(now_ms, seen.called, seen.called - seen.inside)
        self._keep(sample)
        if self._first_ms is None and seen.called:
            self._first_ms = now_ms
        if limits.mode not in MOVING or seen.inside < limits.cap * (1 - SLACK):
            self._full_ms = None
        elif self._full_ms is None and seen.inside >= limits.cap and seen.waiting:
            self._full_ms = now_ms
        self._watch(now_ms, seen)
        # Nobody was seen to leave in all the time that a lease may take: they renew it, and nobody knows for how long.
        stands = self._full_ms is not None and now_ms - self._called_ms > limits.session_ms + limits.claim_ms
        slow, fast = self._turnover_per_s(sample, limits)
        free = max(0, limits.cap - seen.inside)
        return Estimate(0 if stands else limits.rate_per_minute / 60, free, slow, fast, self._vanishing_per_s)

    def _keep(self, sample: _Sample) -> None:
        last = self._samples[-1] if self._samples else sample
        if sample.called < last.called or sample.at_ms < last.at_ms:
            self._samples.clear()
            self._first_ms = self._full_ms = self._mark = None
            self._vanishing_per_s = 0.0
        if not self._samples or sample.called > last.called:
            self._called_ms = sample.at_ms
        if not self._samples or sample.at_ms - last.at_ms >= GRAIN_MS:
            self._samples.append(sample)
        while sample.at_ms - self._samples[0].at_ms > MEMORY_MS:
            self._samples.popleft()

    def _turnover_per_s(self, now: _Sample, limits: Limits) -> tuple[float, float]:
        """How fast places come free when the line is full: at least, and at most."""
        age_s = (now.at_ms - self._first_ms) / 1000 if self._first_ms is not None else 0.0
        # Nobody who goes away without a word keeps a place for longer.
        leases = limits.cap * 1000 / (limits.session_ms + limits.claim_ms)
        measured = self._measured_per_s(now)
        stay_s = self._stay_s(now)
        if stay_s:
            measured.append(limits.cap / max(stay_s, 1.0))
        if not measured:
            return leases, max(leases, limits.cap / age_s if age_s else AT_ONCE)
        slow = min(measured)
        if leases < slow:
            # Those who stay longest leave last: until leases have run out twice, there may be more of them.
            known = min(1.0, age_s * 1000 / (2 * limits.session_ms))
            known = known if now.left < LEFT else (1 + known) / 2
            slow = slow * known + leases * (1 - known)
        return max(NEVER, slow), max(measured)

    def _measured_per_s(self, now: _Sample) -> list[float]:
        """Calls a second, since the line is full, over each of the windows."""
        if self._full_ms is None:
            return []
        found = []
        for window_ms in WINDOWS_MS:
            since_ms = max(self._full_ms, now.at_ms - window_ms)
            start = next(sample for sample in self._samples if sample.at_ms >= since_ms or sample is self._samples[-1])
            if now.at_ms - start.at_ms >= LEAST_MS and now.called > start.called:
                found.append((now.called - start.called) * 1000 / (now.at_ms - start.at_ms))
        return found

    def _stay_s(self, now: _Sample) -> float | None:
        """How long visitors stay inside, if the first to go in is the first to leave: since when as many had been
        called as have left by now."""
        if not now.left:
            return None
        entered_ms = next((sample.at_ms for sample in reversed(self._samples) if sample.called <= now.left), None)
        return None if entered_ms is None else (now.at_ms - entered_ms) / 1000

    def _watch(self, now_ms: int, seen: Seen) -> None:
        """Who stood before a number, and was not called, has vanished."""
        mark = self._mark
        if mark is None or mark.number <= seen.head or now_ms - mark.at_ms > WATCHED_MS[1]:
            self._mark = _Mark(now_ms, seen.tail, seen.position(seen.tail), seen.called) if seen.waiting else None
            return
        elapsed_ms = now_ms - mark.at_ms
        if elapsed_ms < WATCHED_MS[0]:
            return
        position = seen.position(mark.number)
        mean = (mark.position + position) / 2
        if mean > LEAST_WATCHED:
            vanished = mark.position - position - (seen.called - mark.called)
            self._vanishing_per_s = max(0.0, vanished * 1000 / (mean * elapsed_ms))
