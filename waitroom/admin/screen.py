"""The desk on a terminal: what `waitroom top` shows of a state, as rich has it."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from waitroom.admin.shapes import OverrideFigures, RoomFigures, State

BARS = "▁▂▃▄▅▆▇█"
TREND = 40
UNKNOWN = "-"
MODE_STYLES = {"auto": "green", "queue": "green", "hold": "yellow", "open": "yellow", "closed": "red"}


class Trends:
    """How many waited in each room, and how many were called a minute, in the last looks."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[deque[float], deque[float]]] = {}

    def note(self, state: State) -> None:
        for room in state["rooms"]:
            waiting, calls = self._seen.setdefault(room["name"], (deque(maxlen=TREND), deque(maxlen=TREND)))
            waiting.append(room["waiting"])
            calls.append(room["measured_per_minute"] or 0.0)

    def of(self, room: str) -> tuple[str, str]:
        """Of those who waited, and of the calls."""
        waiting, calls = self._seen.get(room, (deque(), deque()))
        return sparkline(waiting), sparkline(calls)


def sparkline(values: Iterable[float]) -> str:
    """From nothing to the highest of them."""
    known = list(values)
    most = max(known, default=0.0) or 1.0
    return "".join(BARS[round(value / most * (len(BARS) - 1))] for value in known)


def screen(state: State, trends: Trends, most_lines: int = 10) -> Group:
    """All rooms, each with its fullest lines."""
    rooms = [_room(room, trends.of(room["name"]), most_lines) for room in state["rooms"]]
    return Group(_head(state), *_alerts(state), *rooms)


def _head(state: State) -> Text:
    time = datetime.fromtimestamp(state["now_ms"] / 1000).astimezone().strftime("%H:%M:%S")
    count = len(state["processes"])
    return Text(f"waitroom  {time}  {count} process{'' if count == 1 else 'es'}  config version {state['version']}")


def _alerts(state: State) -> list[Text]:
    lost = [f"Redis is lost for {room['name']}: places are kept" for room in state["rooms"] if room["store_lost"]]
    faults = [f"The origin {one['url']} is {one['why_not']}: {one['fault']}" for one in state["origin_faults"]]
    refused = [f"Refused configuration: {fault}" for fault in state["config_faults"]]
    return [Text(text.removesuffix(": "), style="bold red") for text in [*lost, *faults, *refused]]


def _room(room: RoomFigures, trends: tuple[str, str], most_lines: int) -> Panel:
    title = Text.assemble((room["title"], "bold"), "  ", (room["mode"], MODE_STYLES[room["mode"]]))
    parts: list[RenderableType] = [_figures(room, trends)]
    if room["overrides"]:
        parts.append(Text("\n".join(map(_override, room["overrides"])), style="yellow"))
    if adaptive := room["adaptive"]:
        parts.append(Text(f"adaptive: {adaptive['state']}, {adaptive['rate_per_minute']:,}/min ({adaptive['reason']})"))
    if room["has_keys"] and room["lines"]:
        parts.append(_lines(room, most_lines))
    return Panel(Group(*parts), title=title, title_align="left")


def _figures(room: RoomFigures, trends: tuple[str, str]) -> Table:
    limits, origin, waits = room["limits"], room["origin"], room["wait_s"]
    waiting, calls = trends
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, overflow="crop")
    cap = limits["cap"] * max(1, room["line_count"])
    table.add_row("inside", f"{room['inside']:,} / {cap:,}", ProgressBar(cap, min(room["inside"], cap), width=TREND))
    table.add_row("waiting", f"{room['waiting']:,}", Text(waiting, style="cyan"))
    rate = f"{_number(room['measured_per_minute'])} / {limits['rate_per_minute']:,}"
    table.add_row("calls/min", rate, Text(calls, style="green"))
    table.add_row("joins/min", _number(room["joins_per_minute"]), f"no-shows {_share(room['no_show_share'])}")
    table.add_row("let in after", _seconds(waits["p50"]), f"9 in 10 within {_seconds(waits['p90'])}")
    errors = f"errors {_share(origin['error_share'])}, {origin['up']} of {origin['of']} up, {origin['busy']} under way"
    table.add_row("origin p50/p95", f"{_ms(origin['p50_ms'])} / {_ms(origin['p95_ms'])}", errors)
    return table


def _lines(room: RoomFigures, most: int) -> Table:
    table = Table("line", box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("inside", "waiting", "late", "calls/min"):
        table.add_column(name, justify="right")
    for line in room["lines"][:most]:
        figures = [line["inside"], line["waiting"], line["late"], line["measured_per_minute"]]
        table.add_row(line["key"], *map(_number, figures))
    if room["line_count"] > most:
        table.add_row(f"and {room['line_count'] - most:,} more", style="dim")
    return table


def _override(override: OverrideFigures) -> str:
    until_ms = override["until_ms"]
    end = datetime.fromtimestamp(until_ms / 1000).astimezone().strftime("%H:%M") if until_ms else "it is cleared"
    why = f" ({override['why']})" if override["why"] else ""
    return f"{override['knob']} = {override['value']!r} until {end}, by {override['who']}{why}"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f}"


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1%}"


def _ms(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.0f} ms"


def _seconds(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:,.0f} s" if value < 90 else f"{value / 60:,.0f} min"
