"""The report of a rehearsal or a plan: as a page that needs nothing but itself, and as JSON. Pure."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from waitroom.rehearsal.charts import duration, number
from waitroom.rehearsal.figures import figures
from waitroom.rehearsal.findings import Findings, Variant
from waitroom.rehearsal.pictures import Pictures
from waitroom.rehearsal.record import FAILED, LEFT, REFUSED, WAITS, WENT_IN

WIDE, NARROW = (1040, 300), (390, 250)
HALF = (500, 270)
UNITS = ("bytes", "KB", "MB", "GB", "TB")
BINDING = {
    "rate": "The rate, not the cap, set the pace of the line.",
    "cap": "The cap, not the rate, set the pace of the line: a place had to get free for each call.",
    "": "Nobody had to wait for a place.",
}


@dataclass(frozen=True, slots=True)
class Report:
    """`room` names what was rehearsed or planned; `made` is the moment of it, in words, for those who read it."""

    findings: Findings
    room: str
    made: str
    variants: Sequence[Variant] = ()

    @property
    def kind(self) -> str:
        return "plan" if self.findings.is_plan else "rehearsal"

    @property
    def headline(self) -> str:
        """What a reader wants to know first."""
        findings = self.findings
        if not findings.is_plan or findings.broken or findings.record.was_stopped:
            return findings.verdict
        if not findings.most_waiting:
            return "Nobody has to wait"
        return f"The line lasts {duration(round(findings.line_ends_s))}"

    def to_json(self) -> str:
        """The figures behind the page."""
        about = {"kind": self.kind, "room": self.room, "made": self.made}
        return json.dumps(about | figures(self.findings, self.variants), indent=1) + "\n"

    def to_html(self) -> str:
        """The page."""
        environment = Environment(
            loader=PackageLoader("waitroom.rehearsal", "."),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"duration": duration, "number": number}
        return environment.get_template("report.html").render(
            report=self,
            findings=self.findings,
            limits=self.findings.limits,
            habits=self.findings.habits,
            record=self.findings.record,
            pace=BINDING[self.findings.binding],
            facts=self.facts(),
            charts=Pictures(self.findings).all(),
            half=HALF,
            wide=WIDE,
            narrow=NARROW,
        )

    def facts(self) -> list[tuple[str, str]]:
        """What counts, as name and value."""
        findings = self.findings
        waits, fates = findings.waits, findings.count
        facts = [
            ("came", f"{findings.arrived:,}"),
            ("went in", f"{fates(WENT_IN):,}, {findings.at_once:,} of them at once"),
            ("left the line", f"{fates(LEFT):,}"),
            ("still waited at the end", f"{fates(WAITS):,}"),
            ("refused or failed", f"{fates(REFUSED) + fates(FAILED):,}"),
            ("median wait", duration(round(waits.p50_s))),
            ("nine of ten waited at most", duration(round(waits.p90_s))),
            ("ninety-nine of a hundred", duration(round(waits.p99_s))),
            ("longest wait", duration(round(waits.longest_s))),
            ("most waiting at once", f"{findings.most_waiting:,}"),
            ("most inside at once", f"{findings.most_inside:,} of {findings.limits.cap:,}"),
            ("the line ended after", duration(round(findings.line_ends_s))),
            ("called, and did not come", f"{findings.record.missed:,}"),
            ("most polls a second", number(round(findings.most_polls_per_s))),
            ("sent to visitors and back", _bytes(findings.record.bytes_in + findings.record.bytes_out)),
        ]
        if findings.origin.count:
            origin = findings.origin
            told = f"median {duration(origin.p50_s)}, 95 % within {duration(origin.p95_s)}"
            facts.append((f"the site's answers ({origin.count:,})", told))
        return [fact for fact in facts if fact[1] != "0"]


def _bytes(count: float) -> str:
    power = min(len(UNITS) - 1, int(math.log(count, 1000))) if count >= 1 else 0
    return f"{number(float(f'{count / 1000**power:.3g}'))} {UNITS[power]}"
