"""The lines of each room as seen last, as metrics: they are read when Prometheus asks.

Lines are summed up by room: a label for each key would have no bounds.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from waitroom.line import Line
from waitroom.lines import Lines
from waitroom.rooms import Room

GAUGES = {
    "inside": "Visitors inside, called or admitted.",
    "late": "Visitors who came back after their number was passed.",
    "waiting": "Present visitors who have not been called.",
}
COUNTERS = {
    "joined": "Numbers given on joining.",
    "called": "Numbers called.",
    "claimed": "Called numbers whose visitor came.",
    "released": "Places given back.",
}


class LineCollector(Collector):
    """Reads the snapshots when Prometheus asks. What it counts never falls, though lines come and go: Prometheus would
    take that for a restart, and count all that is left anew."""

    def __init__(self, lines: Lines, rooms: Callable[[], Iterable[Room]]) -> None:
        self._lines = lines
        self._rooms = rooms
        self._counted: dict[tuple[str, str], dict[str, int]] = {}
        self._totals: defaultdict[tuple[str, str], int] = defaultdict(int)

    def collect(self) -> Iterator[Metric]:
        lost = GaugeMetricFamily("waitroom_store_lost", "1 while Redis can't be used for this room.", labels=["room"])
        for room in self._rooms():
            lost.add_metric([room.name], int(any(self._lines.is_lost(line) for _, line in self._lines.of_room(room))))
        yield lost
        seen = {room: self._seen(room) for room in self._rooms()}
        self._count(seen)
        shown = {room: lines for room, lines in seen.items() if lines or room.has_keys}
        yield from self._gauges(shown)
        for field, text in COUNTERS.items():
            counter = CounterMetricFamily(f"waitroom_{field}", text, labels=["room"])
            for room in shown:
                counter.add_metric([room.name], self._totals[room.name, field])
            yield counter

    def _seen(self, room: Room) -> dict[str, Line]:
        return {key: line for key, line in self._lines.of_room(room) if line.snapshot}

    def _gauges(self, seen: dict[Room, dict[str, Line]]) -> Iterator[Metric]:
        for field, text in GAUGES.items():
            gauge = GaugeMetricFamily(f"waitroom_{field}", text, labels=["room"])
            for room, lines in seen.items():
                gauge.add_metric([room.name], sum(getattr(line.snapshot, field) for line in lines.values()))
            yield gauge
        for field in ("cap", "rate_per_minute"):
            limit = GaugeMetricFamily(f"waitroom_{field}", f"The {field} in force, of each line.", labels=["room"])
            for room, lines in seen.items():
                limits = next((line.in_force for line in lines.values()), room.limits)
                limit.add_metric([room.name], getattr(limits, field))
            yield limit

    def _count(self, seen: dict[Room, dict[str, Line]]) -> None:
        """Adds what was counted since the last time, of a line of a key since this process first saw it."""
        counted: dict[tuple[str, str], dict[str, int]] = {}
        for room, lines in seen.items():
            for key, line in lines.items():
                now = counted[room.name, key] = {field: getattr(line.snapshot, field) for field in COUNTERS}
                first = {field: getattr(line.first, field) for field in COUNTERS} if key else dict.fromkeys(COUNTERS, 0)
                before = self._counted.get((room.name, key), first)
                for field, value in now.items():
                    # Less than before: Redis was emptied, and counts from nothing.
                    self._totals[room.name, field] += value - before[field] if value >= before[field] else value
        self._counted = counted
