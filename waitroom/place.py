"""What a visitor is told about the place in the line: the one answer behind the page, the JSON and the poll."""

from dataclasses import dataclass
from typing import Any, Literal, assert_never

from waitroom.limits import Mode
from waitroom.pace import poll_after_ms, wait_s
from waitroom.snapshot import Snapshot
from waitroom.standing import Called, Late, Spent, Standing, Unreachable, Waiting

State = Literal["waiting", "called", "inside", "none", "closed"]
Pause = Literal["hold", "store_lost"]


@dataclass(frozen=True, slots=True)
class Place:
    """A visitor's place now.

    `position` counts from 1; `waiting` is how many present visitors the line has, oneself included; `wait_s` is the
    range (shortest, longest) of the time that is left, in seconds, None while nobody can say. `paused` says why nobody
    is called, if so: the operator holds the room, or the store is lost and places are kept until it is back.
    """

    state: State
    poll_after_ms: int
    position: int | None = None
    waiting: int | None = None
    wait_s: tuple[int, int] | None = None
    paused: Pause | None = None
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `GET /.waitroom/rooms/{room}/place` answers it."""
        return {
            "state": self.state,
            "position": self.position,
            "waiting": self.waiting,
            "wait_s": list(self.wait_s) if self.wait_s else None,
            "paused": self.paused,
            "poll_after_ms": self.poll_after_ms,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a place depends on besides the visitor: the line as seen last, its measured calls, and its settings."""

    snapshot: Snapshot | None
    calls_per_minute: float | None
    mode: Mode
    rate_per_minute: int
    presence_ms: int
    polls_per_second: int
    message: str

    def place(self, number: int, standing: Standing, chance: float) -> Place:
        """The place of a number by its standing. `chance`, in [0, 1), spreads the polls of those who came together."""
        match standing:
            case _ if self.mode == "closed":
                return Place("closed", self._poll_after_ms(None, 0, chance), message=self.message)
            case Called():
                return Place("called", 1000, message=self.message)
            case Spent():
                return Place("none", 1000, message=self.message)
            case _ if self.mode == "open":
                return Place("called", 1000, message=self.message)
            case Waiting() | Unreachable():
                position = self.snapshot.position(number) if self.snapshot else None
                return self._waiting(position, chance, lost=isinstance(standing, Unreachable))
            case Late(rank):
                return self._waiting(rank + 1, chance, lost=False)
            case _:
                assert_never(standing)

    def _waiting(self, position: int | None, chance: float, *, lost: bool) -> Place:
        paused: Pause | None = "store_lost" if lost else "hold" if self.mode == "hold" else None
        waiting = max(self.snapshot.waiting if self.snapshot else 0, position or 0)
        wait = wait_s(position, self.calls_per_minute, self.rate_per_minute) if position and not paused else None
        return Place(
            state="waiting",
            poll_after_ms=self._poll_after_ms(wait, waiting, chance),
            position=position,
            waiting=waiting or None,
            wait_s=wait,
            paused=paused,
            message=self.message,
        )

    def _poll_after_ms(self, wait: tuple[int, int] | None, waiting: int, chance: float) -> int:
        return poll_after_ms(
            wait,
            waiting,
            presence_ms=self.presence_ms,
            polls_per_second=self.polls_per_second,
            chance=chance,
        )
