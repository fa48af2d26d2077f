"""Charts as SVG, drawn by hand so that a report needs nothing but itself: lines over time, and bars. Pure.

A chart is drawn for a width in px, at which its text has the size that it should have. Its colours are the page's.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

Point = tuple[float, float]
Format = Callable[[float], str]
Style = Literal["line", "area", "limit", "band"]

TOP, RIGHT, BOTTOM, LEFT = 14, 16, 30, 60
# More points than these can't be told apart.
MOST_POINTS = 320
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400)
PX_PER_MARK = 90


@dataclass(frozen=True, slots=True)
class Series:
    """Points by ascending x. A "limit" is dashed; a "band" lies between `points` and `upper`."""

    name: str
    points: Sequence[Point]
    style: Style = "line"
    upper: Sequence[Point] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """`title` says what it shows, and `summary` what it says, to who can't see it. x is seconds."""

    title: str
    summary: str
    series: Sequence[Series]
    y_format: Format
    y_is_time: bool = False

    def svg(self, width: int, height: int) -> str:
        """Lines over time."""
        drawn = [series for series in self.series if series.points]
        ends = [point for series in drawn for point in (*series.points, *series.upper)]
        across = _Axis(max([x for x, _ in ends] or [1.0]), LEFT, width - RIGHT, is_time=True)
        up = _Axis(max([y for _, y in ends] or [1.0]) * 1.06, height - BOTTOM, TOP, is_time=self.y_is_time)
        parts = [*_grid(across, up, duration, self.y_format)]
        parts += [_drawn(series, place, across, up) for place, series in enumerate(drawn)]
        return _framed("".join(parts), width, height, self.title, self.summary)


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars (from, to, height) along seconds, and marks with a name at some of them."""

    title: str
    summary: str
    bars: Sequence[tuple[float, float, int]]
    marks: Sequence[tuple[str, float]] = ()

    def svg(self, width: int, height: int) -> str:
        across = _Axis(max([end for _, end, _ in self.bars] or [1.0]), LEFT, width - RIGHT, is_time=True)
        up = _Axis(max([count for *_, count in self.bars] or [1]) * 1.35, height - BOTTOM, TOP)
        parts = [*_grid(across, up, duration, short)]
        for start, end, count in self.bars:
            left, top = across.at(start) + 0.75, up.at(count)
            size = f'width="{across.at(end) - left - 0.75:.1f}" height="{up.low - top:.1f}"'
            told = f"<title>{duration(start)} to {duration(end)}: {count:,}</title>"
            parts.append(f'<rect class="bar" x="{left:.1f}" y="{top:.1f}" {size}>{told}</rect>')
        for i, (name, at_s) in enumerate(self.marks):
            x, y = across.at(at_s), TOP + 10 + 15 * i
            parts.append(f'<path class="mark" d="M{x:.1f} {TOP}V{up.low:.1f}"/>')
            anchor, dx = ("end", -5) if x > width * 0.7 else ("start", 5)
            parts.append(f'<text x="{x + dx:.1f}" y="{y}" text-anchor="{anchor}" class="name">{escape(name)}</text>')
        return _framed("".join(parts), width, height, self.title, self.summary)


class _Axis:
    """From 0 to a most, between two places in px."""

    def __init__(self, most: float, low: float, high: float, *, is_time: bool = False) -> None:
        self.most = most or 1.0
        self.low = low
        self.high = high
        self._is_time = is_time

    def at(self, value: float) -> float:
        return self.low + (self.high - self.low) * value / self.most

    def marks(self) -> Iterator[float]:
        """Round values, as many as have room."""
        room = max(2, int(abs(self.high - self.low) // (PX_PER_MARK if self.high > self.low else PX_PER_MARK // 2)))
        step = self._step(room)
        value = 0.0
        while value <= self.most * 1.0001:
            yield value
            value += step

    def _step(self, room: int) -> float:
        if self._is_time and self.most > 1:
            return next((step for step in STEPS_S if self.most / step <= room), self.most / room)
        step = 10.0**-6
        while True:
            for factor in (1, 2, 5):
                if self.most / (step * factor) <= room:
                    return step * factor
            step *= 10


def duration(seconds: float) -> str:
    """As short as it can be said: "40 s", "12 min", "1 h 30"."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0"
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 3_600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h" + (f" {minutes:02}" if minutes else "")


def number(value: float) -> str:
    """With as many digits as it needs."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3g}"


def short(value: float) -> str:
    """As it has room beside an axis: "950", "20 k", "1.5 M"."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:g} M"
    return f"{value / 1_000:g} k" if value >= 10_000 else number(value)


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """As many as can be told apart: of each stretch the highest, and the ends."""
    if len(points) <= most:
        return list(points)
    size = -(-len(points) // most)
    peaks = [max(points[i : i + size], key=lambda point: point[1]) for i in range(0, len(points), size)]
    return [points[0], *peaks[1:-1], points[-1]]


def _framed(inner: str, width: int, height: int, title: str, summary: str) -> str:
    label = escape(f"{title}. {summary}", quote=True)
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{inner}</svg>'


def _grid(across: _Axis, up: _Axis, x_format: Format, y_format: Format) -> Iterator[str]:
    for value in up.marks():
        y = up.at(value)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{across.high}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(y_format(value))}</text>'
    for value in across.marks():
        x = across.at(value)
        yield f'<text x="{x:.1f}" y="{up.low + 20:.1f}" text-anchor="middle">{escape(x_format(value))}</text>'


def _drawn(series: Series, place: int, across: _Axis, up: _Axis) -> str:
    line = _path(series.points, across, up)
    name = f"<title>{escape(series.name)}</title>"
    if series.style == "band":
        back = _path(list(reversed(series.upper)), across, up).replace("M", "L", 1)
        return f'<path class="band c{place}" d="{line}{back}Z">{name}</path>'
    if series.style == "area":
        first, last = (f"{across.at(series.points[end][0]):.1f} {up.low:.1f}" for end in (0, -1))
        fill = f'<path class="area c{place}" d="M{first}{line.replace("M", "L", 1)}L{last}Z"/>'
        return f'{fill}<path class="line c{place}" d="{line}">{name}</path>'
    return f'<path class="{series.style} c{place}" d="{line}">{name}</path>'


def _path(points: Sequence[Point], across: _Axis, up: _Axis) -> str:
    places = [f"{across.at(x):.1f} {up.at(y):.1f}" for x, y in points]
    return f"M{'L'.join(places)}" if places else ""
