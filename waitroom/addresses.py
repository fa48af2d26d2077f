"""The addresses of a host, looked up anew as they age. One look-up is under way at a time, and nobody waits for it who
has the addresses of the last: those stay in use where a look-up fails."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohappyeyeballs import AddrInfoType

# What getaddrinfo gives for a host and a port.
Resolve = Callable[[str, int], Awaitable[Sequence[AddrInfoType]]]

# How long a host without any address is believed to have none.
RETRY_S = 1.0


async def resolve(host: str, port: int) -> Sequence[AddrInfoType]:
    """The system's answer, in the order of RFC 6724. Raises OSError where there is none."""
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)


class Addresses:
    """Those of one host, each at most `resolve_s` old but for the time of a look-up."""

    def __init__(self, host: str, port: int, resolve_s: float, now_s: Callable[[], float], resolve: Resolve) -> None:
        self._host = host
        self._port = port
        self._resolve_s = resolve_s
        self._now_s = now_s
        self._resolve = resolve
        self._known: Sequence[AddrInfoType] = ()
        self._gone: set[tuple[Any, ...]] = set()
        self._fault = socket.gaierror()
        self._asked_s = float("-inf")
        self._look_up: asyncio.Task[None] | None = None
        self._turn = 0

    async def get(self) -> Sequence[AddrInfoType]:
        """All of them; each call begins with another, so that all of them get their share. Raises socket.gaierror where
        none is known."""
        look_up = self.refresh()
        if not self._known and look_up:
            # Another may wait for it, too: it goes on though this one is cancelled.
            await asyncio.shield(look_up)
        if not self._known:
            raise socket.gaierror(*self._fault.args)  # a new one: many may wait
        self._turn = (self._turn + 1) % len(self._known)
        return [*self._known[self._turn :], *self._known[: self._turn]]

    def refresh(self) -> asyncio.Task[None] | None:
        """The look-up under way; begins one where the last is too old."""
        lasts_s = self._resolve_s if self._known else min(RETRY_S, self._resolve_s)
        if self._look_up is None and self._now_s() - self._asked_s >= lasts_s:
            self._asked_s = self._now_s()
            self._look_up = asyncio.create_task(self._ask())
        return self._look_up

    def take_gone(self) -> set[tuple[Any, ...]]:
        """The addresses that the host has no more; tells each once."""
        gone, self._gone = self._gone, set()
        return gone

    async def _ask(self) -> None:
        try:
            found = await self._resolve(self._host, self._port)
        except socket.gaierror as exc:
            self._fault = exc
        except (OSError, UnicodeError) as exc:  # UnicodeError: a label that no name can have
            self._fault = socket.gaierror(socket.EAI_NONAME, str(exc))
        else:
            self._gone |= {info[4] for info in self._known}
            self._gone -= {info[4] for info in found}
            self._known = found
        finally:
            self._look_up = None
