"""The law, one decision at a time: what it does with a rate of 600 a minute that began to hold long ago."""

from dataclasses import replace

import pytest

from waitroom.adaptive.law import Law
from waitroom.adaptive.reading import Reading
from waitroom.adaptive_terms import AdaptiveTerms
from waitroom.desk.overrides import Adapted

TERMS = AdaptiveTerms(rate_min=60, target_ms=400, settle_s=30)
LAW = Law(TERMS, ceiling=1200)
STEADY = Adapted(600, "steady", "", since_ms=0, threshold_per_minute=500)
NOW_MS = 60_000
# Half of the target, and as many called as the rate allows.
WELL = Reading(
    now_ms=NOW_MS,
    span_s=6.0,
    requests=100,
    errors=0,
    p95_s=0.2,
    busy=0,
    up=1,
    of=1,
    calls=60,
    settled_per_minute=600.0,
    waiting=1000,
)
FROZEN = Adapted(0, "frozen", "", since_ms=NOW_MS - 10_000, threshold_per_minute=300)
SILENT = replace(WELL, span_s=10.0, requests=0, p95_s=None, calls=0)


def test_a_room_of_which_nothing_is_known_begins_at_its_minimum() -> None:
    assert LAW.begin(NOW_MS) == Adapted(60, "starting", "adaptive admission begins at 60 a minute", NOW_MS)


def test_above_the_threshold_the_rate_climbs_by_a_share_of_the_ceiling() -> None:
    decided = LAW.decide(STEADY, WELL)
    assert (decided.rate_per_minute, decided.state, decided.since_ms) == (630, "steady", NOW_MS)
    assert decided.reason == "p95 200 ms under the target of 400 ms: 600 → 630 a minute"


def test_below_the_threshold_the_rate_doubles_in_a_settle_time() -> None:
    course = replace(STEADY, state="starting", rate_per_minute=100, threshold_per_minute=500)
    rates = []
    for _ in range(5):
        course = replace(LAW.decide(course, replace(WELL, calls=60)), since_ms=0)
        rates.append(course.rate_per_minute)
    assert rates == [141, 199, 281, 397, 500], "and no further than the threshold"
    assert course.state == "steady"


def test_a_room_that_never_had_too_much_doubles_up_to_the_ceiling() -> None:
    course = replace(STEADY, state="starting", rate_per_minute=1000, threshold_per_minute=0)
    decided = LAW.decide(course, replace(WELL, calls=100))
    assert (decided.rate_per_minute, decided.state) == (1200, "steady")


@pytest.mark.parametrize(
    ("reading", "why"),
    [
        (replace(WELL, p95_s=0.35), "too near to the target"),
        (replace(WELL, calls=20), "the crowd or the cap is the limit"),
        (replace(WELL, now_ms=14_000), "the last change was less than half of a settle time ago"),
        (replace(WELL, span_s=3.0), "too little was seen"),
        (replace(WELL, requests=0, p95_s=None), "nothing was asked"),
        (replace(WELL, requests=9, p95_s=4.0), "nine requests make no percentile"),
        (replace(WELL, requests=9, errors=5), "nor a share of errors"),
    ],
)
def test_the_rate_stays_as_it_is(reading: Reading, why: str) -> None:
    assert LAW.decide(STEADY, reading) == STEADY, why


def test_the_ceiling_is_reached_and_not_passed() -> None:
    assert LAW.decide(replace(STEADY, rate_per_minute=1190), replace(WELL, calls=119)).rate_per_minute == 1200
    at_ceiling = replace(STEADY, rate_per_minute=1200)
    assert LAW.decide(at_ceiling, replace(WELL, calls=120)) == at_ceiling


@pytest.mark.parametrize(
    ("reading", "rate", "words"),
    [
        (replace(WELL, p95_s=0.5), 480, "p95 500 ms over the target of 400 ms"),
        (replace(WELL, p95_s=2.0), 300, "p95 2,000 ms over the target of 400 ms"),
        (replace(WELL, errors=6), 500, "6.0 % of requests failed, over 5 %"),
        (
            replace(WELL, busy=40, p95_s=0.3),
            300,
            "40 requests wait for the origin, each 2,400 ms, over the target of 400 ms",
        ),
        (
            replace(WELL, requests=0, p95_s=None, busy=40),
            300,
            "40 requests wait for the origin, each 240,000 ms, over the target of 400 ms",
        ),
    ],
)
def test_the_rate_falls_by_how_far_the_worst_sign_is_over(reading: Reading, rate: int, words: str) -> None:
    decided = LAW.decide(STEADY, reading)
    assert decided == Adapted(rate, "settling", f"{words}: 600 → {rate} a minute", NOW_MS, rate)


def test_what_is_cut_is_the_pace_at_which_those_inside_came() -> None:
    """The rate has just been doubled, and those whom it brings are yet to come."""
    decided = LAW.decide(STEADY, replace(WELL, p95_s=0.5, settled_per_minute=400.0))
    assert (decided.rate_per_minute, decided.threshold_per_minute) == (320, 320)


def test_a_rate_that_was_no_limit_is_cut_to_below_what_came() -> None:
    decided = LAW.decide(replace(STEADY, rate_per_minute=1200), replace(WELL, p95_s=0.5, settled_per_minute=200.0))
    assert decided.rate_per_minute == 160


