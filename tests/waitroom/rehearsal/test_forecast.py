"""What a plan foretells: the line's arithmetic, and sums that add up."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.waitroom.rehearsal.records import LIMITS
from waitroom.estimate import Estimate
from waitroom.limits import Limits
from waitroom.pace import poll_after_ms
from waitroom.rehearsal.crowd import Crowd, Habits
from waitroom.rehearsal.findings import Findings
from waitroom.rehearsal.forecast import forecast, polls_per_s
from waitroom.rehearsal.plan import planned, variants
from waitroom.rehearsal.record import LEFT, WENT_IN

BUDGET = 10_000
FAST = replace(LIMITS, rate_per_minute=600, burst=11, cap=1_000)


def foretold(limits: Limits = FAST, **habits: float) -> Findings:
    wanted: dict[str, float] = {"visitors": 1_000, "over_s": 20.0, "leave": 0.0, "stay_s": 10.0, "lapse": 0.0} | habits
    return planned(Habits(**wanted), limits, BUDGET)  # type: ignore[arg-type]  # whole numbers stay whole


def test_where_the_rate_binds_the_line_ends_when_the_rate_has_called_all() -> None:
    """1,000 at 600 a minute take 100 s, less the burst."""
    seen = foretold()
    assert seen.count(WENT_IN) == 1_000
    assert 97 <= seen.line_ends_s <= 101
    assert seen.binding == "rate"
    assert seen.waits.p50_s == pytest.approx(40, abs=2)


def test_where_the_cap_binds_each_place_serves_one_visitor_after_the_other() -> None:
    """20 places, each for about 10 s and the time until the called come: some 110 calls a minute."""
    seen = foretold(replace(FAST, cap=20), visitors=300)
    assert seen.binding == "cap"
    assert seen.most_inside == 20
    assert 300 / 20 * 10 <= seen.line_ends_s <= 300 / 20 * 11.5


def test_nobody_waits_where_there_is_room_for_all() -> None:
    seen = foretold(visitors=100, over_s=60.0)
    assert seen.at_once == 100
    assert (seen.most_waiting, seen.binding) == (0, "")
    assert seen.waits.longest_s <= 0.25


def test_a_place_that_is_not_given_back_is_held_for_the_whole_lease() -> None:
    slow = replace(FAST, cap=20, session_ms=60_000)
    gives_back, lapses = foretold(slow, visitors=100), foretold(slow, visitors=100, lapse=1.0)
    assert lapses.line_ends_s >= 60_000 / 1_000 * 4 > gives_back.line_ends_s


def test_who_has_lost_patience_shortens_the_line_for_the_rest() -> None:
    seen = foretold(leave=0.4, come_back=0.0)
    assert seen.count(LEFT) == pytest.approx(300, abs=100)
    assert seen.count(LEFT) + seen.count(WENT_IN) == 1_000
    assert seen.waits.longest_s < foretold().waits.longest_s


def test_a_line_that_never_ends_is_left_after_the_time_given() -> None:
    seen = planned(Habits(5_000, 10.0), LIMITS, BUDGET, longest_s=60.0)
    assert "does not" in seen.record.was_stopped
    assert seen.record.ended_s == 60.0


@settings(max_examples=25)
@given(
    visitors=st.integers(1, 400),
    leave=st.floats(0, 1),
    come_back=st.floats(0, 1),
    lapse=st.floats(0, 1),
    rate=st.integers(60, 6_000),
    cap=st.integers(1, 100),
    seed=st.integers(0, 1_000),
)
def test_every_promise_holds_in_any_plan_and_everybody_is_accounted_for(
    visitors: int, leave: float, come_back: float, lapse: float, rate: int, cap: int, seed: int
) -> None:
    """I1, I2, I3, I5."""
    limits = replace(LIMITS, rate_per_minute=rate, burst=rate // 60 + 2, cap=cap, session_ms=20_000)
    habits = Habits(visitors, 30.0, leave, come_back, stay_s=5.0, think_s=2.0, lapse=lapse, seed=seed)
    seen = planned(habits, limits, BUDGET)
    assert [promise.kept for promise in seen.promises[:3]] == [True] * 3
    assert seen.count(WENT_IN) + seen.count(LEFT) == visitors
    assert seen.record.samples[-1].called >= seen.count(WENT_IN) or not seen.most_waiting


def test_the_same_seed_foretells_the_same() -> None:
    crowd = Crowd.of(Habits(500, 20.0))
    assert forecast(crowd, FAST, BUDGET) == forecast(Crowd.of(Habits(500, 20.0)), FAST, BUDGET)
    assert crowd.arrives_s != Crowd.of(Habits(500, 20.0, seed=2)).arrives_s


@pytest.mark.parametrize("waiting", [1, 2, 7, 500, 30_000])
def test_polls_are_summed_up_as_if_each_position_were_asked(waiting: int) -> None:
    """By bands of positions, as by each position with the pacing code itself, within a twentieth."""
    each, estimate = 0.0, Estimate(rate_per_s=10, free=50, slow_per_s=5, fast_per_s=9, vanishing_per_s=0.001)
    for position in range(1, waiting + 1):
        wait = estimate.wait_s(position)
        each += 1_000 / poll_after_ms(wait, waiting, presence_ms=FAST.presence_ms, polls_per_second=BUDGET, chance=0.5)
    assert polls_per_s(waiting, estimate, FAST, BUDGET) == pytest.approx(each, rel=0.05)


def test_other_limits_give_what_they_promise() -> None:
    found = {variant.name: variant.findings for variant in variants(Habits(1_000, 20.0, leave=0.0), FAST, BUDGET)}
    planned_s = foretold().line_ends_s
    assert found["rate 1,200 (twice)"].line_ends_s < 0.6 * planned_s
    assert found["cap 2,000 (twice)"].line_ends_s == pytest.approx(planned_s, rel=0.05)
    assert len(found) == 5


def test_a_large_crowd_is_tried_in_small_and_moves_alike() -> None:
    habits, limits = Habits(60_000, 60.0, stay_s=10.0), replace(FAST, rate_per_minute=30_000, burst=501, cap=9_000)
    whole = planned(habits, limits, BUDGET)
    halved_cap = next(variant for variant in variants(habits, limits, BUDGET) if "half" in variant.name).findings
    assert halved_cap.habits.visitors == 20_000
    true = planned(habits, replace(limits, cap=4_500), BUDGET)
    assert halved_cap.waits.p50_s == pytest.approx(true.waits.p50_s, rel=0.05)
    assert true.waits.p50_s > whole.waits.p50_s
