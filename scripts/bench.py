"""Measures how fast waitroom forwards and answers polls, beside nginx, HAProxy and two plain programs.

Each contender has one core to itself; wrk, with 64 connections, the origin and Redis share another. They take turns,
round by round, so that what disturbs the machine disturbs all of them, and each figure is the median of the rounds.
A fast contender waits for the other core, so throughput alone would flatter the slow ones: ratios are made of what a
request costs its contender, in CPU time, and those of throughput stand beside.
"""

import json
import os
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import click
from rich.console import Console

from scripts.benches.machine import OTHERS as OTHER_CORE
from scripts.benches.servers import Contenders, Server, admitted, get, waiting
from scripts.benches.wrk import Asked, Run, run

console = Console(highlight=False)
FORWARD, POLL = "admitted GET of 1 KB", "poll of a place"


@dataclass(frozen=True, slots=True)
class Contender:
    """One that is asked for something."""

    name: str
    task: str
    server: Server
    asked: Asked


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much waitroom should have of another's speed at least, and how much it has, by CPU time and by throughput."""

    task: str
    other: str
    target: float
    by_cpu: float
    by_throughput: float

    @property
    def is_reached(self) -> bool:
        return self.by_cpu >= self.target


# Of whom waitroom should have at least how much, and at what.
TARGETS = ((FORWARD, "nginx", 0.5), (FORWARD, "catch-all", 5.0), (POLL, "nginx return", 0.5), (POLL, "zrank", 6.0))


def start(contenders: Contenders, tasks: Sequence[str]) -> list[Contender]:
    """Starts all that are needed for the tasks, and gives visitors their places."""
    origin = contenders.origin()
    redis = contenders.redis()
    waitroom = contenders.waitroom(origin.port, redis)
    inside, polls = admitted(waitroom.port), waiting(waitroom.port)
    place = get(waitroom.port, polls)
    all_of_them: list[tuple[str, str, Callable[[], Server]]] = [
        ("waitroom", FORWARD, lambda: waitroom),
        ("nginx", FORWARD, lambda: contenders.nginx(origin.port)),
        ("HAProxy", FORWARD, lambda: contenders.haproxy(origin.port)),
        ("catch-all", FORWARD, lambda: contenders.catch_all(origin.port)),
        ("waitroom", POLL, lambda: waitroom),
        ("nginx return", POLL, lambda: contenders.nginx_return(place)),
        ("zrank", POLL, lambda: contenders.zrank(origin.port, redis)),
    ]
    asked = {FORWARD: inside, POLL: polls}
    started = [Contender(name, task, begin(), asked[task]) for name, task, begin in all_of_them if task in tasks]
    _agree(started)
    return started


def _agree(contenders: Sequence[Contender]) -> None:
    """Makes sure that all answer the same."""
    for contender in contenders:
        reply = get(contender.server.port, contender.asked)
        first = next(other for other in contenders if other.task == contender.task)
        expected = get(first.server.port, first.asked)
        if reply.status != 200 or abs(len(reply.body) - len(expected.body)) > 4:  # a poll's time varies
            raise click.ClickException(f"{contender.name} answers {contender.task} with {reply}, not {expected}")


def measure(contenders: Sequence[Contender], rounds: int, seconds: int) -> list[list[Run]]:
    """The runs of each contender."""
    runs: list[list[Run]] = [[] for _ in contenders]
    with console.status("warming up") as status:
        for contender in contenders:
            _run(contender, 1)
        for number in range(rounds):
            for contender, own in zip(contenders, runs, strict=True):
                status.update(f"round {number + 1} of {rounds}: {contender.name}, {contender.task}")
                own.append(_run(contender, seconds))
    return runs


def _run(contender: Contender, seconds: int) -> Run:
    server = contender.server
    return run(server.port, server.pid, contender.asked, seconds, OTHER_CORE)


def medians(runs: Sequence[Run]) -> Run:
    """Each figure by itself."""
    return Run(
        per_s=median(one.per_s for one in runs),
        cpu_us=median(one.cpu_us for one in runs),
        busy=median(one.busy for one in runs),
        p50_us=round(median(one.p50_us for one in runs)),
        p99_us=round(median(one.p99_us for one in runs)),
    )


def ratios(figures: Mapping[tuple[str, str], Run]) -> list[Ratio]:
    """Those whose both sides were measured."""
    made = []
    for task, other, target in TARGETS:
        if (theirs := figures.get((other, task))) and (ours := figures.get(("waitroom", task))):
            made.append(Ratio(task, other, target, theirs.cpu_us / ours.cpu_us, ours.per_s / theirs.per_s))
    return made


def _table(figures: Mapping[tuple[str, str], Run]) -> list[str]:
    rows = [
        f"| {task} | {name} | {run.per_s:,.0f} | {run.cpu_us:.1f} | {run.busy:.0%} | {run.p50_us / 1000:.2f} "
        f"| {run.p99_us / 1000:.2f} |"
        for (name, task), run in figures.items()
    ]
    head = "| task | contender | requests/s | CPU µs/request | of its core | p50 ms | p99 ms |"
    return [head, "|---|---|---:|---:|---:|---:|---:|", *rows]


def _ratio_table(made: Sequence[Ratio]) -> list[str]:
    rows = [
        f"| {ratio.task} | {ratio.other} | {ratio.target:g} | {ratio.by_cpu:.2f} | {ratio.by_throughput:.2f} "
        f"| {'yes' if ratio.is_reached else 'no'} |"
        for ratio in made
    ]
    return [
        "| task | waitroom, times | at least | by CPU | by throughput | reached |",
        "|---|---|---:|---:|---:|---|",
        *rows,
    ]


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 99), help="Each figure is their median.")
@click.option("--seconds", default=4, show_default=True, type=click.IntRange(1, 600), help="How long a run is.")
@click.option("--only", type=click.Choice(["forward", "poll"]), help="One of the two tasks.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="A file for all runs, as JSON.")
def main(rounds: int, seconds: int, only: str | None, out: Path | None) -> None:
    """Print how fast waitroom is beside others, as Markdown. Exit status 1: a ratio by CPU is below its target."""
    if (os.cpu_count() or 1) < 2:
        raise click.ClickException("two cores are needed: one for who is measured, one for everything else")
    tasks = {"forward": [FORWARD], "poll": [POLL], None: [FORWARD, POLL]}[only]
    with tempfile.TemporaryDirectory(prefix="waitroom-bench-") as folder, Contenders(Path(folder)) as contenders:
        started = start(contenders, tasks)
        runs = measure(started, rounds, seconds)
    figures = {(one.name, one.task): medians(own) for one, own in zip(started, runs, strict=True)}
    made = ratios(figures)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, medians of {rounds} runs of {seconds} s"
    console.print("\n".join([machine, "", *_table(figures), "", *_ratio_table(made)]), soft_wrap=True)
    if out:
        all_runs = [
            {"contender": one.name, "task": one.task, "runs": [asdict(each) for each in own]}
            for one, own in zip(started, runs, strict=True)
        ]
        out.write_text(
            json.dumps({"machine": machine, "runs": all_runs, "ratios": [asdict(r) for r in made]}, indent=1)
        )
    raise SystemExit(0 if all(ratio.is_reached for ratio in made) else 1)


if __name__ == "__main__":
    main()
