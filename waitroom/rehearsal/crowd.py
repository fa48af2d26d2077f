"""A crowd: when each visitor comes, how long its patience lasts, and what it does inside. The same habits and seed give
the same crowd, to a rehearsal over HTTP as to a plan."""

import random
from array import array
from dataclasses import dataclass

# Of the time that visitors stay, and that passes between two of their requests, each takes this share, evenly spread.
SPREAD = (0.5, 1.5)
# Who comes back does so within this time, and within that in which the crowd comes.
AWAY_S = 300.0
# A patience beyond any wait.
PATIENT = float("inf")


@dataclass(frozen=True, slots=True)
class Habits:
    """What a crowd does, by shares in [0, 1] and means in seconds.

    So many `visitors` come over `over_s`, at random moments. Of those, `leave` lose patience while they wait, and of
    these `come_back` ask again some minutes later. Inside, a visitor stays for about `stay_s` and asks for something
    about every `think_s`; then it gives its place back or, for the share `lapse`, just goes, and its lease runs out.
    """

    visitors: int
    over_s: float
    leave: float = 0.3
    come_back: float = 0.25
    stay_s: float = 60.0
    think_s: float = 5.0
    lapse: float = 0.3
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Crowd:
    """One column for each trait, in the order of arrival.

    `arrives_s` counts from the beginning. `patience` is the share of the wait that a visitor is told on arrival after
    which it gives up, PATIENT where it does not; `away_s` is how long it is away then, PATIENT if for good.
    """

    habits: Habits
    arrives_s: "array[float]"
    patience: "array[float]"
    away_s: "array[float]"
    stay_s: "array[float]"
    lapses: bytearray

    def __len__(self) -> int:
        return len(self.arrives_s)

    @classmethod
    def of(cls, habits: Habits) -> "Crowd":
        """Draws each trait by chance from the seed."""
        chance = random.Random(habits.seed)
        draw = chance.random
        everybody = range(habits.visitors)
        low, high = SPREAD
        arrives_s = array("d", sorted([draw() * habits.over_s for _ in everybody]))
        patience = array("d", [draw() if draw() < habits.leave else PATIENT for _ in everybody])
        longest_s = min(AWAY_S, habits.over_s)
        away_s = array("d", [draw() * longest_s if draw() < habits.come_back else PATIENT for _ in everybody])
        stay_s = array("d", [habits.stay_s * (low + (high - low) * draw()) for _ in everybody])
        lapses = bytearray([draw() < habits.lapse for _ in everybody])
        return cls(habits, arrives_s, patience, away_s, stay_s, lapses)
