"""The public side of one process: what accepts, what was accepted, and how both end without losing a request."""

import ssl
from collections.abc import Iterable, Sequence

from waitroom import listener
from waitroom.connections import Connections
from waitroom.listener import Listener, Network
from waitroom.sockets import Sockets


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
