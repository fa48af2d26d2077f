"""What a benchmark found out, kept as JSON: the figures as they are published, and each run behind them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

FOLDER = Path("docs/benchmarks")


@dataclass(frozen=True)
class Spread:
    """Of one figure over some runs: the median, and what the runs lie between."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, runs: Sequence[float]) -> "Spread":
        return cls(median(runs), min(runs), max(runs))


@dataclass(frozen=True)
class Table:
    """Its cells are as they are shown: the first column is text, the others are figures."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> list[str]:
        """Its lines, the title among them."""
        rule = ["---", *("---:" for _ in self.head[1:])]
        lines = [*([f"**{self.title}**", ""] if self.title else []), _row(self.head), _row(rule)]
        return lines + [_row(row) for row in self.rows]


@dataclass(frozen=True)
class Bar:
    name: str
    value: Spread


@dataclass(frozen=True)
class Chart:
    """Bars of one unit, each with its spread."""

    title: str
    unit: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Target:
    """What was aimed at, and what was measured."""

    claim: str
    must: Literal["at least", "at most"]
    bound: float
    measured: float
    unit: str = ""

    @property
    def is_reached(self) -> bool:
        return self.measured >= self.bound if self.must == "at least" else self.measured <= self.bound

    def cells(self) -> Sequence[str]:
        """Of a row of a table of targets."""
        bound = f"{self.must} {number(self.bound)} {self.unit}".rstrip()
        measured = f"{number(self.measured)} {self.unit}".rstrip()
        return self.claim, bound, measured, "yes" if self.is_reached else "**no**"


@dataclass(frozen=True)
class Finding:
    """The answer to one question. `setting` says, in Markdown, what was done with what; `remarks` what is to be known
    before a figure is quoted; `losses` where we lose, and why. `machine` and `versions` are of the time when it was
    measured, and `runs` has all that the figures were made of."""

    name: str
    question: str
    command: str
    setting: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    took_s: float
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()
    targets: Sequence[Target] = ()
    remarks: Sequence[str] = ()
    losses: Sequence[str] = ()
    runs: Any = field(default=None)

    @property
    def missed(self) -> Sequence[Target]:
        return [target for target in self.targets if not target.is_reached]

    def all_tables(self) -> Sequence[Table]:
        """Also that of its targets, if it has any."""
        return [*self.tables, *([targets_table("Targets", self.targets)] if self.targets else [])]

    def save(self, folder: Path) -> None:
        """As `<name>.json` in the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        (folder / f"{self.name}.json").write_text(text + "\n")

    @classmethod
    def load(cls, path: Path) -> "Finding":
        """What `save` wrote."""
        told = json.loads(path.read_text())
        told["tables"] = [Table(**table) for table in told["tables"]]
        told["charts"] = [
            Chart(**{**chart, "bars": [Bar(bar["name"], Spread(**bar["value"])) for bar in chart["bars"]]})
            for chart in told["charts"]
        ]
        told["targets"] = [Target(**target) for target in told["targets"]]
        return cls(**told)


def targets_table(title: str, targets: Sequence[Target]) -> Table:
    """Which were reached."""
    return Table(title, ("claim", "must be", "is", "reached"), [target.cells() for target in targets])


def number(value: float) -> str:
    """With three digits that count, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
