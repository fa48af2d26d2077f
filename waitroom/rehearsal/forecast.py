"""What would become of a crowd before a line: the same crowd as a rehearsal sends, before a modelled line, with the
pacing code by which visitors are told their waits and asked to poll. Steps as the line does, four times a second."""

import random
from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from itertools import pairwise

from waitroom.estimate import Estimate, Estimator
from waitroom.limits import TICK_MS, Limits
from waitroom.pace import poll_after_ms
from waitroom.rehearsal.crowd import PATIENT, Crowd
from waitroom.rehearsal.modelled_line import ModelledLine
from waitroom.rehearsal.record import LEFT, WAITS, WENT_IN, Fates, Record, Sample
from waitroom.standing import Called

# A sample is taken every second where a crowd comes within a few minutes, and more seldom where it takes longer.
SAMPLES, MOST_SAMPLE_S = 120, 5
# A forecast ends here, whoever still waits.
LONGEST_S = 2 * 86_400
# How finely polls are counted along the line: who stands so much farther back asks about as often.
BAND = 1.5
# What one poll and one page take on the wire, both ways, with their heads, as rehearsals counted them (bytes).
POLL_BYTES = 700
PAGE_BYTES = 6_000

Calendar = defaultdict[int, list[int]]
# Sees the seconds from the beginning, the line, and what it tells its visitors.
Watch = Callable[[float, ModelledLine, Estimate], None]


def forecast(
    crowd: Crowd,
    limits: Limits,
    polls_per_second: int,
    longest_s: float = LONGEST_S,
    *,
    turns: Sequence[tuple[float, Limits]] = (),
    watch: Watch | None = None,
) -> Record:
    """Lives through the crowd's day; `limits` as a room has them, with the poll budget beside. `turns` are limits that
    come into force later, by seconds from the beginning; `watch` is called once a second."""
    return _Forecast(crowd, limits, polls_per_second, turns, watch).run(longest_s)


