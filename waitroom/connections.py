"""The visitors' connections of one process: bounds their number, looks after their time, and lets them end in peace."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from waitroom.exchange import Exchange
from waitroom.front_connection import FrontConnection
from waitroom.listener import Peer
from waitroom.wire.errors import RequestError
from waitroom.wire.limits import WireLimits

CHECK_S = 0.5


class Handler(Protocol):
    """Who answers."""

    def handle(self, exchange: Exchange) -> None: ...
    def refuse(self, exchange: Exchange, error: RequestError) -> None: ...
    def finished(self, exchange: Exchange, now_s: float) -> None: ...


class Connections:
    """All of them; `handle`, `refuse` and `finished` are the handler's."""

    def __init__(self, handler: Handler, limits: WireLimits, now_s: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.now_s = now_s
        self.is_draining = False
        # Since there was no room for them.
        self.refused = 0
        self.handle = handler.handle
        self.refuse = handler.refuse
        self.finished = handler.finished
        self._connections: set[FrontConnection] = set()

    def __len__(self) -> int:
        return len(self._connections)

    def states(self) -> dict[str, int]:
        """How many there are: those that wait for a request, and those in the midst of one."""
        idle = sum(connection.is_idle for connection in self._connections)
        return {"idle": idle, "busy": len(self._connections) - idle}

    def protocol(self, peer: Peer) -> FrontConnection:
        """For a new connection."""
        return FrontConnection(self, peer.address, is_tls=peer.is_tls)

    def opened(self, connection: FrontConnection) -> bool:
        """Takes a new connection in; says whether there was room for it."""
        if len(self._connections) >= self.limits.connections:
            self.refused += 1
            return False
        self._connections.add(connection)
        return True

    def closed(self, connection: FrontConnection) -> None:
        self._connections.discard(connection)

    async def run(self) -> None:
        """Looks after the time of all connections, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_S)
            # uvloop runs what is due before it reads. Where the process stood still, what has come meanwhile is read
            # first: else it would be taken for silence, and a request or an answer that is there be given up.
            await asyncio.sleep(0)
            now_s = self.now_s()
            for connection in list(self._connections):
                connection.check(now_s)

    async def drain(self, drain_s: float) -> None:
        """Lets what is under way finish, at most for so long: each connection gets one more answer, and idle ones end
        after a second in which nothing was asked on them, new ones after five."""
        self.is_draining = True
        until_s = self.now_s() + drain_s
        while self._connections and self.now_s() < until_s:
            await asyncio.sleep(CHECK_S / 5)
        for connection in list(self._connections):
            connection.abort()
