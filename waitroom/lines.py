"""All lines of one process: which line a room and a key have, and the tick that keeps them moving."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from waitroom.errors import StoreLostError
from waitroom.limits import TICK_MS
from waitroom.line import REDIS_CLOCK, Line
from waitroom.memory import Memory
from waitroom.rooms import Room
from waitroom.store import Store

log = logging.getLogger(__name__)

# A line of a key that nobody has asked for within this time, and in which nobody waits, sleeps: the ticks leave it out,
# and its next visitor brings it up to now.
ACTIVE_S = 10.0
MEMORY_S = 1.0
# Of the replies of open.lua.
NO_MORE_LINES, NEW_LINE, OLD_LINE = range(3)


class Lines:
    """The lines of the rooms in the configuration, advanced four times a second. `now_s` is a steady clock."""

    def __init__(
        self,
        store: Store,
        rooms: Iterable[Room],
        memory: Memory,
        now_s: Callable[[], float],
        *,
        are_new: bool = False,
    ) -> None:
        """`are_new` says that there were certainly no lines before: no ticket of theirs would be believed."""
        self._store = store
        self._memory = memory
        self._now_s = now_s
        self._known = memory.recall()
        self._are_new = are_new or memory.was_recalled
        if not self._are_new:
            log.info(
                "no lines are remembered: new ones wait half a presence window, in case that there were any before"
            )
        self._rooms: dict[str, Room] = {}
        self._lines: dict[tuple[str, str], Line] = {}
        self._used_s: dict[tuple[str, str], float] = {}
        self._noted_s: dict[tuple[str, str], float] = {}
        self._started_s = self._remembered_s = self._now_s()
        self._reached = False
        self.apply(rooms)

    @property
    def store_lost(self) -> bool:
        """Whether no line can be reached. In a cluster, those of some shards may be lost while others go on."""
        return self._store.lost and len(self._lost()) == len(self._lines)

    def is_lost(self, line: Line) -> bool:
        return self._store.is_lost(line.name)

    @property
    def all_seen(self) -> bool:
        """Whether the store was reached, and every line that a room has from the start was seen."""
        return self._reached and all(line.snapshot for (_, key), line in self._lines.items() if not key)

    def of(self, room: Room, key: str = "") -> Line:
        """The line of a room, or of one of its keys, which was opened before."""
        line = self._made(room, key)
        self._used_s[room.name, key] = self._now_s()
        return line

    def has(self, room: Room, key: str) -> bool:
        """Whether this process has that line."""
        return (room.name, key) in self._lines

    def is_awake(self, room: Room, key: str) -> bool:
        """Whether the ticks of this process keep the line up to now."""
        return self.has(room, key) and not self._sleeps((room.name, key), self._now_s())

    def awake(self, room: Room, key: str) -> Line | None:
        """The line, if this process has it as it is now."""
        line = self._lines.get((room.name, key))
        if line is None or line.snapshot is None:
            return None
        if key:  # others never sleep
            now_s = self._now_s()
            if self._sleeps((room.name, key), now_s):
                return None
            self._used_s[room.name, key] = now_s
        return line

    def of_room(self, room: Room) -> Iterator[tuple[str, Line]]:
        """All lines of a room in this process, by key."""
        return ((key, line) for (name, key), line in self._lines.items() if name == room.name)

    async def open(self, room: Room, key: str) -> Line | None:
        """The line of a room or of one of its keys, as it is now if the store can say; None where there can't be one
        more: a room has at most so many at a time, in all processes together."""
        reply = await self._opened(room, key)
        if reply == NO_MORE_LINES:
            return None
        line = self._made(room, key, is_new=reply == NEW_LINE)
        if line.snapshot is None or self._sleeps((room.name, key), self._now_s()):
            with suppress(StoreLostError):
                await line.see(None)
        return self.of(room, key)

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
            started = self._now_s()
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
            await asyncio.sleep(max(0.0, TICK_MS / 1000 - (self._now_s() - started)))

    async def tick(self) -> None:
        """Raises StoreLostError when Redis can't be used, after every line that can be reached has had its tick."""
        losses: list[StoreLostError] = []
        if self._store.lost or not self._reached:
            with _gathered(losses):
                await self._store.ping()
                self._reached = True
        else:
            await self._store.follow()
        now_s = self._now_s()
        for at in list(self._lines):
            if at in self._lines:  # a new configuration may drop lines while another is waited for
                with _gathered(losses):
                    await self._tick(at, now_s)
        if now_s - self._remembered_s >= MEMORY_S:
            self._remembered_s = now_s
            self._remember(now_s)
        for loss in losses:
            raise loss

    async def _tick(self, at: tuple[str, str], now_s: float) -> None:
        line, (name, key) = self._lines[at], at
        room = self._rooms.get(name)
        if room is None or not room.has_key(key):  # of a request that began under another configuration
            self._drop(at)
            return
        sleeps = self._sleeps(at, now_s)
        if key:
            await self._keep(room, key, now_s)
        if not sleeps:
            await line.tick()

    def _sleeps(self, at: tuple[str, str], now_s: float) -> bool:
        snapshot = self._lines[at].snapshot
        return bool(at[1]) and now_s - self._used_s[at] >= ACTIVE_S and not (snapshot and snapshot.waiting)

    def _remember(self, now_s: float) -> None:
        """Keeps what is known of the lines here, and for a while of those that only an earlier process had."""
        for name in list(self._known):
            room_name, _, key = name.partition("/")
            room = self._rooms.get(room_name)
            idle_s = room.limits.idle_ms / 1000 if room else 0.0
            if key and (room_name, key) not in self._lines and now_s - self._started_s > idle_s:
                del self._known[name]
        self._known |= {line.name: line.known for line in self._lines.values() if line.known.tail}
        self._memory.keep(self._known)

    def _made(self, room: Room, key: str, *, is_new: bool = False) -> Line:
        at = room.name, key
        if at not in self._lines:
            name = room.line_name(key)
            is_new = is_new or self._are_new
            self._lines[at] = Line(name, room.limits, self._store, self._known.get(name), is_new=is_new)
            self._used_s[at] = self._now_s() - ACTIVE_S
        return self._lines[at]

    async def _opened(self, room: Room, key: str) -> int:
        """The reply of open.lua, for a line that this process may not have yet."""
        if not key or self.has(room, key):
            return OLD_LINE
        if sum(name == room.name for name, _ in self._lines) >= room.most_lines:
            return NO_MORE_LINES
        try:
            return await self._note(room, key)
        except StoreLostError:
            return OLD_LINE

    async def _keep(self, room: Room, key: str, now_s: float) -> None:
        """Tells Redis now and then that a line is in use; forgets one that is not any more."""
        at = room.name, key
        idle_s = self._lines[at].limits.idle_ms / 1000
        if now_s - self._used_s[at] > idle_s:
            self._drop(at)
        elif self._noted_s.get(at, 0.0) < min(self._used_s[at], now_s - idle_s / 4):
            await self._note(room, key)

    async def _note(self, room: Room, key: str) -> int:
        """Tells Redis that a line is in use; gives the reply of open.lua."""
        self._noted_s[room.name, key] = self._now_s()
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
