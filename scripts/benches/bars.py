"""Draws a chart, bars with whiskers that span the runs behind them, as an SVG picture that GitHub shows."""

import math
from collections.abc import Iterator
from html import escape

from scripts.benches.findings import Bar, Chart, number
from scripts.curves import INK, LINE, SOFT, label

WIDTH, ROW, TOP, BOTTOM, RIGHT = 860, 34, 58, 34, 76
THICK, WHISKER = 18, 5
# Of a letter, about: SVG can't measure.
LETTER = 7.2
OURS, OTHERS = "#0f766e", "#a8b5b8"
TICKS = 5


def picture(chart: Chart) -> str:
    """All bars begin at zero; those of waitroom are in a colour of their own."""
    left = 16 + LETTER * max(len(bar.name) for bar in chart.bars)
    scale = _Scale(left, max(bar.value.most for bar in chart.bars))
    bottom = TOP + ROW * len(chart.bars)
    title = f"{chart.title} ({chart.unit})" if chart.unit else chart.title
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + BOTTOM}" '
        f'font-family="system-ui, sans-serif" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{bottom + BOTTOM}" fill="#fff"/>',
        label(16, 28, title, weight=700),
        *scale.draw(bottom),
    ]
    for index, bar in enumerate(chart.bars):
        lines += _bar(bar, TOP + ROW * index, scale)
    return "\n".join([*lines, "</svg>", ""])


class _Scale:
    """From zero to the first step beyond the largest value."""

    def __init__(self, left: float, most: float) -> None:
        rough = (most or 1) / TICKS
        magnitude = float(10 ** math.floor(math.log10(rough)))
        self._step = magnitude * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= rough)
        self._ticks = math.ceil(most / self._step)
        self._left = left

    def x(self, value: float) -> float:
        return self._left + value / (self._step * self._ticks) * (WIDTH - RIGHT - self._left)

    def draw(self, bottom: float) -> Iterator[str]:
        for tick in range(self._ticks + 1):
            x = self.x(tick * self._step)
            yield f'<path d="M{x:.1f} {TOP - 8}V{bottom}" stroke="{INK if tick == 0 else LINE}"/>'
            yield label(x, bottom + 20, f"{tick * self._step:,.12g}", color=SOFT, anchor="middle")


def _bar(bar: Bar, top: float, scale: _Scale) -> Iterator[str]:
    middle, value = top + ROW / 2, bar.value
    is_ours = bar.name.startswith("waitroom")
    start, end, least, most = (scale.x(each) for each in (0, value.median, value.least, value.most))
    yield label(start - 8, middle + 4, bar.name, anchor="end", weight=700 if is_ours else 400)
    yield (
        f'<rect x="{start:.1f}" y="{middle - THICK / 2}" width="{end - start:.1f}" height="{THICK}" '
        f'fill="{OURS if is_ours else OTHERS}"/>'
    )
    if value.least < value.most:
        cap = f"m0 {-WHISKER}v{2 * WHISKER}"
        yield (
            f'<path d="M{least:.1f} {middle}{cap}M{least:.1f} {middle}H{most:.1f}{cap}" stroke="{INK}" fill="none" '
            f'stroke-width="1.5"/>'
        )
    yield label(max(end, most) + 8, middle + 4, number(value.median))
