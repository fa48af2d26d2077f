"""The public listener: turns a visitor's request into facts, and what is decided about it into a response."""

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from aiohttp import web

from waitroom import asking as reading
from waitroom.answers import Answers, problem
from waitroom.asking import Asking
from waitroom.cookies import ADMISSION, admission_cookie, set_cookie, ticket_cookie, tickets_of
from waitroom.errors import OriginError, StoreLostError
from waitroom.gate import Admit, Answer, Forward, Lend, Pass, Reason, Refuse, Wait
from waitroom.headers import Command, Network, cookie, cookie_names
from waitroom.metrics import Metrics
from waitroom.papers import Papers
from waitroom.reception import Received, Reception, Visit
from waitroom.relay import Relay
from waitroom.response import Field, Response
from waitroom.rooms import Room, Rooms, host_name, normalised
from waitroom.served import served
from waitroom.ticket import Ticket

log = logging.getLogger(__name__)

OWN_PREFIX = "/.waitroom/"
REQUEST_ID_BYTES = 8
# Of one room's lines, how many a visitor may stand in at a time.
MOST_TICKETS = 8


@dataclass(frozen=True, slots=True)
class Token:
    """What a request carries to the origin: the text of its admission, and whose place that is, 0 for nobody's."""

    text: str | None = field(repr=False)
    key: str
    number: int


