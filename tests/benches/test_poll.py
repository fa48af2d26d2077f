"""What the benchmark of polls computes: who polls, who is compared with whom, and what follows from the runs."""

import random

import pytest

from scripts.benches.long_lines import numbers_of, some_of, spread
from scripts.benches.poll import NGINX, OWN, SHARED, SIZES, WAITROOM, ZRANK, Contender, Polled, dearer, tables, targets
from scripts.benches.servers import Server
from scripts.benches.wrk import Asked, Run

ASKED = Asked("/", "application/json", ["a=1"])


def run(cpu_us: float) -> Run:
    return Run(per_s=1000, cpu_us=cpu_us, busy=0.5, p50_us=1500, p99_us=9000)


def contender(name: str, waiting: int = SIZES[-1], connections: str = OWN) -> Contender:
    redis = None if name == NGINX else Server(1, 1)
    return Contender(name, waiting, connections, Server(1, 1), ASKED, redis)


def measured(*cpu_us: tuple[Contender, list[float]]) -> dict[str, list[Polled]]:
    return {one.title: [Polled(run(each), 2.0) for each in runs] for one, runs in cpu_us}


FOUND = [*(contender(WAITROOM, size) for size in SIZES), contender(NGINX), contender(ZRANK)]


@pytest.mark.parametrize(("count", "first", "found"), [(3, 0, [0, 3, 6]), (2, 4, [4, 7]), (5, 5, [5, 6, 7, 8, 9])])
def test_who_polls_stands_all_over_the_line_but_its_front(count: int, first: int, found: list[int]) -> None:
    assert spread(range(10), count, first) == found


def test_one_in_four_leaves() -> None:
    stay = some_of(range(10_000), random.Random(1))
    assert 7_300 < len(stay) < 7_700
    assert stay == sorted(stay)


def test_the_numbers_of_a_reply_stand_behind_their_kinds() -> None:
    assert numbers_of([1, 11, 2, 0, 13, 1]) == [11, 12, 13]


def test_rounds_are_compared_with_each_other() -> None:
    """What slows both down in one round says nothing."""
    assert dearer([run(10), run(40), run(11)], than=[run(10), run(40), run(10)]) == 1.0


@pytest.mark.parametrize(
    ("ours", "reached"),
    [
        ([10, 10, 10], [True, True, True]),
        ([10, 10, 11], [True, True, False]),
        ([10, 11, 10], [True, True, False]),
        ([13, 13, 13], [False, True, True]),
        ([21, 21, 21], [False, False, True]),
    ],
)
def test_the_targets_are_those_of_the_longest_line_and_of_the_dearest(ours: list[float], reached: list[bool]) -> None:
    costs = [*([us, us] for us in ours), [7.0, 7.0], [160.0, 160.0]]
    found = targets(FOUND, measured(*zip(FOUND, costs, strict=True)))
    assert [target.is_reached for target in found] == reached


def test_each_is_shown_with_what_redis_took() -> None:
    found = [contender(WAITROOM), contender(NGINX), contender(WAITROOM, connections=SHARED)]
    (table,) = tables(found, measured(*((one, [9.0, 10.0, 12.0]) for one in found)))
    assert [len(row) for row in table.rows] == [len(table.head)] * 3
    ours, nginx, shared = table.rows
    assert ours == [WAITROOM, "1,000,000", "own", "1,000", "10.0", "9.0 to 12.0", "50%", "1.50", "9.00", "2.0"]
    assert (nginx[-1], shared[2]) == ("none", "shared")
