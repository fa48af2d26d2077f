"""The report: docs/benchmarks.md and its charts, made of what was found. Nothing in it is written by hand."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scripts.benches import QUESTIONS
from scripts.benches.bars import picture
from scripts.benches.findings import FOLDER, Chart, Finding, Table, number
from scripts.benches.rounds import console

TEMPLATE = Path(__file__).with_name("report.md.j2")
PAGE = "benchmarks.md"


@dataclass(frozen=True)
class Picture:
    """A chart, and where it is drawn, relative to the page."""

    chart: Chart
    path: str


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=FOLDER,
    show_default=True,
    help="Where the findings lie; the page is written beside it, the charts into it.",
)
def command(folder: Path) -> None:
    """Make docs/benchmarks.md and its charts of what was found."""
    findings = read(folder)
    if not findings:
        raise click.ClickException(f"nothing was found yet in {folder}: run `scripts/bench {QUESTIONS[0]}` first")
    page = write(findings, folder)
    missed = sum(len(finding.missed) for finding in findings)
    console.print(f"{page}: {len(findings)} questions of {len(QUESTIONS)}, {missed} targets missed")


def read(folder: Path) -> list[Finding]:
    """In the order of the questions; what answers none of them comes last."""
    found = {path.stem: Finding.load(path) for path in sorted(folder.glob("*.json"))}
    return [found[name] for name in sorted(found, key=lambda name: (_position(name), name))]


def write(findings: Sequence[Finding], folder: Path) -> Path:
    """The page, which it gives, and the charts of the findings in place of their earlier ones."""
    pictures = {finding.name: _draw(finding, folder) for finding in findings}
    page = folder.parent / PAGE
    page.write_text(text(findings, pictures))
    return page


def text(findings: Sequence[Finding], pictures: dict[str, list[Picture]]) -> str:
    """The page in Markdown."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=False,  # it is no HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update({"anchor": anchor, "number": number})
    measured = {finding.name for finding in findings}
    page = environment.get_template(TEMPLATE.name).render(
        findings=findings,
        pictures=pictures,
        targets="\n".join(_targets(findings)),
        machines=_groups(findings),
        missing=[name for name in QUESTIONS if name not in measured],
        losing=[finding for finding in findings if finding.missed or finding.losses],
    )
    return re.sub(r"\n{3,}", "\n\n", page)


def anchor(heading: str) -> str:
    """What GitHub calls a heading in a link."""
    return "#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _draw(finding: Finding, folder: Path) -> list[Picture]:
    for earlier in folder.glob(f"{finding.name}-*.svg"):
        earlier.unlink()
    pictures = []
    for order, chart in enumerate(finding.charts, start=1):
        path = folder / f"{finding.name}-{order}.svg"
        path.write_text(picture(chart))
        pictures.append(Picture(chart, path.relative_to(folder.parent).as_posix()))
    return pictures


def _targets(findings: Sequence[Finding]) -> list[str]:
    rows = [
        (f"[{finding.name}]({anchor(finding.question)}): {claim}", *cells)
        for finding in findings
        for claim, *cells in (target.cells() for target in finding.targets)
    ]
    return Table("", ("what", "must be", "is", "reached"), rows).markdown()


def _groups(findings: Sequence[Finding]) -> list[tuple[str, list[str]]]:
    """Each machine in words, and the names of the questions that were asked on it."""
    groups: dict[str, list[str]] = {}
    for finding in findings:
        told = "; ".join(f"{name}: {value}" for name, value in finding.machine.items())
        groups.setdefault(told, []).append(finding.name)
    return list(groups.items())


def _position(name: str) -> int:
    return QUESTIONS.index(name) if name in QUESTIONS else len(QUESTIONS)
