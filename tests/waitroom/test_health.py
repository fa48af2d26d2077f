"""How well an origin does: ejection after failures, checks that take it out, and its slow return."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitroom.health import LEAST_WEIGHT, Health
from waitroom.origin_terms import OriginTerms

TERMS = OriginTerms(eject_after=3, eject_s=10, slow_start_s=20, health_fall=2, health_rise=2)


@pytest.fixture
def health() -> Health:
    return Health(TERMS)


def fail(health: Health, times: int, now_s: float) -> None:
    for _ in range(times):
        health.failed(now_s)


def check(health: Health, outcomes: str, now_s: float) -> None:
    """Checks that pass (+) or fail (-)."""
    for outcome in outcomes:
        health.checked(now_s, passed=outcome == "+")


def test_failures_in_a_row_eject_an_origin_for_a_while(health: Health) -> None:
    fail(health, 2, now_s=0)
    assert not health.is_ejected(0)
    assert health.failed(0), "what has changed is told once"
    assert not health.failed(0)
    assert [health.is_ejected(now_s) for now_s in (0, 9.9, 10)] == [True, True, False]


def test_a_success_between_failures_begins_the_row_anew(health: Health) -> None:
    fail(health, 2, now_s=0)
    health.succeeded(0)
    fail(health, 2, now_s=0)
    assert not health.is_ejected(0)


def test_an_origin_back_from_an_ejection_is_ejected_by_its_first_failure(health: Health) -> None:
    fail(health, 3, now_s=0)
    assert health.failed(10)


def test_each_ejection_lasts_twice_as_long_up_to_six_doublings(health: Health) -> None:
    fail(health, 2, now_s=0)
    now_s, lasted_s = 0.0, []
    for _ in range(8):
        health.failed(now_s)
        lasted_s.append(next(s for s in (10 << i for i in range(10)) if not health.is_ejected(now_s + s)))
        now_s += lasted_s[-1]
    assert lasted_s == [10, 20, 40, 80, 160, 320, 640, 640]


def test_an_origin_that_did_well_for_as_long_as_it_was_out_has_a_clean_slate(health: Health) -> None:
    fail(health, 3, now_s=0)
    health.succeeded(10)
    fail(health, 3, now_s=20)
    assert [health.is_ejected(now_s) for now_s in (29, 30)] == [True, False]


def test_failures_while_ejected_do_not_prolong_the_ejection(health: Health) -> None:
    """They are those of requests that were under way."""
    fail(health, 100, now_s=0)
    assert not health.is_ejected(10)


def test_a_success_while_ejected_ends_the_ejection(health: Health) -> None:
    fail(health, 3, now_s=0)
    assert health.succeeded(1)
    assert health.weight(1) == LEAST_WEIGHT
    assert health.failures == 0


@pytest.mark.parametrize(
    ("outcomes", "is_up"),
    [("", True), ("-", True), ("-+-", True), ("--", False), ("--+", False), ("--+-+", False), ("--++", True)],
)
def test_checks_in_a_row_take_an_origin_out_and_back(health: Health, outcomes: str, is_up: bool) -> None:
    check(health, outcomes, now_s=0)
    assert health.is_up is is_up


def test_checks_that_pass_end_an_ejection(health: Health) -> None:
    check(health, "++", now_s=0)
    fail(health, 3, now_s=0)
    check(health, "+", now_s=1)
    assert health.is_ejected(1), "the checks before the ejection do not count"
    check(health, "+", now_s=2)
    assert not health.is_ejected(2)


def test_a_success_does_not_bring_an_origin_back_whose_checks_fail(health: Health) -> None:
    fail(health, 3, now_s=0)
    check(health, "--", now_s=0)
    health.succeeded(1)
    assert not health.is_up


@pytest.mark.parametrize("out", ["ejected", "unhealthy"])
def test_an_origin_comes_back_with_a_growing_share(health: Health, out: str) -> None:
    if out == "ejected":
        fail(health, 3, now_s=0)
    else:
        check(health, "--", now_s=0)
        check(health, "++", now_s=10)
    assert [health.weight(now_s) for now_s in (10, 11, 15, 20, 29, 30)] == [0.1, 0.1, 0.25, 0.5, 0.95, 1.0]


def test_an_origin_that_is_out_has_no_share(health: Health) -> None:
    fail(health, 3, now_s=0)
    assert health.weight(0) == 0
    other = Health(TERMS)
    check(other, "--", now_s=0)
    assert other.weight(100) == 0


def test_a_new_origin_has_a_whole_share(health: Health) -> None:
    assert health.weight(0) == 1


def test_without_slow_start_the_whole_share_is_back_at_once() -> None:
    health = Health(OriginTerms(eject_after=1, eject_s=10, slow_start_s=0))
    health.failed(0)
    assert [health.weight(now_s) for now_s in (9, 10)] == [0, 1]


@given(st.lists(st.tuples(st.sampled_from("sf+-w"), st.floats(0, 60)), max_size=40))
def test_an_origin_that_is_known_to_be_well_has_its_full_weight(story: list[tuple[str, float]]) -> None:
    """Whatever happened before, and without being asked for its weight."""
    health, now_s = Health(TERMS), 0.0
    for act, later_s in story:
        now_s += later_s
        match act:
            case "s":
                health.succeeded(now_s)
            case "f":
                health.failed(now_s)
            case "w":
                health.weight(now_s)
            case _:
                check(health, act, now_s)
        assert not health.is_well or health.weight(now_s) == 1
