"""Receives each request: reads what the visitor brings, lets the gate decide, and asks the line what the gate lacks."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from waitroom.admission import OPEN_VISITOR, Admission, AdmissionVerifier
from waitroom.draw import Draws, commitment
from waitroom.errors import AdmissionError, StoreLostError, TicketError
from waitroom.gate import Admit, Ask, Facts, Forward, Lend, Refuse, Settled, decide, goes_on, outright
from waitroom.identity import is_person
from waitroom.line import Joined, Line
from waitroom.lines import Lines
from waitroom.loans import Loans
from waitroom.place import DrawTold, Outlook, Place
from waitroom.rooms import Room
from waitroom.standing import Called, Late, Revoked, Spent, Standing, Unreachable, Waiting
from waitroom.ticket import Ticket, TicketSigner, new_visitor

# Admissions remembered; beyond that, the ended ones are dropped.
MOST_KNOWN = 100_000
NOTHING_TO_WAIT_FOR_MS = 1000
# A page asks for many things at once: what was found out for the first of them holds for the others.
SURE_S = 0.5
MOST_OUTLOOKS = 1_000
AFTER_DRAW = "+"
# How long a number is refused that an origin has revoked.
REVOKED_S = 86_400


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


@dataclass(frozen=True, slots=True)
class Received:
    """What becomes of the request, and the ticket that the visitor was given on the way, if any."""

    decision: Settled
    new_ticket: Ticket | None = None


@dataclass(frozen=True, slots=True)
class Sure:
    """That an admission of a number lets its visitor go on: until a time, and as long as the line has not changed."""

    number: int
    room: Room
    key: str
    line: Line
    changes: int
    until_s: float


class Reception:
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
        self.now_s = self._now_s = now_s
        self._loans = Loans()
        self._known: dict[tuple[str, str], Admission] = {}
        self._outlooks: dict[str, tuple[Line, Room, int, Outlook]] = {}

    async def receive(self, room: Room, visit: Visit) -> Received:
        """Decides; where the gate asks for more, the line is asked, at most for a claim and then for a number."""
        line = await self._line(room, visit)
        if line is None:
            return Received(self._without_line(room, visit))
        facts = self._facts(room, line, visit)
        new_ticket: Ticket | None = None
        while True:
            decision = decide(facts, self._now_s())
            match decision:
                case Ask(Ticket(number=number)):
                    facts = replace(facts, standing=await self._claimed(line, number))
                case Ask():
                    facts = await self._joined(line, facts, visit.identity)
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
                case _:
                    return Received(decision, new_ticket)

    def recall(self, room: Room, key: str, token: str) -> Sure | None:
        """Whether the visitor with this admission is inside and may go on, where nothing need be asked or verified for
        that; and for how long that is sure."""
        now_s = self._now_s()
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

    def is_open(self, room: Room, key: str) -> bool:
        """Whether everybody passes, as far as that is known here."""
        line = self._lines.awake(room, key)
        return line is not None and line.in_force.mode == "open"

    def place_at_once(self, room: Room, key: str, ticket_text: str) -> Place | None:
        """The place of who brings this ticket, and no admission, where it is known here; a sign of presence, too."""
        line = self._lines.awake(room, key)
        ticket = self._ticket(room, line, ticket_text, "") if line else None
        if line is None or ticket is None or line.is_void(ticket.epoch):
            return None
        standing = self._standing(line, ticket.number)
        return self.told(room, line, ticket, standing) if standing else None

    async def place(self, room: Room, visit: Visit) -> Place:
        """Where a visitor stands, and a sign of its presence. Redis is asked only for a number that was passed."""
        line = await self._line(room, replace(visit, joins=False))
        if line is None:
            return Place("none", poll_after_ms=NOTHING_TO_WAIT_FOR_MS)
        if self._admission(room, line, visit):
            return Place("inside", poll_after_ms=NOTHING_TO_WAIT_FOR_MS)
        ticket = self._ticket(room, line, visit.ticket, visit.identity)
        if ticket is None or line.is_void(ticket.epoch):
            return Place("none", poll_after_ms=NOTHING_TO_WAIT_FOR_MS)
        standing = self._standing(line, ticket.number) or await self._looked(line, ticket.number)
        return self.told(room, line, ticket, standing)

    def waiting(self, room: Room, key: str, ticket: Ticket, standing: Standing) -> Place:
        """The place of a visitor of whom the gate has decided that it waits."""
        return self.told(room, self._lines.of(room, key), ticket, standing)

    async def release(self, room: Room, visit: Visit) -> None:
        """Gives the visitor's place back, inside or in the line. Raises StoreLostError."""
        line = await self._line(room, replace(visit, joins=False))
        if line is None:
            return
        if holder := self._admission(room, line, visit) or self._ticket(room, line, visit.ticket, visit.identity):
            await line.release(holder.number)

    async def release_number(self, room: Room, key: str, number: int) -> None:
        """Gives back the place of a number. Raises StoreLostError."""
        await self._lines.of(room, key).release(number)

    async def revoke_number(self, room: Room, key: str, number: int) -> None:
        """Takes the place of a number away, and refuses it for a day. Raises StoreLostError."""
        await self._lines.of(room, key).revoke(number, int((self._now_s() + REVOKED_S) * 1000))

    def told(self, room: Room, line: Line, ticket: Ticket, standing: Standing) -> Place:
        """What the visitor is told of the place."""
        known = self._outlooks.get(line.name)
        if known is None or known[0] is not line or known[1] is not room or known[2] != line.changes:
            known = self._look_out(room, line)
        outlook = known[3]
        place = outlook.place(ticket.number, standing, random.random())
        draw = self._draw_told(line, ticket.arrival) if outlook.limits.draw else None
        return replace(place, draw=draw) if draw else place

    def _look_out(self, room: Room, line: Line) -> tuple[Line, Room, int, Outlook]:
        """The same for all who ask between two snapshots."""
        outlook = Outlook(
            snapshot=line.snapshot,
            calls_per_minute=line.rate.per_minute,
            limits=line.in_force,
            polls_per_second=room.polls_per_second,
            message=room.message,
        )
        if len(self._outlooks) >= MOST_OUTLOOKS:
            self._outlooks.clear()
        known = self._outlooks[line.name] = line, room, line.changes, outlook
        return known

    def draw(self, room: Room, key: str) -> DrawTold | None:
        """What everybody may know of a line's draw; None where there is none."""
        if self._lines.has(room, key):
            return self._draw_told(self._lines.of(room, key), None)
        if not room.limits.draw:
            return None
        draw = self._draws.of(room.line_name(key), room.limits.draw, room.limits.draw_size)
        return DrawTold(commitment(draw.seed), draw.size)

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
        return outright(facts) or Refuse("full" if visit.joins else "no_place")

    def _ticket(self, room: Room, line: Line, text: str, identity: str) -> Ticket | None:
        """The ticket of a text, if it is ours, of this line, and not another person's; with the number drawn for it.

        Who signs in while waiting keeps the place, unless the room gives places to persons only.
        """
        try:
            ticket = self._tickets.read(text)
        except TicketError:
            return None
        if ticket.line != line.name or (identity and _is_anothers(ticket.visitor, identity)):
            return None
        if identity and room.identity and room.identity.required and not is_person(ticket.visitor):
            return None
        if ticket.arrival is None and ticket.epoch <= line.known.epoch:
            return ticket
        line.learn(ticket.epoch, ticket.arrival, ticket.draw)
        return self._drawn(line, ticket)

    def _drawn(self, line: Line, ticket: Ticket) -> Ticket | None:
        """A ticket with its number; None where its draw is not, or no longer, the line's."""
        if ticket.arrival is None:
            return ticket
        limits = line.in_force
        if ticket.draw != limits.draw or ticket.arrival >= limits.draw_size:
            return None
        place = self._draws.of(line.name, limits.draw, limits.draw_size).place(ticket.arrival)
        return ticket._replace(number=limits.drawn_number(place))

    def _admission(self, room: Room, line: Line, visit: Visit) -> Admission | None:
        """The admission in a visit, if it holds for this line now. Its signature is checked once, then remembered."""
        known = self._known.get((room.name, visit.admission)) or self._verified(room, visit.admission)
        if known is None or known.number == 0 or known.key != visit.key or known.expires_s <= self._now_s():
            return None
        if line.has_ended(known.number) or _is_anothers(known.visitor, visit.identity):
            return None
        if not line.is_unsure(known.number, known.issued_s * 1000):
            line.hold_lease(known.number, known.expires_s * 1000)
        return known

    def _facts(self, room: Room, line: Line, visit: Visit) -> Facts:
        limits = line.in_force
        facts = Facts(
            mode=limits.mode,
            phase=limits.phase(self._line_ms(line)),
            session_s=limits.session_ms / 1000,
            joins=visit.joins,
            on_loan=self._loan(room, visit),
        )
        if self._lines.is_lost(line):
            lends = self._loans.are_left(room.name, room.loss_cap, self._now_s())
            facts = replace(facts, on_loss=room.on_store_loss, lends=lends)
        if admission := self._admission(room, line, visit):
            return replace(
                facts, admission=admission, unsure=line.is_unsure(admission.number, admission.issued_s * 1000)
            )
        lacks_identity = room.identity is not None and room.identity.required and not visit.identity
        if ticket := self._ticket(room, line, visit.ticket, visit.identity):
            standing = self._standing(line, ticket.number)
            is_void = line.is_void(ticket.epoch)
            return replace(facts, ticket=ticket, standing=standing, is_void=is_void, lacks_identity=lacks_identity)
        return replace(facts, lacks_identity=lacks_identity)

    def _line_ms(self, line: Line) -> int:
        """The line's time, by Redis's clock as it was seen last; by this process's while nobody can see it."""
        if line.snapshot and not self._lines.store_lost:
            return line.snapshot.now_ms
        return int(self._now_s() * 1000)

    def _loan(self, room: Room, visit: Visit) -> Admission | None:
        """The admission in a visit, if it was lent and has not ended: what an open room gives everybody is none."""
        if room.on_store_loss != "open":
            return None
        known = self._known.get((room.name, visit.admission)) or self._verified(room, visit.admission)
        if known is None or known.number or known.visitor == OPEN_VISITOR:
            return None
        return known if known.key == visit.key and known.expires_s > self._now_s() else None

    def _standing(self, line: Line, number: int) -> Standing | None:
        """What this process can say of a number by itself; who waits is noted as present."""
        standing = line.standing(number)
        if standing:
            line.poll(number)
        return Unreachable() if self._lines.is_lost(line) else standing

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

    async def _joined(self, line: Line, facts: Facts, identity: str) -> Facts:
        # The line can't know which number was drawn for an arrival, and so not that it is used up: who has used it has
        # the next places under another name.
        is_used_up = facts.ticket and facts.ticket.arrival is not None and isinstance(facts.standing, Spent)
        try:
            joined = await line.join(f"{identity}{AFTER_DRAW}" if identity and is_used_up else identity)
        except StoreLostError:
            joined = None
        if joined is None:
            return replace(facts, ticket=None, standing=Unreachable())
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
        return replace(facts, ticket=self._drawn(line, ticket), standing=_standing_of(joined), is_void=False)

    async def _renewed(self, line: Line, facts: Facts, admission: Admission) -> Forward | Admit | None:
        """Extends the lease of an active visitor; None if it has none any more. While nobody can say, it holds."""
        known_s = line.lease_end_ms(admission.number) / 1000
        if known_s > admission.expires_s + 1 and known_s - self._now_s() > facts.session_s / 2:
            return Forward(admission)  # another request of theirs has just done it
        lease = admission.number, admission.expires_s * 1000
        try:
            if line.was_lost_since(admission.issued_s * 1000) and not await line.restore(lease):
                return None
            standing = await line.claim(admission.number)
            if isinstance(standing, Waiting | Late):  # Redis lost it just now, and nobody has noticed yet
                return Forward(admission) if await line.restore(lease) else None
        except StoreLostError:
            return Forward(admission)
        match standing:
            case Called(lease_end_ms):
                return Admit(admission.visitor, admission.number, lease_end_ms)
            case Spent() | Revoked() | Unreachable():
                return None

    def _verified(self, room: Room, text: str) -> Admission | None:
        now_s = self._now_s()
        try:
            admission = self._admissions.verify(text, room.audience, now_s)
        except AdmissionError:
            return None
        if admission.room != room.name:  # rooms may share an audience, and never a place
            return None
        if len(self._known) >= MOST_KNOWN:
            self._known = {key: known for key, known in self._known.items() if known.expires_s > now_s}
        self._known[room.name, text] = admission
        return admission


def _is_anothers(visitor: str, identity: str) -> bool:
    """Whether a place of `visitor` is that of another person than the one who asks, where both are known."""
    return identity != "" and is_person(visitor) and visitor != identity


def _standing_of(joined: Joined) -> Standing | None:
    """What joining tells of the place; None for one that somebody had already, of which the line must be asked."""
    if joined.lease_end_ms:
        return Called(joined.lease_end_ms)
    return Waiting() if joined.is_new else None
