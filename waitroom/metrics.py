"""What this process counts: requests by room and outcome, how long they took, what failed. Prometheus reads it.

A request ends some ten thousand times a second, and Prometheus asks a few times a minute: ending one only adds to plain
numbers, and all that makes metrics of them waits until they are asked for.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from waitroom.line_metrics import LineCollector
from waitroom.lines import Lines
from waitroom.origins import OriginState
from waitroom.rooms import Room

# Upper bounds, in seconds. Our own share of a request is below a millisecond unless something is wrong.
OWN_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ORIGIN_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Histogram:
    """Durations, in seconds: how many were at most as long as each bound and longer than the one before."""

    __slots__ = ("bounds", "counts", "sum_s")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum_s = 0.0

    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus has them: each bound with how many were at most as long."""
        return list(zip([*map(str, self.bounds), "+Inf"], accumulate(self.counts), strict=True))


class RoomCounts:
    """What was counted of one room since the process began. `classes` are of statuses: 2xx at 2. An origin may send
    any three digits."""

    __slots__ = ("classes", "failures", "origin", "outcomes", "own")

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.classes = [0] * 10
        self.own = Histogram(OWN_S)
        self.origin = Histogram(ORIGIN_S)
        self.failures: Counter[str] = Counter()


class Metrics:
    """The registry of one process. A request that was matched by no room is counted for the room with the name ""."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._rooms: defaultdict[str, RoomCounts] = defaultdict(RoomCounts)
        self._bytes_in = 0
        self._bytes_out = 0
        self.registry.register(RequestCollector(self._rooms, lambda: (self._bytes_in, self._bytes_out)))

    def note(
        self,
        room: str,
        outcome: str,
        status: int,
        bytes_in: int,
        bytes_out: int,
        seconds: float,
        origin_seconds: float | None = None,
    ) -> None:
        """Counts a request that has ended: to be called once for each.

        `seconds` are all that it took, and `origin_seconds` what the origin took of them, None if none was asked.
        `status` is 0 where nothing was answered.
        """
        counts = self._rooms[room]
        counts.outcomes[outcome] += 1
        counts.classes[status // 100] += 1
        self._bytes_in += bytes_in
        self._bytes_out += bytes_out
        if origin_seconds is not None:
            seconds -= origin_seconds
            origin = counts.origin
            origin.counts[bisect_left(ORIGIN_S, origin_seconds)] += 1
            origin.sum_s += origin_seconds
        own = counts.own
        own.counts[bisect_left(OWN_S, seconds)] += 1
        own.sum_s += seconds

    def origin_failed(self, room: str, kind: str) -> None:
        """Counts that an origin gave no usable response: it was unreachable, timed out, or whatever `kind` says."""
        self._rooms[room].failures[kind] += 1

    def watch(self, lines: Lines, rooms: Callable[[], Iterable[Room]]) -> None:
        """Adds the lines of the rooms in force to what is exposed."""
        self.registry.register(LineCollector(lines, rooms))

    def watch_connections(self, connections: Callable[[], Mapping[str, int]]) -> None:
        """Adds how many visitors' connections there are, by state."""
        self.registry.register(ConnectionCollector(connections))

    def watch_origins(self, origins: Callable[[], Iterable[OriginState]]) -> None:
        """Adds how the origins are doing."""
        self.registry.register(OriginCollector(origins))

    def watch_access_log(self, dropped: Callable[[], int]) -> None:
        """Adds how many entries the access log has dropped."""
        self.registry.register(AccessLogCollector(dropped))

    def expose(self) -> bytes:
        """All of it, in Prometheus's text format."""
        return generate_latest(self.registry)


class RequestCollector(Collector):
    """Makes metrics of what was counted. `sent` gives the bytes from and to visitors."""

    def __init__(self, rooms: Mapping[str, RoomCounts], sent: Callable[[], tuple[int, int]]) -> None:
        self._rooms = rooms
        self._sent = sent

    def collect(self) -> Iterator[Metric]:
        yield self._requests()
        yield self._responses()
        yield self._histogram("waitroom_request_seconds", "Of a request, all but the origin's share.", "own")
        yield self._histogram("waitroom_origin_seconds", "Of a request, the origin's share.", "origin")
        yield self._origin_failures()
        family = CounterMetricFamily("waitroom_bytes", "Bytes from and to visitors.", labels=["direction"])
        for direction, sent in zip(("in", "out"), self._sent(), strict=True):
            family.add_metric([direction], sent)
        yield family

    def _requests(self) -> Metric:
        family = CounterMetricFamily("waitroom_requests", "Requests of visitors.", labels=["room", "outcome"])
        for room, counts in self._rooms.items():
            for outcome, count in counts.outcomes.items():
                family.add_metric([room, outcome], count)
        return family

    def _responses(self) -> Metric:
        family = CounterMetricFamily("waitroom_responses", "Responses to visitors.", labels=["room", "status_class"])
        for room, counts in self._rooms.items():
            for first, count in enumerate(counts.classes):
                if first and count:
                    family.add_metric([room, f"{first}xx"], count)
        return family

    def _histogram(self, name: str, text: str, field: str) -> Metric:
        family = HistogramMetricFamily(name, text, labels=["room"])
        for room, counts in self._rooms.items():
            histogram: Histogram = getattr(counts, field)
            if any(histogram.counts):
                family.add_metric([room], histogram.buckets(), histogram.sum_s)
        return family

    def _origin_failures(self) -> Metric:
        text = "Times that an origin gave no usable response."
        family = CounterMetricFamily("waitroom_origin_failures", text, labels=["room", "kind"])
        for room, counts in self._rooms.items():
            for kind, count in counts.failures.items():
                family.add_metric([room, kind], count)
        return family


class ConnectionCollector(Collector):
    """How many visitors' connections there are when Prometheus asks, by state."""

    def __init__(self, connections: Callable[[], Mapping[str, int]]) -> None:
        self._connections = connections

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("waitroom_connections", "Connections of visitors.", labels=["state"])
        for state, count in self._connections().items():
            family.add_metric([state], count)
        yield family


class OriginCollector(Collector):
    """How the origins are doing when Prometheus asks."""

    def __init__(self, origins: Callable[[], Iterable[OriginState]]) -> None:
        self._origins = origins

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("waitroom_origin_up", "1 while an origin may be asked.", labels=["origin"])
        text = "Connections to an origin, in use or kept."
        connections = GaugeMetricFamily("waitroom_origin_connections", text, labels=["origin", "state"])
        for url, states in _by_url(self._origins()).items():
            up.add_metric([url], int(any(state.is_available for state in states)))
            connections.add_metric([url, "busy"], sum(state.busy for state in states))
            connections.add_metric([url, "idle"], sum(state.idle for state in states))
        yield up
        yield connections


def _by_url(origins: Iterable[OriginState]) -> dict[str, list[OriginState]]:
    """Rooms with terms of their own each have their own view of an origin."""
    states: defaultdict[str, list[OriginState]] = defaultdict(list)
    for state in origins:
        states[state.url].append(state)
    return states


class AccessLogCollector(Collector):
    """What the access log has lost."""

    def __init__(self, dropped: Callable[[], int]) -> None:
        self._dropped = dropped

    def collect(self) -> Iterator[Metric]:
        text = "Entries of the access log that could not be written."
        yield CounterMetricFamily("waitroom_access_log_dropped", text, value=self._dropped())
