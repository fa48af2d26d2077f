"""An earlier version and this one at one Redis: each goes on with the line that the other left, in turns or at once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.servers import PrivateRedis
from tests.waitroom.earlier_line import EarlierBench, fields
from tests.waitroom.line_bench import START_MS, LineBench
from waitroom.standing import Called

TEXTS = {"mode", "draw", "server", "revised"}
Both = tuple[EarlierBench, LineBench]


@pytest.fixture
def both(redis: PrivateRedis) -> Both:
    return EarlierBench(redis, cap=2), LineBench(redis, cap=2)


def upgraded(both: Both) -> Both:
    return both


def rolled_back(both: Both) -> tuple[LineBench, LineBench]:
    return both[1], both[0]


def look(line: LineBench) -> None:
    """Brings the line up to now."""
    line.look() if isinstance(line, EarlierBench) else line.advance()


@pytest.mark.parametrize("way", [upgraded, rolled_back])
def test_whoever_waits_is_called_in_turn_by_the_other_version(
    both: Both, redis: PrivateRedis, way: Callable[[Both], tuple[LineBench, LineBench]]
) -> None:
    before, after = way(both)
    numbers = before.waiting(6)
    before.claim(*numbers[:2])
    look(after)
    after.poll(*numbers[2:])
    assert after.inside() == numbers[:2]
    after.release(*numbers[:2])
    look(after)
    assert after.inside() == numbers[2:4]
    assert after.waiting(2) == [7, 8]
    assert_whole(redis)


def test_an_extended_claim_window_holds_for_the_earlier_version_too(both: Both) -> None:
    """It knows of none: to the millisecond, and once the number is claimed there is no trace of it."""
    earlier, current = both
    current.waiting(3)
    assert current.extend(1) == [Called(START_MS + 120_000)]
    for line in both:
        line.pass_ms(119_999)
    look(earlier)
    assert 1 in earlier.inside()
    assert earlier.claim(1) == [Called(earlier.now_ms + 600_000)]
    assert current.extend(1) == [Called(earlier.now_ms + 600_000)]


def test_an_extended_claim_window_ends_with_the_earlier_version_too(both: Both) -> None:
    earlier, current = both
    current.waiting(3)
    current.extend(1)
    for line in both:
        line.pass_ms(120_000)
    earlier.poll(3)
    look(earlier)
    assert 1 not in earlier.inside()


@pytest.mark.parametrize("way", [upgraded, rolled_back])
def test_the_other_version_keeps_the_rate(both: Both, way: Callable[[Both], tuple[LineBench, LineBench]]) -> None:
    before, after = way(both)
    for line in both:
        line.set(cap=1000, burst=10, rate_per_minute=60, mode="queue")
    before.waiting(30)
    look(before)
    look(after)
    assert len(after.inside()) == 10
    for line in both:
        line.pass_ms(5_000)
    look(after)
    look(before)
    assert len(after.inside()) == 15


def test_an_earlier_version_leaves_what_it_does_not_know(both: Both, redis: PrivateRedis) -> None:
    earlier, current = both
    current.waiting(3)
    current.advance()
    mine = fields(redis)
    earlier.look()
    earlier.join(1)
    unknown = fields(redis).keys() - _fields_of_earlier()
    assert {name: fields(redis)[name] for name in unknown} == {name: mine[name] for name in unknown}


def test_an_override_outlives_an_edit_that_the_earlier_version_brought(both: Both) -> None:
    """It knows the configuration, and nothing of overrides: whoever does puts them in force again."""
    earlier, current = both
    current.limits = replace(current.limits, cap=5, revision=7)
    assert current.advance().limits.cap == 5
    earlier.look()
    assert current.advance().limits.cap == 5
    earlier.set(cap=3)
    earlier.look()
    current.set(cap=5)
    assert current.advance().limits.cap == 5


class Night:
    """One line under limits that hold for both versions; each step is taken by one of them."""

    def __init__(self, redis: PrivateRedis) -> None:
        redis.client.flushall()
        terms: dict[str, Any] = {"cap": 5, "burst": 3, "rate_per_minute": 60, "mode": "queue", "claim_ms": 20_000}
        self.versions = EarlierBench(redis, **terms), LineBench(redis, **terms)
        self.numbers: list[int] = []
        self.called: list[int] = []
        self.passed_ms = 0

    def step(self, which: int, act: str) -> None:
        line = self.versions[which]
        inside = line.inside()
        match act:
            case "come":
                new, _ = line.join(2)
                line.poll(*new)
                self.numbers += new
            case "claim" if inside:
                line.claim(*inside)
            case "leave" if inside:
                line.release(inside[0])
            case "wait":
                self.passed_ms += 2_000
                for one in self.versions:
                    one.pass_ms(2_000)
        waiting = [number for number in self.numbers if number not in self.called]
        if waiting:
            line.poll(*waiting)
        look(line)
        self.called += [number for number in line.inside() if number not in self.called]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from(["come", "claim", "leave", "wait"])), min_size=10, max_size=60
    )
)
def test_both_at_once_keep_the_promises(redis: PrivateRedis, steps: list[tuple[int, str]]) -> None:
    """I1 to I4, whichever of the two takes which step."""
    night = Night(redis)
    for which, act in steps:
        night.step(which, act)
        assert len(night.versions[0].inside()) <= 5
        assert len(night.called) <= 3 + night.passed_ms / 1000
        assert night.called == night.numbers[: len(night.called)]
    assert night.numbers == sorted(set(night.numbers))
    assert_whole(redis)


def assert_whole(redis: PrivateRedis) -> None:
    """No field of the state has got the value of another."""
    state = fields(redis)
    assert all(value.lstrip("-").isdecimal() for name, value in state.items() if name not in TEXTS), state
    assert state["mode"] in ("auto", "queue")


def _fields_of_earlier() -> set[str]:
    """What the earlier version reads and writes."""
    return {
        "born_ms", "lost_ms", "epoch", "tail", "head", "origin", "arrived", "given_ms", "base", "window_ms", "bucket",
        "refilled_ms", "advanced_ms", "calls_from_ms", "gives_from_ms", "joined", "called", "claimed", "released",
        "ended", "version", "edited_ms", "rate", "burst", "cap", "claim_ms", "presence_ms", "session_ms", "opens_ms",
        "closes_ms", "draw_size", "idle_ms", "mode", "draw", "server",
    }  # fmt: skip