def polls_per_s(waiting: int, estimate: Estimate, limits: Limits, polls_per_second: int) -> float:
    """How often a line of so many asks, all together."""
    edges = [1]
    while edges[-1] <= waiting:
        edges.append(max(edges[-1] + 1, int(edges[-1] * BAND)))
    edges[-1] = waiting + 1
    asked = 0.0
    for nearest, beyond in pairwise(edges):
        wait = estimate.wait_s((nearest + beyond) // 2)
        asked += (beyond - nearest) * 1000 / _often_ms(wait, waiting, limits, polls_per_second)
    return asked


def _often_ms(wait: tuple[int, int] | None, waiting: int, limits: Limits, polls_per_second: int) -> int:
    """Between two polls, on average."""
    return poll_after_ms(wait, waiting, presence_ms=limits.presence_ms, polls_per_second=polls_per_second, chance=0.5)


class _Forecast:
    """Visitors are known by their index, and stand in the line with the number after it."""

    def __init__(
        self,
        crowd: Crowd,
        limits: Limits,
        polls_per_second: int,
        turns: Sequence[tuple[float, Limits]],
        watch: Watch | None,
    ) -> None:
        self._crowd = crowd
        self._limits = limits
        self._budget = polls_per_second
        self._turns = deque(turns)
        self._watch = watch
        self._line = ModelledLine(limits, 0)
        self._chance = random.Random(crowd.habits.seed)
        self._estimator = Estimator()
        self._estimate = self._estimator.note(0, self._line)
        self._sample_s = max(1, min(MOST_SAMPLE_S, round(crowd.habits.over_s / SAMPLES)))
        self._record = Record(Fates.of(len(crowd)), limits_from="the modelled line")
        self._leaves, self._returns = Calendar(list), Calendar(list)
        self._claims, self._acts = Calendar(list), Calendar(list)
        self._is_gone = bytearray(len(crowd))
        self._until_s = array("d", [0.0]) * len(crowd)
        self._often_ms: dict[int, int] = {}  # between polls, by the band of a position, as of this tick
        self._arrived = 0
        self._polls = 0.0
        self._busy_ticks = self._full_ticks = 0

    def run(self, longest_s: float) -> Record:
        tick = 0
        while not self._is_over() and tick * TICK_MS < longest_s * 1000:
            tick += 1
            self._step(tick, tick * TICK_MS)
        record = self._record
        record.ended_s = tick * TICK_MS / 1000
        record.polls = round(self._polls)
        record.bytes_in = record.polls * POLL_BYTES + self._arrived * PAGE_BYTES
        record.missed = self._line.missed
        record.full_share = self._full_ticks / self._busy_ticks if self._busy_ticks else 0.0
        return record

    def _is_over(self) -> bool:
        is_quiet = not (self._line.inside or self._claims or self._line.waiting or self._returns)
        return is_quiet and self._arrived == len(self._crowd)

    def _step(self, tick: int, now_ms: int) -> None:
        """What happened since the last tick, and then the tick."""
        line = self._line
        self._often_ms.clear()
        self._turn(now_ms)
        for i in self._leaves.pop(tick, ()):
            self._leave(i, now_ms)
        for i in self._returns.pop(tick, ()):
            self._return(i, tick, now_ms)
        for i in self._claims.pop(tick, ()):
            self._claim(i, tick, now_ms)
        for i in self._acts.pop(tick, ()):
            self._act(i, tick, now_ms)
        arrivals = self._arrivals(tick, now_ms)
        called = line.advance(now_ms)
        if called:
            self._call([number - 1 for number in called], tick, now_ms)
        if line.waiting:
            self._busy_ticks += 1
            self._full_ticks += line.is_full
        if arrivals:
            line.appear(arrivals.start + 1, len(arrivals))
        self._estimate = self._estimator.note(now_ms, line)
        if self._watch and tick % (1000 // TICK_MS) == 0:
            self._watch(now_ms / 1000, line, self._estimate)
        if tick % (self._sample_s * 1000 // TICK_MS) == 0:
            self._sample(now_ms / 1000)

    def _turn(self, now_ms: int) -> None:
        while self._turns and self._turns[0][0] * 1000 <= now_ms:
            self._limits = self._line.limits = self._turns.popleft()[1]

    def _arrivals(self, tick: int, now_ms: int) -> range:
        """Lets join who has come; gives those who have to wait."""
        arrives_s, first, now_s = self._crowd.arrives_s, self._arrived, now_ms / 1000
        last = first
        while last < len(arrives_s) and arrives_s[last] <= now_s:
            last += 1
        if last == first:
            return range(0)
        self._arrived = last
        fates = self._record.fates
        fates.arrived_s[first:last] = arrives_s[first:last]
        position = self._line.waiting + 1
        called = self._line.join(last - first, now_ms)
        at_once = [number - 1 for number in called if number > first]
        self._call([number - 1 for number in called if number <= first], tick, now_ms)
        for i in at_once:
            # Its lease is that of a call until its next request.
            self._enter(i, arrives_s[i], tick, now_ms, renews_s=now_ms / 1000 + self._crowd.habits.think_s)
        waiting = range(first + len(at_once), last)
        if waiting:
            self._tell(waiting, position)
            self._polls += len(waiting)  # the page asks as soon as it is shown
        return waiting

    def _tell(self, visitors: range, position: int) -> None:
        """Shows all who came within one tick what there is to know of the wait."""
        fates, patience = self._record.fates, self._crowd.patience
        told = self._estimate.wait_s(position)
        guess_s = (told[0] + told[1]) / 2 if told else position * 60 / self._limits.rate_per_minute
        n, rows = len(visitors), slice(visitors.start, visitors.stop)
        fates.fate[rows] = bytes([WAITS]) * n
        fates.number[rows] = array("q", range(visitors.start + 1, visitors.stop + 1))
        fates.present_s[rows] = fates.waiting_s[rows] = fates.arrived_s[rows]
        if told:
            fates.told_low_s[rows], fates.told_high_s[rows] = array("d", told[:1]) * n, array("d", told[1:]) * n
        for i in visitors:
            if patience[i] != PATIENT:
                self._leaves[_tick(fates.arrived_s[i] + patience[i] * guess_s)].append(i)

    def _silence_ms(self, position: int) -> float:
        """How long ago a visitor at about a position polled, at any moment; or how long until it does."""
        band = position.bit_length()
        often_ms = self._often_ms.get(band)
        if often_ms is None:
            wait = self._estimate.wait_s(position)
            often_ms = self._often_ms[band] = _often_ms(wait, self._line.waiting, self._limits, self._budget)
        return self._chance.random() * often_ms

    def _leave(self, i: int, now_ms: int) -> None:
        """It gives up, unless it went in before. The line hears nothing of that."""
        fates = self._record.fates
        if fates.fate[i] != WAITS:
            return
        ahead = max(1, i + 1 - self._line.head)
        self._is_gone[i] = fates.was_away[i] = 1
        fates.fate[i] = LEFT
        if self._crowd.away_s[i] != PATIENT:
            self._returns[_tick(now_ms / 1000 + self._crowd.away_s[i])].append(i)
        self._line.vanish(i + 1, now_ms - round(self._silence_ms(ahead)))

    def _return(self, i: int, tick: int, now_ms: int) -> None:
        fates = self._record.fates
        if not self._is_gone[i]:
            return
        self._is_gone[i] = 0
        fates.fate[i] = WAITS
        standing = self._line.see(i + 1, now_ms)
        if isinstance(standing, Called):
            self._claims[tick + 1].append(i)

    def _call(self, visitors: list[int], tick: int, now_ms: int) -> None:
        """Each learns of its call with its next poll, if it still polls."""
        waiting_s, is_gone, claims = self._record.fates.waiting_s, self._is_gone, self._claims
        for i in visitors:
            if not is_gone[i]:
                waiting_s[i] = now_ms / 1000
                claims[tick + 1 + int(self._silence_ms(1) / TICK_MS)].append(i)

    def _claim(self, i: int, tick: int, now_ms: int) -> None:
        if self._record.fates.fate[i] != WAITS:
            return
        if self._line.claim(i + 1, now_ms):
            self._enter(i, now_ms / 1000, tick, now_ms)
        else:
            self._line.see(i + 1, now_ms)  # it came too late, and is late

    def _enter(self, i: int, at_s: float, tick: int, now_ms: int, renews_s: float = 0.0) -> None:
        fates = self._record.fates
        fates.fate[i], fates.entered_s[i], fates.number[i] = WENT_IN, at_s, i + 1
        self._until_s[i] = now_ms / 1000 + self._crowd.stay_s[i]
        self._plan_act(i, tick, now_ms, renews_s)

    def _plan_act(self, i: int, tick: int, now_ms: int, renews_s: float = 0.0) -> None:
        """It goes in the end; before that, the first request past half of the lease renews it."""
        renews_s = renews_s or now_ms / 1000 + (self._limits.session_ms / 1000 + self._crowd.habits.think_s) / 2
        self._acts[max(tick + 1, _tick(min(self._until_s[i], renews_s)))].append(i)

    def _act(self, i: int, tick: int, now_ms: int) -> None:
        if now_ms < self._until_s[i] * 1000:
            self._line.claim(i + 1, now_ms)
            self._plan_act(i, tick, now_ms)
            return
        if not self._crowd.lapses[i]:
            self._line.release(i + 1)

    def _sample(self, now_s: float) -> None:
        line = self._line
        if line.waiting:
            per_s = polls_per_s(line.waiting, self._estimate, self._limits, self._budget)
            self._polls += self._sample_s * per_s * max(0, line.waiting - line.silent) / line.waiting
        self._record.samples.append(
            Sample(now_s, line.waiting, line.inside, line.called, self._arrived, round(self._polls))
        )


def _tick(at_s: float) -> int:
    """The tick at or after a time."""
    return -int(-at_s * 1000 // TICK_MS)
