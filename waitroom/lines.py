"""All lines of one process: which line a room has, and the tick that keeps them moving."""

import asyncio
import logging
import time
from collections.abc import Iterable

from waitroom.errors import StoreLostError
from waitroom.limits import TICK_MS
from waitroom.line import Line
from waitroom.rooms import Room
from waitroom.store import Store

log = logging.getLogger(__name__)


class Lines:
    """The lines of the rooms in the configuration, advanced four times a second."""

    def __init__(self, store: Store, rooms: Iterable[Room]) -> None:
        self._store = store
        self._lines: dict[str, Line] = {}
        self.apply(rooms)

    @property
    def store_lost(self) -> bool:
        return self._store.lost

    @property
    def all_seen(self) -> bool:
        """Whether every line was seen at least once."""
        return all(line.snapshot for line in self._lines.values())

    def of(self, room: Room) -> Line:
        return self._lines[room.name]

    def apply(self, rooms: Iterable[Room]) -> None:
        """Takes over a configuration: limits change with the next transition; lines keep what they know."""
        kept = self._lines
        self._lines = {}
        for room in rooms:
            line = kept.get(room.name) or Line(room.name, room.limits, self._store)
            line.limits = room.limits
            self._lines[room.name] = line

    async def run(self) -> None:
        """Ticks until cancelled. A lost store is looked for at each tick."""
        task = asyncio.current_task()
        # Asked for by name, since redis-py swallows a cancellation that meets it while it connects.
        while task and not task.cancelling():
            started = time.monotonic()
            was_lost = self._store.lost
            try:
                await self.tick()
            except StoreLostError as exc:
                if not was_lost:
                    log.error("Redis is lost (%s): places are kept, nobody is called until it is back", exc)
            else:
                if was_lost:
                    log.warning("Redis is back: the line goes on")
            await asyncio.sleep(max(0.0, TICK_MS / 1000 - (time.monotonic() - started)))

    async def tick(self) -> None:
        """Raises StoreLostError when Redis can't be used."""
        if self._store.lost:
            await self._store.ping()
        for line in list(self._lines.values()):
            await line.tick()
