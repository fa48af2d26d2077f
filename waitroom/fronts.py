"""The public side of one process: what accepts, what was accepted, and how both end without losing a request."""

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from waitroom import listener
from waitroom.listener import Listener, Network, Peer
from waitroom.sockets import Sockets

# A connection that nobody uses is closed then: who is about to send may just have been answered.
QUIET_S = 1.0
STEP_S = 0.05


class Connections(Protocol):
    """The connections of visitors."""

    def protocol(self, peer: Peer) -> asyncio.Protocol:
        """For a new one."""

    async def drain(self, drain_s: float) -> None:
        """Returns when all are closed, or idle for a while, or the time is over. Meanwhile each answer says that it is
        the last of its connection."""


class Fronts:
    """The listeners of a process, and the connections that came by them."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._listeners: list[Listener] = []

    async def listen(
        self,
        sockets: Sockets,
        addresses: Iterable[str],
        *,
        tls: ssl.SSLContext | None = None,
        proxies: Sequence[Network] = (),
        head_s: float,
    ) -> None:
        """Accepts from all sockets of these addresses."""
        for one in (one for address in addresses for one in sockets[address]):
            accepting = await listener.accept(one, self._connections.protocol, tls=tls, proxies=proxies, head_s=head_s)
            self._listeners.append(accepting)

    def close(self) -> None:
        """Accepts no more; what was accepted goes on."""
        while self._listeners:
            self._listeners.pop().close()

    async def drain(self, drain_s: float) -> None:
        """Accepts no more, and returns when what was accepted has been answered, or when the time is over."""
        self.close()
        await self._connections.drain(drain_s)


class AiohttpConnections:
    """Those of an aiohttp application."""

    def __init__(self, application: web.Application, shutdown_s: float) -> None:
        application.middlewares.append(self._count)
        application.on_response_prepare.append(self._prepare)
        # A visitor who goes away takes the request to the origin along.
        self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=shutdown_s
        )
        self._under_way = 0
        self._quiet_since_s = 0.0
        self._is_draining = False

    async def start(self) -> None:
        await self._runner.setup()

    async def stop(self) -> None:
        await self._runner.cleanup()

    def protocol(self, _: Peer) -> asyncio.Protocol:
        return self._server()

    async def drain(self, drain_s: float) -> None:
        """See Connections."""
        loop = asyncio.get_running_loop()
        self._is_draining = True
        self._quiet_since_s = loop.time()
        end_s = self._quiet_since_s + drain_s
        while self._server.connections and loop.time() < end_s:
            if not self._under_way and loop.time() > self._quiet_since_s + QUIET_S:
                return
            await asyncio.sleep(STEP_S)

    @property
    def _server(self) -> web.Server:
        if self._runner.server is None:
            raise RuntimeError("start() comes first")
        return self._runner.server

    async def _prepare(self, _: web.Request, response: web.StreamResponse) -> None:
        if self._is_draining:
            response.force_close()
            # The fields were settled before this is called.
            response.headers["Connection"] = "close"

    @web.middleware
    async def _count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._under_way += 1
        try:
            return await handler(request)
        finally:
            self._under_way -= 1
            self._quiet_since_s = asyncio.get_running_loop().time()
