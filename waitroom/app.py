"""The composition root of a process that serves: builds every part from the configuration."""

import asyncio
import ipaddress
import logging
import socket
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from waitroom import keys
from waitroom.admin import Admin
from waitroom.admission import AdmissionSigner, AdmissionVerifier
from waitroom.answers import Answers
from waitroom.config_file import ConfigFile
from waitroom.draw import Draws
from waitroom.embedded import EmbeddedRedis
from waitroom.forward import Forwarder
from waitroom.front import Front
from waitroom.fronts import AiohttpConnections, Connections, Fronts
from waitroom.lines import Lines
from waitroom.memory import Memory
from waitroom.metrics import Metrics
from waitroom.own import Own
from waitroom.pages import Pages
from waitroom.papers import Papers
from waitroom.reception import Reception
from waitroom.relay import Relay
from waitroom.settings import Settings
from waitroom.siblings import Siblings
from waitroom.sockets import Sockets, open_sockets
from waitroom.sockets import close as close_sockets
from waitroom.store import Store
from waitroom.ticket import TicketSigner
from waitroom.tls import PublicTls

log = logging.getLogger(__name__)

# For what a drain has not waited for.
SHUTDOWN_S = 1.0


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a process has from its supervisor: listening sockets by address, the URL of the embedded Redis, if any, and
    which generation of workers it is of. Only one of the processes has a socket for operators."""

    sockets: Sockets
    store_url: str
    generation: int


@asynccontextmanager
async def running(config: ConfigFile, inherited: Inherited | None = None) -> AsyncIterator[Fronts]:
    """A waitroom that serves while the context is entered; by itself, it opens its sockets and starts its Redis.

    Raises WaitroomError where something needed can't be had.
    """
    settings = config.settings
    state = Path(settings.server.state)
    key_ring = keys.load(settings.keys.admission, settings.keys.ticket, state)
    async with AsyncExitStack() as stack:
        sockets = inherited.sockets if inherited else open_sockets(settings.addresses, 1, {})
        stack.callback(close_sockets, sockets)
        store = await _store(stack, settings, state, inherited)
        lines = Lines(store, config.rooms, Memory(state), time.monotonic, are_new=key_ring.are_new)
        forwarder = await stack.enter_async_context(Forwarder())
        metrics = Metrics()
        metrics.watch(lines, lambda: config.rooms)
        front = _front(config, key_ring, lines, Relay(forwarder), metrics)
        await _in_background(stack, lines.run())
        await _in_background(stack, _follow(config, lines))
        siblings = _siblings(stack, state, inherited.generation) if inherited else None
        if siblings:
            own = Admin(config, lines, metrics)
            await _serve_operators(stack, [siblings.listen()], own.routes())
        if settings.admin.listen in sockets:
            admin = Admin(config, lines, metrics, siblings)
            await _serve_operators(stack, sockets[settings.admin.listen], admin.routes())
        fronts = await _serve_visitors(stack, settings, sockets, _public_routes(front, Own(key_ring, lines)))
        log.info("a process serves %s", ", ".join(settings.public_addresses))
        yield fronts


def _siblings(stack: AsyncExitStack, state: Path, generation: int) -> Siblings:
    siblings = Siblings(state, generation)
    stack.callback(siblings.close)
    return siblings


async def _serve_operators(
    stack: AsyncExitStack, sockets: Sequence[socket.socket], routes: Sequence[web.RouteDef]
) -> None:
    application = web.Application()
    application.add_routes(routes)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    for one in sockets:
        await web.SockSite(runner, one).start()


async def _serve_visitors(
    stack: AsyncExitStack, settings: Settings, sockets: Sockets, routes: Sequence[web.RouteDef]
) -> Fronts:
    application = web.Application()
    application.add_routes(routes)
    connections = AiohttpConnections(application, SHUTDOWN_S)
    await connections.start()
    stack.push_async_callback(connections.stop)
    return await _listen(stack, settings, sockets, connections)


async def _listen(stack: AsyncExitStack, settings: Settings, sockets: Sockets, connections: Connections) -> Fronts:
    """Accepts visitors on all public addresses."""
    server = settings.server
    proxies = [ipaddress.ip_network(network) for network in server.proxy_protocol]
    fronts = Fronts(connections)
    stack.callback(fronts.close)
    await fronts.listen(sockets, server.listen, proxies=proxies, head_s=server.limits.head_s)
    if server.tls:
        tls = PublicTls(server.tls.certificate, server.tls.key)
        await _in_background(stack, tls.follow())
        await fronts.listen(sockets, server.tls.listen, tls=tls.context, proxies=proxies, head_s=server.limits.head_s)
    return fronts


async def _store(stack: AsyncExitStack, settings: Settings, state: Path, inherited: Inherited | None) -> Store:
    url = settings.store.url or (inherited.store_url if inherited else "")
    if not url:
        embedded = EmbeddedRedis(state)
        stack.push_async_callback(embedded.stop)
        await embedded.start()
        url = embedded.url
    store = Store(url, settings.store.timeout_ms)
    stack.push_async_callback(store.close)
    return store


def _front(config: ConfigFile, key_ring: keys.Keys, lines: Lines, relay: Relay, metrics: Metrics) -> Front:
    issuer = config.settings.server.issuer
    tickets = TicketSigner(key_ring.ticket)
    verifier = AdmissionVerifier({key.id: key.public for key in key_ring.admission}, issuer)
    return Front(
        rooms=lambda: config.rooms,
        reception=Reception(lines, tickets, verifier, Draws(key_ring.lasting), time.time),
        papers=Papers(tickets, AdmissionSigner(key_ring.admission, issuer), time.time),
        relay=relay,
        answers=Answers(Pages()),
        metrics=metrics,
        trusted=[ipaddress.ip_network(network) for network in config.settings.server.trusted_proxies],
        identity_secret=key_ring.lasting,
    )


def _public_routes(front: Front, own: Own) -> list[web.RouteDef]:
    return [
        web.get("/.waitroom/jwks.json", own.key_set),
        web.get("/.waitroom/live", own.live),
        web.get("/.waitroom/ready", own.ready),
        web.get("/.waitroom/rooms/{room}/place", front.place),
        web.get("/.waitroom/rooms/{room}/draw", front.draw),
        web.post("/.waitroom/rooms/{room}/leave", front.leave),
        web.route("*", "/{path:(?s:.*)}", front.handle),
    ]


async def _follow(config: ConfigFile, lines: Lines) -> None:
    async for rooms in config.changes():
        lines.apply(rooms)


async def _in_background(stack: AsyncExitStack, work: Coroutine[object, object, None]) -> None:
    """Runs something beside; when the stack unwinds, it is cancelled and waited for."""
    task = asyncio.create_task(work)
    task.add_done_callback(_report)

    async def end() -> None:
        task.cancel()
        await asyncio.wait([task])

    stack.push_async_callback(end)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (exc := task.exception()):
        log.critical("a background task ended: waitroom should be restarted", exc_info=exc)
