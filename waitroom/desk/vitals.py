"""What a process counts of a room since it began, and what that says of the time between two looks. Pure.

All counts only grow, so that nothing is lost between two looks, however far apart. Durations are counted in buckets
whose bounds grow by a quarter each: a quantile is right within a tenth.
"""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

# Of Prometheus, for the origin's share of a request.
ORIGIN_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
GROWTH = 1.25


def _bounds(first: float, last: float, among: Iterable[float] = ()) -> tuple[float, ...]:
    """From the first on, each a quarter larger, up to one that is not below the last; `among` are bounds, too."""
    bounds, bound = set(among), first
    while bound < last:
        bounds.add(round(bound, 6))
        bound *= GROWTH
    return tuple(sorted({*bounds, last}))


# Upper bounds (s): of the time to the first byte of an origin's response, and from a ticket to its admission.
LATENCY_S = _bounds(0.001, 60.0, ORIGIN_S)
WAIT_S = _bounds(1.0, 86_400.0)


class Durations:
    """Counts durations (s) by bucket: that of a bound has those that are at most as long, and longer than the one
    before."""

    __slots__ = ("bounds", "counts", "sum_s")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum_s = 0.0

    def note(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum_s += seconds

    def sparse(self) -> dict[int, int]:
        """The counts that are not 0, by bucket."""
        return {bucket: count for bucket, count in enumerate(self.counts) if count}


def quantile_s(counts: Mapping[int, int], bounds: tuple[float, ...], share: float) -> float | None:
    """The duration (s) that a share of those counted do not exceed, None where nothing was counted; within a bucket, as
    if they were spread evenly."""
    rest = share * sum(counts.values())
    for bucket in sorted(counts):
        count = counts[bucket]
        if rest <= count:
            least = bounds[bucket - 1] if bucket else 0.0
            most = bounds[bucket] if bucket < len(bounds) else bounds[-1]
            return least + (most - least) * rest / count
        rest -= count
    return None


@dataclass(frozen=True, slots=True)
class Vitals:
    """Of one process and room, since the process began. `requests` were sent to the origin and have ended; of those,
    `errors` got a 5xx of the origin, or no usable response. `busy` are with the origin now. `latency` counts times to
    the first byte by bucket of LATENCY_S, `waits` those from ticket to admission by bucket of WAIT_S. Of `of` origins,
    `up` may be asked."""

    requests: int = 0
    errors: int = 0
    busy: int = 0
    up: int = 0
    of: int = 0
    latency: Mapping[int, int] = field(default_factory=dict)
    waits: Mapping[int, int] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(
            [self.requests, self.errors, self.busy, self.up, self.of, self.latency, self.waits], separators=(",", ":")
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Raises ValueError for what is none."""
        try:
            *numbers, latency, waits = json.loads(text)
            requests, errors, busy, up, of = map(int, numbers)
            return cls(requests, errors, busy, up, of, _counts(latency), _counts(waits))
        except (TypeError, AttributeError) as exc:
            raise ValueError(f"{text!r} are no vitals") from exc


def _counts(told: Mapping[str, int]) -> dict[int, int]:
    return {int(bucket): int(count) for bucket, count in told.items()}


@dataclass(frozen=True, slots=True)
class Window:
    """What all processes together saw between two looks, `seconds` apart; `busy`, `up` and `of` are of the later one.
    An origin is up that any of them may ask."""

    seconds: float
    requests: int
    errors: int
    busy: int
    up: int
    of: int
    latency: Mapping[int, int]
    waits: Mapping[int, int]

    @classmethod
    def between(cls, before: Mapping[str, Vitals], after: Mapping[str, Vitals], seconds: float) -> Self:
        """Of the vitals of all processes, by their names. A process that is new has counted all of its own in
        between."""
        latency: Counter[int] = Counter()
        waits: Counter[int] = Counter()
        requests = errors = 0
        for process, now in after.items():
            then = before.get(process, Vitals())
            requests += now.requests - then.requests
            errors += now.errors - then.errors
            latency += Counter(now.latency) - Counter(then.latency)
            waits += Counter(now.waits) - Counter(then.waits)
        return cls(
            seconds=seconds,
            requests=requests,
            errors=errors,
            busy=sum(now.busy for now in after.values()),
            up=max((now.up for now in after.values()), default=0),
            of=max((now.of for now in after.values()), default=0),
            latency=latency,
            waits=waits,
        )

    @property
    def per_second(self) -> float:
        """Requests to the origin that ended."""
        return self.requests / self.seconds if self.seconds > 0 else 0.0

    @property
    def error_share(self) -> float | None:
        """Of the requests that ended, 0 to 1; None where none did."""
        return self.errors / self.requests if self.requests else None

    def latency_s(self, share: float) -> float | None:
        """A quantile of the time to the first byte."""
        return quantile_s(self.latency, LATENCY_S, share)

    def wait_s(self, share: float) -> float | None:
        """A quantile of the time from ticket to admission."""
        return quantile_s(self.waits, WAIT_S, share)
