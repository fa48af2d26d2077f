"""Stories of a line: Hypothesis invents them, and tells each to the transitions on a real Redis and to the model.

A choice costs Hypothesis more than a transition costs Redis: so a step makes few, and hardly one does nothing.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import cast

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.servers import PrivateRedis
from tests.waitroom import line_bench as bench
from tests.waitroom.line_bench import FIRST, MOST_UNKNOWN, LineBench, Mutation
from tests.waitroom.line_model import CALL, Known, LineModel
from waitroom.limits import Limits
from waitroom.snapshot import Snapshot
from waitroom.standing import Called, Moved
from waitroom.store_keys import line_keys

# Small and short, so that a story of a hundred steps meets every limit.
LIMITS = replace(
    bench.LIMITS, rate_per_minute=60, burst=3, cap=3, claim_ms=5_000, presence_ms=10_000, session_ms=20_000
)
DRAW_SIZE = 4
PROCESS = st.integers(0, 2)
# Some of the visitors: bit i stands for those who are i-th, 8 + i-th, 16 + i-th, ... by their number.
SOME = st.integers(1, 255)
ONE = st.integers(0, 15)
WHAT_LIMITS_SAY = 4 * ["auto"] + 3 * ["queue"] + ["hold", "closed", "over soon", "early", "first draw", "second draw"]
MISFORTUNES = (
    "replicate",
    "replicate",
    "lose_all",
    "lose_all_and_remind",
    "lose_all_and_every_process",
    "lose_last_writes",
    "lose_last_writes_and_remind",
    "change_server",
    "meet_a_ticket_from_ahead",
    "meet_a_ticket_from_far_ahead",
    "reset",
    "reset",
)


@dataclass
class Before:
    """A line as a transition found it."""

    inside: set[int]
    waited: set[int]
    late: set[int]
    head: int


@dataclass
class Replica:
    """A line as it stood when it was last copied."""

    dumps: list[bytes | None]
    model: LineModel


class LineMachine(RuleBasedStateMachine):
    """Several processes with one line: each has limits of its own, all know the highest tail and head."""

    redis: PrivateRedis
    mutation: Mutation | None

    def __init__(self) -> None:
        super().__init__()
        self.redis.client.flushall()
        self.bench = LineBench(self.redis, self.mutation)
        self.processes = [LIMITS] * 3
        self.known = Known()
        self.model: LineModel | None = None
        self.replica: Replica | None = None
        self.snapshot: Snapshot | None = None  # the last that a process has
        self.present: set[int] = set()  # who is present in it
        self.numbers: set[int] = set()  # of visitors, who may come back at any time
        self.arrivals: set[int] = set()  # in the draw that is in force
        self.leases: dict[int, int] = {}
        self.moves: dict[int, int] = {}  # of the tickets that are good
        self.codes = 0
        self.allowance = LIMITS.burst * CALL  # what I2 allows to be called now, in the bucket's unit
        self.allowed_until_ms = self.bench.now_ms

    @property
    def now_ms(self) -> int:
        return self.bench.now_ms

    @property
    def line(self) -> LineModel:
        return cast(LineModel, self.model)

    def begun(self, limits: Limits) -> LineModel:
        """The line, which begins with the first transition that advances it."""
        if self.model is None:
            self.model = LineModel.begin(limits, self.known, self.now_ms, is_new=self.bench.is_new)
            self.allow_a_burst(limits)
        return self.model

    def act_as(self, process: int) -> Limits:
        known = self.known
        self.bench.limits = self.processes[process]
        self.bench.known = (known.epoch, known.tail, known.head)
        self.bench.known_arrivals = (known.arrived, known.draw)
        return self.processes[process]

    def visitors(self) -> list[int]:
        """All numbers, of those who were drawn too: the last who arrived has the first place."""
        behind = self.line.limits.drawn_number(DRAW_SIZE) - FIRST
        return sorted(self.numbers | {behind - arrival for arrival in self.arrivals})

    def some(self, which: int) -> list[int]:
        numbers = [number for i, number in enumerate(self.visitors()) if which >> i % 8 & 1]
        note(f"numbers: {numbers}")
        return numbers

    def one(self, which: int) -> int:
        """Somebody inside, if anybody is."""
        numbers = sorted(self.line.inside) or self.visitors() or [self.line.tail]
        note(f"number: {numbers[which % len(numbers)]}")
        return numbers[which % len(numbers)]

    @precondition(lambda self: self.model)
    @rule(process=PROCESS, ms=st.sampled_from([250, 1_000, 3_000, 5_000]), comers=st.integers(0, 3), who=SOME)
    def go_on(self, process: int, ms: int, comers: int, who: int) -> None:
        """Some come, some of all the visitors look how far it is, and claim if they are called, as time passes."""
        if comers:
            self.join(process, comers * "-")
        for _ in range(2):
            self.wait(ms)
            self.claim(who)
            self.advance(process, 0)

    @rule(process=PROCESS, tick_ms=st.sampled_from([0, 0, 250]))
    def advance(self, process: int, tick_ms: int) -> None:
        limits = self.act_as(process)
        line = self.begun(limits)
        before = self.before(line)
        snapshot = self.bench.advance(tick_ms)
        if not line.is_up_to_date(limits, self.known, self.now_ms, tick_ms):
            line.advance(limits, self.known, self.now_ms)
            line.advanced_ms = self.now_ms
        self.compare(snapshot, line)
        self.snapshot, self.present = snapshot, set(line.here)
        self.after(line, before)

    @rule(process=PROCESS, people=st.sampled_from(["-", "--", "---", "----", "a", "ab", "-a-", "aba"]))
    def join(self, process: int, people: str) -> None:
        identities = [person.strip("-") for person in people]
        limits = self.act_as(process)
        line = self.begun(limits)
        before = self.before(line)
        given = self.bench.join_as(*identities)
        assert given == line.join(identities, limits, self.known, self.now_ms)
        assert self.bench.joined == (line.epoch, self.now_ms + line.limits.claim_ms)
        self.learn(line)
        for one in given:
            if not one.old and one.kind != "none yet":
                places = self.arrivals if one.kind == "arrival" else self.numbers
                assert one.place not in places, "I4: a place was given twice"
                places.add(one.place)
        self.after(line, before)

    @precondition(lambda self: self.model)
    @rule(who=SOME)
    def poll(self, who: int) -> None:
        self.poll_as(*self.some(who))

    @precondition(lambda self: self.model)
    @rule(who=SOME)
    def claim(self, who: int) -> None:
        numbers = self.some(who)
        holders = [(number, self.moves.get(number, 0)) for number in numbers]
        standings = self.bench.claim_as(*holders)
        assert standings == [self.line.claim(number, self.now_ms, moves) for number, moves in holders]
        for number, standing in zip(numbers, standings, strict=True):
            if isinstance(standing, Called):
                self.leases[number] = standing.lease_end_ms
        self.learn(self.line)

    @precondition(lambda self: self.model and self.visitors())
    @rule(who=ONE, own=ONE, gives_up=st.booleans(), ms=st.sampled_from([0, 0, 0, 5_000]))
    def move(self, who: int, own: int, gives_up: bool, ms: int) -> None:
        """Somebody moves a place to another browser, in time or too late; who brings the code again has nothing."""
        visitors = self.visitors()
        number, given_up = visitors[who % len(visitors)], visitors[own % len(visitors)] if gives_up else None
        moves = self.moves.get(number, 0)
        self.codes += 1
        code = f"code {self.codes}"
        made = self.bench.receipt(number, code, moves, 5_000)
        assert made == self.line.receipt(number, code, moves, 5_000, self.now_ms)
        self.wait(ms)
        redeemed = [self.bench.move(code, code, given_up) for _ in range(2)]
        assert redeemed == [self.line.move(code, code, given_up, self.now_ms) for _ in range(2)]
        if redeemed[0][0] == "moved":
            self.moves[number] = moves + 1
            if given_up is not None and given_up != number:
                self.leases.pop(given_up, None)
            [before] = self.bench.claim_as((number, moves))
            assert isinstance(before, Moved), "the old ticket of a moved place is good"
        assert self.bench.moves() == self.line.moved

    @precondition(lambda self: self.model)
    @rule(who=SOME)
    def extend(self, who: int) -> None:
        """Some ask for more time, called or not, as often as they like."""
        numbers = self.some(who)
        assert self.bench.extend(*numbers) == [self.line.extend(number, self.now_ms) for number in numbers]
        self.learn(self.line)

    @precondition(lambda self: self.model)
    @rule(who=ONE)
    def release(self, who: int) -> None:
        number = self.one(who)
        assert self.bench.release(number) == self.line.release(number)
        self.leases.pop(number, None)

    @precondition(lambda self: self.model)
    @rule(who=ONE, ms=st.sampled_from([1_000, 30_000]))
    def revoke(self, who: int, ms: int) -> None:
        number, until_ms = self.one(who), self.now_ms + ms
        assert self.bench.revoke(number, until_ms=until_ms) == self.line.revoke(number, until_ms)
        self.leases.pop(number, None)

    @precondition(lambda self: self.model)
    @rule(who=SOME)
    def restore_some(self, who: int) -> None:
        """Some come back with their admissions, whose leases Redis may have lost long ago."""
        came = self.some(who)
        self.restore({number: self.leases[number] for number in came if number in self.leases})

    @rule(ms=st.sampled_from([1, 250, 1_000, 2_999, 3_000, 5_000, 9_999, 10_000, 21_000, -1_000, -60_000]))
    def wait(self, ms: int) -> None:
        """Time passes; or the clock steps back."""
        self.bench.pass_ms(ms)

    @rule(
        process=PROCESS,
        raised=st.booleans(),
        what=st.sampled_from(WHAT_LIMITS_SAY),
        rate=st.sampled_from([6, 60, 600, 600]),
        cap=st.integers(0, 4),
    )
    def set_limits(self, process: int, raised: bool, what: str, rate: int, cap: int) -> None:
        """A new version for one process, or an edit without a new version; the others have theirs still."""
        newest = max(limits.edition for limits in self.processes)
        version, edited_ms = (newest[0] + 1, 0) if raised else (newest[0], newest[1] + 1)
        limits = replace(LIMITS, version=version, edited_ms=edited_ms, rate_per_minute=rate, burst=5 - cap, cap=cap)
        match what:
            case "queue" | "hold" | "closed":
                limits = replace(limits, mode=what)
            case "over soon":
                limits = replace(limits, closes_ms=self.now_ms + 20_000)
            case "early":
                limits = replace(limits, opens_ms=self.now_ms + 5_000)
            case "first draw" | "second draw":
                limits = replace(limits, opens_ms=self.now_ms + 60_000, draw=what, draw_size=DRAW_SIZE)
        self.processes[process] = limits

    @precondition(lambda self: self.model and self.now_ms < self.line.limits.opens_ms)
    @rule(ms=st.sampled_from([-1, 0]))
    def wait_for_the_opening(self, ms: int) -> None:
        self.bench.now_ms = self.line.limits.opens_ms + ms

    @precondition(lambda self: self.model)
    @rule(misfortune=st.sampled_from(MISFORTUNES), process=PROCESS)
    def suffer(self, misfortune: str, process: int) -> None:
        """One rule of a dozen: a story full of losses never comes to anything else."""
        getattr(self, misfortune)(process)
        self.learn(self.line)

    def replicate(self, process: int) -> None:
        """No misfortune yet: a replica has all that was written until now."""
        pipeline = self.redis.client.pipeline(transaction=False)
        for key in line_keys("test"):
            pipeline.dump(key)
        self.replica = Replica(pipeline.execute(), deepcopy(self.line))

    def lose_all(self, process: int) -> None:
        """Redis is emptied; the next process to advance brings back what it knew, and mostly the leases."""
        self.redis.client.flushall()
        self.model = None
        self.catch_up(process)
        if process:
            self.restore_all()

    def lose_all_and_remind(self, process: int) -> None:
        self.lose_all(process)
        self.remind(process)

    def lose_all_and_every_process(self, process: int) -> None:
        """Visitors alone are left: tickets bring back numbers, arrivals, the epoch; admissions mostly leases. Whoever
        begins the line may even take it for a new one."""
        self.bench.is_new = process == 1
        self.redis.client.flushall()
        visitors = self.visitors()
        self.model, self.snapshot = None, None
        self.known = Known(self.known.epoch, arrived=max(self.arrivals, default=-1) + 1, draw=self.known.draw)
        self.catch_up(process)
        if process:
            self.restore_all()
        self.poll_as(*visitors)

    def lose_last_writes(self, process: int) -> None:
        """The line moves to a replica, which lacks whatever was not copied yet."""
        if self.replica:
            self.redis.client.flushall()
            for key, dump in zip(line_keys("test"), self.replica.dumps, strict=True):
                if dump:
                    self.redis.client.restore(key, 0, dump)
            self.model = deepcopy(self.replica.model)
            self.allow_a_burst(self.line.limits)
            if process:
                self.change_server(process)
            self.catch_up(process)
            self.restore_all()

    def lose_last_writes_and_remind(self, process: int) -> None:
        self.lose_last_writes(process)
        self.remind(process)

    def change_server(self, process: int) -> None:
        """It has all that was written, but nobody can know that."""
        self.redis.client.hset(line_keys("test")[0], "server", "another")
        self.line.has_moved = True

    def meet_a_ticket_from_ahead(self, process: int) -> None:
        self.poll_as(self.line.tail + process + 1)

    def meet_a_ticket_from_far_ahead(self, process: int) -> None:
        self.poll_as(self.line.tail + MOST_UNKNOWN + process)

    def reset(self, process: int) -> None:
        epoch = self.line.epoch
        assert [self.bench.reset(epoch + step) for step in (0, 2, 1)] == [epoch, epoch, epoch + 1]
        self.line.reset(self.now_ms)
        self.numbers, self.arrivals = set(self.line.inside), set()

    def catch_up(self, process: int) -> None:
        limits = self.act_as(process)
        line = self.begun(limits)
        snapshot = self.bench.advance()
        line.advance(limits, self.known, self.now_ms)
        line.advanced_ms = self.now_ms
        self.compare(snapshot, line)

    def poll_as(self, *numbers: int) -> None:
        self.numbers.update(numbers)
        assert self.bench.poll(*numbers) == [self.line.poll(number, self.now_ms) for number in numbers]
        self.learn(self.line)

    def restore_all(self) -> None:
        """One process knows each lease as it is, another from before it was renewed: the later end counts."""
        self.restore(self.leases)
        self.restore({number: end - 1 for number, end in self.leases.items()})
        self.bench.tell_moves(self.moves)
        self.line.tell_moves(self.moves)

    def restore(self, leases: dict[int, int]) -> None:
        line = self.line
        most = max(line.limits.cap, len(self.bench.inside()))
        assert self.bench.restore(*leases.items()) == line.restore(leases, self.now_ms)
        if self.now_ms >= line.calls_from_ms:
            assert len(self.bench.inside()) <= most, "I1: a lease was restored without room"

    def remind(self, process: int) -> None:
        if self.snapshot:
            self.bench.remind(self.snapshot.here_from, self.snapshot.here)
            self.line.remind(self.present)
            self.catch_up(process)

    def compare(self, snapshot: Snapshot, line: LineModel) -> None:
        assert (snapshot.born_ms, snapshot.lost_ms, snapshot.epoch) == (line.born_ms, line.lost_ms, line.epoch)
        assert (snapshot.tail, snapshot.head, snapshot.arrived) == (line.tail, line.head, line.arrived)
        assert (snapshot.inside, snapshot.late) == (len(line.inside), len(line.late))
        assert (snapshot.joined, snapshot.called) == (line.joined, line.called)
        assert (snapshot.claimed, snapshot.extended) == (line.claimed, line.extensions)
        assert snapshot.released == line.released
        assert (snapshot.ended, snapshot.newly_ended) == (len(line.ended), tuple(line.ended))
        assert self.bench.moves() == line.moved
        assert snapshot.limits == line.limits
        assert snapshot.waiting == len(line.here) + len(line.late)
        for position, number in enumerate(sorted(line.here), start=1 + len(line.late)):
            assert snapshot.position(number) == position

    def allow_a_burst(self, limits: Limits) -> None:
        self.allowance, self.allowed_until_ms = limits.burst * CALL, self.now_ms

    def before(self, line: LineModel) -> Before:
        """The line as the transition finds it; and what I2 allows to be called by now."""
        elapsed = max(0, self.now_ms - self.allowed_until_ms)
        self.allowance = min(line.limits.burst * CALL, self.allowance + line.limits.rate_per_minute * elapsed)
        self.allowed_until_ms = self.now_ms
        return Before(set(line.inside), set(line.here), set(line.late), line.head)

    def after(self, line: LineModel, before: Before) -> None:
        """The invariants that concern calls."""
        inside, late, bucket = self.bench.stored()
        assert (inside, late, bucket) == (sorted(line.inside), sorted(line.late), line.bucket)
        called = set(inside) - before.inside
        if called:
            assert len(inside) <= line.limits.cap, "I1: more inside than the cap"
        self.allowance -= len(called) * CALL
        assert self.allowance >= 0, "I2: more calls than burst and rate allow"
        in_turn = [number for number in called if number > before.head]
        if in_turn:
            assert not before.late & line.late.keys(), "I3: somebody late was overtaken"
            passed = {number for number in before.waited & line.here if number < max(in_turn)}
            assert not passed, "I3: somebody present was overtaken"
        self.learn(line)

    def learn(self, line: LineModel) -> None:
        known = self.known
        assert line.epoch >= known.epoch, "the epoch fell"
        assert known.tail == 0 or line.tail >= known.tail, "tail fell"
        assert known.tail == 0 or line.head >= known.head, "head fell"
        if line.limits.draw != known.draw:
            self.arrivals = set()
        self.known = Known(line.epoch, line.tail, line.head, line.arrived, line.limits.draw)


def machine(redis: PrivateRedis, mutation: Mutation | None = None) -> type[LineMachine]:
    """The machine over a Redis, with a bug in the transitions if one is given."""
    return type("Machine", (LineMachine,), {"redis": redis, "mutation": mutation})
