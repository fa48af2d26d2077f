"""What a line should do, as plainly as Python can say it: sets of numbers, one clock, nothing bounded or packed.

The stateful test holds the Lua transitions against this model, answer by answer. Where both could be wrong alike, the
invariants are checked on their own.
"""

from dataclasses import dataclass, field

from waitroom.limits import Limits
from waitroom.standing import Called, Late, Spent, Standing, Waiting

CALL = 60_000  # the bucket counts in 1/60000 of a call: a rate of r a minute adds r of them a millisecond
FIRST_POLL_MS = 3_000
RESTORE_MS = 3_000


@dataclass
class Known:
    """What a process knew last of the line."""

    tail: int = 0
    head: int = 0


@dataclass
class LineModel:
    """A line since `begin`: who is where, and the clocks and the bucket that decide what comes next."""

    limits: Limits
    refilled_ms: int
    window_ms: int
    bucket: int
    tail: int
    head: int
    calls_from_ms: int = 0
    given_ms: int = 0
    here: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    late: set[int] = field(default_factory=set)
    inside: dict[int, int] = field(default_factory=dict)
    spent: set[int] = field(default_factory=set)

    @classmethod
    def begin(cls, limits: Limits, known: Known, now_ms: int) -> "LineModel":
        line = cls(limits, now_ms, now_ms, limits.burst * CALL, known.tail, known.head)
        if known.tail:
            line.calls_from_ms = now_ms + RESTORE_MS
        return line

    def advance(self, limits: Limits, known: Known, now_ms: int) -> None:
        self._refill(now_ms)
        if limits.edition > self.limits.edition:
            self.limits = limits
            self.bucket = min(self.bucket, limits.burst * CALL)
        self._heal(known.tail, known.head, now_ms)
        self.inside = {number: end for number, end in self.inside.items() if end > now_ms}
        self._turn_window(now_ms)
        self._call([*sorted(self.late), *sorted(self.here)], now_ms)

    def join(self, n: int, limits: Limits, known: Known, now_ms: int) -> tuple[int, int]:
        """Gives the first of n numbers, and how many of them are called."""
        self.advance(limits, known, now_ms)
        fresh = self.tail > self.head and 0 <= now_ms - self.given_ms < FIRST_POLL_MS
        may_pass = self.limits.mode == "auto" and not (self.here or self.late or fresh)
        first, self.tail = self.tail + 1, self.tail + n
        called = self._call(list(range(first, first + n)), now_ms) if may_pass else 0
        if called < n:
            self.given_ms = now_ms
        return first, called

    def poll(self, number: int, now_ms: int) -> Standing:
        self._heal(number, 0, now_ms)
        if number > self.head:
            self.here.add(number)
            self.seen.add(number)
            return Waiting()
        if self.inside.get(number, 0) > now_ms:
            return Called(self.inside[number])
        if number in self.spent:
            return Spent()
        self.late.add(number)
        return Late(sorted(self.late).index(number))

    def claim(self, number: int, now_ms: int) -> Standing:
        standing = self.poll(number, now_ms)
        if isinstance(standing, Called):
            self.inside[number] = max(standing.lease_end_ms, now_ms + self.limits.session_ms)
            self.spent.add(number)
            return Called(self.inside[number])
        return standing

    def release(self, number: int) -> bool:
        """Whether the number held a place."""
        held = number in self.inside or number in self.late or number in self.here
        self.inside.pop(number, None)
        self.late.discard(number)
        self.here.discard(number)
        self.seen.discard(number)
        if number <= self.head:
            self.spent.add(number)
        return held

    def restore(self, leases: dict[int, int], now_ms: int) -> None:
        for number, end in leases.items():
            self._heal(number, number, now_ms)
            if end > now_ms:
                self.inside[number] = max(end, self.inside.get(number, 0))
            self.late.discard(number)
            self.spent.add(number)

    def _refill(self, now_ms: int) -> None:
        earned = self.limits.rate_per_minute * max(0, now_ms - self.refilled_ms)
        self.bucket = min(self.limits.burst * CALL, self.bucket + earned)
        self.refilled_ms = now_ms

    def _heal(self, tail: int, head: int, now_ms: int) -> None:
        if tail > self.tail or head > self.head:
            self.tail = max(self.tail, tail)
            self._pass(head)
            self.calls_from_ms = now_ms + RESTORE_MS

    def _turn_window(self, now_ms: int) -> None:
        self.window_ms = min(self.window_ms, now_ms)
        if now_ms - self.window_ms >= self.limits.presence_ms:
            self.here = {number for number in self.seen if number > self.head}
            self.seen = set()
            self.window_ms = now_ms

    def _call(self, numbers: list[int], now_ms: int) -> int:
        self.calls_from_ms = min(self.calls_from_ms, now_ms + RESTORE_MS)
        if self.limits.mode not in ("auto", "queue") or now_ms < self.calls_from_ms:
            return 0
        room = max(0, min(self.bucket // CALL, self.limits.cap - len(self.inside)))
        for number in numbers[:room]:
            self.inside[number] = now_ms + self.limits.claim_ms
            self.bucket -= CALL
            self.late.discard(number)
            self._pass(number)
        return len(numbers[:room])

    def _pass(self, number: int) -> None:
        self.head = max(self.head, number)
        self.here = {waiting for waiting in self.here if waiting > self.head}
