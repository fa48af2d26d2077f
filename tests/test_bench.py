"""What `scripts/bench` makes of its measurements."""

import itertools
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import click
import pytest
from click.testing import CliRunner

from scripts.benches import forward, report, rounds
from scripts.benches.findings import Bar, Chart, Finding, Spread, Table, Target
from scripts.benches.servers import program
from scripts.benches.wrk import Run, cpu_s, medians, times_as_fast

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


def finding(name: str = "forward", targets: Sequence[Target] = (), losses: Sequence[str] = ()) -> Finding:
    bars = [Bar("waitroom <1>", Spread(2, 1, 3)), Bar("other", Spread(4, 4, 4))]
    return Finding(
        name=name,
        question=f"How fast is {name}?",
        command=f"scripts/bench {name}",
        setting="Four visitors ask.",
        machine={"processor": "2 cores"},
        versions={"nginx": "1.22.1"},
        took_s=90.0,
        tables=[Table("Costs", ("", "µs"), [("a|b", "1.0")])],
        charts=[Chart("Speed & <more>", "requests/s", bars)],
        targets=targets,
        remarks=["Known before."],
        losses=losses,
    )


def test_a_ratio_is_of_cpu_time_round_by_round() -> None:
    """Nginx waits for others half of the time: by throughput it would look half as fast as it is. The second round was
    disturbed, and with it both."""
    ours = [ran(20_000, 50.0), ran(10_000, 100.0), ran(20_000, 50.0)]
    theirs = [ran(25_000, 20.0), ran(12_000, 40.0), ran(25_000, 25.0)]
    assert times_as_fast(ours, theirs) == Spread(0.4, 0.4, 0.5)


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


def test_contenders_take_turns() -> None:
    count = itertools.count(1)
    assert rounds.in_turn({"a": lambda: next(count), "b": lambda: next(count)}, 2) == {"a": [1, 3], "b": [2, 4]}


@pytest.mark.parametrize(("must", "reached"), [("at least", False), ("at most", True)])
def test_a_missed_target_makes_the_exit_status_one(must: str, reached: bool, tmp_path: Path) -> None:
    target = Target("of nginx's speed", must, 0.6, 0.59)  # type: ignore[arg-type]
    with pytest.raises(SystemExit) as exit_info:
        rounds.deliver(finding(targets=[target]), tmp_path)
    assert exit_info.value.code == (0 if reached else 1)
    assert (Finding.load(tmp_path / "forward.json").missed == []) is reached


def test_a_finding_is_read_as_it_was_kept(tmp_path: Path) -> None:
    kept = finding(targets=[Target("speed", "at least", 0.6, 0.7)], losses=["Where they lose."])
    kept.save(tmp_path)
    (tmp_path / "again").mkdir()
    again = Finding.load(tmp_path / "forward.json")
    again.save(tmp_path / "again")
    assert (tmp_path / "again/forward.json").read_text() == (tmp_path / "forward.json").read_text()


def test_the_report_says_what_was_reached_and_where_we_lose(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks"
    finding("booking", [Target("same | cost", "at most", 5, 3, "%")]).save(folder)
    finding("forward", [Target("of nginx's speed", "at least", 0.6, 0.5)], ["It is Python."]).save(folder)
    done = CliRunner().invoke(report.command, ["--folder", str(folder)])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "benchmarks.md").read_text()
    assert "| [forward](#how-fast-is-forward): of nginx's speed | at least 0.6 | 0.5 | **no** |" in page
    assert r"| [booking](#how-fast-is-booking): same \| cost | at most 5 % | 3 % | yes |" in page
    assert page.index("## How fast is forward?") < page.index("## How fast is booking?"), (
        "not in the order of the questions"
    )
    assert r"| a\|b | 1.0 |" in page
    lost = page[page.index("## Where we lose") :]
    assert "Missed: of nginx's speed, 0.5 where at least 0.6 was aimed at." in lost
    assert "It is Python." in lost
    assert "same" not in lost


def test_the_report_names_how_to_measure_what_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks"
    finding().save(folder)
    CliRunner().invoke(report.command, ["--folder", str(folder)], catch_exceptions=False)
    (line,) = [
        line for line in (tmp_path / "benchmarks.md").read_text().splitlines() if line.startswith("Not measured")
    ]
    assert "`scripts/bench sale`" in line
    assert "`scripts/bench forward`" not in line


def test_a_report_of_nothing_says_what_to_run(tmp_path: Path) -> None:
    done = CliRunner().invoke(report.command, ["--folder", str(tmp_path)])
    assert done.exit_code == 1
    assert "scripts/bench forward" in done.output


def test_charts_are_drawn_anew(tmp_path: Path) -> None:
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "forward-2.svg").write_text("of an earlier finding")
    report.write([finding()], folder)
    assert [path.name for path in folder.iterdir()] == ["forward-1.svg"]
    drawn = (folder / "forward-1.svg").read_text()
    texts = [element.text for element in ET.fromstring(drawn).iter() if element.text]
    assert texts.count("Speed & <more> (requests/s)") == 2, "as a title, and to be seen"
    assert "waitroom <1>" in texts


def test_two_workers_have_twice_the_capacity_of_one_if_a_request_costs_the_same() -> None:
    """And a peer that could not be installed is no target."""
    names = (forward.OURS, forward.TWO, forward.ANYWHERE, forward.NGINX, forward.CATCH_ALL)
    runs = {(task.name, name): [ran(1, 40.0)] for task in forward.TASKS for name in names}
    runs["1 KB", forward.TWO] = [ran(1, 50.0)]
    runs["64 KB", forward.CATCH_ALL] = [ran(1, 30.0)]
    measured = {target.claim: target.measured for target in forward.targets(runs)}
    assert measured["two workers, times one, at 1 KB"] == 2 * 40 / 50
    assert measured["times the fastest peer in Python (aiohttp catch-all, 64 KB), by CPU time"] == 30 / 40


def test_a_missing_program_is_named_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(click.ClickException, match=r"perf is missing: install it \(apt-get install linux-perf\)"):
        program("perf", "linux-perf")
