"""What all processes have counted of one room over the last minutes, and what that says of its origins and waits."""

from collections import deque
from collections.abc import Mapping

from waitroom.desk.vitals import Vitals, Window

# How far back one looks: at origins, and at waits, which end seldom.
ORIGIN_MS = 60_000
WAITS_MS = 300_000
GRAIN_MS = 1_000


class WatchedVitals:
    """A few hundred looks; no clock of its own."""

    def __init__(self) -> None:
        self._looks: deque[tuple[int, Mapping[str, Vitals]]] = deque()
        self.seen_ms: Mapping[str, int] = {}

    def note(self, now_ms: int, told: Mapping[str, tuple[int, Vitals]]) -> None:
        """Everybody's vitals by process, with the time at which they were told."""
        self.seen_ms = {process: at_ms for process, (at_ms, _) in told.items()}
        if len(self._looks) > 1 and now_ms - self._looks[-2][0] < GRAIN_MS:
            self._looks.pop()
        self._looks.append((now_ms, {process: vitals for process, (_, vitals) in told.items()}))
        while now_ms - self._looks[0][0] > WAITS_MS:
            self._looks.popleft()

    def origin(self) -> Window:
        return self._window(ORIGIN_MS)

    def waits(self) -> Window:
        return self._window(WAITS_MS)

    def _window(self, longest_ms: int) -> Window:
        if not self._looks:
            return Window.between({}, {}, 0.0)
        end_ms, after = self._looks[-1]
        start_ms, before = next(look for look in self._looks if end_ms - look[0] <= longest_ms)
        return Window.between(before, after, (end_ms - start_ms) / 1000)
