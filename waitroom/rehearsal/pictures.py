"""The charts of a report: what was found, along time. Pure."""

import statistics
from bisect import bisect_left
from dataclasses import dataclass
from itertools import islice

from waitroom.rehearsal.charts import Bars, Chart, Point, Series, duration, short, thinned
from waitroom.rehearsal.findings import Findings, Spread, per_minute

# Medians are of so many visitors at most, spread over all: more would not move them.
MOST_TOLD = 200_000
# Intervals along time in which visitors and requests are summed up.
INTERVALS = 60
# In shorter ones it shows when the samples were taken.
LEAST_INTERVAL_S = 4.0


@dataclass(frozen=True, slots=True)
class Pictures:
    """Those of a rehearsal or a plan."""

    findings: Findings

    def all(self) -> dict[str, Chart | Bars]:
        """By name; that of the site's answers only where it was asked."""
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
