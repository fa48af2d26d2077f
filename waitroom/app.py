"""The composition root of a process that serves: builds every part from the configuration."""

import ipaddress
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from waitroom import keys, telemetry
from waitroom.access_log import AccessLog
from waitroom.adaptive.adaptation import Adaptation
from waitroom.admission import AdmissionSigner, AdmissionVerifier
from waitroom.answers import Answers
from waitroom.background import in_background
from waitroom.clients import Clients
from waitroom.config_file import ConfigFile
from waitroom.connections import Connections
from waitroom.desk.in_force import InForce
from waitroom.desk.keepsake import Keepsake
from waitroom.desk.pulse import Pulse
from waitroom.draw import Draws
from waitroom.embedded import EmbeddedRedis
from waitroom.errors import LogError
from waitroom.front import Front
from waitroom.fronts import Fronts
from waitroom.judge import Judge
from waitroom.languages import Languages
from waitroom.line_metrics import LineCollector
from waitroom.lines import Lines
from waitroom.loop_lag import LoopLag
from waitroom.memory import Memory
from waitroom.metrics import Metrics
from waitroom.moving import Moving
from waitroom.newcomers import Newcomers
from waitroom.operating import Parts, serve_operators
from waitroom.origin_connection import OriginConnection
from waitroom.origins import Origins
from waitroom.outlooks import Outlooks
from waitroom.own import Own
from waitroom.pages import Pages
from waitroom.papers import Papers
from waitroom.places import Places
from waitroom.process_metrics import (
    AccessLogCollector,
    BuildCollector,
    CertificateCollector,
    ConfigCollector,
    ConnectionCollector,
    LoopCollector,
    OriginCollector,
    OverrideCollector,
)
from waitroom.receipt import Seal
from waitroom.receipts import Receipts
from waitroom.reception import Reception
from waitroom.recognition import Recognition
from waitroom.records import Records, TracedRecords
from waitroom.robots import Robots, SystemResolver
from waitroom.settings import Settings
from waitroom.siblings import Siblings
from waitroom.sockets import Sockets, open_sockets
from waitroom.sockets import close as close_sockets
from waitroom.statuses import Statuses
from waitroom.store import Store
from waitroom.ticket import TicketSigner
from waitroom.tls import PublicTls
from waitroom.tunnels import Tunnels

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a process has from its supervisor: listening sockets by address, the URL of the embedded Redis, if any, and
    which generation of workers it is of, and how many workers have died. Only one of the processes has a socket for
    operators."""

    sockets: Sockets
    store_url: str
    generation: int
    worker_deaths: int


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


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
        keepsake = Keepsake(state)
        in_force = InForce(config.rooms, keepsake.recall(), _now_ms)
        lines = Lines(store, in_force.rooms, Memory(state), time.monotonic, are_new=key_ring.are_new)
        metrics = Metrics()
        origins = Origins(OriginConnection, time.monotonic, random.random)
        origins.apply(in_force.rooms)
        pulse = Pulse(store, in_force, keepsake, lambda room: metrics.vitals(room, *origins.up_of(room)), lines.apply)
        pulse.listeners.append(Adaptation(pulse.process, lines, store))
        stack.push_async_callback(origins.close)
        access_log = await _access_log(stack, settings.server.access_log)
        loop_lag = LoopLag(time.monotonic)
        metrics.watch(
            BuildCollector(inherited.worker_deaths if inherited else 0),
            ConfigCollector(config),
            LineCollector(lines, lambda: in_force.rooms),
            OverrideCollector(in_force, _now_ms),
            OriginCollector(origins.states),
            AccessLogCollector(access_log),
            LoopCollector(loop_lag),
        )
        records = _records(stack, metrics, access_log)
        robots = Robots(SystemResolver())
        stack.push_async_callback(robots.close)
        front, tunnels = _front(config, in_force, key_ring, lines, origins, records, metrics, robots)
        follow = _follow(config, in_force, pulse, origins)
        for work in (lines.run(), pulse.run(), origins.run(), tunnels.run(), loop_lag.run(), follow):
            await in_background(stack, work)
        siblings = _siblings(stack, state, inherited.generation) if inherited else None
        parts = Parts(config, in_force, pulse, store, lines, metrics, origins.states)
        await serve_operators(stack, parts, sockets.get(settings.admin.listen, ()), siblings)
        connections = Connections(front, settings.server.limits.to_limits())
        metrics.watch(ConnectionCollector(connections))
        fronts = await _serve_visitors(stack, settings, sockets, connections, metrics)
        log.info("a process serves %s", ", ".join(settings.public_addresses))
        yield fronts


def _siblings(stack: AsyncExitStack, state: Path, generation: int) -> Siblings:
    siblings = Siblings(state, generation)
    stack.callback(siblings.close)
    return siblings


async def _serve_visitors(
    stack: AsyncExitStack, settings: Settings, sockets: Sockets, connections: Connections, metrics: Metrics
) -> Fronts:
    """Accepts visitors on all public addresses."""
    server = settings.server
    proxies = [ipaddress.ip_network(network) for network in server.proxy_protocol]
    await in_background(stack, connections.run())
    fronts = Fronts(connections)
    stack.push_async_callback(fronts.drain, 0.0)
    await fronts.listen(sockets, server.listen, proxies=proxies, head_s=server.limits.head_s)
    if server.tls:
        tls = PublicTls(server.tls.certificate, server.tls.key)
        metrics.watch(CertificateCollector(tls))
        await in_background(stack, tls.follow())
        await fronts.listen(sockets, server.tls.listen, tls=tls.context, proxies=proxies, head_s=server.limits.head_s)
    return fronts


async def _access_log(stack: AsyncExitStack, target: str) -> AccessLog:
    try:
        access_log = AccessLog(target)
    except OSError as exc:
        raise LogError(f"[server] access_log = {target!r} can't be written: {exc.strerror}") from exc
    stack.push_async_callback(access_log.close)
    await in_background(stack, access_log.run())
    return access_log


def _records(stack: AsyncExitStack, metrics: Metrics, access_log: AccessLog) -> Records:
    traces = telemetry.traces()
    if traces is None:
        return Records(metrics, access_log)
    stack.push_async_callback(traces.close)
    return TracedRecords(metrics, access_log, traces)


async def _store(stack: AsyncExitStack, settings: Settings, state: Path, inherited: Inherited | None) -> Store:
    url = settings.store.url.get_secret_value() or (inherited.store_url if inherited else "")
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
    in_force: InForce,
    key_ring: keys.Keys,
    lines: Lines,
    origins: Origins[OriginConnection],
    records: Records,
    metrics: Metrics,
    robots: Robots,
) -> tuple[Front, Tunnels]:
    issuer = config.settings.server.issuer
    tickets = TicketSigner(key_ring.ticket)
    verifier = AdmissionVerifier({key.id: key.public for key in key_ring.admission}, issuer)
    draws = Draws(key_ring.lasting)
    recognition = Recognition(lines, tickets, verifier, draws, time.time)
    outlooks = Outlooks(lines, draws)
    reception = Reception(lines, recognition, outlooks, time.time, metrics.admitted)
    papers = Papers(tickets, AdmissionSigner(key_ring.admission, issuer), time.time)
    languages = Languages()
    answers = Answers(Pages(languages), languages)
    judge = Judge(recognition, reception, papers, answers, robots, key_ring.lasting)
    receipts = Receipts(lines, recognition, reception, Seal(key_ring.lasting))
    moving = Moving(receipts, reception, judge, answers)
    clients = Clients([ipaddress.ip_network(network) for network in config.settings.server.trusted_proxies])
    tunnels = Tunnels(judge, clients)
    front = Front(
        rooms=lambda: in_force.rooms,
        judge=judge,
        places=Places(reception, outlooks, judge, papers, answers, moving, Statuses(lines, time.time)),
        newcomers=Newcomers(lines, outlooks, papers, answers, time.time),
        own=Own(key_ring, lines, languages),
        choose=origins.choose,
        records=records,
        tunnels=tunnels,
    )
    return front, tunnels


async def _follow(config: ConfigFile, in_force: InForce, pulse: Pulse, origins: Origins[OriginConnection]) -> None:
    version = config.settings.version
    pulse.note("config", after=str(version), why="started")
    async for rooms in config.changes():
        if rooms is None:
            pulse.note("refused", before=str(version), why="; ".join(map(str, config.faults)))
            continue
        pulse.configure(rooms)
        origins.apply(rooms)
        before, version = version, config.settings.version
        pulse.note("config", before=str(before), after=str(version), why="the file has changed")