SETTLING = Adapted(480, "settling", "", since_ms=NOW_MS - 10_000, threshold_per_minute=480)


def test_a_cut_waits_for_its_effect() -> None:
    assert LAW.decide(SETTLING, replace(WELL, p95_s=0.5)) == SETTLING


def test_far_over_the_target_nobody_waits_and_the_threshold_stays() -> None:
    decided = LAW.decide(SETTLING, replace(WELL, p95_s=1.0))
    assert (decided.rate_per_minute, decided.threshold_per_minute, decided.state) == (240, 480, "settling")


def test_a_cut_without_effect_is_followed_by_another() -> None:
    decided = LAW.decide(SETTLING, replace(WELL, now_ms=NOW_MS + 20_000, p95_s=0.5, settled_per_minute=100.0))
    assert (decided.rate_per_minute, decided.threshold_per_minute) == (384, 384)


def test_once_the_excess_has_left_the_rate_is_back_at_the_threshold() -> None:
    decided = LAW.decide(replace(SETTLING, rate_per_minute=60), WELL)
    assert (decided.rate_per_minute, decided.state) == (480, "steady")


def test_a_cut_has_settled_after_its_time() -> None:
    assert LAW.decide(SETTLING, WELL) == SETTLING
    decided = LAW.decide(SETTLING, replace(WELL, now_ms=NOW_MS + 20_000))
    assert (decided.rate_per_minute, decided.state) == (480, "steady")
    assert decided.reason == "p95 200 ms under the target of 400 ms: stays at 480 a minute"


def test_the_minimum_is_kept_and_the_threshold_goes_on_falling() -> None:
    course = replace(SETTLING, rate_per_minute=60, since_ms=0, threshold_per_minute=300)
    decided = LAW.decide(course, replace(WELL, p95_s=4.0, settled_per_minute=60.0))
    assert (decided.rate_per_minute, decided.threshold_per_minute) == (60, 150)


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (replace(WELL, up=0), "the origin is down"),
        (replace(WELL, up=0, of=3), "no origin is up"),
        (replace(WELL, requests=5, errors=5), "all of the last 5 requests failed"),
        (replace(SILENT, busy=7), "none of 7 requests came back within 10 s"),
    ],
)
def test_an_outage_freezes_the_room(reading: Reading, words: str) -> None:
    assert LAW.decide(STEADY, reading) == Adapted(0, "frozen", f"{words}: 600 → 0 a minute", NOW_MS, 300)


def test_a_trial_that_fails_leaves_the_threshold_of_before_the_outage() -> None:
    trial = Adapted(60, "starting", "", since_ms=NOW_MS - 10_000, threshold_per_minute=300)
    decided = LAW.decide(trial, replace(WELL, requests=8, errors=8, settled_per_minute=60.0))
    assert (decided.state, decided.threshold_per_minute) == ("frozen", 300)


@pytest.mark.parametrize(
    ("reading", "why"),
    [
        (replace(SILENT, up=0), "it is down as far as the checks say"),
        (replace(SILENT, requests=1, errors=1), "who is inside finds it down"),
        (replace(SILENT, busy=3), "who is inside waits for it"),
        (replace(SILENT, span_s=9.0), "nobody has asked, but not for long"),
    ],
)
def test_a_frozen_room_stays_frozen(reading: Reading, why: str) -> None:
    assert LAW.decide(FROZEN, reading) == FROZEN, why


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (replace(SILENT, requests=3, errors=2), "the origin answers again"),
        (SILENT, "nothing was asked of the origin for 10 s, and a few may try"),
    ],
)
def test_a_frozen_room_begins_anew_at_its_minimum(reading: Reading, words: str) -> None:
    assert LAW.decide(FROZEN, reading) == Adapted(60, "starting", f"{words}: 0 → 60 a minute", NOW_MS, 300)


def test_a_lower_ceiling_holds_at_once_even_below_the_minimum() -> None:
    decided = Law(TERMS, ceiling=30).decide(STEADY, replace(WELL, span_s=0.0))
    assert decided.rate_per_minute == 30
    assert decided.reason == "the operator allows 30 to 30 a minute: 600 → 30 a minute"


def test_a_higher_minimum_holds_at_once() -> None:
    law = Law(replace(TERMS, rate_min=700), ceiling=1200)
    assert law.decide(STEADY, WELL).rate_per_minute == 700


def test_a_slow_line_climbs_by_one_at_least() -> None:
    law = Law(AdaptiveTerms(rate_min=1, target_ms=400), ceiling=10)
    course = replace(STEADY, rate_per_minute=2, threshold_per_minute=1)
    assert law.decide(course, replace(WELL, calls=1)).rate_per_minute == 3


def test_where_nobody_was_called_the_threshold_has_nothing_to_learn() -> None:
    """The origin is slow by itself: the rate is lowered, and grows again as fast as ever."""
    course = replace(STEADY, state="starting", threshold_per_minute=0)
    cut = LAW.decide(course, replace(WELL, p95_s=0.8, calls=0, settled_per_minute=0.0))
    assert (cut.rate_per_minute, cut.threshold_per_minute, cut.state) == (300, 0, "settling")
    settled = LAW.decide(cut, replace(WELL, now_ms=NOW_MS + 30_000, calls=0))
    assert (settled.rate_per_minute, settled.state) == (300, "steady")
