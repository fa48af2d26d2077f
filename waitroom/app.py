"""The composition root: builds every part from the configuration, and runs them until told to stop."""

import asyncio
import ipaddress
import logging
import signal
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from aiohttp import web

from waitroom import keys
from waitroom.admin import Admin
from waitroom.admission import AdmissionSigner, AdmissionVerifier
from waitroom.answers import Answers
from waitroom.config_file import ConfigFile
from waitroom.draw import Draws
from waitroom.embedded import EmbeddedRedis
from waitroom.errors import ListenError
from waitroom.forward import Forwarder
from waitroom.front import Front
from waitroom.lines import Lines
from waitroom.memory import Memory
from waitroom.metrics import Metrics
from waitroom.own import Own
from waitroom.pages import Pages
from waitroom.papers import Papers
from waitroom.reception import Reception
from waitroom.relay import Relay
from waitroom.settings import Settings
from waitroom.store import Store
from waitroom.ticket import TicketSigner

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
        forwarder = await stack.enter_async_context(Forwarder())
        metrics = Metrics()
        metrics.watch(lines, lambda: config.rooms)
        front = _front(config, key_ring, lines, Relay(forwarder), metrics)
        await _in_background(stack, lines.run())
        await _in_background(stack, _follow(config, lines))
        await _listen(stack, [settings.admin.listen], Admin(config, lines, metrics).routes())
        await _listen(stack, settings.server.listen, _public_routes(front, Own(key_ring, lines)))
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


async def _listen(stack: AsyncExitStack, addresses: Sequence[str], routes: Sequence[web.RouteDef]) -> None:
    """Raises ListenError where an address can't be had."""
    application = web.Application()
    application.add_routes(routes)
    # A visitor who goes away takes the request to the origin along.
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    for address in addresses:
        host, _, port = address.rpartition(":")
        try:
            await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        except OSError as exc:
            raise ListenError(f"can't listen on {address}: {exc.strerror}") from exc


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
