"""What the benchmark of memory counts, and what it says of it."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.benches.findings import Finding
from scripts.benches.holding import Grown, Line, family, private_bytes
from scripts.benches.memory import MIB, Idle, Inside, found
from scripts.benches.rival_lines import design_bytes, sets

HELD = 32 * MIB
# A child that has something of its own, and one that has nothing but what it shares.
HOLDER = f"""
import os, sys, time
held = b"" if os.fork() else b"x" * {HELD}
print(flush=True)
time.sleep(60)
"""


def test_a_process_has_what_its_children_have_and_no_page_counts_twice() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline(), process.stdout.readline()
        parent, child = family(process.pid)
        taken = private_bytes(parent), private_bytes(child)
        subprocess.run(["kill", str(child), str(parent)], check=True)
    assert parent == process.pid
    assert taken[0] < HELD < taken[1] < 2 * HELD


def test_a_visitor_in_two_sorted_sets_takes_more_than_its_id_twice() -> None:
    [few, many] = design_bytes(sets, (1_000, 3_000))
    assert 2 * 32 * 1_000 < few < many < 400 * 3_000


def finding(growth_mib: float, redis: int) -> Finding:
    grown = [Grown(1_000, 1_300, 100 * MIB), Grown(1_000_000, redis, round((100 + growth_mib) * MIB))]
    idle = [Idle(plain, 28_000) for plain in (4_000, 6_000, 5_000)]
    return found(Line(99 * MIB, grown), {"sets": [150_000, 200_000_000]}, idle, Inside(144, 1_000), took_s=1)


@pytest.mark.parametrize(
    ("growth_mib", "redis", "reached"),
    [(2, 400_000, [True, True, True]), (40, 400_000, [True, False, True]), (2, 1_100_000, [False, True, True])],
)
def test_a_target_is_missed_where_it_is(growth_mib: float, redis: int, reached: list[bool]) -> None:
    assert [target.is_reached for target in finding(growth_mib, redis).targets] == reached


def test_a_finding_has_medians_and_bytes_per_visitor(tmp_path: Path) -> None:
    finding(2, 400_000).save(tmp_path)
    per_visitor, process, one_more = Finding.load(tmp_path / "memory.json").tables
    assert [list(row) for row in per_visitor.rows] == [["waitroom", "1.30", "0.40"], ["sets", "150.00", "200.00"]]
    assert list(process.rows[-1]) == ["1,000,000", "102.0", "3.0"]
    assert list(one_more.rows[0]) == ["idle connection", "5,000", "4,000 to 6,000", "0"]
