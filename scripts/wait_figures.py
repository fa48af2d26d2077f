"""Judges what visitors are told of their wait: simulated sales of many shapes, and how many of the waits that came true
lay within the range shown on arrival, and after a quarter, a half and three quarters of the wait.

Sales differ by how many come, how fast, how long they stay and how many leave or lapse, by rate, cap and lease, and in
a fourth of them the rate is turned in the midst. The line is the modelled one, and the ranges are the product's own. A
range counts as it is shown, in whole minutes or half hours. Who walked away for a while is left out.
"""

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import median

import click
from rich.console import Console

from waitroom.estimate import Estimate
from waitroom.limits import Limits
from waitroom.rehearsal.crowd import Crowd, Habits
from waitroom.rehearsal.forecast import forecast
from waitroom.rehearsal.modelled_line import ModelledLine
from waitroom.rehearsal.record import WENT_IN
from waitroom.words import LONGEST_IN_MINUTES_S, MINUTE_S

MOST_VISITORS = 6_000
LONGEST_S = 7_200.0
# Of each sale, so many are asked what they were told.
ASKED = 80
QUARTERS = (0.0, 0.25, 0.5, 0.75)
# Shorter waits are over before anybody has read what they were told.
LEAST_S = 5.0
# A called visitor learns of it by the next poll.
SLACK_S = 3.0
COLUMNS = ("shape", "sales with a line", "ranges", "on arrival", "¼", "½", "¾", "all", "all, to the second", "width")
console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Sale:
    """A crowd before a line. `turned` says whether the rate is turned in its midst."""

    habits: Habits
    limits: Limits
    turns: tuple[tuple[float, Limits], ...]

    @property
    def shape(self) -> str:
        """How it is called in the table."""
        if self.turns:
            return "the rate is turned"
        binds = "the cap binds" if self.limits.cap < MOST_VISITORS else "the rate binds"
        return f"{binds}, a {'burst' if self.habits.over_s <= MINUTE_S else 'stream'}"


@dataclass(frozen=True)
class Told:
    """A range as it was told, after a share of the wait, and the wait that was left then; seconds."""

    quarter: float
    low_s: int
    high_s: int
    left_s: float

    @property
    def shown_s(self) -> tuple[float, float]:
        """The range in the words of the page: in minutes, rounded outward."""
        unit_s = MINUTE_S if self.high_s <= LONGEST_IN_MINUTES_S else MINUTE_S * 30
        return self.low_s // unit_s * unit_s, math.ceil(self.high_s / unit_s) * unit_s

    def is_within(self, low_s: float, high_s: float) -> bool:
        return low_s - SLACK_S <= self.left_s <= high_s + SLACK_S


