"""The composition root: builds every part from the configuration, and runs them until told to stop."""

import asyncio
import ipaddress
import logging
import random
import signal
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiohttp import web

from waitroom import keys, listener
from waitroom.admin import Admin
from waitroom.admission import AdmissionSigner, AdmissionVerifier
from waitroom.answers import Answers
from waitroom.clients import Clients
from waitroom.config_file import ConfigFile
from waitroom.connections import Connections
from waitroom.draw import Draws
from waitroom.embedded import EmbeddedRedis
from waitroom.front import Front
from waitroom.judge import Judge
from waitroom.lines import Lines
from waitroom.memory import Memory
from waitroom.metrics import Metrics
from waitroom.origin_connection import OriginConnection
from waitroom.origins import Origins
from waitroom.own import Own
from waitroom.pages import Pages
from waitroom.papers import Papers
from waitroom.places import Places
from waitroom.reception import Reception
from waitroom.settings import Settings
from waitroom.sockets import open_sockets
from waitroom.store import Store
from waitroom.ticket import TicketSigner
from waitroom.tunnels import Tunnels

log = logging.getLogger(__name__)

SHUTDOWN_S = 10.0


async def serve(config: ConfigFile) -> None:
    """Runs a waitroom until SIGINT or SIGTERM. Raises WaitroomError where something needed can't be had."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(config):
        await stop.wait()


@asynccontextmanager
async def running(config: ConfigFile) -> AsyncIterator[None]:
    """A waitroom that serves while the context is entered."""
    settings = config.settings
    state = Path(settings.server.state)
    key_ring = keys.load(settings.keys.admission, settings.keys.ticket, state)
    async with AsyncExitStack() as stack:
        store = await _store(stack, settings, state)
        lines = Lines(store, config.rooms, Memory(state), time.monotonic, are_new=key_ring.are_new)
        metrics = Metrics()
        metrics.watch(lines, lambda: config.rooms)
        origins = Origins(OriginConnection, time.monotonic, random.random)
        origins.apply(config.rooms)
        stack.push_async_callback(origins.close)
        front, tunnels = _front(config, key_ring, lines, origins, metrics)
        await _in_background(stack, lines.run())
        await _in_background(stack, origins.run())
        await _in_background(stack, tunnels.run())
        await _in_background(stack, _follow(config, lines, origins))
        await _serve_operators(stack, settings.admin.listen, Admin(config, lines, metrics).routes())
        await _serve_visitors(stack, settings, Connections(front, settings.server.limits.to_limits()))
        log.info("waitroom listens on %s", ", ".join(settings.server.listen))
        yield


async def _store(stack: AsyncExitStack, settings: Settings, state: Path) -> Store:
    url = settings.store.url
    if not url:
        embedded = EmbeddedRedis(state)
        stack.push_async_callback(embedded.stop)
        await embedded.start()
        url = embedded.url
    store = Store(url, settings.store.timeout_ms)
    stack.push_async_callback(store.close)
    return store


def _front(
    config: ConfigFile, key_ring: keys.Keys, lines: Lines, origins: Origins[OriginConnection], metrics: Metrics
) -> tuple[Front, Tunnels]:
    issuer = config.settings.server.issuer
    tickets = TicketSigner(key_ring.ticket)
    verifier = AdmissionVerifier({key.id: key.public for key in key_ring.admission}, issuer)
    reception = Reception(lines, tickets, verifier, Draws(key_ring.lasting), time.time)
    papers = Papers(tickets, AdmissionSigner(key_ring.admission, issuer), time.time)
    answers = Answers(Pages())
    judge = Judge(reception, papers, answers, key_ring.lasting)
    clients = Clients([ipaddress.ip_network(network) for network in config.settings.server.trusted_proxies])
    tunnels = Tunnels(judge, clients)
    front = Front(
        rooms=lambda: config.rooms,
        judge=judge,
        places=Places(reception, judge, papers, answers),
        own=Own(key_ring, lines),
        choose=origins.choose,
        metrics=metrics,
        clients=clients,
        tunnels=tunnels,
    )
    return front, tunnels


async def _serve_operators(stack: AsyncExitStack, address: str, routes: Sequence[web.RouteDef]) -> None:
    """Raises ListenError where the address can't be had."""
    application = web.Application()
    application.add_routes(routes)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    for one in open_sockets([address], 1, {})[address]:
        await web.SockSite(runner, one).start()


async def _serve_visitors(stack: AsyncExitStack, settings: Settings, connections: Connections) -> None:
    """Raises ListenError where an address can't be had."""
    server = settings.server
    await _in_background(stack, connections.run())
    stack.push_async_callback(connections.drain, 0.0)
    for one in (one for some in open_sockets(server.listen, 1, {}).values() for one in some):
        accepting = await listener.accept(one, connections.protocol, head_s=server.limits.head_s)
        stack.callback(accepting.close)


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
