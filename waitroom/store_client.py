"""The connection to a store, by redis-py: to one Redis, to the primary that sentinels name, or to a cluster.

Guards that no call takes longer than a few time-outs, whatever redis-py would do about retries: see `deadline_s`.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError

from waitroom.store_keys import probe_key
from waitroom.store_url import StoreUrl

# All that a client raises when the store can't be used; TimeoutError and ssl.SSLError are kinds of OSError.
LOSSES = (RedisError, RedisClusterException, OSError)
# Of one process to one server: more is an error, which would pass for a loss. Lines coalesce, so that few are used.
MOST_CONNECTIONS = 1000
NO_SENTINEL = "no sentinel answers"
# Connecting, logging in, asking, and asking again with the whole script; each further host may be asked in vain before.
STEPS = 3


class Client(Protocol):
    """What the store needs of a connection. Everything raises LOSSES."""

    @property
    def deadline_s(self) -> float:
        """The longest that a call may take."""

    def server(self, line: str) -> str:
        """What serves a line: lines of which this is the same are lost together."""

    async def execute(self, *command: str | int | bytes) -> Any:
        """Sends a command whose keys are all of one line."""

    async def follow(self) -> None:
        """Goes where the store is now, if it was moved while it could still be used. Raises nothing."""

    async def still_lost(self, lines: Collection[str]) -> Mapping[str, Exception]:
        """Looks anew for what serves these lines; gives those that can't be written to yet, with the reason."""

    async def close(self) -> None: ...


def connect(url: StoreUrl, timeout_ms: int) -> Client:
    """A client that connects when it is first used. To connect, and to answer, each may take `timeout_ms`."""
    timeout_s = timeout_ms / 1000
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "username": url.username or None,
        "password": url.password or None,
        "client_name": "waitroom",
        "max_connections": MOST_CONNECTIONS,
        **({"ssl": True, **url.tls} if url.secure else {}),
    }
    match url.kind:
        case "cluster":
            nodes = [ClusterNode(host, port) for host, port in url.hosts]
            # Its own retry asks the other nodes first who serves a line now.
            return ClusterClient(
                lambda: RedisCluster(startup_nodes=nodes, require_full_coverage=False, retry=_retry(1), **options),
                timeout_s,
            )
        case "sentinel":
            login = {"username": url.sentinel_username or None, "password": url.sentinel_password or None}
            # No retry: it would ask all sentinels twice, or the old primary without asking them at all.
            options["retry"] = _retry(0)
            sentinels = Sentinels(url.hosts, sentinel_kwargs={**options, **login})  # type: ignore[no-untyped-call]
            primary: Redis = sentinels.master_for(url.name, db=url.db, **options)
            return SentinelClient(sentinels, url.name, primary, timeout_s)
        case "socket":
            return SingleClient(Redis(unix_socket_path=url.name, db=url.db, retry=_retry(1), **options), timeout_s)
        case "server":
            host, port = url.hosts[0]
            return SingleClient(Redis(host=host, port=port, db=url.db, retry=_retry(1), **options), timeout_s)


def _retry(times: int) -> Retry:
    """For a pooled connection that was closed since. Whether to wait longer is the callers' affair."""
    return Retry(NoBackoff(), times, supported_errors=(RedisConnectionError,))


class SingleClient:
    """One Redis for all lines."""

    def __init__(self, redis: Redis, timeout_s: float, hosts: int = 1) -> None:
        self.deadline_s = (STEPS + hosts) * timeout_s
        self._redis = redis

    def server(self, _: str) -> str:
        return ""

    async def execute(self, *command: str | int | bytes) -> Any:
        return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]

    async def follow(self) -> None:
        pass

    async def still_lost(self, lines: Collection[str]) -> Mapping[str, Exception]:
        try:
            async with asyncio.timeout(self.deadline_s):
                # A connection to a demoted primary would last; a new one goes where sentinels, or the DNS, say.
                with suppress(*LOSSES):
                    await self._redis.connection_pool.disconnect(inuse_connections=False)
                await self.execute("DEL", probe_key(""))
        except LOSSES as exc:
            return dict.fromkeys(lines, exc)
        return {}

    async def close(self) -> None:
        with suppress(*LOSSES):
            await self._redis.aclose()


