"""What a line should do, as plainly as Python can say it: sets of numbers, one clock, nothing bounded or packed.

The stateful test holds the Lua transitions against this model, answer by answer. Where both could be wrong alike, the
invariants are checked on their own.
"""

from dataclasses import dataclass, field

from tests.waitroom.line_bench import MOST_UNKNOWN, NUMBERS_PER_MS, START_MS
from waitroom.limits import Limits
from waitroom.standing import Called, Late, Revoked, Spent, Standing, Waiting

CALL = 60_000  # the bucket counts in 1/60000 of a call: a rate of r a minute adds r of them a millisecond
FIRST_POLL_MS = 3_000
RESTORE_MS = 3_000


@dataclass
class Known:
    """What a process knew last of the line: nothing, while the tail is 0."""

    tail: int = 0
    head: int = 0


@dataclass
class LineModel:
    """A line since `begin`: who is where, and the clocks and the bucket that decide what comes next."""

    limits: Limits
    now_ms: int
    bucket: int
    tail: int
    head: int
    origin: int | None = None  # where a line that nobody knew of began to count
    calls_from_ms: int = 0
    given_ms: int = 0
    epoch: int = 1
    here: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    late: dict[int, int] = field(default_factory=dict)  # number to when it was last seen
    inside: dict[int, int] = field(default_factory=dict)
    spent: set[int] = field(default_factory=set)
    revoked: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.born_ms = self.refilled_ms = self.window_ms = self.now_ms

    @classmethod
    def begin(cls, limits: Limits, known: Known, now_ms: int, *, is_new: bool = True) -> "LineModel":
        if known.tail:
            line = cls(limits, now_ms, limits.burst * CALL, known.tail + MOST_UNKNOWN, known.head)
            line._rest(now_ms)
            return line
        origin = (now_ms - START_MS) * NUMBERS_PER_MS
        line = cls(limits, now_ms, limits.burst * CALL, origin, origin, origin)
        if not is_new:
            line._rest(now_ms)
        return line

    def advance(self, limits: Limits, known: Known, now_ms: int) -> None:
        self._refill(now_ms)
        if limits.edition > self.limits.edition:
            self.limits = limits
            self.bucket = min(self.bucket, limits.burst * CALL)
        if known.tail:
            self._heal(known.tail, known.head, now_ms)
        self.inside = {number: end for number, end in self.inside.items() if end > now_ms}
        self.late = {number: seen for number, seen in self.late.items() if seen > now_ms - self.limits.presence_ms}
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
        if self.revoked.get(number, 0) > now_ms:
            return Revoked(self.revoked[number])
        self._heal(number, None, now_ms)
        if number > self.head:
            self.here.add(number)
            self.seen.add(number)
            return Waiting()
        if self.inside.get(number, 0) > now_ms:
            return Called(self.inside[number])
        if number in self.spent:
            return Spent()
        self._note_elder(number)
        return self._be_late(number, now_ms)

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
        self.late.pop(number, None)
        self.here.discard(number)
        self.seen.discard(number)
        if number <= self.head:
            self.spent.add(number)
        return held

    def revoke(self, number: int, until_ms: int) -> bool:
        self.revoked[number] = until_ms
        return self.release(number)

    def restore(self, leases: dict[int, int], now_ms: int) -> list[int]:
        """The lease that each number has then, 0 for none."""
        return [self._restored(number, end, now_ms) for number, end in leases.items()]

    def remind(self, present: set[int], lost_ms: int) -> None:
        self.here |= {number for number in present if number > self.head}
        if lost_ms:
            self.calls_from_ms = min(self.calls_from_ms, lost_ms + RESTORE_MS)

    def reset(self) -> None:
        self.epoch += 1
        self.late = {}
        self._leap(self.tail)

    def _restored(self, number: int, end_ms: int, now_ms: int) -> int:
        self._heal(number, number, now_ms)
        self._note_elder(number)
        lease = max(end_ms, self.inside.get(number, 0))
        if self.revoked.get(number, 0) > now_ms or lease <= now_ms:
            return 0
        rests = now_ms < self.calls_from_ms and self.origin is None
        if number not in self.inside and not rests and len(self.inside) >= self.limits.cap:
            self._be_late(number, now_ms)
            return 0
        self.inside[number] = lease
        self.late.pop(number, None)
        self.spent.add(number)
        return lease

    def _be_late(self, number: int, now_ms: int) -> Late:
        self.late[number] = now_ms
        return Late(sorted(self.late).index(number))

    def _refill(self, now_ms: int) -> None:
        earned = self.limits.rate_per_minute * max(0, now_ms - self.refilled_ms)
        self.bucket = min(self.limits.burst * CALL, self.bucket + earned)
        self.refilled_ms = now_ms

    def _rest(self, now_ms: int) -> None:
        self.lost_ms = now_ms
        self.calls_from_ms = now_ms + max(RESTORE_MS, self.limits.presence_ms // 2)

    def _note_elder(self, number: int) -> None:
        if self.origin is not None and number <= self.origin:
            rest_ms = max(RESTORE_MS, self.limits.presence_ms // 2)
            self.calls_from_ms = max(self.calls_from_ms, self.born_ms + rest_ms)

    def _heal(self, tail: int, head: int | None, now_ms: int) -> None:
        head = self.head if head is None else head
        if tail > self.tail or head > self.head:
            if tail > self.tail + MOST_UNKNOWN:
                self._leap(max(head, tail - 1))
            self.tail = max(self.tail, tail)
            self._pass(head)
            self._rest(now_ms)

    def _leap(self, number: int) -> None:
        self.head, self.tail = number, max(self.tail, number)
        self.here, self.seen = set(), set()

    def _turn_window(self, now_ms: int) -> None:
        self.window_ms = min(self.window_ms, now_ms)
        if now_ms - self.window_ms >= self.limits.presence_ms:
            self.here = {number for number in self.seen if number > self.head}
            self.seen = set()
            self.window_ms = now_ms

    def _call(self, numbers: list[int], now_ms: int) -> int:
        if self.limits.mode not in ("auto", "queue") or self.limits.phase(now_ms) != "open":
            return 0
        longest_ms = max(RESTORE_MS, self.limits.presence_ms)
        self.calls_from_ms = min(self.calls_from_ms, now_ms + longest_ms)
        if now_ms < self.calls_from_ms:
            return 0
        room = max(0, min(self.bucket // CALL, self.limits.cap - len(self.inside)))
        for number in numbers[:room]:
            self.inside[number] = now_ms + self.limits.claim_ms
            self.bucket -= CALL
            self.late.pop(number, None)
            self._pass(number)
        return len(numbers[:room])

    def _pass(self, number: int) -> None:
        self.head = max(self.head, number)
        self.here = {waiting for waiting in self.here if waiting > self.head}
