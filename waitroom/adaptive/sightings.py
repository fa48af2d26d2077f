"""What was seen of a room in the last minutes, look by look, and the reading that it gives of any time since. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from waitroom.adaptive.reading import Reading
from waitroom.desk.vitals import Vitals, Window

# A reading goes back at least so far, and then until it has enough requests, but never further than it may.
LEAST_SPAN_S = 6.0
ENOUGH_REQUESTS = 50
# Those inside have come in the last settle time, and were called before: they came with their next poll.
SETTLE_TIMES = 2


@dataclass(frozen=True, slots=True)
class Sighting:
    """One look: the vitals of all processes, how many requests are with the origin now, how many were called so far by
    line, and how many wait in all of them."""

    at_ms: int
    vitals: Mapping[str, Vitals]
    busy: int
    called: Mapping[str, int]
    waiting: int


class Sightings:
    """Those of the last `keep_s`, the oldest first."""

    def __init__(self, keep_s: float) -> None:
        self._keep_ms = round(keep_s * 1000)
        self._seen: deque[Sighting] = deque()

    def note(self, sighting: Sighting) -> None:
        """Takes a look that is newer than the last; a clock that steps back begins anew."""
        if self._seen and sighting.at_ms < self._seen[-1].at_ms:
            self._seen.clear()
        self._seen.append(sighting)
        while sighting.at_ms - self._seen[0].at_ms > self._keep_ms:
            self._seen.popleft()

    def reading(self, since_ms: int, most_s: float, settle_s: float) -> Reading:
        """The state of now, by what has come since a time, at most `most_s` ago. Raises IndexError before any look."""
        last = self._seen[-1]
        looks = self._looks(max(since_ms, last.at_ms - round(most_s * 1000)))
        window = _window(looks[0], last)
        return Reading(
            now_ms=last.at_ms,
            span_s=window.seconds,
            requests=window.requests,
            errors=window.errors,
            p95_s=window.latency_s(0.95),
            busy=min(look.busy for look in looks),
            up=window.up,
            of=window.of,
            calls=_calls(looks[0], last),
            settled_per_minute=self._calls_per_minute(last.at_ms - round(SETTLE_TIMES * settle_s * 1000)),
            waiting=last.waiting,
        )

    def _looks(self, since_ms: int) -> list[Sighting]:
        """The last ones, as many as a reading needs; the last one at least."""
        last = self._seen[-1]
        looks = [last]
        for look in list(self._seen)[-2::-1]:
            if look.at_ms < since_ms:
                break
            looks.append(look)
            span_ms = last.at_ms - look.at_ms
            if span_ms >= LEAST_SPAN_S * 1000 and _requests(last) - _requests(look) >= ENOUGH_REQUESTS:
                break
        return looks[::-1]

    def _calls_per_minute(self, since_ms: int) -> float:
        last = self._seen[-1]
        first = next(look for look in self._seen if look.at_ms >= since_ms)
        span_ms = last.at_ms - first.at_ms
        return _calls(first, last) * 60_000 / span_ms if span_ms else 0.0


def _requests(look: Sighting) -> int:
    return sum(one.requests for one in look.vitals.values())


def _window(before: Sighting, after: Sighting) -> Window:
    """Of the processes that were there at both looks. What others have counted may be of any time: they are new, or
    could not be heard for a while, or have begun anew under the same name."""
    lasting = {
        process: vitals
        for process, vitals in after.vitals.items()
        if process in before.vitals and vitals.requests >= before.vitals[process].requests
    }
    return Window.between(before.vitals, lasting, (after.at_ms - before.at_ms) / 1000)


def _calls(before: Sighting, after: Sighting) -> int:
    """In the busiest line: the rate is that of each. One that was begun anew has called nobody."""
    both = before.called.keys() & after.called.keys()
    return max([0, *(after.called[line] - before.called[line] for line in both)])
