"""What can be seen of a room's origins and its line, and what it says of the origins' health. Pure."""

from dataclasses import dataclass
from typing import Literal

from waitroom.adaptive_terms import AdaptiveTerms

# Fewer requests say nothing of a percentile, nor of a share of errors.
FEWEST_REQUESTS = 10
# So many that fail without one that succeeds are an outage, and not bad luck.
FEWEST_FAILURES = 5
# Nothing came back from the origin for so long.
HANG_S = 10.0
# Below this share of the target there is room for more; between it and the target, all is as it should be.
HEADROOM = 0.8
# Over the target by so much, a load is not waited for: it is taken away.
SEVERE = 2.0

Condition = Literal["down", "severe", "over", "fair", "well", "silent"]


@dataclass(frozen=True, slots=True)
class Reading:
    """Seen in the last `span_s`, by all processes together.

    `requests` are those whose response began, or that failed; `errors` are those of them that failed. `busy` are those
    that wait for a response: the fewest at any look, so that a burst is no queue (as CoDel finds the standing one;
    Nichols and Jacobson, "Controlling Queue Delay", 2012). `up` of `of` origins are available. `calls` are those of the
    span in the busiest line, and `settled_per_minute` is its pace in the last two settle times: the one at which
    those inside were called.
    """

    now_ms: int
    span_s: float
    requests: int
    errors: int
    p95_s: float | None
    busy: int
    up: int
    of: int
    calls: int
    settled_per_minute: float
    waiting: int

    @property
    def mean_s(self) -> float:
        """How long a request takes on average by Little's law (L = λW; Little, "A Proof for the Queuing Formula",
        1961): it also tells of those that have not come back yet."""
        return self.busy * self.span_s / max(self.requests, 1)

    def is_bound_by(self, rate_per_minute: int) -> bool:
        """Whether more would have been called at a higher rate: neither the crowd nor the cap was the limit."""
        due = rate_per_minute * self.span_s / 60
        return (self.calls > 0 or self.waiting > 0) and self.calls + 1 >= HEADROOM * due


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition, in words too. `ratio` is of the worst sign to what it should be at most."""

    condition: Condition
    ratio: float
    words: str


def find(reading: Reading, terms: AdaptiveTerms) -> Finding:
    """What a reading says of the origins' health."""
    if outage := _outage(reading):
        return Finding("down", float("inf"), outage)
    signs = _signs(reading, terms)
    if not signs:
        return Finding("silent", 0.0, "nothing was asked of the origin")
    ratio, words = max(signs)
    if ratio <= 1:
        return Finding("well" if ratio <= HEADROOM else "fair", ratio, signs[0][1])
    if max(reading.requests, reading.busy) < FEWEST_REQUESTS:
        return Finding("fair", ratio, words)
    return Finding("severe" if ratio > SEVERE else "over", ratio, words)


def _outage(reading: Reading) -> str:
    if reading.of and not reading.up:
        return "no origin is up" if reading.of > 1 else "the origin is down"
    if reading.requests >= FEWEST_FAILURES and reading.errors == reading.requests:
        return f"all of the last {reading.requests:,} requests failed"
    if reading.busy >= FEWEST_FAILURES and not reading.requests and reading.span_s >= HANG_S:
        return f"none of {reading.busy:,} requests came back within {reading.span_s:.0f} s"
    return ""


def _signs(reading: Reading, terms: AdaptiveTerms) -> list[tuple[float, str]]:
    """Each sign of overload, with how far it is over what it should be; the first is what there is to say when all is
    well."""
    target_s = terms.target_ms / 1000
    signs = []
    if reading.p95_s is not None:
        ratio = reading.p95_s / target_s
        signs.append((ratio, f"p95 {_ms(reading.p95_s)} {_against(ratio)} the target of {terms.target_ms:,} ms"))
    if reading.requests:
        percent = 100 * reading.errors / reading.requests
        ratio = percent / terms.error_percent
        signs.append((ratio, f"{percent:.1f} % of requests failed, {_against(ratio)} {terms.error_percent:g} %"))
    if reading.busy >= FEWEST_REQUESTS:
        ratio = reading.mean_s / target_s
        words = f"{reading.busy:,} requests wait for the origin, each {_ms(reading.mean_s)}"
        signs.append((ratio, f"{words}, {_against(ratio)} the target of {terms.target_ms:,} ms"))
    return signs


def _against(ratio: float) -> str:
    return "over" if ratio > 1 else "under"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
