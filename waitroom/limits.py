"""The limits of a line: what the operator sets, and what every process must agree on."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from typing import Any, Literal, Self

Mode = Literal["auto", "queue", "hold", "open", "closed"]
Phase = Literal["early", "open", "over"]
OnStoreLoss = Literal["hold", "open", "closed"]
# How often a process advances a line.
TICK_MS = 250
# A line counts from the clock, so many numbers a millisecond (see lua/_line.lua).
NUMBERS_PER_MS = 1000
MOST_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Limits:
    """One setting of a line. Of two, the one with the higher version is in force, then the one edited later, then the
    one with the later revision of the desk's overrides.

    `rate_per_minute` and `burst` are calls, `cap` is visitors inside. `opens_ms` and `closes_ms` are moments in
    milliseconds since 1970, 0 where there is none. `draw` names the draw that gives those who come early their places,
    "" where they are served as they come; `draw_size` is how many places it has. A line that nobody asks for is
    forgotten after `idle_ms`; 0 keeps it. The fields stand in the order in which the transitions take them (see
    lua/_advance.lua).
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
    opens_ms: int = 0
    closes_ms: int = 0
    draw: str = ""
    draw_size: int = 0
    idle_ms: int = 0
    revision: int = 0

    @classmethod
    def from_reply(cls, reply: Sequence[Any]) -> Self:
        """As the transitions give them."""
        values: list[Any] = [value.decode() if isinstance(value, bytes) else value for value in reply]
        return cls(*values)

    @property
    def edition(self) -> tuple[int, int, int]:
        """What decides which of two limits is in force."""
        return self.version, self.edited_ms, self.revision

    def drawn_number(self, place: int) -> int:
        """The number that a place of the draw, from 1, stands for."""
        return self.opens_ms * NUMBERS_PER_MS + place

    def phase(self, now_ms: int) -> Phase:
        """Whether a line is yet to open, open, or over."""
        if now_ms < self.opens_ms:
            return "early"
        return "over" if 0 < self.closes_ms <= now_ms else "open"

    def to_arguments(self) -> tuple[bytes, ...]:
        """As the transitions take them, and as they are sent."""
        return _arguments(self)


@lru_cache(MOST_REMEMBERED)
def _arguments(limits: Limits) -> tuple[bytes, ...]:
    """Lines are advanced all the time, and their limits seldom change."""
    return tuple(str(value).encode() for value in astuple(limits))