class Sentinels(Sentinel):
    """Sentinels that tell why they could not be asked."""

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        try:
            address: tuple[str, int] = await super().discover_master(service_name)
        except MasterNotFoundError as exc:
            answers = await asyncio.gather(*(sentinel.ping() for sentinel in self.sentinels), return_exceptions=True)
            causes = [answer for answer in answers if isinstance(answer, Exception)]
            if len(causes) == len(answers):
                raise MasterNotFoundError(NO_SENTINEL) from causes[0]
            raise MasterNotFoundError(f"no master {service_name!r}") from exc
        return address


class SentinelClient(SingleClient):
    """The primary that sentinels name; when they name another, that one."""

    def __init__(self, sentinels: Sentinels, name: str, primary: Redis, timeout_s: float) -> None:
        super().__init__(primary, timeout_s, len(sentinels.sentinels))
        self._sentinels = sentinels
        self._name = name

    async def follow(self) -> None:
        """Leaves a primary that was demoted: until it knows, it takes writes, and loses them when it does."""
        pool: Any = self._redis.connection_pool
        with suppress(*LOSSES):
            async with asyncio.timeout(self.deadline_s):
                address = await self._sentinels.discover_master(self._name)
                if pool.master_address not in (None, address):
                    await pool.disconnect()

    async def close(self) -> None:
        await super().close()
        for sentinel in self._sentinels.sentinels:
            with suppress(*LOSSES):
                await sentinel.aclose()


class NoCommands:
    """What redis-py knows of commands, to find their keys: nothing. Scripts name their keys, and nothing else is sent.

    To ask a node for all commands there are, at each change in the cluster, would halt this process for some 50 ms.
    """

    async def initialize(self, _: ClusterNode) -> None:
        pass


class ClusterClient:
    """A cluster: what one node serves is lost and found for itself, and the lines of the others go on."""

    def __init__(self, make: Callable[[], RedisCluster], timeout_s: float) -> None:
        self._make = make
        self._timeout_s = timeout_s
        self._cluster = self._made()

    @property
    def deadline_s(self) -> float:
        return (STEPS + len(self._cluster.nodes_manager.startup_nodes)) * self._timeout_s

    def server(self, line: str) -> str:
        node = self._node(line)
        return str(node.name) if node else ""

    async def execute(self, *command: str | int | bytes) -> Any:
        with _as_losses():
            return await self._cluster.execute_command(*command)

    async def follow(self) -> None:
        """A node that serves a line no more says so itself, and names the one that does."""

    async def still_lost(self, lines: Collection[str]) -> Mapping[str, Exception]:
        try:
            await self._look_around()
        except LOSSES as exc:
            return dict.fromkeys(lines, exc)
        found = await asyncio.gather(*(self._probe(line) for line in lines))
        return {line: exc for line, exc in zip(lines, found, strict=True) if exc}

    async def close(self) -> None:
        for close in (
            self._cluster.aclose,
            # It closes nothing once it has lost a node.
            self._cluster.nodes_manager.aclose,
            lambda: self._cluster.nodes_manager.aclose("startup_nodes"),
        ):
            with suppress(*LOSSES):
                await close()

    async def _look_around(self) -> None:
        """Asks the nodes who serves what now. If none of those it knew answers, asks the hosts in the url again."""
        try:
            async with asyncio.timeout(self.deadline_s):
                with _as_losses():
                    await self._cluster.initialize()
                    await self._cluster.nodes_manager.initialize()
        except LOSSES:
            await self.close()
            self._cluster = self._made()
            raise

    def _made(self) -> RedisCluster:
        cluster = self._make()
        cluster.commands_parser = NoCommands()  # type: ignore[assignment]
        return cluster

    def _node(self, line: str) -> ClusterNode | None:
        """The node that serves a line; None if there is none."""
        with suppress(*LOSSES):
            return self._cluster.get_node_from_key(probe_key(line))
        return None

    async def _probe(self, line: str) -> Exception | None:
        """Why a line can't be written to, if so. The node is asked past the cluster, whose retries bother all nodes."""
        node = self._node(line)
        if node is None:
            return RedisClusterException("no node of the cluster serves the slot of this line")
        try:
            async with asyncio.timeout(self.deadline_s):
                await node.execute_command("DEL", probe_key(line))
        except LOSSES as exc:
            return exc
        return None


@contextmanager
def _as_losses() -> Iterator[None]:
    """redis-py stumbles over a cluster of which slots or nodes are missing."""
    try:
        yield
    except (LookupError, AttributeError) as exc:
        raise RedisClusterException(f"the cluster is not whole: {exc!r}") from exc
