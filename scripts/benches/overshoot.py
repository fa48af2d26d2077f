"""Whether rate and cap were kept: in every interval there is, not in some chosen ones. Pure."""

from collections.abc import Iterable, Sequence

PER_MINUTE_MS = 60_000


def most_over_rate(calls_ms: Sequence[float], rate_per_minute: float, burst: int) -> float:
    """By how many calls the bound `burst + rate * time` was exceeded at most, over all intervals (I2). Negative: so
    many were left in the fullest. The moments may come in any order.

    Of all intervals the fullest begin and end with a call. With the i-th at t, an interval from i to j has j - i + 1
    calls, and is over by (j + 1 - rate * t_j) - (i - rate * t_i) - burst: it is enough to know, for each j, the least
    that any i up to it has of the second.
    """
    worst, least_begin = float("-inf"), float("inf")
    for index, moment in enumerate(sorted(calls_ms)):
        refilled = rate_per_minute * moment / PER_MINUTE_MS
        least_begin = min(least_begin, index - refilled)
        worst = max(worst, index + 1 - refilled - least_begin - burst)
    return worst


def most_at_once(stays_ms: Iterable[tuple[float, float]]) -> int:
    """How many stays, each from when to when, have a moment in common. One that ends as another begins has none with
    it."""
    changes = sorted(change for start, end in stays_ms for change in ((start, 1), (end, -1)))
    most = here = 0
    for _, change in changes:
        here += change
        most = max(most, here)
    return most


def shared(stays_ms: Iterable[tuple[float, float]], start_ms: float, end_ms: float) -> float:
    """The time that all stays together have of an interval (ms)."""
    return sum(max(0.0, min(end, end_ms) - max(start, start_ms)) for start, end in stays_ms)
