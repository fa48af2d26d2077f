"""Recognizes visitors: which of the papers that a visit brings are believed, and for how long that is sure."""

from collections.abc import Callable
from dataclasses import dataclass

from waitroom.admission import OPEN_VISITOR, Admission, AdmissionVerifier
from waitroom.draw import Draws
from waitroom.errors import AdmissionError, TicketError
from waitroom.gate import goes_on
from waitroom.identity import is_person
from waitroom.line import Line
from waitroom.lines import Lines
from waitroom.rooms import Room
from waitroom.ticket import Ticket, TicketSigner

# Admissions remembered; beyond that, the ended ones are dropped, and of the others the older half: who brings one of
# these has it verified again.
MOST_KNOWN = 100_000
# A page asks for many things at once: what was found out for the first of them holds for the others.
SURE_S = 0.5


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a line as the gate needs it. `ticket` and `admission` are texts as brought, `identity` the hash of
    who asks; "" where none is."""

    ticket: str
    admission: str
    key: str = ""
    identity: str = ""
    own: bool = False
    bypass: bool = False
    joins: bool = False
    robot: bool = False


@dataclass(frozen=True, slots=True)
class Sure:
    """That an admission of a number lets its visitor go on: until a time, and as long as the line has not changed."""

    number: int
    room: Room
    key: str
    line: Line
    changes: int
    until_s: float


class Recognition:
    """`now_s` is this process's clock; it judges only when an admission ends."""

    def __init__(
        self,
        lines: Lines,
        tickets: TicketSigner,
        admissions: AdmissionVerifier,
        draws: Draws,
        now_s: Callable[[], float],
    ) -> None:
        self._lines = lines
        self._tickets = tickets
        self._admissions = admissions
        self._draws = draws
        self.now_s = now_s
        self._known: dict[tuple[str, str], Admission] = {}

    def recall(self, room: Room, key: str, token: str) -> Sure | None:
        """Whether the visitor with this admission is inside and may go on, where nothing need be asked or verified for
        that; and for how long that is sure."""
        now_s = self.now_s()
        known = self._known.get((room.name, token))
        line = self._lines.awake(room, key) if known and known.key == key and known.number else None
        if known is None or line is None:
            return None
        limits = line.in_force
        on_loss = room.on_store_loss if self._lines.is_lost(line) else None
        if not goes_on(limits.mode, on_loss, limits.session_ms / 1000, known, now_s):
            return None
        if line.has_ended(known.number) or line.is_unsure(known.number, known.issued_s * 1000):
            return None
        line.hold_lease(known.number, known.expires_s * 1000)
        # A loss would change what becomes of the admitted, and tells nobody.
        until_s = now_s if room.on_store_loss == "closed" else now_s + SURE_S
        return Sure(known.number, room, key, line, line.changes, until_s)

    def ticket(self, room: Room, line: Line, text: str, identity: str) -> Ticket | None:
        """The ticket of a text, if it is ours, of this line, and not another person's; with the number drawn for it.

        Who signs in while waiting keeps the place, unless the room gives places to persons only.
        """
        ticket = self.signed(text)
        return self.of_line(room, line, ticket, identity) if ticket else None

    def signed(self, text: str) -> Ticket | None:
        """The ticket of a text, if it is ours. Its number is yet to be drawn, if at all."""
        try:
            return self._tickets.read(text)
        except TicketError:
            return None

    def of_line(self, room: Room, line: Line, ticket: Ticket, identity: str) -> Ticket | None:
        """A ticket of ours, if it is of this line, and not another person's; with the number drawn for it."""
        if ticket.line != line.name or (identity and _is_anothers(ticket.visitor, identity)):
            return None
        if identity and room.identity and room.identity.required and not is_person(ticket.visitor):
            return None
        if ticket.arrival is None and ticket.epoch <= line.known.epoch:
            return ticket
        line.learn(ticket.epoch, ticket.arrival, ticket.draw)
        return self.drawn(line, ticket)

    def drawn(self, line: Line, ticket: Ticket) -> Ticket | None:
        """A ticket with its number; None where its draw is not, or no longer, the line's."""
        if ticket.arrival is None:
            return ticket
        limits = line.in_force
        if ticket.draw != limits.draw or ticket.arrival >= limits.draw_size:
            return None
        place = self._draws.of(line.name, limits.draw, limits.draw_size).place(ticket.arrival)
        return ticket._replace(number=limits.drawn_number(place))

    def admission(self, room: Room, line: Line, visit: Visit) -> Admission | None:
        """The admission in a visit, if it holds for this line now. Its signature is checked once, then remembered."""
        known = self._known.get((room.name, visit.admission)) or self._verified(room, visit.admission)
        if known is None or known.number == 0 or known.key != visit.key or known.expires_s <= self.now_s():
            return None
        if line.has_ended(known.number) or _is_anothers(known.visitor, visit.identity):
            return None
        if not line.is_unsure(known.number, known.issued_s * 1000):
            line.hold_lease(known.number, known.expires_s * 1000)
        return known

    def loan(self, room: Room, visit: Visit) -> Admission | None:
        """The admission in a visit, if it was lent and has not ended: what an open room gives everybody is none."""
        if room.on_store_loss != "open":
            return None
        known = self._known.get((room.name, visit.admission)) or self._verified(room, visit.admission)
        if known is None or known.number or known.visitor == OPEN_VISITOR:
            return None
        return known if known.key == visit.key and known.expires_s > self.now_s() else None

    def _verified(self, room: Room, text: str) -> Admission | None:
        now_s = self.now_s()
        try:
            admission = self._admissions.verify(text, room.audience, now_s)
        except AdmissionError:
            return None
        if admission.room != room.name:  # rooms may share an audience, and never a place
            return None
        if len(self._known) >= MOST_KNOWN:
            good = [(key, known) for key, known in self._known.items() if known.expires_s > now_s]
            self._known = dict(good[-(MOST_KNOWN // 2) :])
        self._known[room.name, text] = admission
        return admission


def _is_anothers(visitor: str, identity: str) -> bool:
    """Whether a place of `visitor` is that of another person than the one who asks, where both are known."""
    return identity != "" and is_person(visitor) and visitor != identity
