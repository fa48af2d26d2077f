"""The composition root of a process that serves: builds every part from the configuration."""

import asyncio
import ipaddress
import logging
import random
import socket
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from waitroom import keys
from waitroom.access_log import AccessLog
from waitroom.admin import Admin
from waitroom.admission import AdmissionSigner, AdmissionVerifier
from waitroom.answers import Answers
from waitroom.clients import Clients
from waitroom.config_file import ConfigFile
from waitroom.connections import Connections
from waitroom.draw import Draws
from waitroom.embedded import EmbeddedRedis
from waitroom.errors import LogError
from waitroom.front import Front
from waitroom.fronts import Fronts
from waitroom.judge import Judge
from waitroom.lines import Lines
from waitroom.memory import Memory
from waitroom.metrics import Metrics
from waitroom.origin_connection import OriginConnection
from waitroom.origins import Origins
from waitroom.outlooks import Outlooks
from waitroom.own import Own
from waitroom.pages import Pages
from waitroom.papers import Papers
from waitroom.places import Places
from waitroom.reception import Reception
from waitroom.recognition import Recognition
from waitroom.records import Records
from waitroom.settings import Settings
from waitroom.siblings import Siblings
from waitroom.sockets import Sockets, open_sockets
from waitroom.sockets import close as close_sockets
from waitroom.store import Store
from waitroom.ticket import TicketSigner
from waitroom.tls import PublicTls
from waitroom.tunnels import Tunnels

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
        metrics = Metrics()
        metrics.watch(lines, lambda: config.rooms)
        origins = Origins(OriginConnection, time.monotonic, random.random)
        origins.apply(config.rooms)
        stack.push_async_callback(origins.close)
        access_log = await _access_log(stack, settings.server.access_log, metrics)
        records = Records(metrics, access_log)
        front, tunnels = _front(config, key_ring, lines, origins, records)
        for work in (lines.run(), origins.run(), tunnels.run(), _follow(config, lines, origins)):
            await _in_background(stack, work)
        siblings = _siblings(stack, state, inherited.generation) if inherited else None
        if siblings:
            own = Admin(config, lines, metrics, origins.states)
            await _serve_operators(stack, [siblings.listen()], own.routes())
        if settings.admin.listen in sockets:
            admin = Admin(config, lines, metrics, origins.states, siblings)
            await _serve_operators(stack, sockets[settings.admin.listen], admin.routes())
        connections = Connections(front, settings.server.limits.to_limits())
        metrics.watch_connections(connections.states)
        metrics.watch_origins(origins.states)
        fronts = await _serve_visitors(stack, settings, sockets, connections)
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
    stack: AsyncExitStack, settings: Settings, sockets: Sockets, connections: Connections
) -> Fronts:
    """Accepts visitors on all public addresses."""
    server = settings.server
    proxies = [ipaddress.ip_network(network) for network in server.proxy_protocol]
    await _in_background(stack, connections.run())
    fronts = Fronts(connections)
    stack.push_async_callback(fronts.drain, 0.0)
    await fronts.listen(sockets, server.listen, proxies=proxies, head_s=server.limits.head_s)
    if server.tls:
        tls = PublicTls(server.tls.certificate, server.tls.key)
        await _in_background(stack, tls.follow())
        await fronts.listen(sockets, server.tls.listen, tls=tls.context, proxies=proxies, head_s=server.limits.head_s)
    return fronts


async def _access_log(stack: AsyncExitStack, target: str, metrics: Metrics) -> AccessLog:
    try:
        access_log = AccessLog(target)
    except OSError as exc:
        raise LogError(f"[server] access_log = {target!r} can't be written: {exc.strerror}") from exc
    stack.push_async_callback(access_log.close)
    await _in_background(stack, access_log.run())
    metrics.watch_access_log(lambda: access_log.dropped)
    return access_log


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


def _front(
    config: ConfigFile,
    key_ring: keys.Keys,
    lines: Lines,
    origins: Origins[OriginConnection],
    records: Records,
) -> tuple[Front, Tunnels]:
    issuer = config.settings.server.issuer
    tickets = TicketSigner(key_ring.ticket)
    verifier = AdmissionVerifier({key.id: key.public for key in key_ring.admission}, issuer)
    draws = Draws(key_ring.lasting)
    recognition = Recognition(lines, tickets, verifier, draws, time.time)
    outlooks = Outlooks(lines, draws)
    reception = Reception(lines, recognition, outlooks, time.time)
    papers = Papers(tickets, AdmissionSigner(key_ring.admission, issuer), time.time)
    answers = Answers(Pages())
    judge = Judge(recognition, reception, papers, answers, key_ring.lasting)
    clients = Clients([ipaddress.ip_network(network) for network in config.settings.server.trusted_proxies])
    tunnels = Tunnels(judge, clients)
    front = Front(
        rooms=lambda: config.rooms,
        judge=judge,
        places=Places(reception, outlooks, judge, papers, answers),
        own=Own(key_ring, lines),
        choose=origins.choose,
        records=records,
        clients=clients,
        tunnels=tunnels,
    )
    return front, tunnels


async def _follow(config: ConfigFile, lines: Lines, origins: Origins[OriginConnection]) -> None:
    async for rooms in config.changes():
        lines.apply(rooms)
        origins.apply(rooms)


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
