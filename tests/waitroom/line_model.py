"""What a line should do, as plainly as Python can say it: sets of numbers, one clock, nothing bounded or packed.

The stateful test holds the Lua transitions against this model, answer by answer. Where both could be wrong alike, the
invariants are checked on their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.waitroom.line_bench import MOST_UNKNOWN, NUMBERS_PER_MS, START_MS, Given
from waitroom.limits import Limits
from waitroom.standing import Called, Late, Moved, Revoked, Spent, Standing, Waiting

CALL = 60_000  # the bucket counts in 1/60000 of a call: a rate of r a minute adds r of them a millisecond
FIRST_POLL_MS = 3_000
RESTORE_MS = 3_000
TRIES_MS = 600_000


@dataclass(frozen=True)
class Known:
    """What is known of the line outside Redis, by whoever outlived a loss: nothing, while the tail is 0."""

    epoch: int = 0
    tail: int = 0
    head: int = 0
    arrived: int = 0
    draw: str = ""


@dataclass
class LineModel:
    """A line since `begin`: who is where, and the clocks and the bucket that decide what comes next."""

    limits: Limits
    born_ms: int
    bucket: int
    tail: int
    head: int
    epoch: int
    origin: int | None = None  # where a line that nobody knew of began to count
    here: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)
    late: dict[int, int] = field(default_factory=dict)  # number to when it was last seen
    inside: dict[int, int] = field(default_factory=dict)  # number to the end of its lease
    extended: set[int] = field(default_factory=set)  # since they were called last
    spent: set[int] = field(default_factory=set)
    revoked: dict[int, int] = field(default_factory=dict)  # number to until when
    people: dict[str, tuple[Given, str]] = field(default_factory=dict)  # identity to its place, and the draw of that
    moved: dict[int, int] = field(default_factory=dict)  # number to how often it was moved to another browser
    receipts: dict[int, tuple[str, int, int]] = field(default_factory=dict)  # number to code, end, and moves until then
    tries: list[str] = field(default_factory=list)  # within the window
    tries_until_ms: int = 0
    has_moved: bool = False  # to a server that may lack the last writes
    arrived: int = 0
    lost_ms: int = 0
    calls_from_ms: int = 0
    gives_from_ms: int = 0
    given_ms: int = 0
    advanced_ms: int = 0
    joined: int = 0
    called: int = 0
    claimed: int = 0
    extensions: int = 0
    released: int = 0
    ended: list[tuple[int, int]] = field(default_factory=list)  # number and until when it is refused, the newest first

    def __post_init__(self) -> None:
        self.refilled_ms = self.window_ms = self.born_ms

    @classmethod
    def begin(cls, limits: Limits, known: Known, now_ms: int, *, is_new: bool = True) -> "LineModel":
        """`is_new` says that whoever begins it takes it for the first; rightly, or wrongly."""
        bucket, epoch = limits.burst * CALL, max(1, known.epoch)
        if known.tail:
            line = cls(limits, now_ms, bucket, known.tail + MOST_UNKNOWN, known.head, epoch)
            line._rest(now_ms)
            return line
        origin = (now_ms - START_MS) * NUMBERS_PER_MS
        line = cls(limits, now_ms, bucket, origin, origin, epoch, origin)
        if not is_new:
            line._rest(now_ms)
        line.gives_from_ms = line.calls_from_ms
        return line

    def is_up_to_date(self, limits: Limits, known: Known, now_ms: int, tick_ms: int) -> bool:
        """Whether it was advanced within the tick, and whoever asks brings nothing new."""
        return (
            limits.edition <= self.limits.edition
            and known.epoch <= self.epoch
            and (not known.tail or (known.tail <= self.tail and known.head <= self.head))
            and (known.draw != self.limits.draw or known.arrived <= self.arrived)
            and 0 <= now_ms - self.advanced_ms < tick_ms
        )

    def advance(self, limits: Limits, known: Known, now_ms: int) -> None:
        self._refill(now_ms)
        self._adopt(limits, now_ms)
        if self.has_moved:
            self.has_moved = False
            self.tail += MOST_UNKNOWN
            self._rest(now_ms)
        self._make_room_for_draw(now_ms)
        self.epoch = max(self.epoch, known.epoch)
        if known.draw == self.limits.draw:
            self.arrived = max(self.arrived, known.arrived)
        if known.tail:
            self._heal(known.tail, known.head, now_ms)
        for number in [number for number, end in self.inside.items() if end <= now_ms]:
            del self.inside[number]
            if number in self.spent:
                self.moved.pop(number, None)
        self.late = {number: seen for number, seen in self.late.items() if seen > now_ms - self.limits.presence_ms}
        self._turn_window(now_ms)
        for number in [*sorted(self.late), *sorted(self.here)][: self._room(now_ms)]:
            self._call(number, now_ms)

    def join(self, identities: Sequence[str], limits: Limits, known: Known, now_ms: int) -> list[Given]:
        self.advance(limits, known, now_ms)
        fresh = self.tail > self.head and 0 <= now_ms - self.given_ms < FIRST_POLL_MS
        may_pass = self.limits.mode == "auto" and not (self.here or self.late or fresh)
        room = self._room(now_ms) if may_pass else 0
        given = []
        for identity in identities:
            given.append(self._join(identity, room, now_ms))
            room -= given[-1].kind == "called"
        return given

    def poll(self, number: int, now_ms: int) -> Standing:
        if self.revoked.get(number, 0) > now_ms:
            return Revoked(self.revoked[number])
        self._heal(number, self.head, now_ms)
        if number > self.head:
            self.here.add(number)
            self.seen.add(number)
            return Waiting()
        if self.inside.get(number, 0) > now_ms:
            return Called(self.inside[number], can_extend=number not in self.spent | self.extended)
        if number in self.spent:
            return Spent()
        self._note_elder(number)
        return self._be_late(number, now_ms)

    def claim(self, number: int, now_ms: int, moves: int | None = None) -> Standing:
        """By a ticket that was moved so often."""
        if moves is not None and moves < self.moved.get(number, 0):
            return Moved(self.moved[number])
        standing = self.poll(number, now_ms)
        if isinstance(standing, Called):
            self.inside[number] = max(standing.lease_end_ms, now_ms + self.limits.session_ms)
            self.claimed += number not in self.spent
            self.spent.add(number)
            return Called(self.inside[number])
        return standing

    def extend(self, number: int, now_ms: int) -> Standing:
        standing = self.poll(number, now_ms)
        if isinstance(standing, Called) and standing.can_extend:
            self.inside[number] += self.limits.claim_ms
            self.extended.add(number)
            self.extensions += 1
            return Called(self.inside[number])
        return standing

    def release(self, number: int) -> bool:
        """Whether the number held a place."""
        if number in self.inside:
            self.ended.insert(0, (number, 0))
        held = self._remove(number)
        self.released += held
        return held

    def revoke(self, number: int, until_ms: int) -> bool:
        """Whether the number held a place."""
        self.revoked[number] = until_ms
        self.ended.insert(0, (number, until_ms))
        return self._remove(number)

    def restore(self, leases: dict[int, int], now_ms: int) -> list[int]:
        """The lease that each number has then, 0 for none."""
        return [self._restored(number, end, now_ms) for number, end in leases.items()]

    def receipt(self, number: int, code: str, moves: int, valid_ms: int, now_ms: int) -> tuple[str, int]:
        """What became of it, and until when it is good, or when to try again."""
        if not self._can_move(number, now_ms) or self.moved.get(number, 0) > moves:
            return "no place", 0
        self._turn_tries(now_ms)
        if self.tries.count(str(number)) >= 10:
            return "too often", self.tries_until_ms
        self.tries.append(str(number))
        self.receipts[number] = code, now_ms + valid_ms, moves
        return "made", now_ms + valid_ms

    def move(self, code: str, who: str, own: int | None, now_ms: int) -> tuple[str, int, str]:
        """What became of it, how often the place was moved or when to try again, and what the receipt told."""
        self._turn_tries(now_ms)
        if self.tries.count("wrong") >= 1000 or self.tries.count(f"from {who}") >= 10:
            return "locked", self.tries_until_ms, ""
        good = {made: number for number, (made, end_ms, _) in self.receipts.items() if end_ms > now_ms}
        if code not in good:
            self.tries += ["wrong", f"from {who}"]
            return "wrong", 0, ""
        number = good[code]
        moves = self.receipts.pop(number)[2]
        if not self._can_move(number, now_ms) or self.moved.get(number, 0) > moves:
            return "used up", 0, ""
        self._move_to(number, moves + 1)
        if own is not None and own != number:
            self.release(own)
        return "moved", moves + 1, f"told of {number}"

    def tell_moves(self, moves: dict[int, int]) -> None:
        for number, often in moves.items():
            is_over = number in self.spent and number not in self.inside
            if often > self.moved.get(number, 0) and not is_over:
                self._move_to(number, often)

    def remind(self, present: set[int]) -> None:
        self.here |= {number for number in present if number > self.head}
        if self.lost_ms:
            self.calls_from_ms = min(self.calls_from_ms, self.lost_ms + RESTORE_MS)

    def reset(self, now_ms: int) -> None:
        self.epoch += 1
        self.here, self.seen, self.late, self.people = set(), set(), {}, {}
        self.moved, self.receipts = {}, {}
        if not self._is_drawing(now_ms):
            self._leap(self.tail)

    def _join(self, identity: str, room: int, now_ms: int) -> Given:
        place = self._place_of(identity, now_ms)
        if place:
            return place
        given = self._give(room, now_ms)
        if given.kind != "none yet":
            self.joined += 1
            if identity:
                self.people[identity] = given, self.limits.draw
        return given

    def _place_of(self, identity: str, now_ms: int) -> Given | None:
        """The place that a person has: not one in another draw, nor a number that is used up."""
        if identity not in self.people:
            return None
        given, draw = self.people[identity]
        if given.kind == "arrival":
            return replace(given, old=True) if draw == self.limits.draw else None
        number = given.place
        is_used_up = number in self.spent and number not in self.inside and self.revoked.get(number, 0) <= now_ms
        return None if is_used_up else Given("number", number, old=True)

    def _give(self, room: int, now_ms: int) -> Given:
        if self._is_drawing(now_ms):
            if self.gives_from_ms > now_ms + RESTORE_MS + self.limits.presence_ms:
                self.gives_from_ms = now_ms
            if now_ms < self.gives_from_ms:
                return Given("none yet", 0)
            if self.arrived < self.limits.draw_size:
                self.arrived += 1
                return Given("arrival", self.arrived - 1)
        self.tail += 1
        if room > 0:
            self._call(self.tail, now_ms)
            return Given("called", self.tail)
        self.given_ms = now_ms
        return Given("number", self.tail)

    def _remove(self, number: int) -> bool:
        held = number in self.inside or number in self.late or number in self.here
        self.inside.pop(number, None)
        self.late.pop(number, None)
        self.here.discard(number)
        self.seen.discard(number)
        if number <= self.head:
            self.spent.add(number)
            self.moved.pop(number, None)
        return held

    def _can_move(self, number: int, now_ms: int) -> bool:
        return number not in self.spent and self.revoked.get(number, 0) <= now_ms

    def _move_to(self, number: int, moves: int) -> None:
        self.moved[number] = moves
        self.ended.insert(0, (number, -moves))

    def _turn_tries(self, now_ms: int) -> None:
        if not now_ms < self.tries_until_ms <= now_ms + TRIES_MS:
            self.tries, self.tries_until_ms = [], now_ms + TRIES_MS

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

    def _adopt(self, limits: Limits, now_ms: int) -> None:
        """Takes newer limits, except that a draw which was opened stays as it was."""
        before = self.limits
        if limits.edition <= before.edition:
            return
        is_moved = (limits.opens_ms, limits.draw) != (before.opens_ms, before.draw)
        if before.draw and before.phase(now_ms) == "early" and is_moved:
            self.here, self.seen = set(), set()
            self.calls_from_ms = max(self.calls_from_ms, now_ms + max(RESTORE_MS, limits.presence_ms // 2))
        was_opened = before.draw and before.phase(now_ms) != "early"
        if was_opened and limits.draw in ("", before.draw):
            limits = replace(limits, opens_ms=before.opens_ms, draw=before.draw, draw_size=before.draw_size)
        if limits.draw != before.draw:
            self.arrived = 0
        self.limits = limits
        self.bucket = min(self.bucket, limits.burst * CALL)

    def _is_drawing(self, now_ms: int) -> bool:
        return self.limits.draw != "" and self.limits.phase(now_ms) == "early"

    def _make_room_for_draw(self, now_ms: int) -> None:
        if self.limits.draw:
            before_first = self.limits.drawn_number(0) - START_MS * NUMBERS_PER_MS
            if self._is_drawing(now_ms) and before_first > self.head:
                self._leap(before_first)
            self.tail = max(self.tail, before_first + self.limits.draw_size)

    def _rest(self, now_ms: int) -> None:
        self.lost_ms = now_ms
        self.calls_from_ms = now_ms + max(RESTORE_MS, self.limits.presence_ms // 2)
        self.gives_from_ms = now_ms + RESTORE_MS

    def _note_elder(self, number: int) -> None:
        if self.origin is not None and number <= self.origin:
            rest_ms = max(RESTORE_MS, self.limits.presence_ms // 2)
            self.calls_from_ms = max(self.calls_from_ms, self.born_ms + rest_ms)

    def _heal(self, tail: int, head: int, now_ms: int) -> None:
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
            self.revoked = {number: until for number, until in self.revoked.items() if until > now_ms}

    def _room(self, now_ms: int) -> int:
        """How many may be called now."""
        if self.limits.mode not in ("auto", "queue") or self.limits.phase(now_ms) != "open":
            return 0
        longest_ms = max(RESTORE_MS, self.limits.presence_ms)
        self.calls_from_ms = min(self.calls_from_ms, now_ms + longest_ms)
        if now_ms < self.calls_from_ms:
            return 0
        return max(0, min(self.bucket // CALL, self.limits.cap - len(self.inside)))

    def _call(self, number: int, now_ms: int) -> None:
        self.inside[number] = now_ms + self.limits.claim_ms
        self.extended.discard(number)
        self.bucket -= CALL
        self.called += 1
        self.late.pop(number, None)
        self._pass(number)

    def _pass(self, number: int) -> None:
        self.head = max(self.head, number)
        self.here = {waiting for waiting in self.here if waiting > self.head}
