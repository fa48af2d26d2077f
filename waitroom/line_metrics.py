"""The lines of each room as seen last, as metrics: they are read when Prometheus asks.

Lines are summed up by room: a label for each key would have no bounds.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from waitroom.limits import Limits, Mode, Phase
from waitroom.line import Line
from waitroom.lines import Lines
from waitroom.rooms import Room

GAUGES = {
    "inside": "Visitors inside, called or admitted.",
    "late": "Visitors who came back after their number was passed.",
    "waiting": "Present visitors who have not been called, the late included.",
}
COUNTERS = {
    "joined": "Numbers given on joining.",
    "called": "Numbers called.",
    "claimed": "Called numbers whose visitor came.",
    "extended": "Claim windows that were extended.",
    "released": "Places given back.",
    "missed": "Called numbers whose visitor did not come in time.",
}

# Of rooms that have something to show, those of their lines that this process has seen, by key.
Seen = Mapping[Room, Mapping[str, Line]]


class LineCollector(Collector):
    """Reads the snapshots when Prometheus asks. What it counts never falls, though lines come and go: Prometheus would
    take that for a restart, and count all that is left anew."""

    def __init__(self, lines: Lines, rooms: Callable[[], Iterable[Room]]) -> None:
        self._lines = lines
        self._rooms = rooms
        self._counted: dict[tuple[str, str], dict[str, int]] = {}
        self._totals: defaultdict[tuple[str, str], int] = defaultdict(int)

    def collect(self) -> Iterator[Metric]:
        yield _by_room("waitroom_store_lost", "1 while Redis can't be used for this room.", self._losses())
        seen = {room: self._seen(room) for room in self._rooms()}
        self._count(seen)
        shown = {room: lines for room, lines in seen.items() if lines or room.has_keys}
        yield from _visitors(shown)
        yield from _limits(shown)
        for field, text in COUNTERS.items():
            counter = CounterMetricFamily(f"waitroom_{field}", text, labels=["room"])
            for room in shown:
                counter.add_metric([room.name], self._totals[room.name, field])
            yield counter

    def _losses(self) -> dict[Room, float]:
        return {room: any(self._lines.is_lost(line) for _, line in self._lines.of_room(room)) for room in self._rooms()}

    def _seen(self, room: Room) -> dict[str, Line]:
        return {key: line for key, line in self._lines.of_room(room) if line.snapshot}

    def _count(self, seen: Seen) -> None:
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


def _visitors(seen: Seen) -> Iterator[Metric]:
    for field, text in GAUGES.items():
        sums = {room: sum(getattr(line.snapshot, field) for line in lines.values()) for room, lines in seen.items()}
        yield _by_room(f"waitroom_{field}", text, sums)
    lines_of = {room: len(lines) for room, lines in seen.items()}
    yield _by_room("waitroom_lines", "Lines of the room that this process knows.", lines_of)
    full = {room: sum(map(_is_full, lines.values())) for room, lines in seen.items()}
    yield _by_room("waitroom_lines_full", "Of these, where visitors wait since the cap is full.", full)


def _limits(seen: Seen) -> Iterator[Metric]:
    """What is in force; all lines of a room have the same."""
    in_force = {room: _in_force(room, lines) for room, lines in seen.items()}
    caps = {room: limits.cap for room, limits in in_force.items()}
    yield _by_room("waitroom_cap", "The most visitors inside at once in force, of each line.", caps)
    rates = {room: limits.rate_per_minute / 60 for room, limits in in_force.items()}
    yield _by_room("waitroom_rate_per_second", "The most calls a second in force, of each line.", rates)
    versions = {room: limits.version for room, limits in in_force.items()}
    text = "The version of the configuration that the limits in force are from."
    yield _by_room("waitroom_limits_version", text, versions)
    modes = {room: limits.mode for room, limits in in_force.items()}
    yield _states("mode", "1 for the mode in force.", get_args(Mode), modes)
    phases = {room: _phase(lines) for room, lines in seen.items()}
    yield _states("phase", "1 for where the line is: yet to open, open, or over.", get_args(Phase), phases)


def _in_force(room: Room, lines: Mapping[str, Line]) -> Limits:
    return next((line.in_force for line in lines.values()), room.limits)


def _phase(lines: Mapping[str, Line]) -> str:
    return next((line.snapshot.phase for line in lines.values() if line.snapshot), "")


def _is_full(line: Line) -> bool:
    return bool(line.snapshot and line.snapshot.waiting and line.snapshot.inside >= line.in_force.cap)


def _by_room(name: str, text: str, values: Mapping[Room, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["room"])
    for room, value in values.items():
        family.add_metric([room.name], value)
    return family


def _states(name: str, text: str, states: Iterable[Any], current: Mapping[Room, str]) -> Metric:
    """Each state of each room, 1 for that in which it is."""
    family = GaugeMetricFamily(f"waitroom_{name}", text, labels=["room", name])
    for room, current_state in current.items():
        for state in states:
            family.add_metric([room.name, state], int(state == current_state))
    return family
