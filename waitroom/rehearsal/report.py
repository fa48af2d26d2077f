"""The report of a rehearsal or a plan: as a page that needs nothing but itself, and as JSON. Pure."""

import json
import math
import statistics
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from waitroom.rehearsal.charts import Bars, Chart, Point, Series, duration, number, short, thinned
from waitroom.rehearsal.findings import Findings, Spread, per_minute
from waitroom.rehearsal.record import FAILED, LEFT, REFUSED, WAITS, WENT_IN, Sample

# Medians are of so many visitors at most, spread over all: more would not move them.
MOST_TOLD = 200_000
# Intervals along time in which visitors and requests are summed up.
INTERVALS = 60
# In shorter ones it shows when the samples were taken.
LEAST_INTERVAL_S = 4.0
WIDE, NARROW = (1040, 300), (390, 250)
HALF = (500, 270)
MOST_SAMPLES = 1_000
UNITS = ("bytes", "KB", "MB", "GB", "TB")
BINDING = {
    "rate": "The rate, not the cap, set the pace of the line.",
    "cap": "The cap, not the rate, set the pace of the line: a place had to get free for each call.",
    "": "Nobody had to wait for a place.",
}


@dataclass(frozen=True, slots=True)
class Variant:
    """What other limits would give, in a plan."""

    name: str
    findings: Findings


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
        return json.dumps(self._figures(), indent=1) + "\n"

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
            charts=self._charts(),
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

    def _figures(self) -> dict[str, Any]:
        findings, record = self.findings, self.findings.record
        ends = {"went_in": WENT_IN, "left": LEFT, "still_waiting": WAITS, "refused": REFUSED, "failed": FAILED}
        return {
            "kind": self.kind,
            "room": self.room,
            "made": self.made,
            "verdict": findings.verdict,
            "stopped": record.was_stopped or None,
            "promises": [asdict(promise) for promise in findings.promises],
            "habits": asdict(findings.habits),
            "limits": asdict(findings.limits),
            "visitors": {
                "arrived": findings.arrived,
                **{name: findings.count(fate) for name, fate in ends.items()},
                "at_once": findings.at_once,
                "overtaken": findings.overtaken,
            },
            "wait_s": _spread(findings.waits),
            "wait_histogram": [
                {"from_s": start, "to_s": end, "visitors": count} for start, end, count in findings.histogram()
            ],
            "told": asdict(findings.told),
            "line": {
                "most_inside": findings.most_inside,
                "most_waiting": findings.most_waiting,
                "most_calls_in_60_s": findings.most_calls,
                "most_calls_beyond_the_rate": round(findings.burst, 1),
                "ends_s": findings.line_ends_s,
                "no_shows": record.missed,
                "binding": findings.binding or None,
                "seen_by": record.limits_from,
            },
            "polls": {"total": record.polls, "most_per_second": round(findings.most_polls_per_s, 1)},
            "origin_s": _spread(findings.origin),
            "errors": dict(record.errors),
            "bytes": {"in": record.bytes_in, "out": record.bytes_out},
            "ended_s": round(record.ended_s, 1),
            "samples": [asdict(sample) for sample in _some(record.samples)],
            "variants": [
                {
                    "name": variant.name,
                    "ends_s": variant.findings.line_ends_s,
                    "wait_s": _spread(variant.findings.waits),
                }
                for variant in self.variants
            ],
        }

    def _charts(self) -> dict[str, Chart | Bars]:
        charts: dict[str, Chart | Bars] = {
            "line": self._line(),
            "inside": self._inside(),
            "pace": self._pace(),
            "waits": self._waits(),
            "told": self._told(),
            "polls": self._polls(),
        }
        if self.findings.origin.count:
            charts["origin"] = self._origin()
        return charts

    def _line(self) -> Chart:
        findings = self.findings
        waiting = Series("waiting", self._over_time("waiting"), "area")
        summary = (
            f"At most {findings.most_waiting:,} waited; the line ended after {duration(round(findings.line_ends_s))}."
        )
        return Chart("People waiting", summary, [waiting], short)

    def _inside(self) -> Chart:
        findings, cap = self.findings, self.findings.limits.cap
        inside = Series("inside", self._over_time("inside"), "area")
        ends = [(0.0, float(cap)), (self._end_s, float(cap))]
        summary = f"At most {findings.most_inside:,} were inside, of {cap:,} allowed."
        return Chart("People inside", summary, [inside, Series("cap", ends, "limit")], short)

    def _pace(self) -> Chart:
        findings = self.findings
        width_s = self._width_s
        samples = findings.record.samples
        arrived_s = [at_s for at_s in findings.record.fates.arrived_s if at_s >= 0]
        arrivals = per_minute(arrived_s, width_s, self._end_s)
        times = [sample.at_s for sample in samples]
        called = [0] + [sample.called for sample in samples]
        edges = [called[bisect_left(times, i * width_s)] for i in range(len(arrivals) + 1)]
        pairs = zip(arrivals, edges, edges[1:], strict=False)
        calls = [(at_s, (later - before) * 60 / width_s) for (at_s, _), before, later in pairs if at_s <= self._end_s]
        rate = float(findings.limits.rate_per_minute)
        series = [
            Series("arrivals a minute", arrivals, "area"),
            Series("calls a minute", calls),
            Series("rate", [(0.0, rate), (self._end_s, rate)], "limit"),
        ]
        summary = f"At most {findings.most_calls:,} were called in 60 seconds; the rate is {rate:,.0f}."
        return Chart("Arrivals and calls", summary, series, short)

    def _waits(self) -> Bars:
        waits = self.findings.waits
        marks = (
            []
            if not waits.count
            else [
                (f"median {duration(round(waits.p50_s))}", waits.p50_s),
                (f"90 % {duration(round(waits.p90_s))}", waits.p90_s),
            ]
        )
        summary = f"Half waited at most {duration(round(waits.p50_s))}, the longest {duration(round(waits.longest_s))}."
        return Bars("How long they waited", summary, self.findings.histogram(), marks)

    def _told(self) -> Chart:
        """By time of arrival: the medians of what was told, and of what came true."""
        fates = self.findings.record.fates
        rows: dict[int, list[tuple[float, float, float]]] = {}
        columns = zip(
            fates.arrived_s, fates.entered_s, fates.told_low_s, fates.told_high_s, fates.was_away, strict=True
        )
        last_s = max([*fates.arrived_s, 1.0])
        some = islice(columns, 0, None, max(1, len(fates.fate) // MOST_TOLD))
        for arrived, entered, low, high, away in some:
            if entered >= 0 and high >= 0 and not away:
                rows.setdefault(int(arrived * INTERVALS / last_s), []).append((entered - arrived, low, high))
        medians, lowest, highest = (self._medians(rows, column, last_s) for column in range(3))
        series = [Series("told on arrival", lowest, "band", highest), Series("waited", medians)]
        told = self.findings.told
        summary = f"{told.within:,} waited as long as told, {told.sooner:,} less, {told.later:,} longer."
        return Chart("What they were told, and what they waited", summary, series, duration, y_is_time=True)

    def _medians(self, rows: dict[int, list[tuple[float, float, float]]], column: int, last_s: float) -> list[Point]:
        width_s = last_s / INTERVALS
        return [((i + 0.5) * width_s, statistics.median(row[column] for row in rows[i])) for i in sorted(rows)]

    def _polls(self) -> Chart:
        samples = self.findings.record.samples
        width_s = self._width_s
        times = [sample.at_s for sample in samples]
        polls = [0] + [sample.polls for sample in samples]
        edges = [polls[bisect_left(times, i * width_s)] for i in range(int(self._end_s // width_s) + 2)]
        points = [((i + 0.5) * width_s, (edges[i + 1] - edges[i]) / width_s) for i in range(len(edges) - 1)]
        peak = round(self.findings.most_polls_per_s)
        return Chart("Polls a second", f"At most {peak:,} a second.", [Series("polls a second", points, "area")], short)

    def _origin(self) -> Chart:
        at_s, took_s = self.findings.record.origin_s
        width_s = self._width_s
        within: dict[int, list[float]] = {}
        for at, took in zip(at_s, took_s, strict=True):
            within.setdefault(int(at // width_s), []).append(took)
        spreads = [((i + 0.5) * width_s, Spread.of(within[i])) for i in sorted(within)]
        series = [
            Series("95 % within", [(at, spread.p95_s) for at, spread in spreads]),
            Series("median", [(at, spread.p50_s) for at, spread in spreads]),
        ]
        origin = self.findings.origin
        summary = f"Half of the answers came within {duration(origin.p50_s)}, 95 % within {duration(origin.p95_s)}."
        return Chart("How fast the site answered", summary, series, duration, y_is_time=True)

    @property
    def _end_s(self) -> float:
        samples = self.findings.record.samples
        return samples[-1].at_s if samples else 1.0

    @property
    def _width_s(self) -> float:
        return max(LEAST_INTERVAL_S, self._end_s / INTERVALS)

    def _over_time(self, field: str) -> list[Point]:
        return thinned([(sample.at_s, float(getattr(sample, field))) for sample in self.findings.record.samples])


def _spread(spread: Spread) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(spread).items()}


def _some(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[:: max(1, -(-len(samples) // MOST_SAMPLES))]


def _bytes(count: float) -> str:
    power = min(len(UNITS) - 1, int(math.log(count, 1000))) if count >= 1 else 0
    return f"{number(float(f'{count / 1000**power:.3g}'))} {UNITS[power]}"
