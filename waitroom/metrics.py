"""What is counted: requests by room and outcome, and each line as it was seen last. Prometheus reads it."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from waitroom.lines import Lines
from waitroom.rooms import Room
from waitroom.snapshot import Snapshot

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


class Metrics:
    """The registry of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "waitroom_requests_total", "Requests of visitors.", ["room", "outcome"], registry=self.registry
        )

    def count(self, room: str, outcome: str) -> None:
        self._requests.labels(room, outcome).inc()

    def watch(self, lines: Lines, rooms: Callable[[], Iterable[Room]]) -> None:
        """Adds the lines of the rooms in force to what is exposed."""
        self.registry.register(LineCollector(lines, rooms))

    def expose(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self.registry)


class LineCollector(Collector):
    """Reads the snapshots when Prometheus asks."""

    def __init__(self, lines: Lines, rooms: Callable[[], Iterable[Room]]) -> None:
        self._lines = lines
        self._rooms = rooms

    def collect(self) -> Iterator[Metric]:
        lost = GaugeMetricFamily("waitroom_store_lost", "1 while Redis can't be used for this room.", labels=["room"])
        for room in self._rooms():
            lost.add_metric([room.name], int(any(self._lines.is_lost(line) for _, line in self._lines.of_room(room))))
        yield lost
        seen = [(room.name, self._lines.of(room).snapshot) for room in self._rooms()]
        yield from _families([(name, snapshot) for name, snapshot in seen if snapshot])


def _families(seen: list[tuple[str, Snapshot]]) -> Iterator[Metric]:
    for field, text in GAUGES.items():
        yield _filled(GaugeMetricFamily(f"waitroom_{field}", text, labels=["room"]), field, seen)
    for field, text in COUNTERS.items():
        yield _filled(CounterMetricFamily(f"waitroom_{field}", text, labels=["room"]), field, seen)
    for field in ("cap", "rate_per_minute"):
        limit = GaugeMetricFamily(f"waitroom_{field}", f"The {field} in force.", labels=["room"])
        for name, snapshot in seen:
            limit.add_metric([name], getattr(snapshot.limits, field))
        yield limit


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, field: str, seen: Iterable[tuple[str, Snapshot]]
) -> Metric:
    for name, snapshot in seen:
        family.add_metric([name], getattr(snapshot, field))
    return family
