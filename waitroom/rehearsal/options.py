"""What the commands of a rehearsal are told: the kinds of values, and the habits of a crowd."""

import re
from collections.abc import Callable
from typing import Any

import click

from waitroom.rehearsal.crowd import Habits

UNITS_S = {"h": 3_600, "m": 60, "s": 1}
LONGEST_S = 7 * 86_400
MOST_VISITORS = 10_000_000


class Duration(click.ParamType[float]):
    """A time such as 90s, 10m or 1h30m; a bare number is seconds. Gives seconds, `least` or more."""

    name = "duration"

    def __init__(self, least: float = 0.001) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        match = re.fullmatch(r"(?=.)(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s?)?", value.strip().lower())
        try:
            parts = [float(part or 0) for part in match.groups()] if match else None
        except ValueError:
            parts = None
        if parts is None:
            self.fail(f'{value!r} is no time: say for instance "90s", "10m" or "1h30m"', param, ctx)
        seconds = sum(part * unit for part, unit in zip(parts, UNITS_S.values(), strict=True))
        if not self._least <= seconds <= LONGEST_S:
            self.fail(f"{value!r} should be {self._least:g} s at least, and a week at most", param, ctx)
        return seconds


class Share(click.ParamType[float]):
    """A share such as 0.3 or 30%."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f'{value!r} is no share: say for instance "0.3" or "30%"', param, ctx)
        return share


CROWD_OPTIONS = (
    click.option(
        "--visitors", type=click.IntRange(1, MOST_VISITORS), default=2_000, show_default=True, help="How many come."
    ),
    click.option("--over", "over_s", type=Duration(), default="10m", show_default=True, help="Within which time."),
    click.option(
        "--leave", type=Share(), default="0.3", show_default=True, help="The share that loses patience while it waits."
    ),
    click.option("--come-back", type=Share(), default="0.25", show_default=True, help="Of these, who come back later."),
    click.option(
        "--stay", "stay_s", type=Duration(0), default="60s", show_default=True, help="How long a visitor stays inside."
    ),
    click.option(
        "--think", "think_s", type=Duration(0.1), default="5s", show_default=True, help="Between two requests inside."
    ),
    click.option(
        "--lapse", type=Share(), default="0.3", show_default=True, help="The share that goes without leaving its place."
    ),
    click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same crowd."),
)
Command = Callable[..., Any]


def crowd_options(command: Command) -> Command:
    """Gives a command the options that describe a crowd; it gets them as `crowd`, for `habits`."""
    for option in reversed(CROWD_OPTIONS):
        command = option(command)
    return command


def habits(crowd: dict[str, Any]) -> Habits:
    """The habits that these options describe."""
    return Habits(**crowd)
