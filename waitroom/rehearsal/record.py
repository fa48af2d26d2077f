"""What was seen of a crowd and its line, by a rehearsal or by a plan: one row for each visitor, and one sample for each
few seconds. Findings judge it."""

from array import array
from collections import Counter
from dataclasses import dataclass, field

# What became of a visitor.
NOT_COME, WAITS, WENT_IN, LEFT, REFUSED, FAILED = range(6)
NEVER = -1.0


@dataclass(slots=True)
class Fates:
    """One column for each thing that was seen of the visitors, in the order of their arrival; times in seconds from the
    beginning, NEVER where it did not happen.

    `told_low_s` and `told_high_s` are the first range of the wait that a visitor was shown. `present_s` is when its
    first poll was answered, and `waiting_s` when the last poll left that was answered with "waiting". `was_away` marks
    those who stopped polling for a while, and so may be passed over.
    """

    arrived_s: "array[float]"
    told_low_s: "array[float]"
    told_high_s: "array[float]"
    present_s: "array[float]"
    waiting_s: "array[float]"
    entered_s: "array[float]"
    number: "array[int]"
    fate: bytearray
    was_away: bytearray

    @classmethod
    def of(cls, visitors: int) -> "Fates":
        """Nothing seen yet."""
        never = array("d", [NEVER]) * visitors
        number = array("q", [0]) * visitors
        return cls(
            never, never[:], never[:], never[:], never[:], never[:], number, bytearray(visitors), bytearray(visitors)
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """The line at a moment: who waits and is inside then, and the counts since the beginning."""

    at_s: float
    waiting: int
    inside: int
    called: int
    arrived: int
    polls: int


@dataclass(slots=True)
class Record:
    """`limits_from` names who told of those inside and of the calls. `origin_s` are times and durations of requests to
    the site in seconds, in the order in which they ended; `errors` counts what was no proper answer, by kind.
    `full_share` is the share of the time with a line in which the cap, and not the rate, kept it from moving faster;
    None where nobody can say. `ended_s` is when the last visitor was done.
    """

    fates: Fates
    samples: list[Sample] = field(default_factory=list)
    limits_from: str = ""
    polls: int = 0
    requests: int = 0
    origin_s: "tuple[array[float], array[float]]" = field(default_factory=lambda: (array("d"), array("d")))
    errors: Counter[str] = field(default_factory=Counter)
    bytes_in: int = 0
    bytes_out: int = 0
    missed: int = 0
    full_share: float | None = None
    ended_s: float = 0.0
    was_stopped: str = ""
