"""Forward-auth: answers proxies of the operator's own that ask, for each request, whether it may go on.

Yes is 200, with the admission for the origin: it is what nginx, Traefik, Caddy and Envoy all take for a yes. No is
never a 2xx; it is what the visitor would be answered here, but for nginx, which can only send the visitor here itself.
"""

from dataclasses import dataclass, replace

from waitroom.admission import HEADER
from waitroom.answers import NO_STORE, problem
from waitroom.asking import read as read_asking
from waitroom.clients import Clients, fields_of
from waitroom.exchange import Asker, Exchange
from waitroom.judge import Carry, Judge, Say
from waitroom.original import Original, original
from waitroom.response import Response
from waitroom.rooms import Room, Rooms, Route, host_name
from waitroom.wire.cookies import cookie

# To nginx (auth_request), which knows no other no than 401 and 403, and says 403 for reasons of its own.
ELSEWHERE = Response(401, (NO_STORE,))
# Of a no whose page is shown with a status of success: a proxy would take it for a yes.
PAGE_STATUS = 503
NOT_TRUSTED = problem(
    403, "not_trusted", "Not for everybody", "Only proxies may ask this that stand in [server] trusted_proxies."
)
NO_ORIGINAL = problem(
    400,
    "no_original",
    "About which request?",
    "Either X-Original-URI and X-Original-Method must say it, or X-Forwarded-Uri and X-Forwarded-Method, each once; or "
    "the path behind this one.",
)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked: whether a request may go on that belongs to a line of a room."""

    original: Original
    room: Room
    key: str
    route: Route


class Authz:
    """Answers under /.waitroom/authz."""

    def __init__(self, judge: Judge, clients: Clients) -> None:
        self._judge = judge
        self._clients = clients

    def read(self, rooms: Rooms, exchange: Exchange, asker: Asker) -> Inquiry | Say:
        """What a request asks, or the refusal of one that nobody may ask so, or that is about no line."""
        if not self._clients.trusts(exchange):
            return Say("refuse", NOT_TRUSTED)
        target = exchange.target
        told = original(
            exchange.head.method.decode(), target.raw, target.authority.decode("latin-1"), fields_of(exchange)
        )
        if told is None:
            return Say("refuse", NO_ORIGINAL)
        host = host_name(told.host or asker.host)
        route = rooms.route(host, told.path)
        if route.own or route.room is None or route.key is None:
            detail = f"No line of a room guards {host}{route.path}."
            return _refused(told, Say("refuse", problem(404, "no_room", "No site here", detail)))
        return Inquiry(told, route.room, route.key, route)

    def at_once(self, inquiry: Inquiry, exchange: Exchange, asker: Asker) -> Say | None:
        """The answer where it is known without asking the line."""
        token = cookie(exchange.head.block, inquiry.route.admission_names[asker.is_secure])
        carry = self._judge.at_once(inquiry.room, inquiry.route, token)
        return _allowed(carry) if carry else None

    async def answer(self, inquiry: Inquiry, exchange: Exchange, asker: Asker) -> Say:
        """Answers, whatever it takes. Nobody takes a number on behalf of nginx: it has no way to hand the ticket on,
        and sends the visitor here next."""
        told = inquiry.original
        asking = read_asking(
            told.method, told.target, exchange.head.block, client=asker.client, request_id=exchange.request_id.decode()
        )
        if not told.shows_refusals:
            asking = replace(asking, manner=replace(asking.manner, kind="other"))
        match await self._judge.judge(inquiry.room, inquiry.route, asking):
            case Carry() as carry:
                return _allowed(carry)
            case Say() as say:
                return _refused(told, say)


def _allowed(carry: Carry) -> Say:
    fields = (NO_STORE,) if carry.token is None else (NO_STORE, (HEADER, carry.token))
    return Say(carry.outcome, Response(200, fields), carry.cookies)


def _refused(told: Original, say: Say) -> Say:
    if not told.shows_refusals:
        return Say(say.outcome, ELSEWHERE)
    if say.response.status < 300:
        return replace(say, response=say.response._replace(status=PAGE_STATUS))
    return say
