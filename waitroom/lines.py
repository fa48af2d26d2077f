"""All lines of one process: which line a room has, and the tick that keeps them moving."""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

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
        """Whether no line can be reached. In a cluster, those of some shards may be lost while others go on."""
        return self._store.lost and all(self._store.is_lost(name) for name in self._lines)

    def is_lost(self, room: Room) -> bool:
        return self._store.is_lost(self.of(room).name)

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
        known_lost: set[str] = set()
        told = ""
        # Asked for by name, since redis-py swallows a cancellation that meets it while it connects.
        while task and not task.cancelling():
            started = time.monotonic()
            try:
                await self.tick()
            except StoreLostError as exc:
                # A remedy that is new is worth another line: the cause has changed, and somebody can do something.
                if self._lost() - known_lost or exc.remedy not in ("", told):
                    log.error("%s", self._loss(exc))
                told = exc.remedy or told
            if back := known_lost - self._lost():
                log.warning("Redis is back for %s: the line goes on", self._names(back))
                told = ""
            known_lost = self._lost()
            await asyncio.sleep(max(0.0, TICK_MS / 1000 - (time.monotonic() - started)))

    async def tick(self) -> None:
        """Raises StoreLostError when Redis can't be used, after every line that can be reached has had its tick."""
        losses: list[StoreLostError] = []
        if self._store.lost:
            with _gathered(losses):
                await self._store.ping()
        else:
            await self._store.follow()
        for line in list(self._lines.values()):
            with _gathered(losses):
                await line.tick()
        for loss in losses:
            raise loss

    def _lost(self) -> set[str]:
        return {name for name in self._lines if self._store.is_lost(name)} if self._store.lost else set()

    def _loss(self, exc: StoreLostError) -> str:
        lost = self._names(self._lost())
        if not any(line.snapshot for line in self._lines.values()):
            return f"[store] url: this Redis can't be used ({exc}): nobody is given a place until it can"
        return f"Redis is lost for {lost} ({exc}): places are kept, nobody is called until it is back"

    def _names(self, lines: set[str]) -> str:
        return "all lines" if len(lines) == len(self._lines) else f"some lines ({', '.join(sorted(lines))})"


@contextmanager
def _gathered(losses: list[StoreLostError]) -> Iterator[None]:
    try:
        yield
    except StoreLostError as exc:
        losses.append(exc)