class Front:
    """Answers everything that comes to the public listener. `rooms` gives the rooms in force."""

    def __init__(
        self,
        rooms: Callable[[], Rooms],
        reception: Reception,
        papers: Papers,
        relay: Relay,
        answers: Answers,
        metrics: Metrics,
        trusted: Sequence[Network],
        identity_secret: bytes,
    ) -> None:
        self._rooms = rooms
        self._reception = reception
        self._papers = papers
        self._relay = relay
        self._answers = answers
        self._metrics = metrics
        self._trusted = trusted
        self._identity_secret = identity_secret

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """A request for a site behind us."""
        asking = self._read(request)
        path = normalised(asking.target)
        room = self._rooms().match(host_name(asking.client.host), path)
        if room is None:
            return served(problem(404, "no_room", "No site here", f"No room guards {asking.client.host}{path}."))
        key = room.key_of(path)
        if key is None:
            return served(problem(404, "no_line", "No line here", f"No line of {room.title} can be at {path}."))
        visit = self._visit(room, asking, key, path)
        received = await self._reception.receive(room, visit)
        self._metrics.count(room.name, type(received.decision).__name__.lower())
        return await self._respond(request, room, asking, visit, received)

    async def place(self, request: web.Request) -> web.Response:
        """`GET /.waitroom/rooms/{room}/place`: where a visitor stands."""
        room, key, asking = self._line_of(request)
        place = await self._reception.place(room, self._visit(room, asking, key))
        self._metrics.count(room.name, "poll")
        return served(self._answers.place(place))

    async def draw(self, request: web.Request) -> web.Response:
        """`GET /.waitroom/rooms/{room}/draw`: what was committed to, and after the opening the proof, for everybody."""
        room, key, _ = self._line_of(request)
        told = self._reception.draw(room, key)
        if told is None:
            return served(problem(404, "no_draw", "No draw here", f"{room.title} draws no places."))
        return served(self._answers.draw(told))

    async def leave(self, request: web.Request) -> web.Response:
        """`POST /.waitroom/rooms/{room}/leave`: gives the place back."""
        room, key, asking = self._line_of(request)
        try:
            await self._reception.release(room, self._visit(room, asking, key))
        except StoreLostError:
            return served(self._answers.store_lost(room, asking))
        self._metrics.count(room.name, "leave")
        cookies = self._papers.removed(room, key, secure=asking.client.is_secure)
        return served(self._answers.left(room, asking).with_fields(_set(cookies)))

    async def _respond(
        self, request: web.Request, room: Room, asking: Asking, visit: Visit, received: Received
    ) -> web.StreamResponse:
        secure, key = asking.client.is_secure, visit.key
        cookies = self._ticket_cookies(room, key, asking, received.new_ticket) if received.new_ticket else []
        match received.decision:
            case Forward(admission):
                token = Token(visit.admission, key, admission.number) if admission else Token(None, key, 0)
                return await self._carry(request, room, asking, token, cookies)
            case Admit(visitor, number, lease_end_ms):
                admitted = self._papers.admission(room, key, visitor, number, lease_end_ms, secure=secure)
                token = Token(admitted.token, key, number)
                return await self._carry(request, room, asking, token, [*cookies, admitted.cookie])
            case Pass():
                token = Token(self._papers.open_admission(room, key), key, 0)
                return await self._carry(request, room, asking, token, cookies)
            case Lend():
                lent = self._papers.loan(room, key, secure=secure)
                return await self._carry(request, room, asking, Token(lent.token, key, 0), [*cookies, lent.cookie])
            case Wait(ticket, standing):
                place = self._reception.waiting(room, key, ticket, standing)
                response = self._answers.waiting(room, key, place, asking, is_new=bool(cookies))
                return served(response.with_fields(_set(cookies)))
            case Refuse(reason):
                return served(self._refused(room, key, asking, reason))
            case Answer():
                return served(problem(404, "not_found", "Not found", f"Waitroom has nothing at {asking.target}."))
            case decision:
                assert_never(decision)

    async def _carry(
        self, request: web.Request, room: Room, asking: Asking, token: Token, cookies: list[str]
    ) -> web.StreamResponse:
        async def obey(command: Command) -> list[str]:
            return await self._obey(command, room, asking, token)

        try:
            return await self._relay.carry(request, asking, room, token.text, cookies, obey)
        except OriginError as exc:
            log.warning("origin %s gave no response: %s (request %s)", exc, type(exc).__name__, asking.request_id)
            return served(self._answers.failure(room, exc.status, asking).with_fields(_set(cookies)))

    async def _obey(self, command: Command, room: Room, asking: Asking, token: Token) -> list[str]:
        """Does with a visitor's place what the origin says, and gives the cookies that follow from it."""
        if token.number == 0:
            return []
        secure = asking.client.is_secure
        try:
            match command:
                case "release":
                    await self._reception.release_number(room, token.key, token.number)
                    return self._papers.removed(room, token.key, secure=secure)
                case "revoke":
                    await self._reception.revoke_number(room, token.key, token.number)
                    return [self._papers.without_admission(room, token.key, secure=secure)]
        except StoreLostError:
            log.warning("the store is lost: %s of %s was not done (request %s)", command, token, asking.request_id)
            return []

    def _ticket_cookies(self, room: Room, key: str, asking: Asking, ticket: Ticket) -> list[str]:
        """The new ticket's cookie. Who stands in many lines of a room gives the oldest place up: a browser's cookies
        must fit into one header."""
        secure = asking.client.is_secure
        fields = [self._papers.ticket(room, key, ticket, secure=secure)]
        if key:
            own = ticket_cookie(room.name, key, secure=secure)
            names = [name for name in tickets_of(room.name, cookie_names(asking.fields), secure=secure) if name != own]
            for name in names[: max(0, len(names) + 1 - MOST_TICKETS)]:
                fields += [set_cookie(gone, "", 0, secure=secure) for gone in (name, name + ADMISSION)]
        return fields

    def _refused(self, room: Room, key: str, asking: Asking, reason: Reason) -> Response:
        match reason:
            case "closed":
                return self._answers.closed(room, asking)
            case "store_lost":
                return self._answers.store_lost(room, asking)
            case "full":
                return self._answers.full(room, asking)
            case "no_place":
                return self._answers.no_place()
            case "no_identity":
                return self._answers.no_identity(room, asking)
            case "revoked":
                return self._answers.revoked(room, asking)
            case "void":
                gone = self._papers.without_ticket(room, key, secure=asking.client.is_secure)
                return self._answers.void(room, asking).with_fields(_set([gone]))
            case _:
                assert_never(reason)

    def _read(self, request: web.Request) -> Asking:
        return reading.read(
            request.method,
            request.raw_path,
            list(request.headers.items()),
            peer=request.remote or "",
            scheme=request.scheme,
            trusted=self._trusted,
            request_id=secrets.token_hex(REQUEST_ID_BYTES),
        )

    def _visit(self, room: Room, asking: Asking, key: str, path: str = "") -> Visit:
        secure = asking.client.is_secure
        return Visit(
            ticket=cookie(asking.fields, ticket_cookie(room.name, key, secure=secure)),
            admission=cookie(asking.fields, admission_cookie(room.name, key, secure=secure)),
            key=key,
            identity=room.identity.of(asking.fields, self._identity_secret) if room.identity else "",
            own=path.startswith(OWN_PREFIX),
            bypass=room.lets_by(asking.target.partition("?")[0], path),
            joins=asking.joins,
        )

    def _line_of(self, request: web.Request) -> tuple[Room, str, Asking]:
        """The room and key that an address of our own names."""
        name, key = request.match_info["room"], request.query.get("key", "")
        room = self._rooms().named(name)
        if room is None:
            raise web.HTTPNotFound(text=f"there is no room {name!r}")
        if not room.has_key(key):
            raise web.HTTPNotFound(text=f"room {name!r} has no line of key {key!r}")
        return room, key, self._read(request)


def _set(cookies: Sequence[str]) -> list[Field]:
    return [("Set-Cookie", cookie) for cookie in cookies]
