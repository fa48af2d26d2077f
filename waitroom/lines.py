"""All lines of one process: which line a room and a key have, and the tick that keeps them moving."""

import asyncio
import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from waitroom.errors import StoreLostError
from waitroom.limits import TICK_MS
from waitroom.line import REDIS_CLOCK, Line
from waitroom.memory import Memory
from waitroom.rooms import Room
from waitroom.store import Store

log = logging.getLogger(__name__)

# A line of a key that nobody has asked for within this time, and in which nobody waits, is not advanced: its next
# visitor does that.
ACTIVE_S = 10.0
MEMORY_S = 1.0
# Of the replies of open.lua.
NO_MORE_LINES, NEW_LINE = 0, 1


class Lines:
    """The lines of the rooms in the configuration, advanced four times a second."""

    def __init__(self, store: Store, rooms: Iterable[Room], memory: Memory, *, are_new: bool = False) -> None:
        """`are_new` says that there were certainly no lines before: no ticket of theirs would be believed."""
        self._store = store
        self._memory = memory
        self._are_new = are_new or memory.exists
        self._known = memory.recall()
        if not self._are_new:
            log.info(
                "no lines are remembered: new ones wait half a presence window, in case that there were any before"
            )
        self._rooms: dict[str, Room] = {}
        self._lines: dict[tuple[str, str], Line] = {}
        self._used_s: dict[tuple[str, str], float] = {}
        self._noted_s: dict[tuple[str, str], float] = {}
        self._remembered_s = time.monotonic()
        self.apply(rooms)

    @property
    def store_lost(self) -> bool:
        """Whether no line can be reached. In a cluster, those of some shards may be lost while others go on."""
        return self._store.lost and len(self._lost()) == len(self._lines)

    def is_lost(self, line: Line) -> bool:
        return self._store.is_lost(line.name)

    @property
    def all_seen(self) -> bool:
        """Whether every line that a room has from the start was seen at least once."""
        return all(line.snapshot for (_, key), line in self._lines.items() if not key)

    def of(self, room: Room, key: str = "") -> Line:
        """The line of a room, or of one of its keys, which it was opened for."""
        at = room.name, key
        line = self._lines.get(at)
        if line is None:
            line = self._lines[at] = self._line(room, key, is_new=self._are_new)
        self._used_s[at] = time.monotonic()
        return line

    def of_room(self, room: Room) -> Iterator[tuple[str, Line]]:
        """All lines of a room in this process, by key."""
        return ((key, line) for (name, key), line in self._lines.items() if name == room.name)

    async def open(self, room: Room, key: str) -> bool:
        """Whether there may be a line of this key: at most so many at a time, in all processes together."""
        at = room.name, key
        if not key or at in self._lines:
            return True
        if sum(name == room.name for name, _ in self._lines) >= room.most_lines:
            return False
        try:
            reply = await self._note(room, key)
        except StoreLostError:
            return True
        if reply == NEW_LINE and at not in self._lines:
            self._lines[at] = self._line(room, key, is_new=True)
        return reply != NO_MORE_LINES

    def apply(self, rooms: Iterable[Room]) -> None:
        """Takes over a configuration: limits change with the next transition; lines keep what they know."""
        self._rooms = {room.name: room for room in rooms}
        for name, key in list(self._lines):
            room = self._rooms.get(name)
            if room and room.has_key(key):
                self._lines[name, key].limits = room.limits
            else:
                self._drop((name, key))
        for room in self._rooms.values():
            if not room.has_keys:
                self.of(room)

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
        for at, line in list(self._lines.items()):
            with _gathered(losses):
                await self._tick(at, line)
        self._remember()
        for loss in losses:
            raise loss

    async def _tick(self, at: tuple[str, str], line: Line) -> None:
        now_s = time.monotonic()
        if at[1] and not await self._keep(at, now_s):
            return
        if not at[1] or now_s - self._used_s[at] < ACTIVE_S or (line.snapshot and line.snapshot.waiting):
            await line.tick()

    async def _keep(self, at: tuple[str, str], now_s: float) -> bool:
        """Tells Redis now and then that the line of a key is in use; forgets it, and gives False, if it is not."""
        name, key = at
        idle_s = self._lines[at].limits.idle_ms / 1000
        if now_s - self._used_s[at] > idle_s:
            self._known.pop(self._lines[at].name, None)
            self._drop(at)
            return False
        if self._noted_s.get(at, 0.0) < min(self._used_s[at], now_s - idle_s / 4):
            await self._note(self._rooms[name], key)
        return True

    def _remember(self) -> None:
        """Writes down what a crash of everything must not take along."""
        now_s = time.monotonic()
        if now_s - self._remembered_s >= MEMORY_S:
            self._remembered_s = now_s
            self._known |= {line.name: line.known for line in self._lines.values() if line.known.tail}
            self._memory.keep(self._known)

    def _line(self, room: Room, key: str, *, is_new: bool) -> Line:
        name = room.line_name(key)
        return Line(name, room.limits, self._store, self._known.get(name), is_new=is_new)

    async def _note(self, room: Room, key: str) -> int:
        """Tells Redis that a line is in use; gives the reply of open.lua."""
        self._noted_s[room.name, key] = time.monotonic()
        arguments: list[int | str] = [REDIS_CLOCK, key, room.most_lines, room.limits.idle_ms]
        return int(await self._store.run("open", room.name, arguments))

    def _drop(self, at: tuple[str, str]) -> None:
        del self._lines[at]
        self._used_s.pop(at, None)
        self._noted_s.pop(at, None)

    def _lost(self) -> set[str]:
        names = {line.name for line in self._lines.values()} if self._store.lost else set()
        return {name for name in names if self._store.is_lost(name)}

    def _loss(self, exc: StoreLostError) -> str:
        if not any(line.snapshot for line in self._lines.values()):
            return f"[store] url: this Redis can't be used ({exc}): nobody is given a place until it can"
        lost = self._names(self._lost())
        return f"Redis is lost for {lost} ({exc}): places are kept, nobody is called until it is back"

    def _names(self, lines: set[str]) -> str:
        return "all lines" if len(lines) == len(self._lines) else f"some lines ({', '.join(sorted(lines))})"


@contextmanager
def _gathered(losses: list[StoreLostError]) -> Iterator[None]:
    try:
        yield
    except StoreLostError as exc:
        losses.append(exc)
