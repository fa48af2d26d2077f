"""A site on paper: visitors who ask, think and leave, and an origin with so many workers. Fluid, in steps of time."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise, takewhile
from typing import TypeVar

from waitroom.adaptive.adaptation import MOST_SPAN_S
from waitroom.adaptive.law import THAW_S, Law
from waitroom.adaptive.reading import Reading
from waitroom.adaptive.sightings import ENOUGH_REQUESTS, LEAST_SPAN_S, SETTLE_TIMES
from waitroom.adaptive_terms import AdaptiveTerms
from waitroom.desk.overrides import Adapted

Noted = TypeVar("Noted")

STEP_S = 0.25
DECISION_S = 2.0
# The longest settle time that is tried.
KEPT_S = 200.0


@dataclass
class Plant:
    """An origin of `workers` that take `service_s` each, and visitors who stay for `stay_s`, thinking for `think_s`
    between two requests. `demand_per_minute` come to the line; who is called goes in `lag_s` later, with the next poll.
    """

    workers: float = 10
    service_s: float = 0.1
    think_s: float = 1.0
    stay_s: float = 12.0
    demand_per_minute: float = 1200
    lag_s: float = 0.0
    is_up: bool = True
    now_s: float = 0.0
    waiting: float = 0.0
    inside: float = 0.0
    queue: float = 0.0
    totals: deque[tuple[float, float, float, float]] = field(default_factory=lambda: deque([(0.0, 0.0, 0.0, 0.0)]))
    answers: deque[tuple[float, tuple[float, float]]] = field(default_factory=deque)
    queues: deque[tuple[float, float]] = field(default_factory=lambda: deque([(0.0, 0.0)]))
    _called: deque[tuple[float, float]] = field(default_factory=deque)
    _entered: deque[tuple[float, float]] = field(default_factory=deque)

    @property
    def latency_s(self) -> float:
        """Of a request that comes now."""
        return self.service_s * max(1.0, self.queue / self.workers)

    @property
    def sustainable_per_minute(self) -> float:
        """The pace at which the workers are just busy."""
        return self.workers / self.service_s * (self.think_s + self.service_s) / self.stay_s * 60

    def step(self, rate_per_minute: float) -> None:
        self.now_s += STEP_S
        self.waiting += self.demand_per_minute * STEP_S / 60
        called = min(self.waiting, rate_per_minute * STEP_S / 60)
        self.waiting -= called
        self._called.append((self.now_s + self.lag_s, called))
        while self._called and self._called[0][0] <= self.now_s:
            came = self._called.popleft()[1]
            self._entered.append((self.now_s + self.stay_s, came))
            self.inside += came
        while self._entered and self._entered[0][0] <= self.now_s:
            left = min(self._entered.popleft()[1], self.inside)
            self.queue -= left * self.queue / (self.inside or 1)
            self.inside -= left
        asked = (self.inside - self.queue) * min(1.0, STEP_S / self.think_s)
        latency_s = self.latency_s
        self.queue += asked
        done = min(self.queue, self.workers * STEP_S / self.service_s) if self.is_up else asked
        errors = 0.0 if self.is_up else done
        self.queue -= done
        _, requests, failed, calls = self.totals[-1]
        self.totals.append((self.now_s, requests + done, failed + errors, calls + called))
        self.answers.append((self.now_s, (done, latency_s)))
        self.queues.append((self.now_s, self.queue))
        while self.now_s - self.totals[1][0] > KEPT_S:
            self.totals.popleft()
            self.queues.popleft()
            self.answers.popleft()

    def reading(self, since_s: float, settle_s: float, most_s: float) -> Reading:
        now_s, requests, errors, calls = self.totals[-1]
        earliest_s = max(since_s, now_s - most_s)
        start = self.totals[-1]
        for total in reversed(self.totals):
            if total[0] < earliest_s:
                break
            start = total
            if now_s - start[0] >= LEAST_SPAN_S and requests - start[1] >= ENOUGH_REQUESTS:
                break
        settled = next(total for total in self.totals if total[0] >= now_s - SETTLE_TIMES * settle_s)
        return Reading(
            now_ms=round(now_s * 1000),
            span_s=now_s - start[0],
            requests=round(requests - start[1]),
            errors=round(errors - start[2]),
            p95_s=self._p95_s(start[0]),
            busy=round(min(queue for _, queue in self._since(self.queues, start[0]))),
            up=1,
            of=1,
            calls=round(calls - start[3]),
            settled_per_minute=(calls - settled[3]) * 60 / max(now_s - settled[0], 1),
            waiting=round(self.waiting),
        )

    def _p95_s(self, since_s: float) -> float | None:
        noted = sorted((latency, done) for _, (done, latency) in self._since(self.answers, since_s) if done)
        rest = 0.05 * sum(done for _, done in noted)
        for latency, done in reversed(noted):
            rest -= done
            if rest <= 0:
                return latency
        return None

    def _since(self, noted: deque[tuple[float, Noted]], since_s: float) -> Iterator[tuple[float, Noted]]:
        return takewhile(lambda one: one[0] >= since_s, reversed(noted))


@dataclass
class Governed:
    """A plant under the law; `courses` are all that were taken."""

    plant: Plant
    terms: AdaptiveTerms
    ceiling: int
    courses: list[Adapted] = field(default_factory=list)
    p95s: list[tuple[float, float]] = field(default_factory=list)

    @property
    def law(self) -> Law:
        return Law(self.terms, self.ceiling)

    def run(self, seconds: float) -> None:
        if not self.courses:
            self.courses.append(self.law.begin(round(self.plant.now_s * 1000)))
        end_s = self.plant.now_s + seconds
        while self.plant.now_s < end_s:
            self.plant.step(self.courses[-1].rate_per_minute)
            self.p95s.append((self.plant.now_s, self.plant.latency_s))
            if self.plant.now_s % DECISION_S == 0:
                self._decide()

    def _decide(self) -> None:
        course = self.courses[-1]
        most_s = THAW_S if course.state == "frozen" else MOST_SPAN_S
        reading = self.plant.reading(course.since_ms / 1000, self.terms.settle_s, most_s)
        decided = self.law.decide(course, reading)
        if decided != course:
            self.courses.append(decided)

    @property
    def rates(self) -> list[int]:
        return [course.rate_per_minute for course in self.courses]

    @property
    def turns(self) -> int:
        """How often the rate went down after it had gone up."""
        ups = [after > before for before, after in pairwise(self.rates) if after != before]
        return sum(was and not now for was, now in pairwise(ups))
