"""What visitors are told: the outlook of each line, the same for all who ask between two snapshots, and its draw."""

import random
from dataclasses import replace

from waitroom.draw import Draws, commitment
from waitroom.line import Line
from waitroom.lines import Lines
from waitroom.place import DrawTold, Outlook, Place
from waitroom.rooms import Room
from waitroom.standing import Standing
from waitroom.ticket import Ticket

MOST_OUTLOOKS = 1_000


class Outlooks:
    """Those of all lines of one process."""

    def __init__(self, lines: Lines, draws: Draws) -> None:
        self._lines = lines
        self._draws = draws
        self._outlooks: dict[str, tuple[Line, Room, int, Outlook]] = {}

    def of(self, room: Room, line: Line) -> Outlook:
        """That of a line, as it was seen last."""
        known = self._outlooks.get(line.name)
        if known is None or known[0] is not line or known[1] is not room or known[2] != line.changes:
            known = self._look_out(room, line)
        return known[3]

    def place(self, room: Room, line: Line, ticket: Ticket, standing: Standing) -> Place:
        """What the visitor with this ticket is told of its place."""
        outlook = self.of(room, line)
        place = outlook.place(ticket.number, standing, random.random())
        place.kept_until_ms = outlook.kept_until_ms(place, ticket.issued_s)
        if outlook.limits.draw:
            place.draw = self._draw_told(line, ticket.arrival)
        return place

    def draw(self, room: Room, key: str) -> DrawTold | None:
        """What everybody may know of a line's draw; None where there is none."""
        if self._lines.has(room, key):
            return self._draw_told(self._lines.of(room, key), None)
        if not room.limits.draw:
            return None
        draw = self._draws.of(room.line_name(key), room.limits.draw, room.limits.draw_size)
        return DrawTold(commitment(draw.seed), draw.size)

    def _look_out(self, room: Room, line: Line) -> tuple[Line, Room, int, Outlook]:
        """The same for all who ask between two snapshots."""
        outlook = Outlook(
            snapshot=line.snapshot,
            estimate=line.estimate,
            limits=line.in_force,
            polls_per_second=room.polls_per_second,
            message=room.message,
        )
        if len(self._outlooks) >= MOST_OUTLOOKS:
            self._outlooks.clear()
        known = self._outlooks[line.name] = line, room, line.changes, outlook
        return known

    def _draw_told(self, line: Line, arrival: int | None) -> DrawTold | None:
        limits = line.in_force
        if not limits.draw:
            return None
        draw = self._draws.of(line.name, limits.draw, limits.draw_size)
        told = DrawTold(commitment(draw.seed), draw.size, arrival)
        if line.snapshot is None or line.snapshot.phase == "early":
            return told
        place = None if arrival is None else draw.place(arrival)
        return replace(told, seed=draw.seed.hex(), place=place)
