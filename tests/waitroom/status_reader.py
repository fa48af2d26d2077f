"""A reader of the public status of a line: who knows its number works out its place, by the rules of docs/place-api.md.
Written from them, and not from waitroom's own."""

import math
from typing import Any


def read(status: dict[str, Any], number: int) -> tuple[int, tuple[int, int] | None]:
    """The position of a number that was not called yet, and the range of its wait in seconds."""
    position: int = status["late"] + 1 + _present_before(status, number)
    return position, _wait(status["pace"], position) if status["pace"] else None


def _present_before(status: dict[str, Any], number: int) -> int:
    present: int = status["waiting"] - status["late"]
    rank, at = 0, status["head"]
    for step in status["steps"]:
        following = min(present, rank + max(1, rank // 16))
        if number <= at + step:
            return rank + int((number - at - 1) * (following - rank) // step)
        rank, at = following, at + step
    return present


def _wait(pace: dict[str, float], position: int) -> tuple[int, int]:
    rate, vanishing = pace["rate_per_s"], pace["vanishing_per_s"]

    def passed(calls: float, per_s: float) -> float:
        return math.log1p(vanishing * calls / per_s) / vanishing if vanishing else calls / per_s

    def wait(turnover: float) -> float:
        if rate <= turnover:
            return passed(position, rate)
        first = min(position, pace["free"] * rate / (rate - turnover))
        return passed(first, rate) + passed(position - first, turnover)

    return math.floor(wait(pace["fast_per_s"]) * 0.8), math.ceil(wait(pace["slow_per_s"]) * 1.25)
