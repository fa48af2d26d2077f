"""What becomes of a request for a room: it is carried on with a token, or answered. Turns each decision of the gate
into what is to be done, and keeps the cookies that go with it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from waitroom.admission import HEADER
from waitroom.answers import NO_STORE, Answers, problem
from waitroom.asking import Asking
from waitroom.cookies import ADMISSION, admission_names, set_cookie, ticket_cookie, ticket_names, tickets_of
from waitroom.engines import Engine
from waitroom.errors import StoreLostError
from waitroom.gate import Admit, Answer, Forward, Lend, Pass, Reason, Refuse, Wait
from waitroom.headers import cookie_names
from waitroom.line import Joined
from waitroom.local_path import local
from waitroom.papers import Papers
from waitroom.place import CALLED_POLL_MS, Place
from waitroom.reception import Reception
from waitroom.recognition import Recognition, Sure, Visit
from waitroom.response import Response
from waitroom.robots import Robots
from waitroom.rooms import Room, Route
from waitroom.ticket import Ticket

log = logging.getLogger(__name__)

# Of one room's lines, how many a visitor may stand in at a time.
MOST_TICKETS = 8
MOST_SURE = 10_000


@dataclass(slots=True)
class Carry:
    """To the origin: with the text of an admission, and for the place of a number, 0 for nobody's. `outcome` is the
    word by which the request is counted, and `line` tells the origin of the admission."""

    outcome: str
    token: str | None = field(repr=False)
    number: int
    cookies: Sequence[str] = ()
    line: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.line = b"" if self.token is None else f"{HEADER}: {self.token}\r\n".encode("latin-1")


BYPASS = Carry("forward", None, 0)


@dataclass(slots=True)
class Say:
    """The visitor is answered here."""

    outcome: str
    response: Response
    cookies: Sequence[str] = ()


class Judge:
    """`identity_secret` keys the hashes of identities."""

    def __init__(
        self,
        recognition: Recognition,
        reception: Reception,
        papers: Papers,
        answers: Answers,
        robots: Robots,
        identity_secret: bytes,
    ) -> None:
        self._recognition = recognition
        self._reception = reception
        self._papers = papers
        self._answers = answers
        self._robots = robots
        self._now_s = recognition.now_s
        self._identity_secret = identity_secret
        self._sure: dict[str, tuple[Sure, Carry]] = {}

    def at_once(self, room: Room, route: Route, token: str) -> Carry | None:
        """What can be said of a request without asking the line, or reading more of it than the token that it brings;
        None where that is not enough."""
        if route.bypass:
            return BYPASS
        known = self._sure.get(token)
        if known:
            sure, carry = known
            is_same = sure.room is room and sure.key == route.key
            if is_same and sure.changes == sure.line.changes and self._now_s() < sure.until_s:
                return carry
        return self._found_out(room, route.key or "", token)

    def _found_out(self, room: Room, key: str, token: str) -> Carry | None:
        sure = self._recognition.recall(room, key, token) if token and not room.identity else None
        if sure:
            if len(self._sure) >= MOST_SURE:
                self._sure.clear()
            carry = Carry("forward", token, sure.number)
            self._sure[token] = sure, carry
            return carry
        if self._reception.is_open(room, key):
            return Carry("pass", self._papers.open_admission(room, key), 0)
        return None

    async def judge(self, room: Room, route: Route, asking: Asking, joined: Joined | None = None) -> Carry | Say:
        """What becomes of a request, whatever it takes to find out; `joined` is the place that it was given already."""
        visit = self.visit(room, route.key or "", asking, route)
        if asking.manner.engine:
            visit = await self._of_robot(room, asking.manner.engine, asking, visit)
        received = await self._reception.receive(room, visit, joined)
        secure, key = asking.client.is_secure, visit.key
        cookies = self._ticket_cookies(room, key, asking, received.new_ticket) if received.new_ticket else []
        outcome = type(received.decision).__name__.lower()
        match received.decision:
            case Forward(admission):
                token = visit.admission if admission else None
                return Carry(outcome, token, admission.number if admission else 0, cookies)
            case Admit(visitor, number, lease_end_ms):
                admitted = self._papers.admission(room, key, visitor, number, lease_end_ms, secure=secure)
                return Carry(outcome, admitted.token, number, [*cookies, admitted.cookie])
            case Pass():
                return Carry(outcome, self._papers.open_admission(room, key), 0, cookies)
            case Lend():
                lent = self._papers.loan(room, key, secure=secure)
                return Carry(outcome, lent.token, 0, [*cookies, lent.cookie])
            case Wait(ticket, standing):
                place = self._reception.waiting(room, key, ticket, standing)
                response = self._answers.waiting(room, key, place, asking, is_new=bool(cookies))
                return Say(outcome, response, cookies)
            case Refuse(reason):
                return self._refused(room, key, asking, reason)
            case Answer():
                response = problem(404, "not_found", "Not found", f"Waitroom has nothing at {asking.target}.")
                return Say(outcome, response)
            case decision:
                assert_never(decision)

    def visit(self, room: Room, key: str, asking: Asking, route: Route | None = None) -> Visit:
        """A request as the reception needs it."""
        secure = asking.client.is_secure
        return Visit(
            ticket=asking.cookie(ticket_names(room.name, key)[secure]),
            admission=asking.cookie(admission_names(room.name, key)[secure]),
            key=key,
            identity=room.identity.of(asking.fields, self._identity_secret) if room.identity else "",
            own=route.own if route else False,
            bypass=route.bypass if route else False,
            joins=asking.joins,
        )

    async def _of_robot(self, room: Room, engine: Engine, asking: Asking, visit: Visit) -> Visit:
        """The visit of who says that it is a robot. By a rule of the room it passes, to read, if it is one. It never
        joins: if it could wait, the waiting page would be found in place of the site."""
        may_pass = engine in room.crawlers and asking.method in ("GET", "HEAD")
        bypass = visit.bypass or (may_pass and await self._robots.is_genuine(engine, asking.client.address))
        return replace(visit, bypass=bypass, joins=False, robot=True)

    def failure(self, room: Room, status: int, asking: Asking) -> Response:
        """For who was carried on, and whom the origin gave nothing."""
        return self._answers.failure(room, status, asking)

    def sent_back(self, room: Room, key: str, asking: Asking, carry: Carry) -> Say:
        """For who may go on where the room has no origin: it asks the proxy again that asks here, now with the cookies.

        Who may not keep cookies would be sent back for ever, and take a place each time: it sees a page that says so
        much, and comes back by itself."""
        if not carry.cookies or asking.method not in ("GET", "HEAD"):
            detail = f"{room.title} has no origins, and is only asked of by forward-auth."
            return Say(carry.outcome, problem(503, "no_origin", "Nothing to go on to", detail), carry.cookies)
        if _keeps_cookies(asking):
            response = Response(303, (("Location", local(asking.target)), NO_STORE))
        else:
            response = self._answers.waiting(room, key, Place("called", CALLED_POLL_MS), asking, is_new=True)
        return Say(carry.outcome, response, carry.cookies)

    async def still_inside(self, room: Room, visit: Visit) -> str:
        """The admission of a visitor in a tunnel, who is active as long as that is open: the same, or one with a lease
        that was extended; "" where it is inside no more."""
        received = await self._reception.receive(room, visit)
        match received.decision:
            case Admit(visitor, number, lease_end_ms):
                return self._papers.admission(room, visit.key, visitor, number, lease_end_ms, secure=False).token
            case Forward() | Pass():
                return visit.admission
            case _:
                return ""

    async def obey(self, room: Room, key: str, number: int, command: str, *, secure: bool) -> list[str]:
        """Does with a visitor's place what the origin says, and gives the cookies that follow from it."""
        try:
            match command if number else "":
                case "release":
                    await self._reception.release_number(room, key, number)
                    return self._papers.removed(room, key, secure=secure)
                case "revoke":
                    await self._reception.revoke_number(room, key, number)
                    return [self._papers.without_admission(room, key, secure=secure)]
                case _:
                    return []
        except StoreLostError:
            log.warning("the store is lost: %s of number %s in %s was not done", command, number, room.line_name(key))
            return []

    def moved_cookies(self, room: Room, key: str, asking: Asking, ticket: Ticket) -> list[str]:
        """The cookies of who has taken over a place by this ticket; an admission that it had is good no more."""
        without = self._papers.without_admission(room, key, secure=asking.client.is_secure)
        return [*self._ticket_cookies(room, key, asking, ticket), without]

    def _ticket_cookies(self, room: Room, key: str, asking: Asking, ticket: Ticket) -> list[str]:
        """The new ticket's cookie. Who stands in many lines of a room gives the oldest place up: a browser's cookies
        must fit into one header."""
        secure = asking.client.is_secure
        fields = [self._papers.ticket(room, key, ticket, secure=secure)]
        if key:
            own = ticket_cookie(room.name, key, secure=secure)
            others = [name for name in tickets_of(room.name, cookie_names(asking.fields), secure=secure) if name != own]
            for name in others[: max(0, len(others) - MOST_TICKETS + 1)]:
                fields += [set_cookie(old, "", 0, secure=secure) for old in (name, name + ADMISSION)]
        return fields

    def _refused(self, room: Room, key: str, asking: Asking, reason: Reason) -> Say:
        match reason:
            case "closed":
                return Say("refuse", self._answers.closed(room, asking))
            case "store_lost":
                return Say("refuse", self._answers.store_lost(room, asking))
            case "full":
                return Say("refuse", self._answers.full(room, asking))
            case "no_place":
                return Say("refuse", self._answers.no_place())
            case "no_identity":
                return Say("refuse", self._answers.no_identity(room, asking))
            case "revoked":
                return Say("refuse", self._answers.revoked(room, asking))
            case "moved":
                return Say("refuse", self._answers.moved(room, key, asking))
            case "robot":
                return Say("refuse", self._answers.robot(room))
            case "void":
                field = self._papers.without_ticket(room, key, secure=asking.client.is_secure)
                return Say("refuse", self._answers.void(room, asking), [field])
            case _:
                assert_never(reason)


def _keeps_cookies(asking: Asking) -> bool:
    """Whether it has kept some before, or is a browser that says what it asks for (Fetch Metadata)."""
    return b"cookie" in asking.block.looked or b"sec-fetch-dest" in asking.block.looked
