"""The Lua transitions against the model: any story of joins, polls, absences, losses and turned knobs, on a real Redis.

Each answer is compared, and each invariant is checked by itself.
"""

import os
from dataclasses import replace
from typing import cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.servers import PrivateRedis
from tests.waitroom import line_bench as bench
from tests.waitroom.line_bench import LineBench
from tests.waitroom.line_model import CALL, Known, LineModel
from waitroom.limits import Limits, Mode
from waitroom.standing import Called

EXAMPLES = 200 if os.environ.get("CI") == "true" else 50
STEPS = 100
PROCESSES = 3
# False once in eight times: a story full of losses never comes to anything else.
RARELY = st.sampled_from([True] * 7 + [False])
# Small and short, so that a story of a hundred steps meets every limit.
LIMITS = replace(
    bench.LIMITS, rate_per_minute=60, burst=3, cap=3, claim_ms=5_000, presence_ms=10_000, session_ms=20_000
)


class LineMachine(RuleBasedStateMachine):
    """Several processes with one line: each has limits of its own, all know the highest tail and head."""

    redis: PrivateRedis

    def __init__(self) -> None:
        super().__init__()
        self.redis.client.flushall()
        self.bench = LineBench(self.redis)
        self.processes = [LIMITS] * PROCESSES
        self.known = Known()
        self.model: LineModel | None = None
        self.given: set[int] = set()
        self.leases: dict[int, int] = {}
        self.allowance = LIMITS.burst * CALL  # what I2 allows to be called now, in the bucket's unit
        self.allowed_until_ms = self.bench.now_ms

    @property
    def now_ms(self) -> int:
        return self.bench.now_ms

    def line(self, limits: Limits) -> LineModel:
        if self.model is None:
            self.model = LineModel.begin(limits, self.known, self.now_ms)
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
        assert (snapshot.tail, snapshot.head) == (line.tail, line.head)
        assert (snapshot.inside, snapshot.late) == (len(line.inside), len(line.late))
        assert snapshot.limits == line.limits
        assert snapshot.waiting == len(line.here) + len(line.late)
        for position, number in enumerate(sorted(line.here), start=1 + len(line.late)):
            assert snapshot.position(number) == position
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

    @rule(ms=st.sampled_from([0, 1, 250, 1_000, 2_999, 3_000, 5_000, 9_999, 10_000, 21_000]))
    def wait(self, ms: int) -> None:
        self.bench.pass_ms(ms)

    @rule(ms=st.sampled_from([1, 1_000, 60_000]))
    def step_the_clock_back(self, ms: int) -> None:
        self.bench.pass_ms(-ms)

    @rule(
        process=st.integers(0, PROCESSES - 1),
        raised=st.booleans(),
        mode=st.sampled_from(["auto", "auto", "queue", "hold", "open", "closed"]),
        rate=st.sampled_from([6, 60, 600]),
        cap=st.integers(0, 6),
    )
    def set_limits(self, process: int, raised: bool, mode: Mode, rate: int, cap: int) -> None:
        """A new version for one process, or an edit without a new version; the others have theirs still."""
        newest = max(limits.edition for limits in self.processes)
        version, edited_ms = (newest[0] + 1, 0) if raised else (newest[0], newest[1] + 1)
        self.processes[process] = replace(
            LIMITS, version=version, edited_ms=edited_ms, mode=mode, rate_per_minute=rate, cap=cap
        )

    @precondition(lambda self: self.model)
    @rule(process=st.integers(0, PROCESSES - 1), luck=RARELY)
    def lose_all(self, process: int, luck: bool) -> None:
        """Redis is emptied; the next process to advance brings back what it knew, and then the leases."""
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
            if leases:
                self.bench.restore(*leases.items())
                line.restore(leases, self.now_ms)

    @precondition(lambda self: self.model and self.given)
    @rule(process=st.integers(0, PROCESSES - 1), luck=RARELY)
    def lose_all_and_every_process(self, process: int, luck: bool) -> None:
        """Nobody knows anything but the visitors, whose tickets bring the numbers back."""
        if luck:
            return
        self.redis.client.flushall()
        self.model, self.known, self.leases = None, Known(), {}
        limits = self.act_as(process)
        line = self.line(limits)
        self.bench.advance()
        line.advance(limits, self.known, self.now_ms)
        tickets = sorted(self.given)
        assert self.bench.poll(*tickets) == [line.poll(number, self.now_ms) for number in tickets]
        self.learn(line)

    @invariant()
    def redis_holds_what_the_model_holds(self) -> None:
        if self.model:
            assert self.bench.inside() == sorted(self.model.inside)

    def before(self, line: LineModel) -> tuple[set[int], set[int], int]:
        """Who was inside, who waited, and the limits' rate, as the transition finds them."""
        elapsed = max(0, self.now_ms - self.allowed_until_ms)
        self.allowance = min(line.limits.burst * CALL, self.allowance + line.limits.rate_per_minute * elapsed)
        self.allowed_until_ms = self.now_ms
        return set(line.inside), set(line.here), line.head

    def after(self, line: LineModel, before: tuple[set[int], set[int], int]) -> None:
        """The invariants that concern calls."""
        inside, waited, head = before
        called = set(self.bench.inside()) - inside
        if called:
            assert len(self.bench.inside()) <= line.limits.cap, "I1: more inside than the cap"
        self.allowance -= len(called) * CALL
        assert self.allowance >= 0, "I2: more calls than burst and rate allow"
        in_turn = [number for number in called if number > head]
        if in_turn:
            passed = {number for number in waited & line.here if number < max(in_turn)}
            assert not passed, "I3: somebody present was overtaken"
        self.learn(line)

    def learn(self, line: LineModel) -> None:
        assert line.tail >= self.known.tail, "tail fell"
        assert line.head >= self.known.head, "head fell"
        self.known = Known(line.tail, line.head)


def test_the_transitions_do_what_the_model_does(redis: PrivateRedis) -> None:
    """I1 to I4, over stories of a hundred steps each."""
    run_state_machine_as_test(
        type("Machine", (LineMachine,), {"redis": redis}),
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
