"""Redis: runs the transitions of lines, and knows whether it can be reached. Every error of redis-py ends here."""

from collections.abc import Sequence
from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from waitroom.errors import StoreLostError
from waitroom.store_keys import line_keys

# Each script with the files it consists of, in order.
TRANSITIONS = {
    "advance": ("_line", "_advance", "advance"),
    "join": ("_line", "_advance", "join"),
    "poll": ("_line", "poll"),
    "claim": ("_line", "claim"),
    "release": ("_line", "release"),
    "revoke": ("_line", "revoke"),
    "restore": ("_line", "restore"),
    "remind": ("_line", "remind"),
    "reset": ("_line", "reset"),
    "open": ("_line", "open"),
}
# A store that takes longer than this is as good as lost: visitors are waiting on the answer.
TIMEOUT_S = 0.5


class NoLineError(Exception):
    """The line has no state in Redis yet, or not any more: it must be advanced first."""


def script(transition: str) -> str:
    """The Lua source of a transition."""
    folder = resources.files("waitroom") / "lua"
    return "\n".join((folder / f"{part}.lua").read_text() for part in TRANSITIONS[transition])


class Store:
    """A Redis that holds lines.

    `lost` says that it could not be used when last tried; while it is, nothing is sent but a `ping`, so that no visitor
    waits for a time-out that another has already waited for.
    """

    def __init__(self, url: str) -> None:
        # One retry, for a pooled connection that Redis closed since. Whether to wait longer is the callers' affair.
        retry = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
        self._redis = Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=retry, client_name="waitroom"
        )
        self._scripts = {name: self._redis.register_script(script(name)) for name in TRANSITIONS}
        self.lost = False

    async def run(self, transition: str, line: str, arguments: Sequence[int | str | bytes]) -> Any:
        """Runs a transition of a line and gives its raw reply.

        Raises NoLineError, or StoreLostError if Redis can't be reached, can't write, or answers too late.
        """
        if self.lost:
            raise StoreLostError("Redis was lost, and has not answered since")
        try:
            return await self._scripts[transition](keys=line_keys(line), args=arguments)
        except ResponseError as exc:
            if "NOLINE" in str(exc):
                raise NoLineError(line) from exc
            raise self._loss(exc) from exc
        except (RedisError, OSError) as exc:
            raise self._loss(exc) from exc

    async def ping(self) -> None:
        """Asks whether Redis is there (again). Raises StoreLostError if not."""
        try:
            await self._redis.ping()
        except (RedisError, OSError) as exc:
            raise self._loss(exc) from exc
        self.lost = False

    def _loss(self, cause: Exception) -> StoreLostError:
        self.lost = True
        return StoreLostError(f"{type(cause).__name__}: {cause}")

    async def close(self) -> None:
        await self._redis.aclose()
