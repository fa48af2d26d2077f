"""What this process counts: requests by room and outcome, how long they took, what failed. Prometheus reads it.

A request ends some ten thousand times a second, and Prometheus asks a few times a minute: ending one only adds to plain
numbers, and all that makes metrics of them waits until they are asked for.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TypeAlias

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from waitroom.desk.vitals import LATENCY_S, ORIGIN_S, WAIT_S, Durations, Vitals

# Upper bounds, in seconds. Our own share of a request is below a millisecond unless something is wrong.
OWN_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Of those by which waits are counted, as many as Prometheus should keep: each is about twice the one before.
SHOWN_WAIT_S = WAIT_S[::3]

Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily


class RoomCounts:
    """What was counted of one room since the process began. Classes are of statuses: 2xx at 2. An origin may send
    any three digits."""

    __slots__ = ("busy", "classes", "errors", "failures", "latency", "origin", "outcomes", "own", "waits")

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.classes = [0] * 10
        self.own = Durations(OWN_S)
        self.origin = Durations(ORIGIN_S)
        self.failures: Counter[str] = Counter()
        self.busy = self.errors = 0
        self.latency = Durations(LATENCY_S)
        self.waits = Durations(WAIT_S)

    def vitals(self, up: int, of: int) -> Vitals:
        """With how many of the room's origins may be asked."""
        latency, waits = self.latency.sparse(), self.waits.sparse()
        return Vitals(sum(latency.values()), self.errors, self.busy, up, of, latency, waits)


class Metrics:
    """The registry of one process. A request that was matched by no room is counted for the room with the name ""."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
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
            counts.origin.note(origin_seconds)
        counts.own.note(seconds)

    def asked(self, room: str) -> None:
        """Counts that an origin is asked: to be called once for each request, however many are tried."""
        self._rooms[room].busy += 1

    def answered(self, room: str, seconds: float, *, is_error: bool) -> None:
        """Counts that the head of a response came after so many seconds, or that none will come; for each `asked`."""
        counts = self._rooms[room]
        counts.busy -= 1
        counts.errors += is_error
        counts.latency.note(seconds)

    def admitted(self, room: str, seconds: float) -> None:
        """Counts that a visitor was let in after so many seconds in the line."""
        self._rooms[room].waits.note(seconds)

    def vitals(self, room: str, up: int, of: int) -> Vitals:
        """What was counted of a room, with how many of its origins may be asked."""
        return self._rooms[room].vitals(up, of)

    def origin_failed(self, room: str, kind: str) -> None:
        """Counts that an origin gave no usable response: it was unreachable, timed out, or whatever `kind` says."""
        self._rooms[room].failures[kind] += 1

    def watch(self, *collectors: Collector) -> None:
        """Adds what others count to what is exposed."""
        for collector in collectors:
            self.registry.register(collector)

    def expose(self) -> str:
        """All of it, in Prometheus's text format."""
        return generate_latest(self.registry).decode()


class RequestCollector(Collector):
    """Makes metrics of what was counted. `sent` gives the bytes from and to visitors."""

    def __init__(self, rooms: Mapping[str, RoomCounts], sent: Callable[[], tuple[int, int]]) -> None:
        self._rooms = rooms
        self._sent = sent

    def collect(self) -> Iterator[Metric]:
        yield self._by_label("waitroom_requests", "Requests of visitors that have ended.", "outcome", "outcomes")
        yield self._responses()
        text = "Seconds that requests took, all but the origin's share."
        yield self._histogram("waitroom_own_duration_seconds", text, "own", OWN_S)
        text = "Seconds that origins took, from a request sent to the end of the response."
        yield self._histogram("waitroom_origin_duration_seconds", text, "origin", ORIGIN_S)
        text = "Seconds until the head of an origin's response had come, or it was clear that none would."
        yield self._histogram("waitroom_origin_latency_seconds", text, "latency", ORIGIN_S)
        text = "Requests to origins, counted by their latency, that got a status of 5xx or no usable response."
        yield self._count(CounterMetricFamily("waitroom_origin_errors", text, labels=["room"]), "errors")
        text = "Times that an origin gave no usable response, whether or not another try got one."
        yield self._by_label("waitroom_origin_failures", text, "kind", "failures")
        text = "Requests for whose response an origin is waited for."
        yield self._count(GaugeMetricFamily("waitroom_origin_busy", text, labels=["room"]), "busy")
        text = "Seconds that visitors waited, from their ticket to their admission."
        yield self._histogram("waitroom_wait_seconds", text, "waits", SHOWN_WAIT_S)
        received, sent = self._sent()
        yield CounterMetricFamily("waitroom_received_bytes", "Bytes from visitors.", value=received)
        yield CounterMetricFamily("waitroom_sent_bytes", "Bytes to visitors.", value=sent)

    def _count(self, family: Family, field: str) -> Metric:
        for room, counts in self._rooms.items():
            if room:
                family.add_metric([room], getattr(counts, field))
        return family

    def _by_label(self, name: str, text: str, label: str, field: str) -> Metric:
        family = CounterMetricFamily(name, text, labels=["room", label])
        for room, counts in self._rooms.items():
            for value, count in getattr(counts, field).items():
                family.add_metric([room, value], count)
        return family

    def _responses(self) -> Metric:
        family = CounterMetricFamily("waitroom_responses", "Responses to visitors.", labels=["room", "status_class"])
        for room, counts in self._rooms.items():
            for first, count in enumerate(counts.classes):
                if first and count:
                    family.add_metric([room, f"{first}xx"], count)
        return family

    def _histogram(self, name: str, text: str, field: str, bounds: Sequence[float]) -> Metric:
        """Shows a room before anything was counted: what appears with its first count seems not to have grown."""
        family = HistogramMetricFamily(name, text, labels=["room"])
        for room, counts in self._rooms.items():
            durations: Durations = getattr(counts, field)
            if room or any(durations.counts):
                family.add_metric([room], buckets(durations, bounds), durations.sum_s)
        return family


def buckets(durations: Durations, bounds: Sequence[float]) -> list[tuple[str, float]]:
    """As Prometheus has them: some of the bounds, each with how many were at most as long."""
    at_most = dict(zip(durations.bounds, accumulate(durations.counts), strict=False))
    return [*((str(bound), float(at_most[bound])) for bound in bounds), ("+Inf", float(sum(durations.counts)))]
