"""Lines of waiting visitors for benchmarks, built as visitors build them: each number is joined for, and whoever waits
has polled once. One number in four is of a visitor who left."""

import random
from collections.abc import Sequence

from redis import Redis

from waitroom.store import script
from waitroom.store_keys import line_keys

BATCH = 1_000
REDIS_CLOCK = ""
# Of a process that knows nothing of the line: it is there already, with its limits.
KNOWN_LIMITS = (0, 0, "queue", 1, 1, 1, 60_000, 60_000, 60_000, 0, 0, "", 0, 0, 0)
KNOWN = (0, 0, 0, 0, "", 0)


def numbers_of(runs: Sequence[int]) -> list[int]:
    """The numbers that a reply of join.lua has given: kind, the first of them, and how many, again and again."""
    firsts = zip(runs[1::3], runs[2::3], strict=True)
    return [first + i for first, count in firsts for i in range(count)]


def some_of(numbers: Sequence[int], chance: random.Random) -> list[int]:
    """Three in four, by chance."""
    return [number for number in numbers if chance.random() < 0.75]


def spread(numbers: Sequence[int], count: int, first: int = 0) -> list[int]:
    """So many of the numbers, evenly over all of them but the first ones."""
    rest = len(numbers) - first
    return [numbers[first + i * rest // count] for i in range(count)]


def let_come(redis: Redis, line: str, waiting: int) -> list[int]:
    """Lets as many visitors come to a line that a waitroom drives as it takes for so many to wait; gives the numbers of
    those, in order."""
    keys = line_keys(line)
    join, poll = redis.register_script(script("join")), redis.register_script(script("poll"))
    chance = random.Random(waiting)
    present: list[int] = []
    while len(present) < waiting:
        _epoch, _lease_end_ms, *runs = join(keys, [REDIS_CLOCK, BATCH, *KNOWN_LIMITS, *KNOWN])
        stay = some_of(numbers_of(runs), chance)[: waiting - len(present)]
        poll(keys, [REDIS_CLOCK, *stay])
        present += stay
    return present
