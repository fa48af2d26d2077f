"""How fast a line moves, as measured, and how often those in it ask. Knows no clock."""

from collections import deque
from collections.abc import Hashable

# Calls are counted over this time; shorter, and a burst looks like a trend; longer, and a turned knob shows late.
WINDOW_MS = 60_000
GRAIN_MS = 1_000
# A waiting visitor asks at least so often within a presence window: one lost poll must not make it absent.
MOST_OF_PRESENCE = 0.4
NEAREST_MS = 1_000
# Of each second that is left, how much may pass until the next look.
MS_OF_WAIT = 100
JITTER = 0.2
SOONEST, SPREAD = 1 - JITTER, 2 * JITTER


class CallRate:
    """Calls per minute under the terms in force, as measured from the counter of successive snapshots."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque()
        self._terms: Hashable = None

    def note(self, now_ms: int, called: int, terms: Hashable) -> None:
        """Takes the counter of calls at a time, and the terms of then, such as the rate that was set: what was
        before says nothing of what comes after a knob was turned, or the line has opened."""
        stepped_back = self._samples and (called < self._samples[-1][1] or now_ms < self._samples[-1][0])
        if stepped_back or terms != self._terms:
            self._samples.clear()
            self._terms = terms
        if len(self._samples) > 1 and now_ms - self._samples[-2][0] < GRAIN_MS:
            self._samples.pop()
        self._samples.append((now_ms, called))
        while now_ms - self._samples[0][0] > WINDOW_MS:
            self._samples.popleft()

    @property
    def per_minute(self) -> float | None:
        """None until there is something to measure."""
        if len(self._samples) < 2:
            return None
        (start_ms, before), (end_ms, after) = self._samples[0], self._samples[-1]
        if end_ms - start_ms < GRAIN_MS:
            return None
        return (after - before) * 60_000 / (end_ms - start_ms)


def poll_after_ms(
    wait: tuple[int, int] | None, waiting: int, *, presence_ms: int, polls_per_second: int, chance: float
) -> int:
    """When a waiting visitor should ask again.

    Short near the front, long far from it; stretched so that all who wait stay under `polls_per_second`, but never so
    far that a visitor would count as absent. `chance`, in [0, 1), spreads the polls of those who came together.
    """
    return Pace(presence_ms, polls_per_second, waiting).after_ms(wait[0] if wait else None, chance)


class Pace:
    """How often a line is asked about while so many wait, prepared so that a crowd can ask for it."""

    __slots__ = ("_least_ms", "_longest_ms")

    def __init__(self, presence_ms: int, polls_per_second: int, waiting: int) -> None:
        self._longest_ms = presence_ms * MOST_OF_PRESENCE / (1 + JITTER)
        self._least_ms = max(NEAREST_MS, waiting * 1000 / polls_per_second)

    def after_ms(self, shortest_s: int | None, chance: float) -> int:
        """By the shortest time that the wait may take, None where nobody can say."""
        after_ms = self._longest_ms
        if shortest_s is not None:
            after_ms = min(max(float(shortest_s * MS_OF_WAIT), self._least_ms), after_ms)
        return round(after_ms * (SOONEST + SPREAD * chance))


def least_polls_per_second(waiting: int, presence_ms: int) -> float:
    """How often so many who wait must ask, all together, so that none of them counts as absent."""
    return waiting * 1000 * (1 + JITTER) / (presence_ms * MOST_OF_PRESENCE)
