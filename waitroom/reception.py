"""Receives each request: lets the gate decide by what is recognized, and asks the line what the gate lacks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from random import random

from waitroom.admission import Admission
from waitroom.errors import StoreLostError
from waitroom.gate import Admit, Ask, Facts, Forward, Lend, Refuse, Settled, decide, outright
from waitroom.line import Joined, Line
from waitroom.lines import Lines
from waitroom.loans import Loans
from waitroom.outlooks import Outlooks
from waitroom.place import Place
from waitroom.recognition import Recognition, Visit
from waitroom.rooms import Room
from waitroom.standing import Called, Late, Moved, Revoked, Spent, Standing, Unreachable, Waiting
from waitroom.ticket import Ticket, new_visitor

NOTHING_TO_WAIT_FOR_MS = 1000
AFTER_DRAW = "+"
# How long a number is refused that an origin has revoked.
REVOKED_S = 86_400


@dataclass(frozen=True, slots=True)
class Received:
    """What becomes of the request, and the ticket that the visitor was given on the way, if any."""

    decision: Settled
    new_ticket: Ticket | None = None


class Reception:
    """`now_s` is this process's clock, in seconds since 1970."""

    def __init__(
        self,
        lines: Lines,
        recognition: Recognition,
        outlooks: Outlooks,
        now_s: Callable[[], float],
        admitted: Callable[[str, float], None],
    ) -> None:
        """`admitted` is told the room of each visitor who was let in, and for how many seconds it had waited."""
        self._admitted = admitted
        self._lines = lines
        self._recognition = recognition
        self._outlooks = outlooks
        self._now_s = now_s
        self._loans = Loans()

    async def receive(self, room: Room, visit: Visit, joined: Joined | None = None) -> Received:
        """Decides; where the gate asks for more, the line is asked, at most for a claim and then for a number, unless
        that was given already."""
        line = self._known(room, visit) or await self._line(room, visit)
        if line is None:
            return Received(self._without_line(room, visit))
        facts = self._facts(room, line, visit)
        new_ticket: Ticket | None = None
        while True:
            decision = decide(facts, self._now_s())
            match decision:
                case Ask(Ticket() as ticket):
                    facts.standing = await self._claimed(line, ticket)
                case Ask():
                    self._place(line, facts, visit.identity, joined or await self._joined(line, facts, visit.identity))
                    new_ticket = facts.ticket
                case Forward(Admission() as admission, renew=True):
                    renewed = await self._renewed(line, facts, admission)
                    if renewed:
                        return Received(renewed)
                    visit = replace(visit, admission="")
                    facts = self._facts(room, line, visit)
                case Lend():
                    self._loans.take(room.name, self._now_s())
                    return Received(decision)
                case Admit():
                    self._note_wait(room, facts)
                    return Received(decision, new_ticket)
                case _:
                    return Received(decision, new_ticket)

    def is_open(self, room: Room, key: str) -> bool:
        """Whether everybody passes, as far as that is known here."""
        line = self._lines.awake(room, key)
        return line is not None and line.in_force.mode == "open"

    def told_at_once(self, room: Room, key: str, ticket: Ticket, message: str) -> bytes | None:
        """The place, as JSON, of who brings this signed ticket, and no admission, where it is known here; a sign of
        presence, too."""
        line = self._lines.awake(room, key)
        if line is None:
            return None
        outlook = self._outlooks.of(room, line)
        if (
            outlook.can_tell
            and ticket.arrival is None
            and ticket.line == line.name
            and line.waits(ticket.number, ticket.epoch, ticket.moves)
            and not self._lines.is_lost(line)
        ):
            return outlook.told(ticket.number, ticket.issued_s, message, random())
        known = self._recognition.of_line(room, line, ticket, "")
        if known is None or line.is_void(known.epoch):
            return None
        standing = self._standing(line, known)
        if standing is None:
            return None
        place = self._outlooks.place(room, line, known, standing)
        return replace(place, message=place.message and message).to_json().encode()

    def signed(self, ticket_text: str) -> Ticket | None:
        """The ticket of a text, if it is ours: which says nothing yet of its line, nor whether it is still good."""
        return self._recognition.signed(ticket_text)

    def told_number(self, room: Room, key: str, ticket: Ticket, identity: str) -> int | None:
        """The number of who brings this signed ticket, where it tells a place in the line: nobody is told one before
        the line opens, or once it was called."""
        line = self._lines.awake(room, key)
        known = self._recognition.of_line(room, line, ticket, identity) if line else None
        if line is None or known is None or line.is_void(known.epoch) or not line.has_places:
            return None
        waits = line.standing(known.number) and not line.moved(known.number, known.moves)
        return known.number if waits else None

    async def place(self, room: Room, visit: Visit) -> Place:
        """Where a visitor stands, and a sign of its presence. Redis is asked only for a number that was passed."""
        return await self._placed(room, visit, self._stood)

    async def extend(self, room: Room, visit: Visit) -> Place:
        """Gives a called visitor another claim window, once; where it stands then. Raises StoreLostError."""
        return await self._placed(room, visit, lambda line, ticket: line.extend(ticket.number))

    async def _placed(self, room: Room, visit: Visit, ask: Callable[[Line, Ticket], Awaitable[Standing]]) -> Place:
        """Where a visitor stands, by what `ask` says of the ticket."""
        line = await self._line(room, replace(visit, joins=False))
        if line is None:
            return Place("none", poll_after_ms=NOTHING_TO_WAIT_FOR_MS)
        if self._recognition.admission(room, line, visit):
            return Place("inside", poll_after_ms=NOTHING_TO_WAIT_FOR_MS)
        ticket = self._recognition.ticket(room, line, visit.ticket, visit.identity)
        if ticket is None or line.is_void(ticket.epoch):
            return Place("none", poll_after_ms=NOTHING_TO_WAIT_FOR_MS)
        standing = line.moved(ticket.number, ticket.moves) or await ask(line, ticket)
        return self._outlooks.place(room, line, ticket, standing)

    def waiting(self, room: Room, key: str, ticket: Ticket, standing: Standing) -> Place:
        """The place of a visitor of whom the gate has decided that it waits."""
        return self._outlooks.place(room, self._lines.of(room, key), ticket, standing)

    async def release(self, room: Room, visit: Visit) -> None:
        """Gives the visitor's place back, inside or in the line. Raises StoreLostError."""
        line = await self._line(room, replace(visit, joins=False))
        number = self.number(room, line, visit) if line else None
        if line and number is not None:
            await line.release(number)

    def number(self, room: Room, line: Line, visit: Visit) -> int | None:
        """The number of the place that a visitor has, inside or in the line; None where it has none (any more)."""
        admission = self._recognition.admission(room, line, visit)
        if admission:
            return admission.number
        ticket = self._recognition.ticket(room, line, visit.ticket, visit.identity)
        return ticket.number if ticket and not line.moved(ticket.number, ticket.moves) else None

    async def release_number(self, room: Room, key: str, number: int) -> None:
        """Gives back the place of a number. Raises StoreLostError."""
        await self._lines.of(room, key).release(number)

    async def revoke_number(self, room: Room, key: str, number: int) -> None:
        """Takes the place of a number away, and refuses it for a day. Raises StoreLostError."""
        await self._lines.of(room, key).revoke(number, int((self._now_s() + REVOKED_S) * 1000))

    def _note_wait(self, room: Room, facts: Facts) -> None:
        """Before the opening, nobody waits for a turn."""
        if facts.ticket:
            since_s = max(facts.ticket.issued_s, room.limits.opens_ms / 1000)
            self._admitted(room.name, max(0.0, self._now_s() - since_s))

    def _known(self, room: Room, visit: Visit) -> Line | None:
        """The line of a visit, where it is here as it is now."""
        return None if visit.own or visit.bypass else self._lines.awake(room, visit.key)

    async def _line(self, room: Room, visit: Visit) -> Line | None:
        """The line of a visit, begun where needed; None where there can't be one more, or for a visit that has no
        business with it: who neither joins nor brings anything begins none."""
        if visit.own or visit.bypass:
            return None
        if visit.joins or visit.ticket or visit.admission or self._lines.has(room, visit.key):
            return await self._lines.open(room, visit.key)
        return None

    def _without_line(self, room: Room, visit: Visit) -> Settled:
        limits = room.limits
        facts = Facts(mode=limits.mode, session_s=limits.session_ms / 1000, own=visit.own, bypass=visit.bypass)
        return outright(facts) or Refuse("robot" if visit.robot else "full" if visit.joins else "no_place")

    def _facts(self, room: Room, line: Line, visit: Visit) -> Facts:
        limits = line.in_force
        facts = Facts(
            mode=limits.mode,
            phase=limits.phase(self._line_ms(line)),
            session_s=limits.session_ms / 1000,
            joins=visit.joins,
            robot=visit.robot,
        )
        if self._lines.is_lost(line):
            facts.on_loss = room.on_store_loss
            facts.lends = self._loans.are_left(room.name, room.loss_cap, self._now_s())
        if visit.admission:
            facts.on_loan = self._recognition.loan(room, visit)
            if admission := self._recognition.admission(room, line, visit):
                facts.admission = admission
                facts.unsure = line.is_unsure(admission.number, admission.issued_s * 1000)
                return facts
        facts.lacks_identity = room.identity is not None and room.identity.required and not visit.identity
        if visit.ticket and (ticket := self._recognition.ticket(room, line, visit.ticket, visit.identity)):
            facts.ticket = ticket
            facts.standing = self._standing(line, ticket)
            facts.is_void = line.is_void(ticket.epoch)
        return facts

    def _line_ms(self, line: Line) -> int:
        """The line's time, by Redis's clock as it was seen last; by this process's while nobody can see it."""
        if line.snapshot and not self._lines.store_lost:
            return line.snapshot.now_ms
        return int(self._now_s() * 1000)

    def _standing(self, line: Line, ticket: Ticket) -> Standing | None:
        """What this process can say of a ticket by itself; who waits is noted as present."""
        if moved := line.moved(ticket.number, ticket.moves):
            return moved
        standing = line.standing(ticket.number)
        if standing:
            line.poll(ticket.number)
        return Unreachable() if self._lines.is_lost(line) else standing

    async def _claimed(self, line: Line, ticket: Ticket) -> Standing:
        try:
            return await line.claim((ticket.number, ticket.moves))
        except StoreLostError:
            return Unreachable()

    async def _stood(self, line: Line, ticket: Ticket) -> Standing:
        """What is said of a ticket to who only looks: its number is not claimed."""
        known = self._standing(line, ticket)
        if known:
            return known
        try:
            return await line.look(ticket.number)
        except StoreLostError:
            return Unreachable()

    async def _joined(self, line: Line, facts: Facts, identity: str) -> Joined | None:
        """The place that joining gives; None where there is none to be had just now."""
        # The line can't know which number was drawn for an arrival, and so not that it is used up: who has used it has
        # the next places under another name.
        is_used_up = facts.ticket and facts.ticket.arrival is not None and isinstance(facts.standing, Spent)
        try:
            return await line.join(f"{identity}{AFTER_DRAW}" if identity and is_used_up else identity)
        except StoreLostError:
            return None

    def _place(self, line: Line, facts: Facts, identity: str, joined: Joined | None) -> None:
        """Takes into the facts what follows from the place."""
        if joined is None:
            facts.ticket, facts.standing = None, Unreachable()
            return
        visitor = identity or (facts.ticket.visitor if facts.ticket else new_visitor())
        ticket = Ticket(
            line=line.name,
            epoch=joined.epoch,
            number=joined.number,
            issued_s=int(self._now_s()),
            visitor=visitor,
            arrival=joined.arrival,
            draw=line.in_force.draw if joined.arrival is not None else "",
        )
        facts.ticket = self._recognition.drawn(line, ticket)
        facts.standing = _standing_of(joined)
        facts.is_void = False

    async def _renewed(self, line: Line, facts: Facts, admission: Admission) -> Forward | Admit | None:
        """Extends the lease of an active visitor; None if it has none any more. While nobody can say, it holds."""
        known_s = line.lease_end_ms(admission.number) / 1000
        if known_s > admission.expires_s + 1 and known_s - self._now_s() > facts.session_s / 2:
            return Forward(admission)  # another request of theirs has just done it
        lease = admission.number, admission.expires_s * 1000
        try:
            if line.was_lost_since(admission.issued_s * 1000) and not await line.restore(lease):
                return None
            standing = await line.claim((admission.number, None))
            if isinstance(standing, Waiting | Late):  # Redis lost it just now, and nobody has noticed yet
                return Forward(admission) if await line.restore(lease) else None
        except StoreLostError:
            return Forward(admission)
        match standing:
            case Called(lease_end_ms):
                return Admit(admission.visitor, admission.number, lease_end_ms)
            case Spent() | Revoked() | Moved() | Unreachable():
                return None


def _standing_of(joined: Joined) -> Standing | None:
    """What joining tells of the place; None for one that somebody had already, of which the line must be asked."""
    if joined.lease_end_ms:
        return Called(joined.lease_end_ms)
    return Waiting() if joined.is_new else None
