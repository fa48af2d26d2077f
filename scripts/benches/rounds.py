"""Rounds of measuring: contenders take turns, so that what disturbs the machine disturbs all of them, and a figure is
the median of its rounds. What every question of `scripts/bench` shares besides: its options, and how it ends."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from scripts.benches.findings import FOLDER, Finding

console = Console(highlight=False)
Ran = TypeVar("Ran")
Decorated = TypeVar("Decorated", bound=Callable[..., Any])

out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=FOLDER,
    show_default=True,
    help="The folder for what was found, as JSON.",
)


def rounds_option(default: int = 5) -> Callable[[Decorated], Decorated]:
    """`--rounds`."""
    most = click.IntRange(1, 99)
    return click.option("--rounds", default=default, show_default=True, type=most, help="Figures are medians of them.")


def seconds_option(default: int) -> Callable[[Decorated], Decorated]:
    """`--seconds`."""
    most = click.IntRange(1, 600)
    return click.option("--seconds", default=default, show_default=True, type=most, help="How long each run is.")


def in_turn(turns: Mapping[str, Callable[[], Ran]], rounds: int) -> dict[str, list[Ran]]:
    """What each of the turns, known by its name, gives in each of the rounds. Warming up is the caller's business."""
    ran: dict[str, list[Ran]] = {name: [] for name in turns}
    with console.status("") as status:
        for number in range(rounds):
            for name, turn in turns.items():
                status.update(f"round {number + 1} of {rounds}: {name}")
                ran[name].append(turn())
    return ran


def deliver(finding: Finding, folder: Path) -> None:
    """Keeps a finding, prints it as Markdown, and ends the program: with exit status 1 where a target is missed."""
    finding.save(folder)
    lines = [f"{name}: {value}" for name, value in finding.machine.items()]
    lines += ["", *(line for table in finding.all_tables() for line in (*table.markdown(), ""))]
    lines += [f"- {remark}" for remark in (*finding.remarks, *finding.losses)]
    console.print("\n".join(lines), soft_wrap=True, markup=False)
    raise SystemExit(1 if finding.missed else 0)
