"""Both ends of the data path without sockets: transports whose other end the test holds, and a clock that it holds."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

from waitroom.exchange import Exchange
from waitroom.front_connection import FrontConnection
from waitroom.judge import Carry
from waitroom.limits import Limits
from waitroom.origin_connection import OriginConnection
from waitroom.relay import OriginOf, Relay
from waitroom.response import Response
from waitroom.rooms import Room
from waitroom.wire.errors import RequestError
from waitroom.wire.limits import WireLimits

OURS = b"X-Waitroom-Admission: token"
LIMITS = Limits(1, 0, "auto", 600, 10, 200, 60_000, 60_000, 600_000)
ROOM = Room("site", "Site", "site", ("*",), ("/*",), (), (), LIMITS, 200, 1, "")


class Wire(asyncio.Transport):
    """A transport that behaves like asyncio's: it asks its protocol to pause above its limit, and tells it of the end
    only once all is taken. `sent` is all that was written; what is not `taken` yet is unsent."""

    def __init__(self, protocol: asyncio.Protocol, *, is_taken: bool = True) -> None:
        super().__init__()
        self.protocol = protocol
        self.sent = b""
        self.is_taken = is_taken  # the other end takes all at once
        self.is_paused = False
        self.is_closed = False
        self.has_sent_eof = False
        self.was_aborted = False
        self._taken = 0
        self._limit = 65_536
        self._asks_to_pause = False
        self._has_told_end = False
        protocol.connection_made(self)

    # What the protocol asks for.

    def write(self, data: Any) -> None:
        assert not self.has_sent_eof, "written behind the end"
        if self.was_aborted or self._has_told_end:
            return
        self.sent += data
        if self.is_taken:
            self._taken = len(self.sent)
        elif self.get_write_buffer_size() > self._limit and not self._asks_to_pause:
            self._asks_to_pause = True
            self.protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        return len(self.sent) - self._taken

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._limit = high or 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def is_reading(self) -> bool:
        return not (self.is_paused or self.is_closed)

    def is_closing(self) -> bool:
        return self.is_closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_sent_eof = True

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.was_aborted = True
        self._taken = len(self.sent)

    # What the other end does.

    def come(self, data: bytes) -> None:
        """Data comes, unless nobody reads."""
        if data and self.is_reading():
            self.protocol.data_received(data)

    def come_to_an_end(self) -> None:
        """The other end has closed its side."""
        if self.is_reading() and not self.protocol.eof_received():
            self.close()

    def take(self) -> bytes:
        """The other end takes what it was sent, and from now on all that it is sent."""
        self.is_taken, self._taken = True, len(self.sent)
        if self._asks_to_pause:
            self._asks_to_pause = False
            self.protocol.resume_writing()
        return self.sent

    def turn(self) -> None:
        """The event loop's next turn: tells the protocol of an end that is due."""
        if self.is_closed and not self._has_told_end and not self.get_write_buffer_size():
            self._has_told_end = True
            self.protocol.connection_lost(None)

    def lose(self) -> None:
        """The connection is reset."""
        self.abort()
        if not self._has_told_end:
            self._has_told_end = True
            self.protocol.connection_lost(ConnectionResetError())


@dataclass
class Clock:
    now_s: float = 1000.0


@dataclass
class Site:
    """What a relay needs of an origin: as many connections as it is asked for. `wires` are all of them, in order."""

    is_taken: bool = True
    url: str = "http://origin"
    authority: bytes = b"origin:80"
    wires: list[Wire] = field(default_factory=list)
    idle: list[OriginConnection] = field(default_factory=list)
    reused: int = 0
    failures: int = 0
    may_connect: asyncio.Event | None = None

    def take(self) -> OriginConnection | None:
        if self.idle:
            self.reused += 1
            return self.idle.pop()
        return None if self.may_connect else self.new()

    def connect(self) -> asyncio.Task[OriginConnection]:
        return asyncio.create_task(self._connect())

    async def _connect(self) -> OriginConnection:
        if self.may_connect:
            await self.may_connect.wait()
        return self.new()

    def new(self) -> OriginConnection:
        connection = OriginConnection()
        self.wires.append(Wire(connection, is_taken=self.is_taken))
        return connection

    def give_back(self, connection: OriginConnection, *, reusable: bool) -> None:
        if reusable:
            self.idle.append(connection)
        else:
            connection.close()

    def succeeded(self) -> None:
        pass

    def failed(self) -> None:
        self.failures += 1


@dataclass
class Host:
    """Has the connections of visitors. Exchanges are recorded; they get the `answer` at once, are left to the test
    where it `holds` them, or else are relayed to the `site`."""

    limits: WireLimits = field(default_factory=WireLimits)
    clock: Clock = field(default_factory=Clock)
    site: Site = field(default_factory=Site)
    answer: Response | None = None
    holds: bool = False
    is_draining: bool = False
    exchanges: list[Exchange] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)
    over: list[Exchange] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    may_obey: asyncio.Event | None = None

    def __post_init__(self) -> None:
        self.now_s = lambda: self.clock.now_s

    def opened(self, _: FrontConnection) -> bool:
        return True

    def closed(self, _: FrontConnection) -> None:
        pass

    def handle(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        if self.answer:
            exchange.answer(self.answer)
        elif not self.holds:
            self.relay(exchange)

    def relay(self, exchange: Exchange) -> None:
        Relay(exchange, ROOM, Carry("forward", "token", 1), OURS + b"\r\n", self).start()

    def refuse(self, exchange: Exchange, error: RequestError) -> None:
        self.refusals.append((error.status, error.code))
        exchange.answer(Response(error.status, (), b"refused"))

    def finished(self, exchange: Exchange, _: float) -> None:
        self.over.append(exchange)

    # As a sender of relays.

    def choose(self, _: Room, __: OriginOf | None) -> OriginOf | None:
        return cast(OriginOf, self.site)

    async def obey(self, _: Exchange, __: Room, ___: Carry, command: str) -> list[str]:
        if self.may_obey:
            await self.may_obey.wait()
        self.commands.append(command)
        return []

    def keep(self, exchange: Exchange, room: Room, carry: Carry) -> None:
        pass

    def asked(self, room: str) -> None:
        pass

    def answered(self, room: str, seconds: float, *, is_error: bool) -> None:
        pass

    def origin_failed(self, exchange: Exchange, why: str) -> None:
        pass

    def fail(self, exchange: Exchange, _: Room, __: Carry, status: int) -> None:
        exchange.outcome = "failed"
        exchange.answer(Response(status, (), b"failed"))


def visiting(host: Host, *, is_taken: bool = True) -> Wire:
    """A visitor's connection to a host."""
    return Wire(FrontConnection(host), is_taken=is_taken)


def check(visitor: Wire) -> None:
    """Time has passed, and the connection is looked after."""
    front = cast(FrontConnection, visitor.protocol)
    front.check(front._host.now_s())
