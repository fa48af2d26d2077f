"""What follows from a record: each promise is judged by what was seen, and a broken one is named."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waitroom.rehearsal.records import LIMITS, findings, record, samples
from waitroom.rehearsal.findings import Findings, Spread, most_beyond, most_within, overtaken, per_minute
from waitroom.rehearsal.record import FAILED, LEFT, REFUSED, WAITS, WENT_IN


def test_a_spread_is_by_nearest_rank() -> None:
    spread = Spread.of([float(value) for value in range(1, 101)])
    assert (spread.p50_s, spread.p90_s, spread.p95_s, spread.p99_s, spread.longest_s) == (50, 90, 95, 99, 100)
    assert Spread.of([7.0]) == Spread(1, 7.0, 7.0, 7.0, 7.0, 7.0)
    assert Spread.of([]).count == 0


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        # The later number went in at 10 s; the earlier one, there since 0 s, still waits at 12 s.
        ({"present": 0, "waiting": 12, "entered": 14}, {"present": 1, "waiting": 8, "entered": 10}, 1),
        # It may have been called in the same step, and learnt of it with its next poll.
        ({"present": 0, "waiting": 9, "entered": 11}, {"present": 1, "waiting": 8, "entered": 10}, 0),
        # What it was told at 10.5 s may be of a tick before.
        ({"present": 0, "waiting": 10.5, "entered": 11}, {"present": 1, "waiting": 8, "entered": 10}, 0),
        # It was away, and so was rightly passed over.
        ({"present": 0, "waiting": 12, "away": 1}, {"present": 1, "waiting": 8, "entered": 10}, 0),
        # It showed itself only after the other had been called.
        ({"present": 9.5, "waiting": 12}, {"arrived": 2, "present": 2, "waiting": 8, "entered": 10}, 0),
        # The later one never waited: it was let in on arrival, though somebody was there.
        ({"present": 0, "waiting": 12}, {"arrived": 9, "present": -1, "waiting": -1, "entered": 9.1}, 1),
        ({"present": 0, "waiting": 12}, {"present": 1, "waiting": 12}, 0),
    ],
)
def test_who_is_told_to_wait_after_a_later_number_went_in_was_overtaken(
    earlier: dict[str, float], later: dict[str, float], expected: int
) -> None:
    assert overtaken(record(earlier, later)) == expected


@given(st.lists(st.floats(0, 1_000), min_size=1, max_size=40))
def test_who_goes_in_by_the_order_of_numbers_is_never_overtaken(times: list[float]) -> None:
    entered = sorted(times)
    crowd = [{"present": 0.0, "waiting": at_s, "entered": at_s} for at_s in entered]
    assert overtaken(record(*crowd)) == 0


@given(st.permutations(range(20)))
def test_overtaken_counts_those_whom_a_search_of_all_pairs_finds(turns: list[int]) -> None:
    """Everybody is there from the start; each is called 5 s after the one before, and learns of it at once."""
    crowd = [{"present": 0.0, "waiting": turn * 5.0, "entered": turn * 5.0 + 0.5} for turn in turns]
    expected = sum(any(later < turn for later in turns[i + 1 :]) for i, turn in enumerate(turns))
    assert overtaken(record(*crowd)) == expected


@pytest.mark.parametrize(
    ("called", "expected"), [([0, 10, 20, 30], 20), ([5, 5, 5], 5), ([0, 0, 40, 0], 40), ([0] * 9, 0)]
)
def test_calls_are_counted_in_the_worst_window(called: list[int], expected: int) -> None:
    assert most_within(samples(*called), 20.0) == expected


def test_a_rate_is_counted_in_each_interval() -> None:
    assert per_minute([0.5, 1.0, 11.0], 10.0, 20.0) == [(5.0, 12.0), (15.0, 6.0), (25.0, 0.0)]


def test_all_promises_are_kept_where_nothing_went_wrong() -> None:
    kept = findings(record({"entered": 12, "low": 10, "high": 14}, samples=samples(0, 5, 10, inside=10)))
    assert [promise.kept for promise in kept.promises] == [True] * 5
    assert kept.verdict == "All promises kept"


@pytest.mark.parametrize(
    ("broken", "name"),
    [
        (findings(record({"entered": 1}, samples=samples(0, inside=11))), "Never more inside than the cap"),
        (findings(record({"entered": 1}, samples=samples(0, 70))), "Never more calls than the rate allows"),
        (
            findings(record({"present": 0, "waiting": 12}, {"present": 1, "waiting": 8, "entered": 10})),
            "Nobody who waits is overtaken",
        ),
        (findings(record({"entered": 40, "low": 10, "high": 20})), "The wait is no longer than told"),
        (
            findings(replace(record({"entered": 1}), errors=Counter({"site: answered 502": 1}))),
            "Every request is answered",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_promise_is_named(broken: Findings, name: str) -> None:
    assert [promise.text for promise in broken.broken] == [name]
    assert broken.verdict.startswith("1 of ")


def test_a_burst_and_a_minute_of_calls_are_allowed_and_no_more() -> None:
    most = LIMITS.burst + LIMITS.rate_per_minute
    assert findings(record({"entered": 1}, samples=samples(0, most, every_s=60.0))).broken == []
    assert findings(record({"entered": 1}, samples=samples(0, most + 1, every_s=60.0))).broken != []


@pytest.mark.parametrize(
    ("called", "expected"), [([0, 10, 20], 0), ([0, 14, 20], 4), ([0, 5, 20, 30], 5), ([0, 0, 0, 12, 25], 5)]
)
def test_calls_are_held_against_the_rate_in_every_interval(called: list[int], expected: int) -> None:
    """At one a second, looked at every ten."""
    assert most_beyond(samples(*called), 1.0) == expected


def test_what_was_told_is_compared_with_what_came_true() -> None:
    told = findings(
        record(
            {"entered": 15, "low": 10, "high": 20},
            {"entered": 5, "low": 10, "high": 20},
            {"entered": 30, "low": 10, "high": 20},
            {"entered": 30, "low": 10, "high": 20, "away": 1},  # it made itself wait
            {"entered": 1},  # it was told nothing
            {"low": 10, "high": 20},  # it left
        )
    ).told
    assert (told.within, told.sooner, told.later) == (1, 1, 1)


def test_a_rehearsal_that_was_stopped_says_so_and_promises_nothing_for_the_rest() -> None:
    stopped = replace(record({"entered": 1}), was_stopped="It was interrupted.")
    assert findings(stopped).verdict == "Not finished; no promise broken so far"


def test_in_an_open_room_nobody_can_say_whether_the_limits_are_kept() -> None:
    seen = findings(record({"entered": 1}, samples=samples(0, 500, inside=99)), replace(LIMITS, mode="open"))
    assert [promise.kept for promise in seen.promises[:2]] == [None, None]
    assert not seen.broken


@given(st.lists(st.sampled_from([WAITS, WENT_IN, LEFT, REFUSED, FAILED]), max_size=30))
def test_each_visitor_comes_to_one_end(fates: list[int]) -> None:
    seen = findings(record(*({"fate": float(fate)} for fate in fates)))
    assert sum(map(seen.count, [WAITS, WENT_IN, LEFT, REFUSED, FAILED])) == seen.arrived == len(fates)


@given(st.lists(st.floats(0, 100_000), min_size=1, max_size=50))
def test_the_histogram_has_every_wait_once(waits: list[float]) -> None:
    bars = findings(record(*({"entered": wait} for wait in waits))).histogram()
    assert sum(count for *_, count in bars) == len(waits)
    assert bars[-1][1] > max(waits) >= bars[-1][0]
    assert len(bars) <= 31
