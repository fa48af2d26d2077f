"""The rooms as they are in force in this process: those of the configuration, under what the operator has set."""

import logging
from collections.abc import Callable, Mapping

from waitroom.desk.knobs import values_of
from waitroom.desk.overrides import Overrides
from waitroom.rooms import Room, Rooms

log = logging.getLogger(__name__)


class InForce:
    """`now_ms` is this process's clock, by which an override ends while Redis is lost."""

    def __init__(self, configured: Rooms, known: Mapping[str, Overrides], now_ms: Callable[[], int]) -> None:
        """`known` are overrides of earlier: those of a process before."""
        self.configured = configured
        self._overrides = dict(known)
        self._now_ms = now_ms
        self.rooms = self._rooms()

    def overrides(self, room: str) -> Overrides:
        """What this process knows of the overrides of a room."""
        return self._overrides.get(room, Overrides())

    @property
    def all_overrides(self) -> Mapping[str, Overrides]:
        return self._overrides

    def configure(self, rooms: Rooms) -> None:
        """A new configuration; what was set at run time stays over it."""
        self.configured = rooms
        self.rooms = self._rooms()

    def learn(self, room: str, overrides: Overrides) -> bool:
        """Takes over what Redis says of a room; whether it is new."""
        if overrides.revision <= self.overrides(room).revision:
            return False
        known, before = self.overrides(room), self.rooms.named(room)
        self._overrides[room] = overrides
        self.rooms = self._rooms()
        after = self.rooms.named(room)
        if before and after:
            _tell(before, after, known, overrides)
        return True

    def end(self) -> bool:
        """Drops the overrides whose time is over, whatever Redis says; whether there were any."""
        rooms = self._rooms()
        if list(rooms) == list(self.rooms):
            return False
        self.rooms = rooms
        return True

    def _rooms(self) -> Rooms:
        now_ms = self._now_ms()
        return Rooms([self.overrides(room.name).over(room, now_ms) for room in self.configured])


def _tell(before: Room, after: Room, known: Overrides, overrides: Overrides) -> None:
    """The log has every act, whatever becomes of Redis. (What was adapted is told by the process that decides.)"""
    then, now = values_of(before), values_of(after)
    for knob, override in overrides.knobs.items():
        if knob in then and override != known.knobs.get(knob):
            why = override.why or "no reason given"
            log.info("room %r: %s was %r, is %r by %s (%s)", after.name, knob, then[knob], now[knob], override.who, why)
