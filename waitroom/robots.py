"""Finds out whether who says that it is a robot of a search engine is one: by what DNS says of its address.

A robot waits for that only a moment, and no visitor waits for it at all: a look-up that takes longer goes on, and its
finding is there when the robot comes back.
"""

import asyncio
import ipaddress
import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from waitroom.engines import Engine, is_name_of
from waitroom.seldom import Seldom

log = logging.getLogger(__name__)

PATIENCE_S = 2.0
# Engines move their robots within months, and mend a name within hours. DNS that was down is asked again soon.
KNOWN_S = 86_400.0
STRANGER_S = 3_600.0
UNCLEAR_S = 60.0
# A look-up occupies a thread for as long as the system's resolver likes, and origins are looked up by the same threads.
AT_ONCE = 2
MOST_UNDER_WAY = 64
MOST_REMEMBERED = 10_000
# There is no such name, or none for the address (getaddrinfo(3)). All else may be another way soon.
NO_SUCH = (socket.EAI_NONAME, socket.EAI_NODATA)


class Resolver(Protocol):
    """What asks DNS. Raises OSError, of which `gaierror` says why."""

    async def name_of(self, address: str) -> str: ...
    async def addresses_of(self, name: str) -> set[str]: ...


class SystemResolver:
    """As the system is set up."""

    async def name_of(self, address: str) -> str:
        name, _ = await asyncio.get_running_loop().getnameinfo((address, 0), socket.NI_NAMEREQD)
        return name

    async def addresses_of(self, name: str) -> set[str]:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
        return {str(address[0]) for *_, address in found}


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether an address is of a robot's, and until when that is believed."""

    is_genuine: bool
    until_s: float


class Robots:
    """What was found out about the addresses of robots. `now_s` is a steady clock."""

    def __init__(self, resolver: Resolver, now_s: Callable[[], float] = time.monotonic) -> None:
        self._resolver = resolver
        self._now_s = now_s
        self._findings: dict[tuple[Engine, str], Finding] = {}
        self._under_way: dict[tuple[Engine, str], asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._seldom = Seldom(log)

    async def is_genuine(self, engine: Engine, address: str, patience_s: float = PATIENCE_S) -> bool:
        """Whether a robot of an engine asks from this address; not as long as nobody knows."""
        asked = engine, _canonical(address)
        if self._known(asked) is None and (look_up := self._looked_up(asked)):
            await asyncio.wait([look_up], timeout=patience_s)
        return self._known(asked) or False

    async def close(self) -> None:
        """Nobody waits for findings any more."""
        look_ups = list(self._under_way.values())
        for look_up in look_ups:
            look_up.cancel()
        await asyncio.gather(*look_ups, return_exceptions=True)

    def _known(self, asked: tuple[Engine, str]) -> bool | None:
        finding = self._findings.get(asked)
        return finding.is_genuine if finding and self._now_s() < finding.until_s else None

    def _looked_up(self, asked: tuple[Engine, str]) -> asyncio.Task[None] | None:
        """The look-up that is under way, or begins; None where too many are."""
        look_up = self._under_way.get(asked)
        if look_up is None and len(self._under_way) < MOST_UNDER_WAY:
            look_up = self._under_way[asked] = asyncio.create_task(self._find(asked))
            look_up.add_done_callback(lambda _: self._under_way.pop(asked))
        return look_up

    async def _find(self, asked: tuple[Engine, str]) -> None:
        async with self._slots:
            is_genuine, for_s = await self._judged(*asked)
        self._findings.pop(asked, None)
        while len(self._findings) >= MOST_REMEMBERED:
            del self._findings[next(iter(self._findings))]
        self._findings[asked] = Finding(is_genuine, self._now_s() + for_s)

    async def _judged(self, engine: Engine, address: str) -> tuple[bool, float]:
        """Whether it is genuine, and for how long that is believed."""
        try:
            name = await self._resolver.name_of(address)
            is_genuine = is_name_of(engine, name) and address in await self._resolver.addresses_of(name)
        except UnicodeError:  # no name that DNS could have
            return False, STRANGER_S
        except OSError as exc:
            if isinstance(exc, socket.gaierror) and exc.errno in NO_SUCH:
                return False, STRANGER_S
            self._seldom.warn("DNS can't say whether %s is of %s: %s", address, engine, exc)
            return False, UNCLEAR_S
        return is_genuine, KNOWN_S if is_genuine else STRANGER_S


def _canonical(address: str) -> str:
    """An address in the one spelling that resolvers use, too; others are no addresses, and none finds them."""
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str((read.version == 6 and read.ipv4_mapped) or read)
