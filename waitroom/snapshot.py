"""A line as one process saw it last: enough to tell any visitor's position without asking Redis again."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from waitroom.limits import Limits, Phase
from waitroom.present import Present


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
