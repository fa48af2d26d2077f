"""The law by which a room's rate follows the health of its origins. Pure: a course, a reading, and the next course.

It is TCP's congestion control, with calls per minute in the place of the window:

- additive increase, multiplicative decrease (Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for
  Congestion Avoidance in Computer Networks", 1989);
- slow start up to a threshold that remembers the last overload and is half of what was too much, and an outage that
  sends back to the beginning (Jacobson, "Congestion Avoidance and Control", 1988);
- beyond it a decrease by how far the target is missed, to a half at most (the gradient of Netflix's
  concurrency-limits), and a band below the target in which nothing moves (Brakmo and Peterson, "TCP Vegas", 1994);
- one decrease per round trip, and back to the threshold once the queue has drained (fast recovery, RFC 6582);
- no increase while something else is the limit (RFC 7661).

The round trip is the settle time: visitors inside go on asking, so that a cut shows only once they have left. What is
cut is therefore not the rate of now, but the one at which those who are inside now have come. Where the target is
missed by far, the excess inside must leave first: the rate is halved again and again, and the threshold stays.
"""

from dataclasses import dataclass, replace
from typing import Literal

from waitroom.adaptive.reading import Finding, Reading, find
from waitroom.adaptive_terms import AdaptiveTerms
from waitroom.desk.overrides import Adapted

State = Literal["starting", "steady", "settling", "frozen"]

# Judged is what came after the last change, once it is so long.
SOONEST_S = 4.0
# An increase comes in so many steps per settle time.
STEPS = 2
# Of the ceiling, how much is added per settle time.
INCREASE = 0.05
# The most that is cut at once.
DEEPEST_CUT = 0.5
# Without a sign of life, a frozen room tries again after so long.
THAW_S = 10.0


@dataclass(frozen=True, slots=True)
class Law:
    """Of one room. `ceiling` is the most calls per minute that its operator allows; it holds below `rate_min`, too.

    A course is an Adapted: up to its threshold the rate grows by factors, beyond it by steps; the threshold is 0 while
    nothing was ever too much.
    """

    terms: AdaptiveTerms
    ceiling: int

    def begin(self, now_ms: int) -> Adapted:
        """The course of a room of which nothing is known."""
        rate = self._within(0)
        return Adapted(rate, "starting", f"adaptive admission begins at {rate:,} a minute", now_ms)

    def decide(self, course: Adapted, reading: Reading) -> Adapted:
        """The next course: the same one if nothing is to change."""
        bounded = self._within(course.rate_per_minute)
        if course.state != "frozen" and course.rate_per_minute != bounded:
            words = f"the operator allows {self._within(0):,} to {self.ceiling:,} a minute"
            return _moved(course, reading, words, rate=bounded)
        if reading.span_s < SOONEST_S:
            return course
        finding = find(reading, self.terms)
        if course.state == "frozen":
            return self._frozen(course, reading, finding)
        match finding.condition:
            case "down":
                return self._freeze(course, reading, finding)
            case "severe" | "over":
                return self._overloaded(course, reading, finding)
            case _ if course.state == "settling":
                return self._settling(course, reading, finding)
            case "well" if reading.is_bound_by(course.rate_per_minute):
                return self._climbing(course, reading, finding)
            case _:
                return course

    def _freeze(self, course: Adapted, reading: Reading, finding: Finding) -> Adapted:
        """A threshold from before an outage outlives the trials during it."""
        threshold = course.threshold_per_minute
        if course.state != "starting" or not threshold:
            threshold = self._within(reading.settled_per_minute * DEEPEST_CUT)
        return _moved(course, reading, finding.words, state="frozen", rate=0, threshold=threshold)

    def _frozen(self, course: Adapted, reading: Reading, finding: Finding) -> Adapted:
        if finding.condition == "down" or (reading.busy and not reading.requests):
            return course
        if reading.requests > reading.errors:
            words = "the origin answers again"
        elif not reading.requests and reading.span_s >= THAW_S:
            words = f"nothing was asked of the origin for {reading.span_s:.0f} s, and a few may try"
        else:
            return course
        return _moved(course, reading, words, state="starting", rate=self._within(0))

    def _overloaded(self, course: Adapted, reading: Reading, finding: Finding) -> Adapted:
        rate, threshold = course.rate_per_minute, course.threshold_per_minute
        if course.state == "settling" and not self._has_waited(course, reading, 1):
            if finding.condition == "over":
                return course
            return _moved(course, reading, finding.words, rate=self._within(rate * DEEPEST_CUT))
        # What grows by factors is found out late, when far more have been called than those who show.
        cut = DEEPEST_CUT if course.state == "starting" or not threshold else max(DEEPEST_CUT, 1 / finding.ratio)
        passed = min(reading.settled_per_minute, rate)
        if course.state == "settling" or rate <= self.terms.rate_min or not passed:
            # What has come is no measure of what those inside came at.
            rate, threshold = self._within(rate * cut), self._within(threshold * cut) if threshold else 0
        else:
            threshold = self._within(passed * cut)
        rate = min(rate, threshold or rate)
        return _moved(course, reading, finding.words, state="settling", rate=rate, threshold=threshold)

    def _settling(self, course: Adapted, reading: Reading, finding: Finding) -> Adapted:
        rate = max(course.rate_per_minute, self._within(course.threshold_per_minute))
        if rate > course.rate_per_minute or self._has_waited(course, reading, 1):
            return _moved(course, reading, finding.words, state="steady", rate=rate)
        return course

    def _climbing(self, course: Adapted, reading: Reading, finding: Finding) -> Adapted:
        rate, threshold = course.rate_per_minute, course.threshold_per_minute
        if rate == self.ceiling or not self._has_waited(course, reading, 1 / STEPS):
            return course
        if threshold and rate >= threshold:
            state: State = "steady"
            higher = _climbed(rate, rate + self.ceiling * INCREASE / STEPS, self.ceiling)
        else:
            highest = min(threshold or self.ceiling, self.ceiling)
            higher = _climbed(rate, rate * 2 ** (1 / STEPS), highest)
            state = "starting" if higher < highest else "steady"
        return _moved(course, reading, finding.words, state=state, rate=higher)

    def _within(self, rate: float) -> int:
        return min(max(round(rate), self.terms.rate_min), self.ceiling)

    def _has_waited(self, course: Adapted, reading: Reading, settle_times: float) -> bool:
        return reading.now_ms - course.since_ms >= self.terms.settle_s * settle_times * 1000


def _climbed(rate: int, wanted: float, most: int) -> int:
    return min(max(round(wanted), rate + 1), most)


def _moved(
    course: Adapted,
    reading: Reading,
    words: str,
    *,
    state: State | None = None,
    rate: int,
    threshold: int | None = None,
) -> Adapted:
    """The course with another rate, state or threshold; the same one if all of them are as they were."""
    before = course.rate_per_minute
    moved = replace(
        course,
        state=state or course.state,
        rate_per_minute=rate,
        threshold_per_minute=course.threshold_per_minute if threshold is None else threshold,
    )
    if moved == course:
        return course
    change = f"{before:,} → {rate:,} a minute" if rate != before else f"stays at {rate:,} a minute"
    return replace(moved, since_ms=reading.now_ms, reason=f"{words}: {change}")
