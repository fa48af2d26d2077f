"""What processes count, and what it says of the time between two looks. No Redis."""

import math
import statistics
from bisect import bisect_left
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitroom.desk.vitals import LATENCY_S, ORIGIN_S, WAIT_S, Durations, Vitals, Window, quantile_s


def counted(*seconds: float) -> dict[int, int]:
    durations = Durations(LATENCY_S)
    for one in seconds:
        durations.note(one)
    return durations.sparse()


@pytest.mark.parametrize("bounds", [LATENCY_S, WAIT_S])
def test_neighbouring_bounds_are_at_most_a_quarter_apart(bounds: tuple[float, ...]) -> None:
    assert all(after / before < 1.251 for before, after in pairwise(bounds))
    assert list(bounds) == sorted(set(bounds))


def test_the_bounds_of_prometheus_are_among_them() -> None:
    assert set(ORIGIN_S) <= set(LATENCY_S)


@given(st.lists(st.floats(0.001, 59.9), min_size=20, max_size=200), st.sampled_from([0.5, 0.9, 0.95]))
def test_a_quantile_is_right_within_its_bucket(seconds: list[float], share: float) -> None:
    told = quantile_s(counted(*seconds), LATENCY_S, share)
    assert told is not None
    real = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
    bucket = bisect_left(LATENCY_S, real)
    assert (LATENCY_S[bucket - 1] if bucket else 0.0) <= told <= LATENCY_S[bucket]


def test_nothing_counted_has_no_quantile() -> None:
    assert quantile_s({}, LATENCY_S, 0.95) is None


def test_what_is_beyond_all_bounds_counts_as_the_last() -> None:
    assert quantile_s(counted(1_000.0), LATENCY_S, 0.5) == LATENCY_S[-1]


def test_a_window_has_what_all_processes_counted_between_two_looks() -> None:
    before = {"one": Vitals(10, 1, 2, 1, 1, counted(0.1), {}), "gone": Vitals(99, 9, 9, 1, 1, counted(9.0), {})}
    after = {
        "one": Vitals(14, 2, 3, 0, 2, counted(0.1, 0.2, 0.2, 0.2, 0.2), {3: 1}),
        "new": Vitals(6, 0, 1, 2, 2, counted(*[0.2] * 6), {3: 1}),
    }
    window = Window.between(before, after, 2.0)
    assert (window.requests, window.errors, window.busy) == (10, 1, 4)
    assert (window.up, window.of) == (2, 2)
    assert (window.per_second, window.error_share) == (5.0, 0.1)
    assert sum(window.latency.values()) == 10
    assert window.latency_s(0.5) == pytest.approx(0.2, rel=0.25)
    assert window.waits == {3: 2}


def test_a_window_in_which_nothing_ended_has_no_shares() -> None:
    window = Window.between({}, {"one": Vitals(busy=7)}, 1.0)
    assert (window.error_share, window.latency_s(0.95), window.wait_s(0.5)) == (None, None, None)
    assert window.busy == 7


@given(
    st.builds(
        Vitals,
        *[st.integers(0, 10**9)] * 5,
        *[st.dictionaries(st.integers(0, 60), st.integers(1, 10**9))] * 2,
    )
)
def test_vitals_come_through_redis_as_they_were(vitals: Vitals) -> None:
    assert Vitals.from_json(vitals.to_json()) == vitals


@pytest.mark.parametrize("text", ["", "{}", "[1]", "[1,2,3,4,5,6,7]", '["a",1,1,1,1,{},{}]'])
def test_what_are_no_vitals_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # JSON's own, or ours
        Vitals.from_json(text)


def test_the_mean_of_what_was_noted_can_be_told() -> None:
    durations = Durations(WAIT_S)
    for one in (1.0, 2.0, 6.0):
        durations.note(one)
    assert durations.sum_s / sum(durations.counts) == pytest.approx(statistics.mean([1, 2, 6]))
