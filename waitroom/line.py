"""One line, as one process drives it: coalesces what visitors ask, remembers what must not be lost.

The truth is in Redis. What stands here is either a copy (the snapshot), or what Redis may need back after a loss: the
highest epoch, tail, head and arrival seen, the live leases, who is present, who is refused, and which places were
moved.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from waitroom.coalesce import MOST_ITEMS, Coalescer
from waitroom.estimate import Estimate, Estimator
from waitroom.limits import Limits
from waitroom.pace import CallRate
from waitroom.snapshot import Snapshot
from waitroom.standing import Called, Moved, Revoked, Spent, Standing, Waiting, from_reply
from waitroom.store import NoLineError

# A line that another process has advanced within this time is not advanced again; a little less than a tick, since
# ticks tremble.
SHARED_MS = 200
# How far this process's clock, by which admissions are issued, and Redis's may differ.
CLOCKS_MS = 5_000
REDIS_CLOCK = ""
# What was measured at one rate still tells of another that differs by so little.
SMALL_STEP = 0.25
# Moved places that are remembered here; Redis drops those that are over, and then has fewer (see lua/receipt.lua).
MOST_MOVES = 131_072
WAITING = Waiting()
# In a stampede: a call of the store costs this process as much as some ten visitors who come with it.
JOINS_EVERY_S = 0.008


class Transitions(Protocol):
    """What a line needs of the store."""

    def run(self, transition: str, line: str, arguments: Sequence[int | str | bytes]) -> Awaitable[Any]: ...


class Joined(NamedTuple):
    """The place that a joiner has: a number, or before a draw an arrival. `lease_end_ms` where it was called at once;
    `is_new` unless the person had it already."""

    epoch: int
    number: int = 0
    arrival: int | None = None
    lease_end_ms: int | None = None
    is_new: bool = True


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of a line, and may not be forgotten: each is the highest seen. `arrived` is of the draw `draw`."""

    epoch: int = 0
    tail: int = 0
    head: int = 0
    arrived: int = 0
    draw: str = ""

    def and_of(self, epoch: int, tail: int, head: int) -> "Knowledge":
        return replace(self, epoch=max(self.epoch, epoch), tail=max(self.tail, tail), head=max(self.head, head))

    def and_arrivals(self, arrived: int, draw: str) -> "Knowledge":
        before = self.arrived if self.draw == draw else 0
        return replace(self, arrived=max(before, arrived), draw=draw)


