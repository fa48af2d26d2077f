"""One address of a room's site: its connections, kept and new, and how it is doing.

A connection is idle in the pool, or busy with one request (or one tunnel) of a visitor; `take` and `connect` make it
busy, and `give_back` ends that.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Generic, Literal, Protocol, TypeVar, cast

from waitroom import health_check, origin_address
from waitroom.addresses import Resolve
from waitroom.dialler import Dialler
from waitroom.health import Health
from waitroom.origin_terms import OriginTerms

log = logging.getLogger(__name__)

WhyNot = Literal["", "unhealthy", "ejected", "full"]


class Pooled(Protocol):
    """What the pool needs of a connection, which is an asyncio.Protocol too: `is_usable` while it is open and idle,
    and nothing unexpected has come."""

    @property
    def is_usable(self) -> bool: ...

    @property
    def transport(self) -> asyncio.Transport | None: ...

    def close(self) -> None: ...


T = TypeVar("T", bound=Pooled)


class Origin(Generic[T]):
    """Its owner tells it of every request whether the origin `succeeded` or `failed`, failures to connect included."""

    def __init__(
        self, url: str, terms: OriginTerms, protocol: Callable[[], T], now_s: Callable[[], float], resolve: Resolve
    ) -> None:
        """`protocol` makes a connection that is yet to be opened; `now_s` is a clock in seconds."""
        address = origin_address.parse(url)
        self.url = url
        self.terms = terms
        self.authority = address.authority
        self.busy = 0
        self.fault = ""  # what its last health check found
        self._idle: list[tuple[float, T]] = []  # with the time since when, the newest last
        self._taken: set[T] = set()
        self._outdated: set[T] = set()  # of those taken: to an address that is not the origin's any more
        self._is_retired = False
        self._protocol = protocol
        self._now_s = now_s
        self.health = Health(terms)
        self._dialler = Dialler(url, address, terms, now_s, resolve)

    def __repr__(self) -> str:
        return f"<Origin {self.url} busy={self.busy} idle={self.idle} {self.why_not() or 'available'}>"

    @property
    def idle(self) -> int:
        """Connections in the pool."""
        return len(self._idle)

    @property
    def failures(self) -> int:
        """In a row."""
        return self.health.failures

    def weight(self, now_s: float) -> float:
        """Its share beside others: 0 where no request should go there, 1 at most; it grows while it starts slowly."""
        return self.health.weight(now_s) if self.busy < self.terms.connections else 0.0

    def why_not(self) -> WhyNot:
        """Why no request should go there; "" where it may."""
        if not self.health.is_up:
            return "unhealthy"
        if self.health.is_ejected(self._now_s()):
            return "ejected"
        return "full" if self.busy >= self.terms.connections else ""

    def take(self) -> T | None:
        """An idle connection, the newest first, or None. Those that have become unusable or too old are closed."""
        idle = self._idle
        oldest_s = self._now_s() - self.terms.idle_s if idle else 0.0
        while idle:
            since_s, connection = idle.pop()
            if since_s > oldest_s and connection.is_usable:
                self.busy += 1
                self._taken.add(connection)
                return connection
            connection.close()
        return None

    def connect(self) -> asyncio.Task[T]:
        """A new connection, which counts from now on, so that whoever chooses in the same turn of the loop knows of it.
        Where there is none, the task raises OriginUnreachableError or OriginTimeoutError, which say what went wrong."""
        self.busy += 1
        # A Pooled is an asyncio.Protocol, which no Protocol of typing can say.
        dialling = self._dialler.dial(cast(Callable[[], asyncio.Protocol], self._protocol))
        task = cast(asyncio.Task[T], asyncio.create_task(dialling))
        task.add_done_callback(self._connected)
        return task

    def _connected(self, task: asyncio.Task[T]) -> None:
        if task.cancelled() or task.exception():
            self.busy -= 1
        else:
            self._taken.add(task.result())

    def give_back(self, connection: T, *, reusable: bool) -> None:
        """Ends what `take` or `connect` began, once for each. What is not `reusable` is closed."""
        self._taken.remove(connection)
        self.busy -= 1
        if reusable and not self._is_retired and connection not in self._outdated:
            self._idle.append((self._now_s(), connection))
        else:
            self._outdated.discard(connection)
            connection.close()

    def succeeded(self) -> None:
        """It gave a response."""
        if self.health.failures and self.health.succeeded(self._now_s()):
            log.info("the origin %s responds again", self.url)

    def failed(self) -> None:
        """It could not be reached, gave no response in time, or none that is HTTP."""
        if self.health.failed(self._now_s()):
            log.warning("the origin %s is ejected after %d failures in a row", self.url, self.health.failures)

    async def check(self) -> None:
        """Asks for `health_path`, and takes note of the answer."""
        self.fault = await health_check.fault_of(
            self._dialler, self.terms.health_path, self.authority, self.terms.health_timeout_s
        )
        if self.health.checked(self._now_s(), passed=not self.fault):
            log.warning("the origin %s is %s", self.url, f"unhealthy: {self.fault}" if self.fault else "healthy again")

    def tidy(self) -> None:
        """Closes idle connections that have become unusable, too old, or lead to an address that is the origin's no
        more; looks its host up anew, where that is due. Returns at once."""
        self._dialler.refresh()
        if gone := self._dialler.addresses.take_gone():
            self._outdated |= {connection for connection in self._taken if _peer(connection) in gone}
        oldest_s = self._now_s() - self.terms.idle_s
        kept: list[tuple[float, T]] = []
        for since_s, connection in self._idle:
            if since_s > oldest_s and connection.is_usable and not (gone and _peer(connection) in gone):
                kept.append((since_s, connection))
            else:
                connection.close()
        self._idle = kept

    def retire(self) -> None:
        """Closes what is idle; what is busy, once it is given back."""
        self._is_retired = True
        while self._idle:
            self._idle.pop()[1].close()


def _peer(connection: Pooled) -> Any:
    return connection.transport.get_extra_info("peername") if connection.transport else None
