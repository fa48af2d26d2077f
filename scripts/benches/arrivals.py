"""When an open loop asks: moments in seconds from its start, ascending, whatever the server makes of them."""

from itertools import accumulate, takewhile
from random import Random


def evenly(per_s: float, seconds: float) -> list[float]:
    """The same time after each other, as a program asks."""
    return [number / per_s for number in range(round(per_s * seconds))]


def by_chance(per_s: float, seconds: float, chance: Random) -> list[float]:
    """As people come who know nothing of each other: a Poisson process. How many come is a matter of chance, too."""
    gaps = iter(lambda: chance.expovariate(per_s), None)
    return list(takewhile(lambda moment: moment < seconds, accumulate(gaps)))


def opening(visitors: int, seconds: float, share: float, rush_s: float, chance: Random) -> list[float]:
    """So many people at the opening of a sale: a `share` of them comes within `rush_s`, most of these at once; the
    others all the time, by chance. Given how many come, the moments of a Poisson process are spread evenly."""
    rush = round(visitors * share)
    first = [rush_s * chance.random() ** 2 for _ in range(rush)]
    return sorted(first + [chance.uniform(0, seconds) for _ in range(visitors - rush)])
