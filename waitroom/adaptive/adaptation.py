"""Adaptive admission as it runs: listens to the pulse, and where this process leads a room, has the law decide its
rate."""

import logging
from contextlib import suppress
from dataclasses import replace

from waitroom.adaptive.law import THAW_S, Law
from waitroom.adaptive.sightings import SETTLE_TIMES, Sighting, Sightings
from waitroom.adaptive_terms import AdaptiveTerms
from waitroom.desk.overrides import Adapted
from waitroom.desk.pulse import Heard
from waitroom.desk.room_desk import RoomDesk
from waitroom.errors import StoreLostError
from waitroom.limits import Limits
from waitroom.lines import Lines
from waitroom.rooms import Room
from waitroom.store import Store

log = logging.getLogger(__name__)

# In the others nobody is called by a rate.
ADAPTED_MODES = ("auto", "queue")
# How far back a reading may go where there are few requests.
MOST_SPAN_S = 30.0
DECISION_MS = 2_000
# What a process had with the origin longer ago may have ended, with the process.
FRESH_MS = 2_000


class Adaptation:
    """A listener of the pulse, for all rooms of this process, whose name is `process`. What it decides goes to the
    room's desk: the next pulse of every process brings it into force."""

    def __init__(self, process: str, lines: Lines, store: Store) -> None:
        self._process = process
        self._lines = lines
        self._store = store
        self._led: dict[str, tuple[AdaptiveTerms, Sightings]] = {}
        self._decided_ms: dict[str, int] = {}

    def wants(self, room: Room) -> bool:
        return room.adaptive is not None

    async def hear(self, room: Room, heard: Heard) -> None:
        """Notes what a pulse brought, and now and then decides."""
        if room.adaptive is None or not heard.leads:
            self._led.pop(room.name, None)
            return
        sightings = self._sightings(room.name, room.adaptive)
        sightings.note(self._sighting(room, heard))
        if 0 <= heard.now_ms - self._decided_ms.get(room.name, 0) < DECISION_MS:
            return
        self._decided_ms[room.name] = heard.now_ms
        decided = _decided(room, room.adaptive, heard, sightings)
        if decided and decided != heard.overrides.adapted:
            log.info("room %r: %s", room.name, decided.reason)
            with suppress(StoreLostError):  # once it is back, there is more to decide by
                await RoomDesk(room, self._store).adapt(self._process, decided)

    def _sightings(self, room: str, terms: AdaptiveTerms) -> Sightings:
        """What was seen of a room since this process leads it; begun anew when the terms change."""
        known = self._led.get(room)
        if known is None or known[0] != terms:
            known = self._led[room] = terms, Sightings(max(MOST_SPAN_S, SETTLE_TIMES * terms.settle_s))
        return known[1]

    def _sighting(self, room: Room, heard: Heard) -> Sighting:
        snapshots = {key: line.snapshot for key, line in self._lines.of_room(room) if line.snapshot}
        return Sighting(
            at_ms=heard.now_ms,
            vitals={process: vitals for process, (_, vitals) in heard.vitals.items()},
            busy=sum(vitals.busy for at_ms, vitals in heard.vitals.values() if heard.now_ms - at_ms < FRESH_MS),
            called={key: snapshot.called for key, snapshot in snapshots.items()},
            waiting=sum(snapshot.waiting for snapshot in snapshots.values()),
        )


def _decided(room: Room, terms: AdaptiveTerms, heard: Heard, sightings: Sightings) -> Adapted | None:
    course = heard.overrides.adapted
    limits = _allowed(room, heard)
    if limits.mode not in ADAPTED_MODES:
        return course
    law = Law(terms, limits.rate_per_minute)
    if course is None:
        return law.begin(heard.now_ms)
    most_s = THAW_S if course.state == "frozen" else MOST_SPAN_S
    return law.decide(course, sightings.reading(course.since_ms, most_s, terms.settle_s))


def _allowed(room: Room, heard: Heard) -> Limits:
    """What the operator allows: by the configuration, or by overrides."""
    return replace(heard.overrides, adapted=None).over(room, heard.now_ms).limits
