"""The store: Redis, where sessions, limits and cached answers are kept. Every error of redis-py ends here."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Self

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from booking.errors import StoreUnavailable

# An answer takes a millisecond. Whoever waits longer waits for a Redis that is lost.
TIMEOUT_S = 2.0
CONNECTIONS = 50

log = logging.getLogger(__name__)


class Store:
    """One Redis by its URL (`redis://…`, `rediss://…` or `unix://…`). Connects when it is first used."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        self.pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            decode_responses=True,
            # Once, for a connection that a Redis of before a restart has left behind.
            retry=Retry(NoBackoff(), 1),
        )
        self._client = Redis.from_pool(self.pool)
        # Entered around each block that talks to it.
        self.around: Callable[[str], AbstractContextManager[object]] = nullcontext

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._client.aclose()

    @contextmanager
    def reached(self) -> Iterator[Redis]:
        """The client, for a block that talks to it: what fails there is raised as StoreUnavailable.

        A command may be sent twice where the answer was lost: it must be one that may.
        """
        try:
            with self.around("redis"):
                yield self._client
        except (RedisError, OSError) as exc:
            log.error("Redis does not serve: %s. Check that it runs, and BOOKING_REDIS_URL.", exc or repr(exc))
            raise StoreUnavailable from exc

    def script(self, lua: str) -> AsyncScript:
        """A Lua script, to be called within `reached`."""
        return self._client.register_script(lua)

    async def ping(self) -> None:
        """Raises StoreUnavailable unless Redis answers."""
        with self.reached() as redis:
            await redis.ping()
