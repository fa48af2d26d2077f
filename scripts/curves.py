"""Draws curves over time as an SVG picture, for the documentation."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, PANEL, GAP, LEFT, RIGHT, TOP = 860, 210, 62, 66, 18, 44
INK, SOFT, LINE = "#1c2526", "#5b6467", "#d9dcda"


@dataclass(frozen=True)
class Curve:
    """Points (s, value), from left to right."""

    name: str
    color: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Mark:
    """A dashed line: across at a value, with its name at the left, or down at a time, with its name at the top."""

    name: str
    at: float


@dataclass(frozen=True)
class Panel:
    """Curves with one axis of values, from the first of the ticks to the last; these are named."""

    title: str
    ticks: Sequence[float]
    curves: Sequence[Curve]
    levels: Sequence[Mark] = ()
    is_logarithmic: bool = False


def picture(panels: Sequence[Panel], seconds: float, moments: Sequence[Mark]) -> str:
    """The panels, one above the other, over the same time."""
    height = TOP + len(panels) * (PANEL + GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for index, panel in enumerate(panels):
        top = TOP + index * (PANEL + GAP)
        lines += _Frame(panel, top, seconds).draw(moments, are_named=index == 0)
    return "\n".join([*lines, "</svg>", ""])


@dataclass(frozen=True)
class _Frame:
    panel: Panel
    top: float
    seconds: float

    def draw(self, moments: Sequence[Mark], *, are_named: bool) -> Iterator[str]:
        yield label(LEFT, self.top - 14, self.panel.title, weight=700)
        yield from self._legend()
        yield from self._grid()
        for moment in moments:
            x = self._x(moment.at)
            yield _dashed(x, self.top, x, self.top + PANEL)
            if are_named:
                yield label(x + 5, self.top + 14, moment.name, color=SOFT)
        for level in self.panel.levels:
            y = self._y(level.at)
            yield _dashed(LEFT, y, WIDTH - RIGHT, y)
            yield label(WIDTH - RIGHT - 4, y - 5, level.name, color=SOFT, anchor="end")
        for curve in self.panel.curves:
            points = " ".join(f"{self._x(at):.1f},{self._y(value):.1f}" for at, value in curve.points)
            yield f'<polyline points="{points}" fill="none" stroke="{curve.color}" stroke-width="2"/>'

    def _legend(self) -> Iterator[str]:
        x = WIDTH - RIGHT
        for curve in reversed(self.panel.curves):
            x -= 7 * len(curve.name)
            yield label(x, self.top - 14, curve.name)
            x -= 26
            yield f'<path d="M{x} {self.top - 18}h20" stroke="{curve.color}" stroke-width="3"/>'
            x -= 18

    def _grid(self) -> Iterator[str]:
        for tick in self.panel.ticks:
            y = self._y(tick)
            yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{LINE}"/>'
            yield label(LEFT - 8, y + 4, f"{tick:,.0f}", color=SOFT, anchor="end")
        for at in range(0, int(self.seconds) + 1, 30):
            yield label(self._x(at), self.top + PANEL + 18, f"{at} s", color=SOFT, anchor="middle")

    def _x(self, at: float) -> float:
        return LEFT + at / self.seconds * (WIDTH - LEFT - RIGHT)

    def _y(self, value: float) -> float:
        least, most = self.panel.ticks[0], self.panel.ticks[-1]
        value = min(max(value, least), most)
        if self.panel.is_logarithmic:
            share = math.log(value / least) / math.log(most / least)
        else:
            share = (value - least) / (most - least)
        return self.top + PANEL * (1 - share)


def _dashed(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" stroke="{SOFT}" stroke-dasharray="5 4"/>'


def label(x: float, y: float, text: str, *, color: str = INK, anchor: str = "start", weight: int = 400) -> str:
    """A line of text, that begins, ends or has its middle there."""
    look = f'fill="{color}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(text)}</text>'
