"""The limits of a line: what the operator sets, and what every process must agree on."""

from dataclasses import astuple, dataclass
from typing import Literal

Mode = Literal["auto", "queue", "hold", "open", "closed"]
# How often a process advances a line.
TICK_MS = 250


@dataclass(frozen=True, slots=True)
class Limits:
    """One setting of a line. Of two, the one with the higher version is in force, then the one edited later.

    `rate_per_minute` and `burst` are calls, `cap` is visitors inside. The fields stand in the order in which the
    transitions take them (see lua/_advance.lua).
    """

    version: int
    edited_ms: int
    mode: Mode
    rate_per_minute: int
    burst: int
    cap: int
    claim_ms: int
    presence_ms: int
    session_ms: int

    @property
    def edition(self) -> tuple[int, int]:
        """What decides which of two limits is in force."""
        return self.version, self.edited_ms

    def to_arguments(self) -> tuple[int | str, ...]:
        """As the transitions take them."""
        return astuple(self)