class Line:
    """A line of a room. All methods that wait for Redis raise StoreLostError when it is lost."""

    def __init__(
        self, name: str, limits: Limits, store: Transitions, known: Knowledge | None = None, *, is_new: bool = False
    ) -> None:
        """`is_new` says that there was certainly never such a line: it then need not wait for those who knew it."""
        self.name = name
        self._is_new = is_new
        self.limits = limits
        self.known = known or Knowledge()
        self.snapshot: Snapshot | None = None
        self.first: Snapshot | None = None
        self.changes = 0  # grows whenever something that was said of a number may hold no more
        self.rate = CallRate()
        self.estimate: Estimate | None = None
        self.join = Coalescer[str, Joined | None](self._join, JOINS_EVERY_S)
        self.look = Coalescer[int, Standing](lambda numbers: self._ask("poll", numbers))
        self.claim = Coalescer[tuple[int, int | None], Standing](self._claim)
        self.extend = Coalescer[int, Standing](lambda numbers: self._ask("extend", numbers))
        self.restore = Coalescer[tuple[int, int], bool](self._restore)
        self.see = Coalescer[None, None](self._see)
        self._store = store
        self._estimator = Estimator()
        self._at_last_tick: Snapshot | None = None
        self._present: set[int] = set()
        self._told: list[int] = []  # of the present, since the last snapshot
        self._leases: dict[int, int] = {}
        self._ended: dict[int, int] = {}  # number to when no admission of it can be good any more
        self._refused: dict[int, int] = {}
        self._moves: dict[int, int] = {}
        self._untold_moves: dict[int, int] = {}  # which visitors' tickets told, and Redis may have forgotten
        self._unsure_before_ms = 0
        self._rate_of_terms = 0

    def __repr__(self) -> str:
        return f"<Line {self.name} {self.known} leases={len(self._leases)}>"

    @property
    def in_force(self) -> Limits:
        """The limits in force as far as is known here: another process may have brought newer ones."""
        if self.snapshot and self.snapshot.limits.edition >= self.limits.edition:
            return self.snapshot.limits
        return self.limits

    def standing(self, number: int) -> Waiting | None:
        """What can be said of a number without Redis: that it waits, or nothing."""
        if self.snapshot and number > self.snapshot.head and number not in self._ended and number not in self._refused:
            return WAITING
        return None

    def waits(self, number: int, epoch: int, moves: int) -> bool:
        """Whether it is certain here, and nothing is to be learned from it, that the holder of such a ticket waits; who
        does is noted as present."""
        if (
            self.snapshot is None
            or number <= self.snapshot.head
            or epoch != self.known.epoch
            or moves != self._moves.get(number, 0)
            or number in self._ended
            or number in self._refused
        ):
            return False
        self._present.add(number)
        return True

    @property
    def has_places(self) -> bool:
        """Whether who waits has a place that can be told: the line has opened, is not over, and goes by numbers."""
        is_open = self.snapshot is not None and self.snapshot.phase == "open"
        return is_open and self.in_force.mode not in ("open", "closed")

    def is_void(self, epoch: int) -> bool:
        """Whether tickets of that epoch count no more: the line was reset since."""
        return epoch < self.known.epoch

    def learn(self, epoch: int, arrival: int | None, draw: str) -> None:
        """Takes from a visitor's ticket what the line may have forgotten."""
        if epoch > self.known.epoch:
            self.known = self.known.and_of(epoch, 0, 0)
        if arrival is not None and draw == self.in_force.draw:
            self.known = self.known.and_arrivals(arrival + 1, draw)

    def moved(self, number: int, moves: int) -> Moved | None:
        """That the place of a ticket, which was moved so often, is in another browser now, where that is known here. A
        ticket that was moved more often than is known tells of it."""
        known = self._moves.get(number, 0)
        if moves > known:
            self._moves[number] = self._untold_moves[number] = moves
        return Moved(known) if moves < known else None

    def poll(self, number: int) -> None:
        """Notes that a waiting visitor is present; Redis hears of it with the next tick."""
        self._present.add(number)

    def lease_end_ms(self, number: int) -> int:
        """The end of a lease as far as it is known here; 0 where none is."""
        return self._leases.get(number, 0)

    def hold_lease(self, number: int, lease_end_ms: int) -> None:
        """Remembers a lease, so that Redis can have it back after a loss."""
        self._leases[number] = max(lease_end_ms, self._leases.get(number, 0))

    def has_ended(self, number: int) -> bool:
        """Whether a lease was given back or revoked, so that admissions that outlive it are not good any more."""
        return number in self._ended

    def is_unsure(self, number: int, issued_ms: int) -> bool:
        """Whether the line must be asked if an admission still has its lease."""
        return number not in self._leases and (
            issued_ms < self._unsure_before_ms + CLOCKS_MS or self.was_lost_since(issued_ms)
        )

    def was_lost_since(self, issued_ms: int) -> bool:
        """Whether Redis may have lost a lease that was given then."""
        return self.snapshot is None or issued_ms < max(self.snapshot.generation) + CLOCKS_MS

    async def release(self, number: int) -> None:
        """Gives a visitor's place back."""
        await self._run("release", [number])
        self._end(number)

    async def revoke(self, number: int, until_ms: int) -> None:
        """Takes a visitor's place away, and refuses the number until a time."""
        await self._run("revoke", [until_ms, number])
        self._end(number)
        self._refused[number] = until_ms

    async def receipt(self, number: int, moves: int, sealed: str, valid_ms: int, told: str) -> tuple[int, int]:
        """Notes by which code, sealed, a place can be moved; gives the reply of receipt.lua."""
        kind, at_ms = await self._run("receipt", [REDIS_CLOCK, number, moves, sealed, valid_ms, told])
        return kind, at_ms

    async def move(self, sealed: str, who: str, own: int | None) -> tuple[int, int, str]:
        """Redeems a code for who gives the place `own` up; gives the reply of move.lua."""
        kind, value, told = await self._run("move", [REDIS_CLOCK, sealed, who, "" if own is None else own])
        return kind, value, told.decode()

    def note_moves(self, number: int, moves: int) -> None:
        """Takes over how often a place was moved."""
        self._moves[number] = max(moves, self._moves.get(number, 0))

    async def tick(self) -> None:
        """Advances the line, and tells Redis who is present."""
        # Compared from tick to tick: whatever else advanced the line since has brought nothing back. Before the first,
        # there are those who joined already.
        before = self._at_last_tick or self.first
        snapshot = await self._advance()
        if before and before.numbering != snapshot.numbering:
            self._present, self._told = set(), []
            self._moves, self._untold_moves = {}, {}
        if before and before.generation != snapshot.generation:
            await self._bring_back(before, snapshot.now_ms)
        self._at_last_tick = snapshot
        if self._untold_moves:
            untold, self._untold_moves = self._untold_moves, {}
            await self._tell_moves(untold)
        if len(self._moves) > MOST_MOVES:
            await self._learn_moves()
        self._told = []
        # Who polls meanwhile is told of with the next tick: while a crowd polls, this one would not end.
        for _ in range(-(-len(self._present) // MOST_ITEMS)):
            numbers = [self._present.pop() for _ in range(min(MOST_ITEMS, len(self._present)))]
            self._told += numbers
            await self._ask("poll", numbers)

    async def _see(self, askers: list[None]) -> list[None]:
        await self._advance()
        return askers

    async def _advance(self) -> Snapshot:
        reply = await self._store.run("advance", self.name, [REDIS_CLOCK, SHARED_MS, *self._own()])
        before, snapshot = self.snapshot, Snapshot.from_reply(reply)
        self.snapshot = snapshot
        self.changes += 1
        self.first = self.first or replace(snapshot, here=b"", newly_ended=())
        self.known = self.known.and_of(snapshot.epoch, snapshot.tail, snapshot.head)
        self.known = self.known.and_arrivals(snapshot.arrived, snapshot.limits.draw)
        self.rate.note(snapshot.now_ms, snapshot.called, self._terms(snapshot))
        self.estimate = self._estimator.note(snapshot.now_ms, snapshot)
        if self._note_ended(snapshot, before):
            await self._learn_moves()
        for ends in (self._leases, self._ended, self._refused):
            for number in [number for number, end_ms in ends.items() if end_ms <= snapshot.now_ms]:
                del ends[number]
        return snapshot

    def _terms(self, snapshot: Snapshot) -> tuple[str, str, int, int, bool]:
        """Under which calls are measured. The small steps of a rate that adapts itself are no new ones. While nobody
        waits, calls are as few as those who come, which says nothing of how fast a line moves."""
        rate = snapshot.limits.rate_per_minute
        if not self._rate_of_terms * (1 - SMALL_STEP) <= rate <= self._rate_of_terms * (1 + SMALL_STEP):
            self._rate_of_terms = rate
        return snapshot.limits.mode, snapshot.phase, snapshot.limits.cap, self._rate_of_terms, snapshot.waiting > 0

    def _note_ended(self, snapshot: Snapshot, before: Snapshot | None) -> bool:
        """Takes over what has ended since; tells whether there was more than the snapshot has."""
        known = before.ended if before and before.generation == snapshot.generation else 0
        for number, refused_ms in snapshot.newly_ended[: snapshot.ended - known]:
            if refused_ms < 0:
                self.note_moves(number, -refused_ms)
                continue
            self._end(number)
            if refused_ms:
                self._refused[number] = refused_ms
        if snapshot.ended - known <= len(snapshot.newly_ended):
            return False
        self._leases.clear()
        self._unsure_before_ms = snapshot.now_ms
        return True

    async def _learn_moves(self) -> None:
        """Takes over all that Redis knows of moves: what it has dropped is over."""
        reply = await self._store.run("moved", self.name, [])
        self._moves = dict(zip(reply[::2], reply[1::2], strict=True))

    async def _tell_moves(self, moves: dict[int, int]) -> None:
        """Gives Redis back what it may have lost of moves."""
        pairs = list(moves.items())
        for start in range(0, len(pairs), MOST_ITEMS):
            await self._run("moved", [value for pair in pairs[start : start + MOST_ITEMS] for value in pair])

    def _end(self, number: int) -> None:
        """No admission of this number is good any more, and none that was issued can outlive a session."""
        self.changes += 1
        now_ms = self.snapshot.now_ms if self.snapshot else 0
        self._ended[number] = max(self._leases.pop(number, 0), now_ms + self.in_force.session_ms) + CLOCKS_MS
        self._present.discard(number)

    async def _bring_back(self, before: Snapshot, now_ms: int) -> None:
        """Gives Redis what it has lost, as far as this process knows it."""
        leases = [(number, end) for number, end in self._leases.items() if end > now_ms]
        for start in range(0, len(leases), MOST_ITEMS):
            await self._restore(leases[start : start + MOST_ITEMS])
        for number, until_ms in list(self._refused.items()):
            await self._run("revoke", [until_ms, number])
        await self._tell_moves(self._moves)
        self._present.update(self._told)
        await self._run("remind", [before.here_from, before.here])

    async def _restore(self, leases: list[tuple[int, int]]) -> list[bool]:
        ends = await self._run("restore", [REDIS_CLOCK, *(value for lease in leases for value in lease)])
        restored = [(number, end_ms) for (number, _), end_ms in zip(leases, ends, strict=True)]
        # Redis may have heard of a release before it had the lease back.
        given_back = [number for number, end_ms in restored if end_ms and number in self._ended]
        if given_back:
            await self._run("release", given_back)
        for number, end_ms in restored:
            if not end_ms:
                self._end(number)
            elif number not in self._ended:
                self.hold_lease(number, end_ms)
        return [self.lease_end_ms(number) > 0 for number, _ in leases]

    async def _join(self, identities: list[str]) -> list[Joined | None]:
        """None where no arrival can be given just now."""
        people = identities if any(identities) else []
        reply = await self._store.run("join", self.name, [REDIS_CLOCK, len(identities), *self._own(), *people])
        epoch, lease_end_ms, *rows = reply
        joined: list[Joined | None] = []
        for kind, first, count in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
            joined += self._joined(epoch, lease_end_ms, kind, range(first, first + count))
        return joined

    def _joined(self, epoch: int, lease_end_ms: int, kind: int, places: range) -> Sequence[Joined | None]:
        """One row of the reply (see join.lua): those who were given places in a row."""
        match kind:
            case 0 | 4:
                self.known = self.known.and_of(epoch, places[-1], 0)
                if kind == 0:  # most of a stampede
                    return [Joined(epoch, place) for place in places]
                return [Joined(epoch, place, is_new=False) for place in places]
            case 1:
                self.known = self.known.and_of(epoch, places[-1], places[-1])
                for place in places:
                    self.hold_lease(place, lease_end_ms)
                return [Joined(epoch, place, lease_end_ms=lease_end_ms) for place in places]
            case 2 | 5:
                return [Joined(epoch, arrival=place, is_new=kind == 2) for place in places]
            case _:
                return [None] * len(places)

    async def _claim(self, holders: list[tuple[int, int | None]]) -> list[Standing]:
        """For numbers with how often the place of their ticket was moved, None for who is known to be inside."""
        pairs = [value for number, moves in holders for value in (number, "" if moves is None else moves)]
        return self._noted("claim", [number for number, _ in holders], await self._run("claim", [REDIS_CLOCK, *pairs]))

    async def _ask(self, transition: str, numbers: list[int]) -> list[Standing]:
        return self._noted(transition, numbers, await self._run(transition, [REDIS_CLOCK, *numbers]))

    def _noted(self, transition: str, numbers: list[int], reply: Sequence[int]) -> list[Standing]:
        standings = from_reply(reply)
        for number, standing in zip(numbers, standings, strict=True):
            match standing:
                case Called(lease_end_ms):
                    self._ended.pop(number, None)
                    if transition == "claim":
                        self.hold_lease(number, lease_end_ms)
                case Waiting():
                    self._ended.pop(number, None)
                case Revoked(until_ms):
                    self._leases.pop(number, None)
                    self._refused[number] = until_ms
                case Spent():
                    self._leases.pop(number, None)
                case Moved(moves):
                    self.note_moves(number, moves)
        return standings

    async def _run(self, transition: str, arguments: Sequence[int | str | bytes]) -> Any:
        """Runs a transition that can't begin a line; where Redis has forgotten it, it is begun again first."""
        try:
            return await self._store.run(transition, self.name, arguments)
        except NoLineError:
            await self._advance()
            return await self._store.run(transition, self.name, arguments)

    def _own(self) -> tuple[int | str | bytes, ...]:
        known = self.known
        return (
            *self.limits.to_arguments(),
            known.epoch,
            known.tail,
            known.head,
            known.arrived,
            known.draw,
            int(self._is_new),
        )
