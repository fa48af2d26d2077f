"""The public listener: turns a visitor's request into facts, and what is decided about it into a response."""

import logging
import random
import secrets
from collections.abc import Callable, Sequence
from typing import assert_never

from aiohttp import web

from waitroom import asking as reading
from waitroom.answers import Answers, problem
from waitroom.asking import Asking
from waitroom.cookies import admission_cookie, ticket_cookie
from waitroom.errors import OriginError, StoreLostError
from waitroom.gate import Admit, Answer, Forward, Pass, Reason, Refuse, Wait
from waitroom.headers import Network, cookie
from waitroom.metrics import Metrics
from waitroom.papers import Papers
from waitroom.reception import Received, Reception, Visit
from waitroom.relay import Relay
from waitroom.rooms import Room, Rooms, host_name, normalised

log = logging.getLogger(__name__)

OWN_PREFIX = "/.waitroom/"
REQUEST_ID_BYTES = 8


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
    ) -> None:
        self._rooms = rooms
        self._reception = reception
        self._papers = papers
        self._relay = relay
        self._answers = answers
        self._metrics = metrics
        self._trusted = trusted

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """A request for a site behind us."""
        asking = self._read(request)
        path = normalised(asking.target)
        room = self._rooms().match(host_name(asking.client.host), path)
        if room is None:
            return problem(404, "no_room", "No site here", f"No room guards {asking.client.host}{path}.")
        received = await self._reception.receive(room, self._visit(room, asking, path))
        self._metrics.count(room.name, type(received.decision).__name__.lower())
        return await self._respond(request, room, asking, received)

    async def place(self, request: web.Request) -> web.Response:
        """`GET /.waitroom/rooms/{room}/place`: where a visitor stands."""
        room, asking = self._room(request), self._read(request)
        place = await self._reception.place(room, self._visit(room, asking))
        self._metrics.count(room.name, "poll")
        return self._answers.place(place)

    async def leave(self, request: web.Request) -> web.Response:
        """`POST /.waitroom/rooms/{room}/leave`: gives the place back."""
        room, asking = self._room(request), self._read(request)
        try:
            await self._reception.release(room, self._visit(room, asking))
        except StoreLostError:
            return self._answers.store_lost(room, asking)
        self._metrics.count(room.name, "leave")
        response = self._answers.left(room, asking)
        for field in self._papers.removed(room, secure=asking.client.is_secure):
            response.headers.add("Set-Cookie", field)
        return response

    async def _respond(
        self, request: web.Request, room: Room, asking: Asking, received: Received
    ) -> web.StreamResponse:
        secure = asking.client.is_secure
        cookies = [self._papers.ticket(room, ticket, secure=secure)] if (ticket := received.new_ticket) else []
        match received.decision:
            case Forward(None):
                return await self._carry(request, room, asking, None, cookies)
            case Forward():
                token = self._visit(room, asking).admission
                return await self._carry(request, room, asking, token, cookies)
            case Admit(visitor, number, lease_end_ms):
                admitted = self._papers.admission(room, visitor, number, lease_end_ms, secure=secure)
                return await self._carry(request, room, asking, admitted.token, [*cookies, admitted.cookie])
            case Pass():
                return await self._carry(request, room, asking, self._papers.open_admission(room), cookies)
            case Wait(ticket, standing):
                place = self._reception.outlook(room).place(ticket.number, standing, random.random())
                response = self._answers.waiting(room, place, asking, is_new=bool(cookies))
                response.headers.extend([("Set-Cookie", field) for field in cookies])
                return response
            case Refuse(reason):
                return self._refused(room, asking, reason)
            case Answer():
                return problem(404, "not_found", "Not found", f"Waitroom has nothing at {asking.target}.")
            case decision:
                assert_never(decision)

    async def _carry(
        self, request: web.Request, room: Room, asking: Asking, token: str | None, cookies: list[str]
    ) -> web.StreamResponse:
        try:
            return await self._relay.carry(request, asking, room, token, cookies)
        except OriginError as exc:
            log.warning("origin %s gave no response: %s (request %s)", exc, type(exc).__name__, asking.request_id)
            response = self._answers.failure(room, exc.status, asking)
            response.headers.extend([("Set-Cookie", field) for field in cookies])
            return response

    def _refused(self, room: Room, asking: Asking, reason: Reason) -> web.Response:
        match reason:
            case "closed":
                return self._answers.closed(room, asking)
            case "store_lost":
                return self._answers.store_lost(room, asking)
            case "no_place":
                return self._answers.no_place()
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

    def _visit(self, room: Room, asking: Asking, path: str = "") -> Visit:
        secure = asking.client.is_secure
        return Visit(
            ticket=cookie(asking.fields, ticket_cookie(room.name, secure=secure)),
            admission=cookie(asking.fields, admission_cookie(room.name, secure=secure)),
            own=path.startswith(OWN_PREFIX),
            bypass=room.lets_by(asking.target.partition("?")[0], path),
            joins=asking.joins,
        )

    def _room(self, request: web.Request) -> Room:
        name = request.match_info["room"]
        room = self._rooms().named(name)
        if room is None:
            raise web.HTTPNotFound(text=f"there is no room {name!r}")
        return room
