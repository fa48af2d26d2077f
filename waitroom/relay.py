"""Carries one exchange between visitor and origin: the request as it comes, the response as it comes, both streamed."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count

from aiohttp import web
from multidict import CIMultiDict

from waitroom.asking import Asking
from waitroom.errors import OriginError
from waitroom.forward import Forwarder, OriginRequest, OriginResponse
from waitroom.headers import Command, command, to_origin, to_visitor
from waitroom.rooms import Room

log = logging.getLogger(__name__)

Obey = Callable[[Command], Awaitable[list[str]]]


class Relayed(web.StreamResponse):
    """A response of the origin's, to which aiohttp's server adds nothing that the origin did not say."""

    def __init__(self, response: OriginResponse, cookies: list[str]) -> None:
        fields = CIMultiDict(to_visitor(response.fields))
        for cookie in cookies:
            fields.add("Set-Cookie", cookie)
        if cookies:
            fields["Cache-Control"] = "private, no-store"  # a cache on the way must not hand our cookies on
        super().__init__(status=response.status, reason=response.reason, headers=fields)
        self._given = frozenset(fields)

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        for invented in ("Server", "Content-Type"):
            if invented not in self._given:
                self.headers.popall(invented, None)


class Relay:
    """Picks the room's origins in turn."""

    def __init__(self, forwarder: Forwarder) -> None:
        self._forwarder = forwarder
        self._turn = count()

    async def carry(
        self, request: web.Request, asking: Asking, room: Room, token: str | None, cookies: list[str], obey: Obey
    ) -> web.StreamResponse:
        """Sends the request on with the admission `token`, and the response back with the `cookies` set. What the
        origin commands is obeyed first, and gives more cookies.

        Raises OriginError while there is no response yet; one that breaks off later breaks off for the visitor too
        (RFC 9112, section 8), and never looks complete.
        """
        fields = to_origin(asking.fields, asking.client, token, asking.request_id)
        origin = room.origins[next(self._turn) % len(room.origins)]
        body = _chunks(request) if request.body_exists else None
        async with self._forwarder.send(OriginRequest(asking.method, origin, asking.target, fields, body)) as answer:
            if order := command(answer.fields):
                cookies = [*cookies, *await obey(order)]
            response = Relayed(answer, cookies)
            await response.prepare(request)
            try:
                async for chunk in answer.chunks:
                    await response.write(chunk)
            except OriginError as exc:
                log.warning("%s broke off a response (request %s)", exc, asking.request_id)
                if request.transport:
                    request.transport.abort()
                return response
            await response.write_eof()
            return response


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    async for chunk in request.content.iter_any():
        yield chunk
