"""The front: reads who asks, finds where each request belongs, and has it carried on or answered.

What an admitted visitor asks for goes on at once, in the same turn of the event loop; so does a poll of who waits.
Everything else may take its time in a task of its own.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace

from waitroom.answers import problem
from waitroom.asking import Asking
from waitroom.authz import Authz, Inquiry
from waitroom.cors import shared
from waitroom.exchange import Asker, Exchange
from waitroom.judge import Carry, Judge, Say
from waitroom.line import Joined
from waitroom.newcomers import Newcomer, Newcomers
from waitroom.original import PREFIX as AUTHZ
from waitroom.original import is_about_another
from waitroom.own import Own
from waitroom.places import PREFIX, Places, Poll, Question, Told
from waitroom.records import Records
from waitroom.relay import OriginOf, Relay
from waitroom.rooms import Room, Rooms, Route
from waitroom.tunnels import Tunnels
from waitroom.wire.cookies import cookie
from waitroom.wire.errors import RequestError

log = logging.getLogger(__name__)

REFUSALS = {
    400: "Bad request",
    408: "The request took too long",
    413: "The body is too large",
    414: "The address is too long",
    431: "The header fields are too large",
    501: "Not implemented",
    503: "Too many connections",
    505: "HTTP version not supported",
}


class Found:
    """What follows from the bytes of a request, on the connection that brought them and while `rooms` are in force: who
    asks, the id that a trusted proxy has given, and where it belongs: None where a proxy asks about another request.
    `token` is of the admission that is brought for the route, `newcomer` who brings nothing there, and `question` what
    is asked about a place, of which `poll` is what all who wait ask.
    """

    __slots__ = ("asker", "given_id", "newcomer", "poll", "question", "rooms", "route", "token")

    def __init__(self, rooms: Rooms, asker: Asker, given_id: bytes, route: Route | None) -> None:
        self.rooms = rooms
        self.asker = asker
        self.given_id = given_id
        self.route = route
        self.token = ""
        self.newcomer: Newcomer | None = None
        self.question: Question | Told | None = None
        self.poll: Poll | None = None


class Front:
    """Handles the exchanges of all connections. `rooms` gives the rooms in force, `choose` an origin of a room other
    than the one that failed."""

    now_s = staticmethod(time.monotonic)

    def __init__(
        self,
        rooms: Callable[[], Rooms],
        judge: Judge,
        places: Places,
        newcomers: Newcomers,
        own: Own,
        choose: Callable[[Room, OriginOf | None], OriginOf | None],
        records: Records,
        tunnels: Tunnels,
    ) -> None:
        self.keep = tunnels.keep
        self.finished = records.finished
        self.origin_failed = records.origin_failed
        self.asked = records.asked
        self.answered = records.answered
        self.choose = choose
        self._rooms = rooms
        self._judge = judge
        self._places = places
        self._newcomers = newcomers
        self._own = own
        self._clients = tunnels.clients
        self._authz = Authz(judge, tunnels.clients)
        self._traces = records.traces
        self._tasks: set[asyncio.Task[None]] = set()

    # What connections tell.

    def handle(self, exchange: Exchange) -> None:
        """A request has come."""
        try:
            self._route(exchange)
        except Exception:
            log.exception("a request could not be answered (request %s)", exchange.request_id.decode())
            self.break_down(exchange)

    def refuse(self, exchange: Exchange, error: RequestError) -> None:
        """A request that is never forwarded, since what it says is not clear, or too much."""
        self._say(exchange, Say("bad_request", problem(error.status, error.code, REFUSALS[error.status])))

    # What relays ask for.

    async def obey(self, exchange: Exchange, room: Room, carry: Carry, command: str) -> list[str]:
        """Does what the origin commands; gives the cookies to set."""
        secure = exchange.asker is not None and exchange.asker.is_secure
        return await self._judge.obey(room, exchange.key, carry.number, command, secure=secure)

    def fail(self, exchange: Exchange, room: Room, carry: Carry, status: int) -> None:
        """The origin has given nothing to pass on."""
        response = self._judge.failure(room, status, self._clients.asking(exchange))
        self.say_in(room, exchange, Say("failed", response, carry.cookies))

    # What newcomers are given.

    def say_in(self, room: Room | None, exchange: Exchange, say: Say) -> None:
        """Says what concerns a room, and lets the scripts read it to which that room is open."""
        if room and room.cors_origins:
            say.response = shared(say.response, room.cors_origins, exchange.head)
        self._say(exchange, say)

    def judge(self, exchange: Exchange, newcomer: Newcomer, joined: Joined | None) -> None:
        """Goes the long way, with the place that the line has given, if any."""
        self._settle(exchange, self._judged(exchange, newcomer.room, newcomer.route, joined))

    def break_down(self, exchange: Exchange) -> None:
        """A fault of ours: told as such, and the log says which."""
        exchange.will_close = True
        detail = f"Reference: {exchange.request_id.decode()}"
        self._say(exchange, Say("failed", problem(500, "failed", "Something went wrong here", detail)))

    # Ways to answer.

    def _route(self, exchange: Exchange) -> None:
        found = exchange.head.found
        if not isinstance(found, Found) or found.rooms is not self._rooms():
            found = exchange.head.found = self._find_out(exchange)
        exchange.asker = asker = found.asker
        exchange.request_id = found.given_id or self._clients.next_id()
        route = found.route
        if route is None:
            self._authorize(exchange, asker)
            return
        room = route.room
        if route.own:
            self._handle_own(exchange, found)
        elif room is None:
            detail = f"No room guards {asker.client.host}{route.path}."
            self._say(exchange, Say("refuse", problem(404, "no_room", "No site here", detail)))
        elif route.key is None:
            exchange.room = room.name
            detail = f"No line of {room.title} can be at {route.path}."
            self.say_in(room, exchange, Say("refuse", problem(404, "no_line", "No line here", detail)))
        else:
            exchange.room, exchange.key = room.name, route.key
            carry = self._judge.at_once(room, route, found.token)
            if carry:
                self._carry(exchange, room, carry)
            elif found.newcomer is None or not self._newcomers.meet(exchange, found.newcomer, self):
                self._settle(exchange, self._judged(exchange, room, route))

    def _find_out(self, exchange: Exchange) -> Found:
        """What follows from the bytes of a request."""
        head, target, rooms = exchange.head, exchange.target, self._rooms()
        asker = self._clients.identify(exchange)
        is_authz = target.raw.startswith(AUTHZ) and is_about_another(target.raw)
        route = None if is_authz else rooms.route(asker.host, target.path)
        found = Found(rooms, asker, self._clients.given_id(exchange), route)
        if route is None:
            return found
        if not route.own:
            found.token = cookie(head.block, route.admission_names[asker.is_secure]) if route.key is not None else ""
            found.newcomer = self._newcomers.read(exchange, route, asker)
        elif target.raw.startswith(PREFIX):
            found.question = question = self._places.read(rooms, head.method, target.raw)
            if isinstance(question, Question):
                found.poll = self._places.poll(question, head, secure=asker.is_secure)
        return found

    def _handle_own(self, exchange: Exchange, found: Found) -> None:
        """What is for waitroom itself."""
        question = found.question
        if question is None:
            target = exchange.target.raw.decode("latin-1")
            answer = self._own.answer(exchange.head.method, target, secure=found.asker.is_secure)
            self._say(exchange, Say("answer", answer))
            return
        if isinstance(question, Told):
            self.say_in(question.room, exchange, Say("answer", question.response))
            return
        exchange.room, exchange.key = question.room.name, question.key
        if found.poll and (told := self._places.at_once(found.poll)):
            exchange.outcome = "poll"
            exchange.answer_prepared(found.poll.start, told)
        elif question.about == "status" and (status := self._places.status(question, exchange.head)):
            self.say_in(question.room, exchange, Say("status", status))
        else:
            asking = self._clients.asking(exchange)
            if question.code:
                exchange.target = replace(exchange.target, raw=question.target)
            self._settle(exchange, self._told(exchange, question, asking))

    def _authorize(self, exchange: Exchange, asker: Asker) -> None:
        """What a proxy asks about another request."""
        inquiry = self._authz.read(self._rooms(), exchange, asker)
        if isinstance(inquiry, Say):
            self._say(exchange, inquiry)
            return
        exchange.room, exchange.key = inquiry.room.name, inquiry.key
        if say := self._authz.at_once(inquiry, exchange, asker):
            self._say(exchange, say)
        else:
            self._settle(exchange, self._authorized(exchange, inquiry, asker))

    async def _authorized(self, exchange: Exchange, inquiry: Inquiry, asker: Asker) -> None:
        self._say(exchange, await self._authz.answer(inquiry, exchange, asker))

    async def _judged(self, exchange: Exchange, room: Room, route: Route, joined: Joined | None = None) -> None:
        match await self._judge.judge(room, route, self._clients.asking(exchange), joined):
            case Carry() as carry:
                self._carry(exchange, room, carry)
            case Say() as say:
                self.say_in(room, exchange, say)

    async def _told(self, exchange: Exchange, question: Question, asking: Asking) -> None:
        self.say_in(question.room, exchange, await self._places.answer(question, asking))

    def _settle(self, exchange: Exchange, work: Coroutine[object, object, None]) -> None:
        """Answers in a task of its own, which ends if the visitor goes."""
        task = asyncio.create_task(self._answered(exchange, work))
        exchange.task = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answered(self, exchange: Exchange, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except Exception:
            log.exception("a request could not be answered (request %s)", exchange.request_id.decode())
            self.break_down(exchange)

    def _say(self, exchange: Exchange, say: Say) -> None:
        exchange.outcome = say.outcome
        exchange.answer(say.response, say.cookies)

    def _carry(self, exchange: Exchange, room: Room, carry: Carry) -> None:
        exchange.outcome = carry.outcome
        asker = exchange.asker
        if exchange.is_over or asker is None:
            return
        if not room.origins:
            say = self._judge.sent_back(room, exchange.key, self._clients.asking(exchange), carry)
            self.say_in(room, exchange, say)
            return
        ours = b"%b%bX-Request-Id: %b\r\n" % (asker.lines, carry.line, exchange.request_id)
        if self._traces:
            ours += self._traces.begin(exchange, is_trusted=self._clients.trusts(exchange))
        Relay(exchange, room, carry, ours, self).start()
