"""One line, as one process drives it: coalesces what visitors ask, remembers what must not be lost.

The truth is in Redis. What stands here is either a copy (the snapshot), or what Redis may need back after a loss: the
highest epoch, tail and head seen, and the live leases.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from waitroom.coalesce import MOST_ITEMS, Coalescer
from waitroom.limits import Limits
from waitroom.pace import CallRate
from waitroom.snapshot import Snapshot
from waitroom.standing import Called, Spent, Standing, Waiting, from_reply
from waitroom.store import NoLineError

# A snapshot younger than this is shared by all processes; a little less than a tick, since ticks tremble.
SHARED_MS = 200
REDIS_CLOCK = ""


class Transitions(Protocol):
    """What a line needs of the store."""

    def run(self, transition: str, line: str, arguments: Sequence[int | str]) -> Awaitable[Any]: ...


@dataclass(frozen=True, slots=True)
class Joined:
    """A number just given; `lease_end_ms` where no line stood and it was called at once."""

    epoch: int
    number: int
    lease_end_ms: int | None


class Line:
    """A line of a room. All methods that wait for Redis raise StoreLostError when it is lost."""

    def __init__(self, name: str, limits: Limits, store: Transitions) -> None:
        self.name = name
        self.limits = limits
        self.snapshot: Snapshot | None = None
        self.rate = CallRate()
        self.join = Coalescer[None, Joined](self._join)
        self.look = Coalescer[int, Standing](lambda numbers: self._ask("poll", numbers))
        self.claim = Coalescer[int, Standing](self._claim)
        self._store = store
        self._epoch = self._tail = self._head = 0
        self._present: set[int] = set()
        self._leases: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<Line {self.name} tail={self._tail} head={self._head} leases={len(self._leases)}>"

    @property
    def in_force(self) -> Limits:
        """The limits in force as far as is known here: another process may have brought newer ones."""
        if self.snapshot and self.snapshot.limits.edition > self.limits.edition:
            return self.snapshot.limits
        return self.limits

    def standing(self, number: int) -> Standing | None:
        """What can be said of a number without Redis: that it waits, or nothing."""
        if self.snapshot and number > self.snapshot.head:
            return Waiting()
        return None

    def is_void(self, epoch: int) -> bool:
        """Whether tickets of that epoch count no more: the line was reset since."""
        return epoch < self._epoch

    def poll(self, number: int) -> None:
        """Notes that a waiting visitor is present; Redis hears of it with the next tick."""
        self._present.add(number)

    def lease_end_ms(self, number: int) -> int:
        """The end of a lease as far as it is known here; 0 where none is."""
        return self._leases.get(number, 0)

    def hold_lease(self, number: int, lease_end_ms: int) -> None:
        """Remembers a lease, so that Redis can have it back after a loss."""
        self._leases[number] = max(lease_end_ms, self._leases.get(number, 0))

    async def release(self, number: int) -> None:
        """Gives a visitor's place back."""
        await self._run("release", [number])
        self._present.discard(number)
        self._leases.pop(number, None)

    async def tick(self) -> None:
        """Advances the line, and tells Redis who is present."""
        before = self.snapshot
        await self._advance()
        if before and self.snapshot and before.generation != self.snapshot.generation:
            await self._restore(self.snapshot.now_ms)
        while self._present:
            numbers = [self._present.pop() for _ in range(min(MOST_ITEMS, len(self._present)))]
            await self._run("poll", [REDIS_CLOCK, *numbers])

    async def _advance(self) -> None:
        reply = await self._store.run("advance", self.name, [REDIS_CLOCK, SHARED_MS, *self._own()])
        snapshot = Snapshot.from_reply(reply)
        self.snapshot = snapshot
        self._know(snapshot.epoch, snapshot.tail, snapshot.head)
        self.rate.note(snapshot.now_ms, snapshot.called, snapshot.limits.edition)
        self._leases = {number: end for number, end in self._leases.items() if end > snapshot.now_ms}

    async def _restore(self, now_ms: int) -> None:
        leases = [(number, end) for number, end in self._leases.items() if end > now_ms]
        for start in range(0, len(leases), MOST_ITEMS):
            chunk = leases[start : start + MOST_ITEMS]
            await self._run("restore", [REDIS_CLOCK, *(value for lease in chunk for value in lease)])

    async def _join(self, waiting: list[None]) -> list[Joined]:
        reply = await self._store.run("join", self.name, [REDIS_CLOCK, len(waiting), *self._own()])
        epoch, first, called, lease_end_ms = map(int, reply)
        self._know(epoch, first + len(waiting) - 1, first + called - 1 if called else 0)
        for number in range(first, first + called):
            self.hold_lease(number, lease_end_ms)
        return [Joined(epoch, first + i, lease_end_ms if i < called else None) for i in range(len(waiting))]

    async def _claim(self, numbers: list[int]) -> list[Standing]:
        standings = await self._ask("claim", numbers)
        for number, standing in zip(numbers, standings, strict=True):
            match standing:
                case Called(lease_end_ms):
                    self.hold_lease(number, lease_end_ms)
                case Spent():
                    self._leases.pop(number, None)
        return standings

    async def _ask(self, transition: str, numbers: list[int]) -> list[Standing]:
        return from_reply(await self._run(transition, [REDIS_CLOCK, *numbers]))

    async def _run(self, transition: str, arguments: Sequence[int | str]) -> Any:
        """Runs a transition that can't begin a line; where Redis has forgotten it, it is begun again first."""
        try:
            return await self._store.run(transition, self.name, arguments)
        except NoLineError:
            await self._advance()
            return await self._store.run(transition, self.name, arguments)

    def _own(self) -> tuple[int | str, ...]:
        return *self.limits.to_arguments(), self._epoch, self._tail, self._head

    def _know(self, epoch: int, tail: int, head: int) -> None:
        self._epoch = max(self._epoch, epoch)
        self._tail = max(self._tail, tail)
        self._head = max(self._head, head)
