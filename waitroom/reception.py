"""Receives each request: reads what the visitor brings, lets the gate decide, and asks the line what the gate lacks."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from waitroom.admission import Admission, AdmissionVerifier
from waitroom.errors import AdmissionError, StoreLostError, TicketError
from waitroom.gate import Admit, Ask, Facts, Forward, Settled, decide
from waitroom.line import Line
from waitroom.lines import Lines
from waitroom.place import Outlook, Place
from waitroom.rooms import Room
from waitroom.standing import Called, Spent, Standing, Unreachable, Waiting
from waitroom.ticket import Ticket, TicketSigner, new_visitor

# Admissions remembered; beyond that, the ended ones are dropped.
MOST_KNOWN = 100_000
NOTHING_TO_WAIT_FOR_MS = 1000


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a room as the gate needs it. `ticket` and `admission` are texts as brought, "" where none is."""

    ticket: str
    admission: str
    own: bool
    bypass: bool
    joins: bool


@dataclass(frozen=True, slots=True)
class Received:
    """What becomes of the request, and the ticket that the visitor was given on the way, if any."""

    decision: Settled
    new_ticket: Ticket | None = None


class Reception:
    """`now_s` is this process's clock; it judges only when an admission ends."""

    def __init__(
        self, lines: Lines, tickets: TicketSigner, admissions: AdmissionVerifier, now_s: Callable[[], float]
    ) -> None:
        self._lines = lines
        self._tickets = tickets
        self._admissions = admissions
        self._now_s = now_s
        self._known: dict[tuple[str, str], Admission] = {}

    async def receive(self, room: Room, visit: Visit) -> Received:
        """Decides; where the gate asks for more, the line is asked, at most for a claim and then for a number."""
        line = self._lines.of(room)
        facts = self._facts(room, line, visit)
        new_ticket: Ticket | None = None
        while True:
            decision = decide(facts, self._now_s())
            match decision:
                case Ask(Ticket(number=number)):
                    facts = replace(facts, standing=await self._claimed(line, number))
                case Ask():
                    facts = await self._joined(line, facts)
                    new_ticket = facts.ticket
                case Forward(Admission() as admission, renew=True):
                    renewed = await self._renewed(line, facts, admission)
                    if renewed:
                        return Received(renewed)
                    self._forget(room, visit.admission, admission)
                    facts = replace(facts, admission=None)
                case _:
                    return Received(decision, new_ticket)

    async def place(self, room: Room, visit: Visit) -> Place:
        """Where a visitor stands, and a sign of its presence. Redis is asked only for a number that was passed."""
        if self._admission(room, visit.admission):
            return Place("inside", poll_after_ms=NOTHING_TO_WAIT_FOR_MS)
        ticket = self._ticket(room, visit.ticket)
        if ticket is None:
            return Place("none", poll_after_ms=NOTHING_TO_WAIT_FOR_MS)
        line = self._lines.of(room)
        standing = self._standing(line, ticket.number) or await self._looked(line, ticket.number)
        return self.outlook(room).place(ticket.number, standing, random.random())

    async def release(self, room: Room, visit: Visit) -> None:
        """Gives the visitor's place back, inside or in the line. Raises StoreLostError."""
        admission = self._admission(room, visit.admission)
        if holder := admission or self._ticket(room, visit.ticket):
            await self._lines.of(room).release(holder.number)
        if admission:
            self._forget(room, visit.admission, admission)

    def outlook(self, room: Room) -> Outlook:
        """What the room's line looks like to those who wait in it."""
        line = self._lines.of(room)
        return Outlook(
            snapshot=line.snapshot,
            calls_per_minute=line.rate.per_minute,
            mode=line.in_force.mode,
            rate_per_minute=line.in_force.rate_per_minute,
            presence_ms=line.in_force.presence_ms,
            polls_per_second=room.polls_per_second,
            message=room.message,
        )

    def _ticket(self, room: Room, text: str) -> Ticket | None:
        """The ticket in a text, if it is ours, of this room, and not void."""
        try:
            ticket = self._tickets.read(text)
        except TicketError:
            return None
        line = self._lines.of(room)
        return ticket if ticket.line == line.name and not line.is_void(ticket.epoch) else None

    def _admission(self, room: Room, text: str) -> Admission | None:
        """The admission in a text, if it holds for this room now. Its signature is checked once, then remembered."""
        admission = self._known.get((room.name, text)) or self._verified(room, text)
        return admission if admission and admission.expires_s > self._now_s() else None

    def _forget(self, room: Room, text: str, admission: Admission) -> None:
        """From now on this admission holds no more: its lease was given back."""
        self._known[room.name, text] = replace(admission, expires_s=0)

    def _facts(self, room: Room, line: Line, visit: Visit) -> Facts:
        limits = line.in_force
        facts = Facts(
            mode=limits.mode, session_s=limits.session_ms / 1000, own=visit.own, bypass=visit.bypass, joins=visit.joins
        )
        if visit.own or visit.bypass:
            return facts
        if admission := self._admission(room, visit.admission):
            return replace(facts, admission=admission)
        if ticket := self._ticket(room, visit.ticket):
            return replace(facts, ticket=ticket, standing=self._standing(line, ticket.number))
        return facts

    def _standing(self, line: Line, number: int) -> Standing | None:
        """What this process can say of a number by itself; who waits is noted as present."""
        standing = line.standing(number)
        if isinstance(standing, Waiting):
            line.poll(number)
        return Unreachable() if self._lines.store_lost else standing

    async def _claimed(self, line: Line, number: int) -> Standing:
        try:
            return await line.claim(number)
        except StoreLostError:
            return Unreachable()

    async def _looked(self, line: Line, number: int) -> Standing:
        try:
            return await line.look(number)
        except StoreLostError:
            return Unreachable()

    async def _joined(self, line: Line, facts: Facts) -> Facts:
        try:
            joined = await line.join(None)
        except StoreLostError:
            return replace(facts, ticket=None, standing=Unreachable())
        visitor = facts.ticket.visitor if facts.ticket else new_visitor()
        ticket = Ticket(line.name, joined.epoch, joined.number, int(self._now_s()), visitor)
        standing = Called(joined.lease_end_ms) if joined.lease_end_ms else Waiting()
        return replace(facts, ticket=ticket, standing=standing)

    async def _renewed(self, line: Line, facts: Facts, admission: Admission) -> Forward | Admit | None:
        """Extends the lease of an active visitor; None if it was given back. While nobody can say, it holds."""
        known_s = line.lease_end_ms(admission.number) / 1000
        if known_s > admission.expires_s + 1 and known_s - self._now_s() > facts.session_s / 2:
            return Forward(admission)  # another request of theirs has just done it
        match await self._claimed(line, admission.number):
            case Called(lease_end_ms):
                return Admit(admission.visitor, admission.number, lease_end_ms)
            case Spent():
                return None
            case _:
                return Forward(admission)

    def _verified(self, room: Room, text: str) -> Admission | None:
        now_s = self._now_s()
        try:
            admission = self._admissions.verify(text, room.audience, now_s)
        except AdmissionError:
            return None
        if admission.number == 0:  # for origins of open rooms; nobody's lease stands behind it
            return None
        if len(self._known) >= MOST_KNOWN:
            self._known = {key: known for key, known in self._known.items() if known.expires_s > now_s}
        self._known[room.name, text] = admission
        self._lines.of(room).hold_lease(admission.number, admission.expires_s * 1000)
        return admission
