"""Both ends of a WebSocket, which note what they see: the fields of the handshake, each frame as it came, the end."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame
from websockets.http11 import Request, Response

ENDS_S = 60
# What a proxy on the way adds or removes in a handshake, and what differs from one to the next.
NOT_COMPARED = frozenset(
    {
        "connection",
        "date",
        "forwarded",
        "host",
        "sec-websocket-accept",
        "sec-websocket-key",
        "upgrade",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-request-id",
        "x-waitroom-admission",
    }
)
# What a connection is opened with: nothing is sent that a scenario does not ask for.
QUIET: dict[str, Any] = {"ping_interval": None, "max_size": None, "close_timeout": ENDS_S}

Connection = ClientConnection | ServerConnection
Said = list[tuple[object, ...]]


@dataclass(frozen=True)
class Scenario:
    """What both ends of a WebSocket do, and with which options of `websockets` they are opened."""

    visit: Callable[[ClientConnection], Awaitable[None]]
    serve: Callable[[ServerConnection], Awaitable[None]]
    visitor_options: dict[str, Any] = field(default_factory=dict)
    origin_options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Transcript:
    """What each end saw, in order."""

    visitor: Said = field(default_factory=list)
    origin: Said = field(default_factory=list)


@asynccontextmanager
async def an_origin(
    port: int, scenario: Scenario, said_of: Callable[[Request], Said]
) -> AsyncIterator[asyncio.Semaphore]:
    """Serves its end of a scenario, and notes it in the list that `said_of` gives for a request; the semaphore is
    released at the end of each WebSocket."""
    ended = asyncio.Semaphore(0)

    class Recorded(ServerConnection):
        said: Said

        def process_event(self, event: Any) -> None:
            if isinstance(event, Request):
                self.said = said_of(event)
            _note(self.said, event)
            super().process_event(event)

    async def handle(connection: ServerConnection) -> None:
        assert isinstance(connection, Recorded)
        with suppress(ConnectionClosed):
            await scenario.serve(connection)
        await connection.wait_closed()
        _note_end(connection.said, connection)
        ended.release()

    options = QUIET | {"server_header": "an origin"} | scenario.origin_options
    async with serve(handle, "127.0.0.1", port, create_connection=Recorded, **options):
        yield ended


async def visit(port: int, scenario: Scenario, said: Said, target: str = "/socket?a=%2F&b") -> None:
    """Plays a visitor's end of a scenario until the connection has ended, and notes it."""

    class Recorded(ClientConnection):
        def process_event(self, event: Any) -> None:
            _note(said, event)
            super().process_event(event)

    options = QUIET | {"proxy": None} | scenario.visitor_options
    with suppress(InvalidStatus):
        async with connect(f"ws://127.0.0.1:{port}{target}", create_connection=Recorded, **options) as connection:
            with suppress(ConnectionClosed):
                await scenario.visit(connection)
            await connection.close()
            _note_end(said, connection)


async def play(scenario: Scenario, port: int, visitor_port: int) -> Transcript:
    """Plays a scenario between an origin at `port`, and a visitor who comes to `visitor_port`."""
    transcript = Transcript()
    async with asyncio.timeout(ENDS_S), an_origin(port, scenario, lambda _: transcript.origin) as ended:
        await visit(visitor_port, scenario, transcript.visitor)
        if transcript.visitor[0][:2] == ("response", 101):
            await ended.acquire()
    return transcript


def _note(said: Said, event: object) -> None:
    match event:
        case Frame():
            said.append((event.opcode.name, event.fin, len(event.data), hashlib.sha256(event.data).hexdigest()))
        case Request():
            said.append(("request", event.path, _compared(event.headers)))
        case Response():
            body = bytes(event.body or b"")
            said.append(("response", event.status_code, event.reason_phrase, _compared(event.headers), body))


def _compared(fields: Headers) -> list[tuple[str, str]]:
    return [(name, value) for name, value in fields.raw_items() if name.lower() not in NOT_COMPARED]


def _note_end(said: Said, connection: Connection) -> None:
    agreed = [extension.name for extension in connection.protocol.extensions]
    said.append(("agreed", connection.subprotocol, agreed))
    said.append(("closed", connection.close_code, connection.close_reason))
