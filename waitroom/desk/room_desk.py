"""The desk of one room: what an operator sets over the configuration, does to lines, and reads. No process need run.

Every act is in the room's audit log, by whoever it was done.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waitroom.desk.knobs import check, values_of
from waitroom.desk.line_desk import LineDesk
from waitroom.desk.overrides import Adapted, Overrides
from waitroom.limits import Limits
from waitroom.line import REDIS_CLOCK
from waitroom.rooms import Room
from waitroom.snapshot import Snapshot
from waitroom.store import Store

# What fits onto a screen, and into one answer.
ENTRIES = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the audit log. What an act changes nothing of is "" in `knob`, `before` and `after`; `until_ms` is 0
    for what holds until further notice."""

    at_ms: int
    who: str
    act: str
    knob: str = ""
    before: str = ""
    after: str = ""
    until_ms: int = 0
    why: str = ""


class RoomDesk:
    """Of a room as the configuration has it. All methods raise StoreLostError."""

    def __init__(self, room: Room, store: Store) -> None:
        self._room = room
        self._store = store

    async def read(self) -> tuple[int, Overrides]:
        """The time by Redis (ms), and what holds."""
        now_ms, record, _, _ = await self._recount(0, 0)
        return int(now_ms), Overrides.from_json(record)

    async def limits(self) -> Limits | None:
        """The newest limits that a line of the room has: those in force. None where nobody ever came."""
        own, keys = await self._store.run("limits", self._room.name, [])
        replies = [own]
        for key in keys:
            reply, _ = await self._store.run("limits", self._room.line_name(key.decode()), [])
            replies.append(reply)
        return max((Limits.from_reply(one) for one in replies if one), key=lambda one: one.edition, default=None)

    async def turn(
        self, changes: Mapping[str, int | str | None], *, who: str, why: str, until_ms: int = 0
    ) -> tuple[int, Overrides]:
        """Sets knobs over the configuration until a time, 0 for until they are cleared; None clears one. All processes
        have it within a second. Gives what `read` does. Raises KnobError, and then has changed nothing."""
        seen = await self.read()
        while True:
            now_ms, overrides, is_done = await self._turned(*seen, changes, [REDIS_CLOCK, who, why, until_ms])
            if is_done:
                return now_ms, overrides
            seen = now_ms, overrides  # somebody else was faster

    async def _turned(
        self, now_ms: int, before: Overrides, changes: Mapping[str, int | str | None], how: Sequence[int | str]
    ) -> tuple[int, Overrides, bool]:
        """Turns knobs, unless others were since `before`: what `read` gives then, and whether it was done."""
        turned = {name: one.value for name, one in before.holding(now_ms).items()} | dict(changes)
        check(self._room, {name: value for name, value in turned.items() if value is not None})
        config = values_of(self._room)
        told = [_change(name, value, str(config[name])) for name, value in changes.items()]
        reply = await self._store.run("turn", self._room.name, [*how, before.to_json(), json.dumps(told)])
        return int(reply[0]), Overrides.from_json(reply[1]), bool(reply[2])

    async def release(self, key: str, numbers: Sequence[int], *, who: str, why: str) -> int:
        """Gives places back; how many of the numbers held one. Raises NoSuchLineError."""
        count = await self._line(key).release(list(numbers))
        await self._note(who, "release", self._told(key, numbers), why)
        return count

    async def revoke(self, key: str, numbers: Sequence[int], until_ms: int, *, who: str, why: str) -> int:
        """Takes places away, and refuses the numbers until a time; how many held one. Raises NoSuchLineError."""
        count = await self._line(key).revoke(list(numbers), until_ms)
        await self._note(who, "revoke", self._told(key, numbers), why, until_ms)
        return count

    async def reset(self, key: str, epoch: int, *, who: str, why: str) -> None:
        """Begins a line anew. Raises NoSuchLineError, or WrongEpochError unless the epoch is the next one."""
        await self._line(key).reset(epoch)
        await self._note(who, "reset", f"{self._room.line_name(key)} epoch {epoch}", why)

    async def look(self, key: str) -> Snapshot:
        """A line as it is now. Raises NoSuchLineError."""
        return await self._line(key).look()

    async def audit(self, most: int = ENTRIES) -> list[Entry]:
        """The newest entries of the audit log, the newest first."""
        _, _, entries, _ = await self._recount(most, 0)
        return [_entry(fields) for fields in entries]

    async def history(self, most: int) -> list[tuple[int, dict[str, Any]]]:
        """The newest samples of the figures with their slots, the oldest first."""
        _, _, _, samples = await self._recount(0, most)
        pairs = [sample.split(b":", 1) for sample in reversed(samples)]
        return [(int(slot), json.loads(figures)) for slot, figures in pairs]

    async def sample(self, slot_ms: int, most: int, figures: Mapping[str, Any]) -> bool:
        """Keeps the figures of this slot of time unless that was done; of all samples, so many. Whether it did."""
        text = json.dumps(figures, separators=(",", ":"))
        return bool(await self._store.run("sample", self._room.name, [REDIS_CLOCK, slot_ms, most, text]))

    async def adapt(self, process: str, adapted: Adapted) -> tuple[int, Overrides]:
        """What adaptive admission has decided, if this process leads; its `since_ms` will be the time by Redis. Gives
        what `read` does."""
        reply = await self._store.run(
            "adapt",
            self._room.name,
            [
                REDIS_CLOCK,
                process,
                adapted.rate_per_minute,
                adapted.state,
                adapted.reason,
                adapted.threshold_per_minute,
            ],
        )
        return int(reply[0]), Overrides.from_json(reply[1])

    def _line(self, key: str) -> LineDesk:
        return LineDesk(self._room.line_name(key), self._room.limits, self._store)

    def _told(self, key: str, numbers: Sequence[int]) -> str:
        return f"{self._room.line_name(key)} {' '.join(map(str, numbers))}"

    async def _note(self, who: str, act: str, what: str, why: str, until_ms: int = 0) -> None:
        fields = ["who", who, "act", act, "after", what, "until_ms", str(until_ms), "why", why]
        await self._store.run("note", self._room.name, [REDIS_CLOCK, *fields])

    async def _recount(self, entries: int, samples: int) -> Any:
        return await self._store.run("recount", self._room.name, [REDIS_CLOCK, entries, samples])


def _change(knob: str, value: int | str | None, config: str) -> dict[str, int | str]:
    """As turn.lua takes it."""
    change: dict[str, int | str] = {"knob": knob, "config": config}
    return change if value is None else change | {"value": value}


def _entry(fields: Sequence[bytes]) -> Entry:
    told = dict(zip((name.decode() for name in fields[::2]), (value.decode() for value in fields[1::2]), strict=True))
    return Entry(
        at_ms=int(told.pop("at_ms")), until_ms=int(told.pop("until_ms", "0")), **{name: told[name] for name in told}
    )
