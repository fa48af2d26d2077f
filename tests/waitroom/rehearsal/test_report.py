"""The report: it opens from a file, in a real browser, and anyone can read it; its figures are those of the record."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.axe import violations
from tests.browser import chromium, needs_chromium
from tests.waitroom.rehearsal.records import LIMITS, findings, record
from waitroom.rehearsal.charts import Bars, Chart, Series, duration, number, short, thinned
from waitroom.rehearsal.crowd import Habits
from waitroom.rehearsal.plan import planned, variants
from waitroom.rehearsal.report import Report

HABITS = Habits(600, 30.0, stay_s=10.0)
FAST = replace(LIMITS, rate_per_minute=600, burst=11, cap=300)


def a_plan() -> Report:
    return Report(planned(HABITS, FAST, 10_000), "Halcyon Air", "tonight", list(variants(HABITS, FAST, 10_000)))


def a_rehearsal() -> Report:
    """Of the same crowd, with the answers of a site, and an error."""
    seen = planned(HABITS, FAST, 10_000)
    at_s, took_s = seen.record.origin_s
    at_s.extend(i / 10 for i in range(600))
    took_s.extend(0.01 + i % 7 / 100 for i in range(600))
    seen.record.errors["site: answered 502"] = 3
    return Report(replace(seen, is_plan=False), "<b>Halcyon</b> & Air", "tonight")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0"),
        (0.0042, "4 ms"),
        (1, "1 s"),
        (59.4, "59.4 s"),
        (60, "1 min"),
        (85, "1 min 25 s"),
        (3_600, "1 h"),
        (3_665, "1 h 01"),
        (90_000, "25 h"),
    ],
)
def test_times_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_numbers_are_said_with_the_digits_they_need() -> None:
    assert [number(value) for value in (0, 12_000, 0.25, 12.5)] == ["0", "12,000", "0.25", "12.5"]
    assert [short(value) for value in (950, 20_000, 1_500_000)] == ["950", "20 k", "1.5 M"]


def test_a_long_curve_is_thinned_and_keeps_its_peak() -> None:
    points = [(float(i), float(i == 777)) for i in range(5_000)]
    drawn = thinned(points)
    assert len(drawn) <= 322
    assert (drawn[0], drawn[-1]) == (points[0], points[-1])
    assert max(y for _, y in drawn) == 1


def test_charts_say_in_words_what_they_show_and_escape_what_they_are_given() -> None:
    chart = Chart("A <title>", 'A "summary"', [Series("<script>", [(0, 1), (9, 5)])], number).svg(400, 200)
    assert 'role="img" aria-label="A &lt;title&gt;. A &quot;summary&quot;"' in chart
    assert "&lt;script&gt;" in chart
    bars = Bars("Waits", "", [(0, 10, 3), (10, 20, 5)], [("median 9 s", 9)]).svg(400, 200)
    assert "<title>10 s to 20 s: 5</title>" in bars


NOTHING = [Chart("", "", [], number), Chart("", "", [Series("", [])], number), Bars("", "", [])]


@pytest.mark.parametrize("chart", NOTHING)
def test_a_chart_of_nothing_is_drawn_all_the_same(chart: Chart | Bars) -> None:
    assert chart.svg(400, 200).startswith("<svg ")


def test_the_json_says_what_the_findings_say() -> None:
    report = a_rehearsal()
    told, seen = json.loads(report.to_json()), report.findings
    assert told["verdict"] == seen.verdict == "1 of 5 promises broken"
    assert told["wait_s"]["p50_s"] == pytest.approx(seen.waits.p50_s, abs=1e-3)
    assert sum(told["visitors"][name] for name in ("went_in", "left", "still_waiting", "refused", "failed")) == 600
    assert told["errors"] == {"site: answered 502": 3}
    assert len(told["samples"]) <= 1_000


def test_a_rehearsal_in_which_nothing_happened_has_a_report() -> None:
    nothing = findings(replace(record(), was_stopped="It was interrupted."))
    page = Report(nothing, "site", "now").to_html()
    assert "Not finished; no promise broken so far" in page
    assert json.loads(Report(nothing, "site", "now").to_json())["visitors"]["arrived"] == 0


def test_a_plan_begins_with_how_long_the_line_lasts() -> None:
    report = a_plan()
    assert report.headline == f"The line lasts {duration(round(report.findings.line_ends_s))}"
    calm = planned(Habits(5, 60.0), FAST, 10_000)
    assert Report(calm, "site", "now").headline == "Nobody has to wait"


@needs_chromium
@pytest.mark.parametrize("report", [a_plan(), a_rehearsal()], ids=["plan", "rehearsal"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1_280])
async def test_it_opens_from_a_file_asks_nobody_and_anyone_can_read_it(
    tmp_path: Path, report: Report, scheme: str, width: int
) -> None:
    path = tmp_path / "report.html"
    path.write_text(report.to_html())
    asked: list[str] = []
    complaints: list[str] = []
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]  # one of these
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(path.as_uri())
        assert await page.locator("h1").inner_text() == f"{report.headline}."
        assert await violations(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        charts = await page.locator("svg:visible").count()
        await page.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
    assert charts == (6 if report.findings.is_plan else 7)
