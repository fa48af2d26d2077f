"""What a visitor is told about the place in the line: the one answer behind the page, the JSON and the poll."""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, assert_never

from waitroom.cookies import TICKET_MAX_AGE_S
from waitroom.estimate import Estimate, Waits
from waitroom.limits import Limits
from waitroom.pace import Pace, poll_after_ms
from waitroom.present import Present
from waitroom.snapshot import Snapshot
from waitroom.standing import Called, Late, Moved, Revoked, Spent, Standing, Unreachable, Waiting

State = Literal["early", "waiting", "called", "inside", "none", "closed", "revoked", "moved"]
Pause = Literal["hold", "origin", "store_lost"]
# A crowd that looks at the countdown asks for its place over this time after it ends, and not all at once.
OPENING_MS = 5_000
# After the countdown: a snapshot may be a tick old, and say then still that the line is early.
SOON_MS = 500
# Who may go in asks again after this time.
CALLED_POLL_MS = 1_000
# States, and messages of operators: the same for whole lines.
MOST_TEXTS = 256
NOBODY = Present(0, b"")
# Stands in the JSON of a place where a number is to be filled in.
GAP = -1
# In these states the ticket gives a place.
KEPT: frozenset[State] = frozenset({"early", "waiting", "called"})


@dataclass(frozen=True, slots=True)
class DrawTold:
    """What a visitor is told of the draw: always its commitment and size, and who has one the own arrival, from 0;
    after the opening the seed, in hex, and with it the place, from 1."""

    commitment: str
    size: int
    arrival: int | None = None
    seed: str | None = None
    place: int | None = None

    def to_json(self) -> str:
        """As it stands in the place."""
        return (
            f'{{"commitment": {_text(self.commitment)}, "size": {self.size}, "arrival": {_number(self.arrival)}, '
            f'"seed": {_text(self.seed)}, "place": {_number(self.place)}}}'
        )


# Not frozen: that would cost a poll as much as all that it finds out.
@dataclass(slots=True)
class Place:
    """A visitor's place now.

    `position` counts from 1; `waiting` is how many present visitors the line has, oneself included; `wait_s` is the
    range (shortest, longest) of the time that is left, in seconds, None while nobody can say. `paused` says why nobody
    is called, if so: the operator holds the room, its origin is down (adaptive admission then calls nobody), or the
    store is lost and places are kept until it is back.
    `opens_in_ms` is the time until the line opens, and `opens_ms` that moment, since 1970; both are 0 once it has.
    `claim_in_ms` is how long the place that is reserved for the called is theirs yet, None where none is reserved, and
    `can_extend` whether they may ask for more time, once. `is_late` says that the number was passed while the visitor
    was away, who is now served before the rest. `kept_until_ms`, since 1970, is how long the ticket keeps the place:
    None where there is none, or it keeps none.
    """

    state: State
    poll_after_ms: int
    position: int | None = None
    waiting: int | None = None
    wait_s: tuple[int, int] | None = None
    paused: Pause | None = None
    message: str = ""
    opens_in_ms: int = 0
    opens_ms: int = 0
    draw: DrawTold | None = None
    claim_in_ms: int | None = None
    can_extend: bool = False
    is_late: bool = False
    kept_until_ms: int | None = None

    def to_json(self) -> str:
        """As `GET /.waitroom/rooms/{room}/place` answers it. Written by hand: it is twice as fast."""
        position, waiting = self.position, self.waiting
        wait = f"[{self.wait_s[0]}, {self.wait_s[1]}]" if self.wait_s else "null"
        return (
            f'{{"state": "{self.state}", "position": {"null" if position is None else position}, '
            f'"waiting": {"null" if waiting is None else waiting}, "wait_s": {wait}, '
            f'"paused": {_text(self.paused)}, "poll_after_ms": {self.poll_after_ms}, '
            f'"message": {_text(self.message)}, "opens_in_ms": {self.opens_in_ms}, "opens_ms": {self.opens_ms}, '
            f'"draw": {self.draw.to_json() if self.draw else "null"}, "claim_in_ms": {_number(self.claim_in_ms)}, '
            f'"can_extend": {"true" if self.can_extend else "false"}, '
            f'"is_late": {"true" if self.is_late else "false"}, "kept_until_ms": {_number(self.kept_until_ms)}}}'
        )


