"""What the operator sets over a configuration: what then holds in a room, and for how long. No Redis."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waitroom.line_bench import LIMITS
from tests.waitroom.test_rooms import room
from waitroom.adaptive_terms import AdaptiveTerms
from waitroom.desk.knobs import check, values_of
from waitroom.desk.overrides import KNOBS, Adapted, Override, Overrides, burst_for, least_burst
from waitroom.errors import KnobError

NOW_MS = 1_800_000_000_000
SITE = replace(room("site"), limits=replace(LIMITS, rate_per_minute=600, burst=11), message="Welcome")


def override(value: int | str | None, until_ms: int = 0) -> Override:
    return Override(value, NOW_MS - 1_000, until_ms, "alice@desk", "a test")


def set_to(**knobs: int | str | None) -> Overrides:
    return Overrides(NOW_MS - 1_000, {name: override(value) for name, value in knobs.items()})


@pytest.mark.parametrize(
    ("knob", "value", "shown"),
    [
        ("mode", "hold", "hold"),
        ("cap", 7, 7),
        ("session_s", 90, 90),
        ("claim_s", 20, 20),
        ("presence_s", 30, 30),
        ("message", "", ""),
        ("rate_per_minute", 1_200, 1_200),
        ("burst", 40, 40),
    ],
)
def test_a_knob_holds_over_the_configuration_and_no_other_changes(knob: str, value: int | str, shown: object) -> None:
    before, after = values_of(SITE), values_of(set_to(**{knob: value}).over(SITE, NOW_MS))
    assert after[knob] == shown
    burst_follows = {"burst"} if knob == "rate_per_minute" else set()
    assert {name for name in KNOBS if before[name] != after[name]} == {knob} | burst_follows


def test_limits_carry_the_revision_so_that_the_newest_win() -> None:
    over = set_to(cap=7).over(SITE, NOW_MS)
    assert over.limits.edition > SITE.limits.edition
    assert over.limits.revision == NOW_MS - 1_000


def test_an_override_ends_by_itself() -> None:
    overrides = Overrides(1, {"cap": override(7, until_ms=NOW_MS)})
    assert overrides.over(SITE, NOW_MS - 1).limits.cap == 7
    assert overrides.over(SITE, NOW_MS).limits.cap == SITE.limits.cap
    assert overrides.holding(NOW_MS) == {}


def test_the_burst_goes_with_the_rate_unless_the_configuration_has_its_own() -> None:
    assert set_to(rate_per_minute=6_000).over(SITE, NOW_MS).limits.burst == burst_for(6_000)
    own = replace(SITE, limits=replace(SITE.limits, burst=20))
    assert set_to(rate_per_minute=1_200).over(own, NOW_MS).limits.burst == 20
    assert set_to(rate_per_minute=60_000).over(own, NOW_MS).limits.burst == least_burst(60_000)


@pytest.mark.parametrize(("adapted", "rate"), [(300, 300), (0, 0), (9_000, 1_200)])
def test_what_was_adapted_lowers_the_rate_and_never_raises_it(adapted: int, rate: int) -> None:
    """The operator's rate is the ceiling."""
    overrides = replace(set_to(rate_per_minute=1_200), adapted=Adapted(adapted, "steady", "a test", NOW_MS))
    adaptive = replace(SITE, adaptive=AdaptiveTerms(rate_min=10, target_ms=400))
    assert overrides.over(adaptive, NOW_MS).limits.rate_per_minute == rate
    assert overrides.over(adaptive, NOW_MS).limits.burst <= burst_for(rate)
    assert overrides.over(SITE, NOW_MS).limits.rate_per_minute == 1_200


@given(
    st.dictionaries(st.sampled_from(KNOBS), st.builds(override, st.none() | st.integers(0) | st.text())),
    st.none() | st.builds(Adapted, st.integers(0, 6_000_000), st.text(), st.text(), st.integers(0), st.integers(0)),
)
def test_a_record_says_all_of_it(knobs: dict[str, Override], adapted: Adapted | None) -> None:
    overrides = Overrides(NOW_MS, knobs, adapted)
    assert Overrides.from_json(overrides.to_json()) == overrides


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"revision": 1, "knobs": {"cap": 3}}', '{"revision": "x"}'])
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # JSON's own, or ours
        Overrides.from_json(text)


@pytest.mark.parametrize(
    ("turned", "told"),
    [
        ({"speed": 3}, "speed: there is no such knob: there are mode, rate_per_minute"),
        ({"cap": 0}, "cap: 0: should be greater than or equal to 1"),
        ({"mode": "fast"}, "mode: 'fast': should be 'auto', 'queue', 'hold', 'open' or 'closed'"),
        ({"rate_per_minute": "many"}, "rate_per_minute: 'many': should be a whole number"),
        ({"burst": 1, "rate_per_minute": 6_000}, "burst = 1 would lose calls at rate_per_minute = 6000"),
        ({"session_s": 10}, "session_s = 10 should not be shorter than claim_s"),
        ({"message": "x" * 501}, "message: 'x"),
    ],
)
def test_knobs_that_make_no_sense_are_refused_with_what_would_be_right(turned: dict[str, int | str], told: str) -> None:
    with pytest.raises(KnobError) as refused:
        check(SITE, turned)
    assert told in str(refused.value)


def test_what_a_configuration_says_may_be_set_again() -> None:
    check(SITE, values_of(SITE))


def test_a_knob_of_a_later_version_is_left_alone() -> None:
    overrides = set_to(cap=7, speed=9)
    assert overrides.over(SITE, NOW_MS) == set_to(cap=7).over(SITE, NOW_MS)
    assert Overrides.from_json(overrides.to_json()) == overrides
