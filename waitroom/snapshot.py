"""A line as one process saw it last: enough to tell any visitor's position without asking Redis again."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

from waitroom.limits import Limits, Phase

# The present are counted up to each block of so many numbers once a snapshot; within a block, for each number. So many
# bits are counted nearly as fast as a few: a position takes as long in a short line as in a long one.
BLOCK = 2048
BLOCK_BYTES = BLOCK // 8


class Present:
    """The numbers that are present, by a bitmap that begins with the number `start`, the high bit first: how many stand
    before any of them. `total` is how many there are."""

    __slots__ = ("_before", "_blocks", "_size", "_start", "total")

    def __init__(self, start: int, here: bytes) -> None:
        whole = here.ljust(-(-len(here) // BLOCK_BYTES) * BLOCK_BYTES, b"\0")
        self._start = start
        self._size = len(whole) * 8
        self._blocks = [int.from_bytes(whole[at : at + BLOCK_BYTES]) for at in range(0, len(whole), BLOCK_BYTES)]
        self._before = list(accumulate((block.bit_count() for block in self._blocks), initial=0))
        self.total = self._before[-1]

    def at(self, rank: int) -> int:
        """Which of the present numbers has this rank, counted from 1."""
        block = bisect_left(self._before, rank) - 1
        bits, rest = self._blocks[block], rank - self._before[block]
        within = bisect_left(range(BLOCK - 1), rest, key=lambda at: (bits >> (BLOCK - 1 - at)).bit_count())
        return self._start + block * BLOCK + within

    def before(self, number: int) -> int:
        """How many are present before a number."""
        offset = number - self._start
        if offset <= 0:
            return 0
        if offset >= self._size:
            return self.total
        block = offset // BLOCK
        return self._before[block] + (self._blocks[block] >> (BLOCK - offset % BLOCK)).bit_count()


@dataclass(frozen=True)
class Snapshot:
    """The reply of advance.lua, parsed; times are of Redis's clock.

    `here` is the bitmap of the present numbers behind head, from the number `here_from` on, the high bit first: an
    eighth of a byte for each that waits. `extended` counts the claim windows that were, and `missed` the leases that
    ended without having been claimed. `ended` counts the numbers whose lease was given back before its end, or that
    were revoked; `newly_ended` has the last of them, the newest first, each with the time until which it is refused,
    or 0.
    """

    now_ms: int
    born_ms: int
    lost_ms: int
    epoch: int
    tail: int
    head: int
    arrived: int
    inside: int
    late: int
    joined: int
    called: int
    claimed: int
    extended: int
    released: int
    missed: int
    ended: int
    limits: Limits
    here_from: int
    here: bytes
    newly_ended: tuple[tuple[int, int], ...]

    @classmethod
    def from_reply(cls, reply: Sequence[Any]) -> "Snapshot":
        """Reads the reply of advance.lua (its header gives the order)."""
        limits = Limits.from_reply(reply[16:31])
        here_from, here, newly_ended = reply[31:]
        ended = tuple((int(number), int(until)) for number, until in (pair.split(b":") for pair in newly_ended))
        values: list[Any] = [*reply[:16], limits, here_from, here, ended]
        return cls(*values)

    @property
    def generation(self) -> tuple[int, int]:
        """Changes whenever the store lost something: what is known elsewhere must then be restored."""
        return self.born_ms, self.lost_ms

    @property
    def numbering(self) -> tuple[int, str, int]:
        """Changes whenever the numbers of those who wait mean something else: by a reset, or as a draw is moved."""
        return self.epoch, self.limits.draw, self.limits.opens_ms if self.limits.draw else 0

    @property
    def phase(self) -> Phase:
        return self.limits.phase(self.now_ms)

    @cached_property
    def present(self) -> Present:
        return Present(self.here_from, self.here)

    @property
    def waiting(self) -> int:
        """How many present visitors have not been called."""
        return self.late + self.present.total

    def position(self, number: int) -> int:
        """The position of a number that was not called yet: the present before it, and the late, plus one."""
        return self.late + self.present.before(number) + 1
