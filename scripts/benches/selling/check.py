"""Audits the books of a sale: `python -m scripts.benches.selling.check FOLDER`. Exits with 1 where a promise is
broken."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console

from scripts.benches.selling.audit import audited
from scripts.benches.selling.books import DATABASE, LINE, ORIGIN, TERMS, VISITORS

MOST_SHOWN = 5
console = Console(highlight=False, soft_wrap=True, markup=False)


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    for name in (TERMS, VISITORS, LINE, ORIGIN, DATABASE):
        if not (folder / name).exists():
            raise click.ClickException(f"{folder} has no {name}: run `scripts/bench sale --books {folder}` first")
    breaches = audited(folder)
    show(breaches)
    sys.exit(1 if any(breaches.values()) else 0)


def show(breaches: Mapping[str, Sequence[str]]) -> None:
    for promise, found in breaches.items():
        console.print(f"{'BROKEN' if found else 'kept  '}  {promise}" + (f": {len(found)} times" if found else ""))
        for breach in found[:MOST_SHOWN]:
            console.print(f"          {breach}")


if __name__ == "__main__":
    main()
