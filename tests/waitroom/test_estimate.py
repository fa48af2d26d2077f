"""How long visitors are told to wait: by the rate, by how places come free, by those who give up, and honest about what
is not known. scripts/wait_figures.py judges it by many sales."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.wait_figures import Told, a_sale, judged
from waitroom.estimate import Estimate, Estimator
from waitroom.limits import Limits

LIMITS = Limits(1, 0, "auto", 600, 11, 100, 60_000, 60_000, 600_000)


@dataclass
class Shown:
    """A line at a moment; all who wait stand behind each other from the head on, but for those who have vanished."""

    limits: Limits = LIMITS
    called: int = 0
    inside: int = 0
    waiting: int = 1_000
    head: int = 0
    tail: int = 1_000
    vanished: int = 0

    def position(self, number: int) -> int:
        return number - self.head - self.vanished


def estimated(*seen: tuple[int, Shown]) -> Estimate:
    """By what was seen at times in seconds."""
    estimator = Estimator()
    return [estimator.note(at_s * 1000, shown) for at_s, shown in seen][-1]


def full(at_s: int, *, per_s: float, stay_s: float) -> tuple[int, Shown]:
    """A line of cap 100 that was filled at ten a second, and whose visitors have left since at a rate."""
    left = int(max(0.0, at_s - stay_s) * per_s)
    return at_s, Shown(called=left + 100, inside=100, head=left + 100, tail=5_000, waiting=4_900 - left)


def test_while_places_are_free_the_rate_tells_the_wait() -> None:
    assert estimated((0, Shown())).wait_s(100) == (8, 13)


def test_a_line_that_can_not_move_promises_nothing() -> None:
    assert estimated((0, Shown(replace(LIMITS, rate_per_minute=0)))).wait_s(100) is None


def test_before_anybody_has_left_the_range_spans_what_the_rate_and_the_leases_allow() -> None:
    """Of 1,000, the first 100 find a place at once; the others wait at most until the leases of those before end."""
    shortest_s, longest_s = estimated((0, Shown())).wait_s(1_000) or (0, 0)
    assert shortest_s == 80
    assert longest_s == pytest.approx(1.25 * (10 + 900 / 100 * 660), rel=0.05)


def test_once_the_cap_binds_what_was_seen_tells_the_wait() -> None:
    """Two a second have left for twenty minutes."""
    seen = [full(at_s, per_s=2, stay_s=50) for at_s in range(0, 1_200, 5)]
    shortest_s, longest_s = estimated((0, Shown()), *seen).wait_s(600) or (0, 0)
    assert shortest_s <= 300 <= longest_s
    assert longest_s < 2 * shortest_s


def test_a_line_in_which_nobody_leaves_for_the_time_of_a_lease_promises_nothing() -> None:
    seen = [full(at_s, per_s=0, stay_s=0) for at_s in range(10, 1_200, 5)]
    assert estimated((0, Shown()), *seen[:20]).wait_s(600)
    assert estimated((0, Shown()), *seen).wait_s(600) is None


def test_a_full_line_says_how_long_until_places_come_free_though_all_before_was_calling_at_the_rate() -> None:
    """Ten a second were called until the cap was reached; from then on two a second."""
    filling = [(at_s, Shown(called=10 * at_s, inside=10 * at_s, head=10 * at_s)) for at_s in range(10)]
    seen = [full(at_s, per_s=2, stay_s=50) for at_s in range(10, 240)]
    assert (estimated(*filling, *seen).wait_s(600) or (0, 0))[1] >= 300


def test_those_who_give_up_shorten_the_wait_of_those_behind() -> None:
    wide = replace(LIMITS, cap=10_000)
    patient = [(at_s, Shown(wide, called=10 * at_s, head=10 * at_s)) for at_s in range(100)]
    hasty = [(at_s, replace(shown, vanished=4 * at_s)) for at_s, shown in patient]
    assert estimated(*patient).wait_s(1_000) == (80, 125)
    shortest_s, _ = estimated(*hasty).wait_s(1_000) or (0, 0)
    assert 40 < shortest_s < 75


def test_a_hold_is_not_taken_for_a_slow_line() -> None:
    """Nobody left, and nobody could be called."""
    before = [full(at_s, per_s=2, stay_s=50) for at_s in range(0, 400, 5)]
    held = [(at_s, replace(before[-1][1], limits=replace(LIMITS, mode="hold"))) for at_s in range(400, 1_000, 5)]
    after = [(at_s, before[-1][1]) for at_s in range(1_000, 1_060, 5)]
    estimate = estimated((0, Shown()), *before, *held, *after)
    assert estimate.wait_s(600)


def test_a_line_that_begins_anew_is_measured_anew() -> None:
    """Redis has lost its counts."""
    seen = [full(at_s, per_s=2, stay_s=50) for at_s in range(0, 400, 5)]
    assert estimated((0, Shown()), *seen, (400, Shown())) == estimated((0, Shown()))


@given(
    rate_per_s=st.floats(0.001, 1_000),
    free=st.integers(0, 1_000),
    slow_per_s=st.floats(1e-6, 100),
    faster=st.floats(1, 100),
    vanishing_per_s=st.sampled_from([0.0, 1e-5, 0.01]),
    position=st.integers(1, 10**7),
)
def test_who_stands_farther_back_is_never_told_a_shorter_wait(
    rate_per_s: float, free: int, slow_per_s: float, faster: float, vanishing_per_s: float, position: int
) -> None:
    estimate = Estimate(rate_per_s, free, slow_per_s, slow_per_s * faster, vanishing_per_s)
    nearer, farther = estimate.wait_s(position) or (0, -1), estimate.wait_s(position + 1) or (0, -1)
    assert nearer[0] <= nearer[1] <= farther[1]
    assert nearer[0] <= farther[0]


def test_most_waits_are_as_long_as_was_told() -> None:
    """Of a dozen sales that are quick to simulate; `python -m scripts.wait_figures` does two hundred."""
    small = [seed for seed in range(200) if a_sale(seed).habits.visitors < 1_000]
    told = [one for seed in small[:12] for one in judged(seed)[1]]
    assert len(told) > 1_000
    assert sum(one.is_within(*one.shown_s) for one in told) >= 0.85 * len(told)


def test_a_range_counts_as_the_page_words_it() -> None:
    told = Told(quarter=0.0, low_s=70, high_s=100, left_s=118.0)
    assert list(told.shown_s) == [60, 120]
    assert told.is_within(60, 120)
    assert not told.is_within(70, 100)