class Outlook:
    """What a place depends on besides the visitor: the line as seen last, how long it takes, and its settings.

    All that is the same for those who wait is prepared: a crowd asks for little else. `can_tell` says whether `told`
    may be asked: where the line was seen, there are places in it, and everybody is told the same of the draw."""

    def __init__(
        self,
        snapshot: Snapshot | None,
        estimate: Estimate | None,
        limits: Limits,
        polls_per_second: int,
        message: str,
    ) -> None:
        self.snapshot = snapshot
        self.limits = limits
        self.polls_per_second = polls_per_second
        self.message = message
        # Nobody is called any more; who was called before may still come.
        self._is_over = snapshot is not None and snapshot.phase == "over"
        # There are places in the line: it is neither closed nor open to all, has opened, and is not over.
        is_open = snapshot is None or snapshot.phase == "open"
        self._has_places = is_open and limits.mode not in ("closed", "open")
        # Why nobody is called, though the store is there.
        self._paused: Pause | None = "hold" if limits.mode == "hold" else None if limits.rate_per_minute else "origin"
        # How many wait, as was seen last.
        self._waiting = snapshot.waiting if snapshot else 0
        self.can_tell = self._has_places and snapshot is not None and not limits.draw
        self._present = snapshot.present if snapshot else NOBODY
        self._first = snapshot.late + 1 if snapshot else 1
        self._waits = Waits(estimate) if estimate and estimate.rate_per_s > 0 and not self._paused else None
        self._pace = Pace(limits.presence_ms, polls_per_second, self._waiting)
        self._forms: dict[str, bytes] = {}

    def told(self, number: int, issued_s: int, message: str, chance: float) -> bytes:
        """The place, as JSON, of who waits by a ticket that was issued then. `chance` is as in `place`."""
        form = self._forms.get(message) or self._form(message)
        position = self._first + self._present.before(number)
        until_ms = (issued_s + TICKET_MAX_AGE_S) * 1000
        closes_ms = self.limits.closes_ms
        if closes_ms and closes_ms < until_ms:
            until_ms = closes_ms
        waiting, pace = self._waiting, self._pace
        if position > waiting:  # has come since the line was seen
            waiting, pace = position, Pace(self.limits.presence_ms, self.polls_per_second, position)
        if self._waits is None:
            return form % (position, waiting, pace.after_ms(None, chance), until_ms)
        shortest_s, longest_s = self._waits.of(position)
        return form % (position, waiting, shortest_s, longest_s, pace.after_ms(shortest_s, chance), until_ms)

    def newcomer(self, number: int, issued_s: int, chance: float) -> Place:
        """The place of who was given a number just now; `chance` is as in `place`, and `can_tell` as for `told`."""
        position = self._first + self._present.before(number)
        waiting, pace = self._waiting, self._pace
        if position > waiting:
            waiting, pace = position, Pace(self.limits.presence_ms, self.polls_per_second, position)
        wait = self._waits.of(position) if self._waits else None
        place = Place(
            "waiting", pace.after_ms(wait[0] if wait else None, chance), position, waiting, wait, self._paused
        )
        place.message = self.message
        place.kept_until_ms = self.kept_until_ms(place, issued_s)
        return place

    def _form(self, message: str) -> bytes:
        """The JSON of who waits, with gaps: the position, how many wait, the range of the wait unless there is none,
        when to ask again, and until when the place is kept."""
        gaps = Place("waiting", GAP, GAP, GAP, (GAP, GAP) if self._waits else None, self._paused, kept_until_ms=GAP)
        text = gaps.to_json().replace(str(GAP), "%d")
        form = text.replace('"message": ""', f'"message": {_text(message)}'.replace("%", "%%")).encode()
        self._forms[message] = form
        return form

    def place(self, number: int, standing: Standing, chance: float) -> Place:
        """The place of a number by its standing. `chance`, in [0, 1), spreads the polls of those who came together."""
        mode = self.limits.mode
        match standing:
            case _ if mode == "closed":
                return self._closed(chance)
            case Called():
                return self._called(standing)
            case Spent():
                return Place("none", 1000, message=self.message)
            case Revoked() | Moved():
                state: State = "moved" if isinstance(standing, Moved) else "revoked"
                return Place(state, self._poll_after_ms(None, 0, chance), message=self.message)
            case _ if mode == "open":
                return Place("called", CALLED_POLL_MS, message=self.message)
            case _ if self.snapshot and self.snapshot.phase == "early":
                return self._early(self.snapshot, chance, lost=isinstance(standing, Unreachable))
            case _ if self._is_over:
                return self._closed(chance)
            case Waiting() | Unreachable():
                position = self.snapshot.position(number) if self.snapshot else None
                return self._placed(position, chance, lost=isinstance(standing, Unreachable))
            case Late(rank):
                return replace(self._placed(rank + 1, chance, lost=False), is_late=True)
            case _:
                assert_never(standing)

    def kept_until_ms(self, place: Place, issued_s: int) -> int | None:
        """How long the place of a ticket that was issued then is kept: its cookie's life, or until the line closes."""
        closes_ms = self.limits.closes_ms
        if place.state not in KEPT or (closes_ms and self._is_over):
            return None
        until_ms = (issued_s + TICKET_MAX_AGE_S) * 1000
        return min(until_ms, closes_ms) if closes_ms else until_ms

    def _called(self, called: Called) -> Place:
        place = Place("called", CALLED_POLL_MS, message=self.message)
        if self.snapshot and self.limits.mode != "open":  # then nothing that is reserved can be lost
            place.claim_in_ms = max(0, called.lease_end_ms - self.snapshot.now_ms)
            place.can_extend = called.can_extend
        return place

    def _closed(self, chance: float) -> Place:
        return Place("closed", self._poll_after_ms(None, 0, chance), message=self.message)

    def _early(self, snapshot: Snapshot, chance: float, *, lost: bool) -> Place:
        """Nobody is told a position before the line opens: with a draw it would tell the number."""
        opens_in_ms = self.limits.opens_ms - snapshot.now_ms
        often_ms = self._poll_after_ms(None, snapshot.waiting, chance)
        return Place(
            state="early",
            poll_after_ms=often_ms if lost else min(often_ms, opens_in_ms + SOON_MS + round(OPENING_MS * chance)),
            waiting=snapshot.waiting,
            paused="store_lost" if lost else None,
            message=self.message,
            opens_in_ms=opens_in_ms,
            opens_ms=self.limits.opens_ms,
        )

    def _placed(self, position: int | None, chance: float, *, lost: bool) -> Place:
        paused: Pause | None = "store_lost" if lost else self._paused
        waiting = max(self._waiting, position or 0)
        wait = self._waits.of(position) if position and self._waits and not lost else None
        after_ms = self._poll_after_ms(wait, waiting, chance)
        return Place("waiting", after_ms, position, waiting or None, wait, paused, self.message)

    def _poll_after_ms(self, wait: tuple[int, int] | None, waiting: int, chance: float) -> int:
        return poll_after_ms(
            wait,
            waiting,
            presence_ms=self.limits.presence_ms,
            polls_per_second=self.polls_per_second,
            chance=chance,
        )


def _number(value: int | None) -> int | str:
    return "null" if value is None else value


@lru_cache(MOST_TEXTS)
def _text(value: str | None) -> str:
    return "null" if value is None else json.dumps(value)
