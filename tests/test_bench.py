"""What `scripts/bench` makes of its measurements."""

import subprocess
import sys

from scripts.bench import FORWARD, POLL, medians, ratios
from scripts.benches.wrk import Run, cpu_s

# A child that works, while its parent only waits for it.
SPIN = """
import os, sys
if os.fork() == 0:
    sum(range(10**7))
    print(os.getpid(), flush=True)
    sys.stdin.read()
else:
    os.wait()
"""


def ran(per_s: float, cpu_us: float) -> Run:
    return Run(per_s, cpu_us, busy=1.0, p50_us=1, p99_us=2)


def test_a_ratio_is_of_cpu_time_and_throughput_stands_beside() -> None:
    """Nginx waits for others half of the time: by throughput it would look half as fast as it is."""
    figures = {("waitroom", FORWARD): ran(20_000, 50.0), ("nginx", FORWARD): ran(25_000, 20.0)}
    (ratio,) = ratios(figures)
    assert (ratio.by_cpu, ratio.by_throughput) == (0.4, 0.8)
    assert not ratio.is_reached


def test_a_contender_that_was_left_out_has_no_ratio() -> None:
    assert ratios({("waitroom", POLL): ran(1, 1), ("nginx", FORWARD): ran(1, 1)}) == []


def test_a_median_is_of_each_figure_by_itself() -> None:
    assert medians([ran(1, 30), ran(2, 10), ran(9, 20)]) == ran(2, 20)


def test_the_time_of_a_process_is_also_that_of_its_children() -> None:
    with subprocess.Popen([sys.executable, "-c", SPIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        spent_s = cpu_s(child)
        assert spent_s > 0
        assert cpu_s(process.pid) >= spent_s
        process.communicate()
