"""Receipts: makes the codes by which a place is moved to another browser, and redeems each once, wherever in the world.

One browser holds a place at a time: a ticket counts the moves of its place, and the line knows the highest count.
"""

import math

from waitroom.line import Line
from waitroom.lines import Lines
from waitroom.receipt import VALID_S, Made, NotMoved, NotNow, Seal, Taken, new_code
from waitroom.reception import Reception
from waitroom.recognition import Recognition, Visit
from waitroom.rooms import Room
from waitroom.ticket import Ticket

# Of the replies of receipt.lua and move.lua, those that refuse.
NOT_MADE: dict[int, NotMoved] = {1: "too_often", 2: "no_place_to_move", 3: "too_many_receipts"}
NOT_MOVED: dict[int, NotMoved] = {1: "locked", 2: "wrong_code", 3: "used_up"}


class Receipts:
    """Those of all lines. Its methods raise StoreLostError."""

    def __init__(self, lines: Lines, recognition: Recognition, reception: Reception, seal: Seal) -> None:
        self._lines = lines
        self._recognition = recognition
        self._reception = reception
        self._seal = seal

    async def make(self, room: Room, visit: Visit, here: str) -> Made | NotNow:
        """A code for the place of a visitor who is at the path `here`; the visitor's former code is good no more."""
        line = await self._lines.open(room, visit.key) if visit.ticket else None
        ticket = self._movable(room, line, visit) if line else None
        if line is None or ticket is None:
            return NotNow("no_place_to_move")
        code = new_code()
        sealed = self._seal.of_code(line.name, code)
        told = f"{ticket.to_payload()}\n{here}"
        kind, at_ms = await line.receipt(ticket.number, ticket.moves, sealed, VALID_S * 1000, told)
        return _not_now(line, NOT_MADE[kind], at_ms) if kind else Made(code, at_ms)

    async def redeem(self, room: Room, visit: Visit, code: str, address: str) -> Taken | NotNow:
        """Moves the place of a code to who asks from an address, and gives up the place that the visitor had."""
        line = await self._lines.open(room, visit.key)
        if line is None:
            return NotNow("wrong_code")
        own = self._reception.number(room, line, visit)
        sealed = self._seal.of_code(line.name, code)
        kind, value, told = await line.move(sealed, self._seal.of_address(address), own)
        if kind:
            return _not_now(line, NOT_MOVED[kind], value)
        payload, _, here = told.partition("\n")
        return Taken(self._moved(line, Ticket.from_payload(payload), value), here)

    def _movable(self, room: Room, line: Line, visit: Visit) -> Ticket | None:
        """The ticket of a visitor who is not inside."""
        ticket = self._recognition.ticket(room, line, visit.ticket, visit.identity)
        if ticket is None or line.is_void(ticket.epoch) or self._recognition.admission(room, line, visit):
            return None
        return ticket

    def _moved(self, line: Line, before: Ticket, moves: int) -> Ticket:
        ticket = before._replace(moves=moves)
        drawn = self._recognition.drawn(line, ticket)
        if drawn:
            line.note_moves(drawn.number, moves)
        return ticket


def _not_now(line: Line, fault: NotMoved, at_ms: int) -> NotNow:
    now_ms = line.snapshot.now_ms if line.snapshot else at_ms
    return NotNow(fault, max(1, math.ceil((at_ms - now_ms) / 1000)) if at_ms else None)
