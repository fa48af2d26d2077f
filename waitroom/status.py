"""The status of a line: what is the same for all who wait in it, small enough for every page to fetch and the same
document for everybody, so that a cache can hand it out. Who knows its number works out its place from it. Pure.

Of the present only some are told: each number behind head up to the 32nd, and from there on, at ranks that lie a
sixteenth apart, how far the next is. Between two of them a rank is interpolated, so that it is exact for the first, and
never off by more than a sixteenth for the others.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from waitroom.estimate import Estimate
from waitroom.pace import poll_after_ms
from waitroom.place import Outlook, Pause
from waitroom.snapshot import Snapshot
from waitroom.standing import Unreachable, Waiting

# From a rank to the next that is told, as the share of it that is a power of two: 2 ** -4.
SHARE_BITS = 4
State = Literal["early", "waiting", "called", "closed"]


@dataclass(frozen=True, slots=True)
class Status:
    """What everybody may know of a line.

    `state` is that of who stands in it: only while it is `waiting` are there places to be worked out. Else `head` is 0
    and `steps` is empty, so that before an opening nothing is told of any number. `steps` leads from `head` to the
    present numbers at the ranks that are told, the last of them included. `pace` is None while nobody can say how long
    the wait is. Who works out the place stays present by asking the line itself after `ask_after_ms`.
    """

    state: State
    made_ms: int
    head: int
    late: int
    waiting: int
    steps: tuple[int, ...]
    pace: Estimate | None
    paused: Pause | None
    message: str
    opens_ms: int
    ask_after_ms: int

    def to_json(self) -> str:
        """As `GET /.waitroom/rooms/{room}/status` answers it."""
        return json.dumps(asdict(self), separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Clue:
    """By which a visitor works out the own place from the status: the number, and after which time to ask the line
    itself at the latest; both None where the status tells nothing of the place. `now_ms` is when this was said, so that
    a status that is too old can be told."""

    number: int | None
    ask_after_ms: int | None
    now_ms: int

    def to_json(self) -> str:
        """As `GET /.waitroom/rooms/{room}/number` answers it, besides the place. Written by hand, as the place is: who
        stays present asks for little else."""
        number, ask_after_ms = self.number or "null", self.ask_after_ms or "null"
        return f'{{"number": {number}, "ask_after_ms": {ask_after_ms}, "now_ms": {self.now_ms}}}'

    def beside(self, place: bytes) -> bytes:
        """The JSON of a place, with this in it."""
        return b"%b, %b" % (place[:-1], self.to_json()[1:].encode())


def status(snapshot: Snapshot, outlook: Outlook, estimate: Estimate | None, made_ms: int, *, lost: bool) -> Status:
    """The status of a line as it was seen; `lost` says that nobody can say now whether it still is so."""
    place = outlook.place(snapshot.head + 1, Unreachable() if lost else Waiting(), 0.5)
    waits = place.state == "waiting"
    moves = waits and not place.paused and estimate and estimate.rate_per_s > 0
    return Status(
        state=_state(place.state),
        made_ms=made_ms,
        head=snapshot.head if waits else 0,
        late=snapshot.late if waits else 0,
        waiting=snapshot.waiting,
        steps=tuple(_steps(snapshot)) if waits else (),
        pace=estimate if moves else None,
        paused=place.paused,
        message=place.message,
        opens_ms=place.opens_ms,
        ask_after_ms=ask_after_ms(outlook.limits.presence_ms, 0.5),
    )


def ask_after_ms(presence_ms: int, chance: float) -> int:
    """After which time who waits must show itself at the latest, to count as present."""
    return poll_after_ms(None, 0, presence_ms=presence_ms, polls_per_second=1, chance=chance)


def _state(state: str) -> State:
    match state:
        case "early" | "waiting" | "called" | "closed":
            return state
        case _:
            raise ValueError(f"nobody who waits is {state!r}")


def _steps(snapshot: Snapshot) -> Iterator[int]:
    """From each number that is told to the next."""
    at = snapshot.head
    for rank in _ranks(snapshot.present.total):
        number = snapshot.present.at(rank)
        yield number - at
        at = number


def _ranks(present: int) -> Iterator[int]:
    rank = 0
    while rank < present:
        rank = min(present, rank + max(1, rank >> SHARE_BITS))
        yield rank
