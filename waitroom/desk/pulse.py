"""The pulse of a process: twice a second it tells each room's desk what it counted, and learns what was set there."""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from waitroom.desk.in_force import InForce
from waitroom.desk.keepsake import Keepsake
from waitroom.desk.overrides import Overrides
from waitroom.desk.vitals import Vitals
from waitroom.errors import StoreLostError
from waitroom.line import REDIS_CLOCK
from waitroom.rooms import Room, Rooms
from waitroom.store import Store

log = logging.getLogger(__name__)

# Twice as often as what an operator sets must hold everywhere.
PULSE_S = 0.5
# Of the process that decides for a room with adaptive admission: when it is not heard of for so long, another does.
LEAD_MS = 3_000


@dataclass(frozen=True, slots=True)
class Heard:
    """What a pulse brought: the time by Redis, what is set, everybody's vitals by process, with the time at which they
    were told (ms), and whether this process decides for the room."""

    now_ms: int
    overrides: Overrides
    leads: bool = False
    vitals: Mapping[str, tuple[int, Vitals]] = field(default_factory=dict)


class Listener(Protocol):
    """Who wants to hear everybody's vitals of rooms; to be called after each pulse."""

    def wants(self, room: Room) -> bool: ...
    async def hear(self, room: Room, heard: Heard) -> None: ...


def process_name() -> str:
    """Of this process, among all that share a Redis."""
    return f"{socket.gethostname()}:{os.getpid()}"


class Pulse:
    """`vitals` gives what this process has counted of a room; `apply` is called with the rooms when they change."""

    def __init__(
        self,
        store: Store,
        in_force: InForce,
        keepsake: Keepsake,
        vitals: Callable[[str], Vitals],
        apply: Callable[[Rooms], None],
    ) -> None:
        self._store = store
        self._in_force = in_force
        self._keepsake = keepsake
        self._vitals = vitals
        self._apply = apply
        self._unnoted: list[tuple[str, Sequence[str]]] = []
        self.listeners: list[Listener] = []
        self.process = process_name()

    async def run(self) -> None:
        """Beats until cancelled."""
        task = asyncio.current_task()
        # Asked for by name, since redis-py swallows a cancellation that meets it while it connects.
        while task and not task.cancelling():
            await self.beat()
            await asyncio.sleep(PULSE_S)

    async def beat(self) -> None:
        """One pulse of every room. Redis may be lost: then all stays as it is known here."""
        changed = self._in_force.end()
        for room in self._in_force.configured:
            try:
                heard = await self._pulse(room)
                changed |= self._in_force.learn(room.name, heard.overrides)
                await self._note_down(room.name)
            except StoreLostError:
                continue
            except ValueError as exc:
                log.error("room %r: what Redis has set over its configuration can't be read: %s", room.name, exc)
                continue
            for listener in self.listeners:
                if listener.wants(room):
                    await listener.hear(room, heard)
        if changed:
            self._apply(self._in_force.rooms)
            self._keepsake.keep(self._in_force.all_overrides)

    def configure(self, rooms: Rooms) -> None:
        """A new configuration is in force."""
        self._in_force.configure(rooms)
        self._apply(self._in_force.rooms)

    def note(self, act: str, *, before: str = "", after: str = "", why: str = "") -> None:
        """An entry for the audit log of each room by this process; with the next pulse that reaches Redis."""
        fields = ["who", self.process, "act", act, "before", before, "after", after, "until_ms", "0", "why", why]
        self._unnoted += [(room.name, fields) for room in self._in_force.configured]

    async def _note_down(self, room: str) -> None:
        for entry in [entry for entry in self._unnoted if entry[0] == room]:
            await self._store.run("note", room, [REDIS_CLOCK, *entry[1]])
            self._unnoted.remove(entry)

    async def _pulse(self, room: Room) -> Heard:
        known = self._in_force.overrides(room.name)
        arguments: list[int | str] = [
            REDIS_CLOCK,
            self.process,
            self._vitals(room.name).to_json(),
            known.to_json() if known.revision else "",
            LEAD_MS if room.is_adaptive else 0,
            int(any(listener.wants(room) for listener in self.listeners)),
        ]
        return _heard(await self._store.run("pulse", room.name, arguments))


def _heard(reply: Sequence[Any]) -> Heard:
    now_ms, record, leads, *told = reply
    vitals = {}
    for process, text in zip(told[::2], told[1::2], strict=True):
        at_ms, _, counted = text.partition(b":")
        vitals[process.decode()] = int(at_ms), Vitals.from_json(counted)
    return Heard(int(now_ms), Overrides.from_json(record), leads == 1, vitals)
