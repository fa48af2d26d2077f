"""Stories of a line: Hypothesis invents them, and tells each to the transitions on a real Redis and to the model."""

from dataclasses import dataclass, replace
from typing import cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.servers import PrivateRedis
from tests.waitroom import line_bench as bench
from tests.waitroom.line_bench import LineBench, Mutation
from tests.waitroom.line_model import CALL, Known, LineModel
from waitroom.limits import Limits, Mode
from waitroom.standing import Called

PROCESSES = 3
# False once in eight times: a story full of losses never comes to anything else.
RARELY = st.sampled_from([True] * 7 + [False])
# Small and short, so that a story of a hundred steps meets every limit.
LIMITS = replace(
    bench.LIMITS, rate_per_minute=60, burst=3, cap=3, claim_ms=5_000, presence_ms=10_000, session_ms=20_000
)


@dataclass
class Before:
    """A line as a transition found it."""

    inside: set[int]
    waited: set[int]
    late: set[int]
    head: int


class LineMachine(RuleBasedStateMachine):
    """Several processes with one line: each has limits of its own, all know the highest tail and head."""

    redis: PrivateRedis
    mutation: Mutation | None

    def __init__(self) -> None:
        super().__init__()
        self.redis.client.flushall()
        self.bench = LineBench(self.redis, self.mutation)
        self.processes = [LIMITS] * PROCESSES
        self.known = Known()
        self.model: LineModel | None = None
        self.here: tuple[int, bytes] | None = None  # the bitmap as a process saw it last, and its first number
        self.present: set[int] = set()  # the same as a set
        self.given: set[int] = set()
        self.leases: dict[int, int] = {}
        self.allowance = LIMITS.burst * CALL  # what I2 allows to be called now, in the bucket's unit
        self.allowed_until_ms = self.bench.now_ms

    @property
    def now_ms(self) -> int:
        return self.bench.now_ms

    def line(self, limits: Limits) -> LineModel:
        if self.model is None:
            self.model = LineModel.begin(limits, self.known, self.now_ms, is_new=self.bench.is_new)
            self.allowance, self.allowed_until_ms = limits.burst * CALL, self.now_ms
        return self.model

    def act_as(self, process: int) -> Limits:
        self.bench.limits = self.processes[process]
        self.bench.known = (1, self.known.tail, self.known.head)
        return self.processes[process]

    @rule(process=st.integers(0, PROCESSES - 1))
    def advance(self, process: int) -> None:
        limits = self.act_as(process)
        line = self.line(limits)
        before = self.before(line)
        snapshot = self.bench.advance()
        line.advance(limits, self.known, self.now_ms)
        assert (snapshot.tail, snapshot.head, snapshot.epoch) == (line.tail, line.head, line.epoch)
        assert (snapshot.inside, snapshot.late) == (len(line.inside), len(line.late))
        assert snapshot.limits == line.limits
        assert snapshot.waiting == len(line.here) + len(line.late)
        for position, number in enumerate(sorted(line.here), start=1 + len(line.late)):
            assert snapshot.position(number) == position
        self.here, self.present = (snapshot.here_from, snapshot.here), set(line.here)
        self.after(line, before)

    @rule(process=st.integers(0, PROCESSES - 1), n=st.integers(1, 4))
    def join(self, process: int, n: int) -> None:
        limits = self.act_as(process)
        line = self.line(limits)
        before = self.before(line)
        numbers, called = self.bench.join(n)
        assert (numbers[0], len(called)) == line.join(n, limits, self.known, self.now_ms)
        assert not self.given.intersection(numbers), "I4: a number was given twice"
        self.given.update(numbers)
        self.after(line, before)

    @precondition(lambda self: self.model and self.given)
    @rule(data=st.data())
    def poll(self, data: st.DataObject) -> None:
        line = cast(LineModel, self.model)
        numbers = data.draw(st.lists(st.sampled_from(sorted(self.given)), min_size=1, max_size=6))
        assert self.bench.poll(*numbers) == [line.poll(number, self.now_ms) for number in numbers]
        self.learn(line)

    @precondition(lambda self: self.model and self.given)
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        line = cast(LineModel, self.model)
        number = data.draw(st.sampled_from(sorted(line.inside) or sorted(self.given)))
        (standing,) = self.bench.claim(number)
        assert standing == line.claim(number, self.now_ms)
        if isinstance(standing, Called):
            self.leases[number] = standing.lease_end_ms
        self.learn(line)

    @precondition(lambda self: self.model and self.given)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        line = cast(LineModel, self.model)
        number = data.draw(st.sampled_from(sorted(line.inside) or sorted(self.given)))
        assert self.bench.release(number) == line.release(number)
        self.leases.pop(number, None)

    @precondition(lambda self: self.model and self.given)
    @rule(data=st.data(), ms=st.sampled_from([1_000, 30_000]))
    def revoke(self, data: st.DataObject, ms: int) -> None:
        line = cast(LineModel, self.model)
        number = data.draw(st.sampled_from(sorted(line.inside) or sorted(self.given)))
        until_ms = self.now_ms + ms
        assert self.bench.revoke(number, until_ms=until_ms) == line.revoke(number, until_ms)
        self.leases.pop(number, None)

    @precondition(lambda self: self.model)
    @rule(luck=RARELY)
    def reset(self, luck: bool) -> None:
        if luck:
            return
        line = cast(LineModel, self.model)
        assert self.bench.reset(line.epoch) == line.epoch
        line.reset()
        assert self.bench.reset(line.epoch) == line.epoch
        self.given = set(line.inside)
        self.learn(line)

    @rule(ms=st.sampled_from([0, 1, 250, 1_000, 2_999, 3_000, 5_000, 9_999, 10_000, 21_000]))
    def wait(self, ms: int) -> None:
        self.bench.pass_ms(ms)

    @rule(ms=st.sampled_from([1, 1_000, 60_000]))
    def step_the_clock_back(self, ms: int) -> None:
        self.bench.pass_ms(-ms)

    @rule(
        process=st.integers(0, PROCESSES - 1),
        raised=st.booleans(),
        mode=st.sampled_from(["auto", "auto", "auto", "queue", "hold", "open", "closed"]),
        rate=st.sampled_from([6, 60, 600]),
        cap=st.integers(0, 6),
        opens=st.sampled_from([0, 0, 0, 5_000]),
        closes=st.sampled_from([0, 0, 0, 60_000]),
    )
    def set_limits(self, process: int, raised: bool, mode: Mode, rate: int, cap: int, opens: int, closes: int) -> None:
        """A new version for one process, or an edit without a new version; the others have theirs still."""
        newest = max(limits.edition for limits in self.processes)
        version, edited_ms = (newest[0] + 1, 0) if raised else (newest[0], newest[1] + 1)
        self.processes[process] = replace(
            LIMITS,
            version=version,
            edited_ms=edited_ms,
            mode=mode,
            rate_per_minute=rate,
            cap=cap,
            opens_ms=self.now_ms + opens if opens else 0,
            closes_ms=self.now_ms + closes if closes else 0,
        )

    @precondition(lambda self: self.model)
    @rule(process=st.integers(0, PROCESSES - 1), luck=RARELY, reminds=st.booleans())
    def lose_all(self, process: int, luck: bool, reminds: bool) -> None:
        """Redis is emptied; the next process to advance brings back what it knew, the leases, and who is present."""
        if luck:
            return
        self.redis.client.flushall()
        self.model = None
        limits = self.act_as(process)
        line = self.line(limits)
        self.bench.advance()
        line.advance(limits, self.known, self.now_ms)
        # One process knows each lease as it is, another from before it was renewed: the later end counts.
        for leases in (self.leases, {number: end - 1 for number, end in self.leases.items()}):
            self.restore(line, leases)
        if reminds and self.here:
            self.bench.remind(*self.here)
            line.remind(self.present, self.bench.advance().lost_ms)
            line.advance(limits, self.known, self.now_ms)
        self.learn(line)

    @precondition(lambda self: self.model and self.leases)
    @rule(luck=RARELY)
    def restore_too_late(self, luck: bool) -> None:
        """A process comes back with leases that Redis may have lost long ago."""
        if not luck:
            self.restore(cast(LineModel, self.model), self.leases)

    def restore(self, line: LineModel, leases: dict[int, int]) -> None:
        if leases:
            assert self.bench.restore(*leases.items()) == line.restore(leases, self.now_ms)
        if self.now_ms >= line.calls_from_ms:
            assert len(self.bench.inside()) <= max(line.limits.cap, len(line.inside))
        self.learn(line)

    @precondition(lambda self: self.model and self.given)
    @rule(process=st.integers(0, PROCESSES - 1), luck=RARELY, is_new=st.booleans())
    def lose_all_and_every_process(self, process: int, luck: bool, is_new: bool) -> None:
        """Nobody knows anything but the visitors, whose tickets bring the numbers back; somebody may even be wrong, and
        take the line for a new one."""
        if luck:
            return
        self.bench.is_new = is_new
        self.redis.client.flushall()
        self.model, self.known, self.leases, self.here = None, Known(), {}, None
        limits = self.act_as(process)
        line = self.line(limits)
        self.bench.advance()
        line.advance(limits, self.known, self.now_ms)
        tickets = sorted(self.given)
        assert self.bench.poll(*tickets) == [line.poll(number, self.now_ms) for number in tickets]
        self.learn(line)

    def before(self, line: LineModel) -> Before:
        """The line as the transition finds it; and what I2 allows to be called by now."""
        elapsed = max(0, self.now_ms - self.allowed_until_ms)
        self.allowance = min(line.limits.burst * CALL, self.allowance + line.limits.rate_per_minute * elapsed)
        self.allowed_until_ms = self.now_ms
        return Before(set(line.inside), set(line.here), set(line.late), line.head)

    def after(self, line: LineModel, before: Before) -> None:
        """The invariants that concern calls."""
        inside = self.bench.inside()
        assert inside == sorted(line.inside)
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
        assert self.known.tail == 0 or line.tail >= self.known.tail, "tail fell"
        assert self.known.tail == 0 or line.head >= self.known.head, "head fell"
        self.known = Known(line.tail, line.head)


def machine(redis: PrivateRedis, mutation: Mutation | None = None) -> type[LineMachine]:
    """The machine over a Redis, with a bug in the transitions if one is given."""
    return type("Machine", (LineMachine,), {"redis": redis, "mutation": mutation})
