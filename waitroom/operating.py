"""What operators are served: built from the parts of a process, and listening where it should."""

import socket
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from waitroom.admin import local_token
from waitroom.admin.access import door
from waitroom.admin.api import Api
from waitroom.admin.application import application
from waitroom.admin.broadcast import Broadcast
from waitroom.admin.exposition import Exposition
from waitroom.admin.history import History
from waitroom.admin.overview import Overview
from waitroom.admin.probes import Probes
from waitroom.admin.stream import Stream
from waitroom.admin_tokens import Token
from waitroom.background import in_background
from waitroom.config_file import ConfigFile
from waitroom.desk.in_force import InForce
from waitroom.desk.pulse import Pulse
from waitroom.lines import Lines
from waitroom.metrics import Metrics
from waitroom.origins import OriginState
from waitroom.siblings import Siblings
from waitroom.store import Store

# For answers that are under way when the process stops.
SHUTDOWN_S = 1.0


@dataclass(frozen=True, slots=True)
class Parts:
    """Of the process that operators look at."""

    config: ConfigFile
    in_force: InForce
    pulse: Pulse
    store: Store
    lines: Lines
    metrics: Metrics
    origins: Callable[[], Sequence[OriginState]]


async def serve_operators(
    stack: AsyncExitStack, parts: Parts, sockets: Sequence[socket.socket], siblings: Siblings | None
) -> None:
    """Keeps the history of the rooms, serves the admin listener if this process has its sockets, answers siblings."""
    overview = Overview(parts.config, parts.in_force, parts.lines, parts.store, parts.origins, time.monotonic)
    parts.pulse.listeners.append(overview)
    history = History(lambda: parts.in_force.configured, parts.store, overview)
    await in_background(stack, history.run())
    if siblings:
        alone = web.Application()
        alone.add_routes(_exposition(parts, None).routes())
        await _serve(stack, [siblings.listen()], alone)
    if sockets:
        await _serve(stack, sockets, await _listener(stack, parts, overview, history, _exposition(parts, siblings)))


def _exposition(parts: Parts, siblings: Siblings | None) -> Exposition:
    return Exposition(parts.config, parts.in_force, parts.lines, parts.metrics, parts.origins, siblings)


async def _listener(
    stack: AsyncExitStack, parts: Parts, overview: Overview, history: History, exposition: Exposition
) -> web.Application:
    """The dashboard, the admin API, the metrics and the probes."""
    local = local_token.ready(Path(parts.config.settings.server.state))
    broadcast = Broadcast(overview.state)
    await in_background(stack, broadcast.run())

    def tokens() -> list[Token]:
        return [local, *(token.to_token() for token in parts.config.settings.admin.tokens)]

    stream = Stream(broadcast, tokens)
    api = Api(lambda: parts.in_force.configured, parts.store, overview, history, stream.follow, exposition.status)
    public = [web.get("/metrics", exposition.metrics), *Probes(parts.lines).routes()]
    return application(public, api.routes(), door(tokens), broadcast)


async def _serve(stack: AsyncExitStack, sockets: Sequence[socket.socket], served: web.Application) -> None:
    runner = web.AppRunner(served, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    for one in sockets:
        await web.SockSite(runner, one).start()
