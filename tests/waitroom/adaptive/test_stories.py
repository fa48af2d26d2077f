"""The law in the long run, before a site on paper: whatever the site is like, the rate stays within its bounds, most
requests are near the target, and after a bad time it comes back."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.waitroom.adaptive.plant import Governed, Plant
from waitroom.adaptive_terms import AdaptiveTerms

SERVICE_S = 0.1
TARGET_MS = 250
# Visitors stay for as long as the settle time, or so: from 0.6 to 1.7 times of it. Three times as many come as the site
# can bear.
plants = st.builds(
    lambda lag_s, workers, think_s, stay_s, part: (
        Plant(workers, SERVICE_S, think_s, stay_s, lag_s=lag_s),
        max(5, round((lag_s + stay_s) * part)),
    ),
    lag_s=st.floats(0.0, 5.0),
    workers=st.integers(3, 60),
    think_s=st.floats(0.5, 5.0),
    stay_s=st.floats(10.0, 30.0),
    part=st.floats(0.6, 1.6),
)


def governed(plant: Plant, settle_s: int, excess: float = 2.0) -> Governed:
    """With a ceiling of twice what the site can bear, and a minimum of a twentieth of it."""
    bearable = plant.sustainable_per_minute
    plant.demand_per_minute = 3 * bearable
    return Governed(plant, AdaptiveTerms(round(bearable / 20) + 1, TARGET_MS, settle_s), round(bearable * excess) + 2)


def share_over(story: Governed, ms: float, since_s: float) -> float:
    later = [latency_s * 1000 > ms for at_s, latency_s in story.p95s if at_s >= since_s]
    return sum(later) / len(later)


@settings(max_examples=40, deadline=None)
@given(plants)
def test_whatever_the_site_the_rate_keeps_its_bounds_and_the_site_its_target(story: tuple[Plant, int]) -> None:
    plant, settle_s = story
    run = governed(plant, settle_s)
    run.run(20 * settle_s)
    assert all(run.terms.rate_min <= rate <= run.ceiling for rate in run.rates)
    assert share_over(run, 2 * TARGET_MS, since_s=10 * settle_s) < 0.15


@settings(max_examples=40, deadline=None)
@given(plants)
def test_the_rate_does_not_swing_ever_wider(story: tuple[Plant, int]) -> None:
    """At most one fall in each settle time, and over time most of what the site can bear is let in."""
    plant, settle_s = story
    run = governed(plant, settle_s)
    run.run(10 * settle_s)
    turns, calls = run.turns, plant.totals[-1][3]
    run.run(20 * settle_s)
    assert run.turns - turns <= 20
    assert plant.totals[-1][3] - calls > 0.5 * plant.sustainable_per_minute * 20 * settle_s / 60


@settings(max_examples=40, deadline=None)
@given(plants)
def test_after_an_outage_the_room_comes_back_slowly_and_fully(story: tuple[Plant, int]) -> None:
    plant, settle_s = story
    run = governed(plant, settle_s)
    run.run(15 * settle_s)
    plant.is_up = False
    run.run(60)
    courses = len(run.courses)
    assert any(course.state == "frozen" for course in run.courses)
    plant.is_up = True
    run.run(25 * settle_s)
    rates = [run.rates[courses - 1], *run.rates[courses:]]
    assert max(after / before for before, after in pairwise(rates) if before) < 8, "no jump to where it was"
    assert max(rates) > 0.7 * plant.sustainable_per_minute


@settings(max_examples=40, deadline=None)
@given(plants)
def test_a_site_that_bears_the_whole_crowd_is_left_alone(story: tuple[Plant, int]) -> None:
    plant, settle_s = story
    run = governed(plant, settle_s, excess=0.7)
    run.run(20 * settle_s)
    assert run.rates[-1] == run.ceiling
    assert run.turns == 0


def test_a_site_that_becomes_half_as_fast_gets_half_as_many_after_a_while() -> None:
    plant = Plant(workers=20)
    run = governed(plant, settle_s=12)
    run.run(240)
    plant.workers = 10
    run.run(60)
    assert share_over(run, 2 * TARGET_MS, since_s=300) == 0
    run.run(240)
    assert share_over(run, 2 * TARGET_MS, since_s=300) < 0.02
    assert run.courses[-1].rate_per_minute < 1.3 * plant.sustainable_per_minute
