"""The lines of one room as an operator sees them: those of this process as they are, the others looked up in Redis.

Looking costs two round trips for each line that only other processes have, so that of many only some are looked at
each time, in turn; the rest is shown as it was seen last.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from waitroom.desk.line_desk import LineDesk
from waitroom.errors import NoSuchLineError
from waitroom.lines import Lines
from waitroom.pace import CallRate
from waitroom.rooms import Room
from waitroom.snapshot import Snapshot
from waitroom.store import Store

# Of the lines that this process does not have: looked at in one go, and how many of them at a time.
MOST_LOOKS = 200
AT_A_TIME = 8
MOST_KEYS = 10_000


@dataclass(slots=True)
class Watched:
    """A line: its newest snapshot, without those who wait in it, and how its counters grow."""

    seen: Snapshot
    waiting: int
    calls: CallRate = field(default_factory=CallRate)
    joins: CallRate = field(default_factory=CallRate)
    claims: CallRate = field(default_factory=CallRate)
    misses: CallRate = field(default_factory=CallRate)

    def note(self, seen: Snapshot) -> None:
        if seen.now_ms < self.seen.now_ms:
            return
        self.waiting = seen.waiting
        self.seen = replace(seen, here=b"", newly_ended=())
        self.calls.note(seen.now_ms, seen.called, (seen.limits.edition, seen.phase))
        self.joins.note(seen.now_ms, seen.joined, seen.generation)
        self.claims.note(seen.now_ms, seen.claimed, seen.generation)
        self.misses.note(seen.now_ms, seen.missed, seen.generation)


class WatchedLines:
    """Of one room."""

    def __init__(self, lines: Lines, store: Store) -> None:
        self._lines = lines
        self._store = store
        self._watched: dict[str, Watched] = {}
        self._turn: list[str] = []
        self.count = 0

    @property
    def by_key(self) -> dict[str, Watched]:
        return self._watched

    async def look(self, room: Room) -> None:
        """Brings them up to now. Raises StoreLostError once those of this process are."""
        own = {key: line.snapshot for key, line in self._lines.of_room(room) if line.snapshot}
        awake = {key: seen for key, seen in own.items() if self._lines.is_awake(room, key)}
        for key, seen in awake.items():
            self._note(key, seen)
        keys = await self._keys(room)
        self.count = len(keys)
        for key in self._watched.keys() - keys:
            del self._watched[key]
        await self._look_up(room, keys - awake.keys())

    async def _keys(self, room: Room) -> set[str]:
        if not room.has_keys:
            return {""}
        _, *keys = await self._store.run("lines", room.name, [MOST_KEYS])
        return {key.decode() for key in keys}

    async def _look_up(self, room: Room, keys: Iterable[str]) -> None:
        wanted = set(keys)
        self._turn = [key for key in self._turn if key in wanted] or sorted(wanted)
        now, self._turn = self._turn[:MOST_LOOKS], self._turn[MOST_LOOKS:]
        for start in range(0, len(now), AT_A_TIME):
            await asyncio.gather(*(self._look_at(room, key) for key in now[start : start + AT_A_TIME]))

    async def _look_at(self, room: Room, key: str) -> None:
        try:
            self._note(key, await LineDesk(room.line_name(key), room.limits, self._store).look())
        except NoSuchLineError:
            self._watched.pop(key, None)

    def _note(self, key: str, seen: Snapshot) -> None:
        self._watched.setdefault(key, Watched(seen, seen.waiting)).note(seen)
