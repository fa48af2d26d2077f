"""What `scripts/bench booking` makes of its runs."""

from collections.abc import Mapping

from scripts.benches.booking import OURS, TASKS, WAYS, Run, table, targets, turn
from scripts.benches.booking_sites import Way

HOT, *_ = TASKS


def ran(per_s: Mapping[Way, list[float]]) -> dict[str, list[Run]]:
    """Runs of the hot flight that differ in one figure."""
    return {
        turn(way, HOT): [
            Run(each, 2 * each, 10.0, 20.0, 5.0, 1.5, conflicts=3, retries=0, busy=0) for each in per_s[way]
        ]
        for way in WAYS
    }


def test_ours_is_compared_with_its_rivals_round_by_round() -> None:
    """A round in which the machine was slow was slow for both."""
    figures = {way: [100.0, 10.0, 50.0] if way.locked else [200.0, 20.0, 50.0] for way in WAYS}
    claims = targets(ran(figures), [])
    assert [target.measured for target in claims] == [0, 2.0, 2.0]
    assert all(target.is_reached for target in claims)


def test_a_rival_that_is_faster_and_a_seat_sold_twice_are_targets_missed() -> None:
    figures = {way: [110.0] if way.locked == "flight" else [100.0] for way in WAYS}
    missed = [target.measured for target in targets(ran(figures), ["seat 7C of flight 1 was sold twice"])]
    assert missed == [1, 1.0, 0.91]
    assert [target.is_reached for target in targets(ran(figures), ["a breach"])] == [False, True, False]


def test_a_table_has_the_median_of_each_figure() -> None:
    rows = table("Holds", [HOT], ran({way: [30.0, 10.0, 20.0] for way in WAYS})).rows
    assert [row[0] for row in rows] == [f"one hot flight: {way.name}" for way in WAYS]
    assert rows[WAYS.index(OURS)][1:3] == ("20.0", "40")