def a_sale(seed: int) -> Sale:
    """One of as many as there are seeds."""
    chance = random.Random(seed)
    rate = chance.choice([60, 200, 600, 1_200])
    stay_s = chance.choice([20.0, 60.0, 180.0])
    minutes = chance.uniform(1.5, 12)
    is_capped = chance.random() < 0.6
    limits = _limits(
        rate,
        cap=max(5, int(rate / 60 * stay_s * chance.uniform(0.3, 0.9))) if is_capped else MOST_VISITORS,
        session_s=chance.choice([120, 300, 600]),
    )
    habits = Habits(
        visitors=min(MOST_VISITORS, max(150, int(rate * minutes))),
        over_s=chance.choice([10.0, 60.0, 300.0, 900.0]),
        leave=chance.choice([0, 0.1, 0.3, 0.5]),
        stay_s=stay_s,
        lapse=chance.choice([0, 0.1, 0.3, 0.6]),
        seed=seed,
    )
    if chance.random() >= 0.25:
        return Sale(habits, limits, ())
    turned = _limits(int(rate * chance.choice([0.5, 0.7, 1.5, 2])), limits.cap, limits.session_ms // 1000)
    return Sale(habits, limits, ((chance.uniform(30, minutes * MINUTE_S * 0.7), turned),))


def _limits(rate_per_minute: int, cap: int, session_s: int) -> Limits:
    return Limits(
        version=1,
        edited_ms=0,
        mode="auto",
        rate_per_minute=rate_per_minute,
        burst=math.ceil(rate_per_minute / 60) + 1,
        cap=cap,
        claim_ms=60_000,
        presence_ms=60_000,
        session_ms=session_s * 1000,
    )


class Asked:
    """Some of a crowd, and what each was told while it waited, second by second."""

    def __init__(self, crowd: Crowd, chance: random.Random) -> None:
        self._crowd = crowd
        self._some = chance.sample(range(len(crowd)), min(ASKED, len(crowd)))
        self.told: dict[int, list[tuple[float, tuple[int, int]]]] = defaultdict(list)

    def watch(self, now_s: float, line: ModelledLine, estimate: Estimate) -> None:
        """Notes what everybody of them is told now."""
        for i in self._some:
            if self._crowd.arrives_s[i] <= now_s and i + 1 > line.head:
                wait_s = estimate.wait_s(line.position(i + 1))
                if wait_s:
                    self.told[i].append((now_s, wait_s))


def judged(seed: int) -> tuple[str, list[Told]]:
    """The shape of a sale, and what was told to those who waited in it."""
    sale = a_sale(seed)
    crowd = Crowd.of(sale.habits)
    asked = Asked(crowd, random.Random(seed))
    fates = forecast(crowd, sale.limits, 1_000, LONGEST_S, turns=sale.turns, watch=asked.watch).fates
    found = []
    for i, told in asked.told.items():
        if fates.fate[i] != WENT_IN or fates.was_away[i] or fates.told_high_s[i] < 0:
            continue
        arrived_s, entered_s = fates.arrived_s[i], fates.entered_s[i]
        for quarter in QUARTERS:
            at_s = arrived_s + quarter * (entered_s - arrived_s)
            seen_s, (low_s, high_s) = max((one for one in told if one[0] <= at_s), default=told[0])
            if entered_s - seen_s >= LEAST_S:
                found.append(Told(quarter, low_s, high_s, entered_s - seen_s))
    return sale.shape, found


@click.command()
@click.option("--sales", default=200, show_default=True, help="How many sales.")
@click.option("--processes", default=2, show_default=True, help="How many are simulated at a time.")
def main(sales: int, processes: int) -> None:
    """Simulate sales, and print the table as Markdown."""
    shapes: dict[str, list[Told]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    with ProcessPoolExecutor(processes) as pool:
        for shape, told in pool.map(judged, range(sales)):
            shapes[shape] += told
            counts[shape] += bool(told)
    console.print(f"| {' | '.join(COLUMNS)} |")
    console.print("|---" * len(COLUMNS) + "|")
    for shape in sorted(shapes):
        _print(shape, counts[shape], shapes[shape])
    _print("**all**", sum(counts.values()), [one for some in shapes.values() for one in some])


def _print(shape: str, sales: int, told: Sequence[Told]) -> None:
    """A row: the width is the median of the longest over the shortest, each with a minute added."""
    if not told:
        return
    quarters = [_share([one for one in told if one.quarter == quarter]) for quarter in QUARTERS]
    exact = sum(one.is_within(one.low_s, one.high_s) for one in told) / len(told)
    width = median((one.high_s + MINUTE_S) / (one.low_s + MINUTE_S) for one in told)
    shares = " | ".join(f"{share:.1%}" for share in [*quarters, _share(told), exact])
    console.print(f"| {shape} | {sales} | {len(told):,} | {shares} | {width:.1f} |")


def _share(told: Sequence[Told]) -> float:
    """Of those, how many waited as long as they were shown."""
    return sum(one.is_within(*one.shown_s) for one in told) / len(told) if told else math.nan


if __name__ == "__main__":
    main()
