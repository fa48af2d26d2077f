"""A line as one process saw it last: enough to tell any visitor's position without asking Redis again."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

from waitroom.limits import Limits


@dataclass(frozen=True)
class Snapshot:
    """The reply of advance.lua, parsed; times are of Redis's clock.

    Present numbers behind head are known in two grains: `front` is the bitmap of those from `front_from` on (8,192
    numbers, the high bit first); behind it, each of `counts` tells how many of the next `stretch` numbers are present.
    """

    now_ms: int
    born_ms: int
    lost_ms: int
    epoch: int
    tail: int
    head: int
    inside: int
    late: int
    joined: int
    called: int
    claimed: int
    released: int
    limits: Limits
    front_from: int
    front: bytes
    stretch: int
    counts: tuple[int, ...]

    @classmethod
    def from_reply(cls, reply: Sequence[Any]) -> "Snapshot":
        """Reads the reply of advance.lua (its header gives the order)."""
        version, edited_ms, mode, *rest = reply[12:21]
        limits = Limits(version, edited_ms, mode.decode(), *rest)
        values: list[Any] = [*reply[:12], limits, *reply[21:24], tuple(reply[24])]
        return cls(*values)

    @property
    def generation(self) -> tuple[int, int]:
        """Changes whenever the store lost something: leases known elsewhere must then be restored."""
        return self.born_ms, self.lost_ms

    @cached_property
    def _front_present(self) -> int:
        return int.from_bytes(self.front).bit_count()

    @cached_property
    def _counted_before(self) -> list[int]:
        """Present numbers before each stretch, and, last, before the end."""
        return list(accumulate(self.counts, initial=self._front_present))

    @property
    def waiting(self) -> int:
        """How many present visitors have not been called."""
        return self.late + self._counted_before[-1]

    def position(self, number: int) -> int:
        """The position of a number that was not called yet: the present before it, and the late, plus one.

        Exact for the 8,192 numbers behind head, interpolated within a stretch beyond.
        """
        return self.late + self._present_before(number) + 1

    def _present_before(self, number: int) -> int:
        bits = max(0, number - self.front_from)
        if bits < len(self.front) * 8:
            whole, rest = divmod(bits, 8)
            return int.from_bytes(self.front[:whole]).bit_count() + (self.front[whole] >> (8 - rest)).bit_count()
        stretch, into = divmod(bits - len(self.front) * 8, self.stretch)
        if stretch >= len(self.counts):
            return self._counted_before[-1]
        return self._counted_before[stretch] + self.counts[stretch] * into // self.stretch
