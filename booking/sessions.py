"""Who is logged in: sessions in Redis, each a chain of refresh tokens of which only the last one renews it.

A session ends when it is logged out of, when it was not used for IDLE_S, LIFE_S after log-in however much it is used,
and when a token comes that was changed for its successor long ago: two have it then, and one of them is a thief.
"""

import logging
import secrets
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from booking.refresh import RefreshToken
from booking.store import Store

LIFE_S = 30 * 86_400
IDLE_S = 14 * 86_400
# As long, a token gives its successor again: two tabs ask at once, and an answer may get lost.
GRACE_S = 30
# More browsers than anybody has. The next log-in ends the oldest session.
MOST = 20

_ROTATE = Path(__file__).with_name("lua") / "rotate.lua"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    """`used_s` is told when a token is renewed: it may be some minutes old."""

    family: str
    begun_s: int
    used_s: int
    browser: str


class Sessions:
    """Every method raises StoreUnavailable. Times are seconds UTC, as the caller's clock has them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rotate = store.script(_ROTATE.read_text())

    async def begin(self, account_id: int, browser: str, now_s: int) -> RefreshToken:
        """A new session; gives its first token."""
        token = RefreshToken(account_id, secrets.token_urlsafe(16), 1)
        key, of_account = _session(token.family), _of_account(account_id)
        with self._store.reached() as redis:
            async with redis.pipeline() as begun:
                begun.hset(key, mapping={"counter": 1, "begun_s": now_s, "used_s": now_s, "browser": browser})
                begun.expire(key, IDLE_S)
                begun.zremrangebyscore(of_account, "-inf", now_s - LIFE_S)
                begun.zadd(of_account, {token.family: now_s})
                begun.expire(of_account, LIFE_S)
                begun.zrange(of_account, 0, -MOST - 1)
                *_, too_many = await begun.execute()
            await _end(redis, account_id, too_many)
        return token

    async def rotate(self, token: RefreshToken, now_s: int) -> RefreshToken | None:
        """Changes a token for its successor; none, where the session is over, or ends because the token was spent."""
        keys = [_session(token.family), _of_account(token.account_id)]
        with self._store.reached():
            counter = await self._rotate(keys, [token.family, token.counter, now_s, GRACE_S, IDLE_S, LIFE_S])
        if counter < 0:
            log.warning(
                "A spent refresh token of account %d came again: somebody may have copied it. Its session is ended.",
                token.account_id,
            )
        return RefreshToken(token.account_id, token.family, counter) if counter > 0 else None

    async def of_account(self, account_id: int, now_s: int) -> list[Session]:
        """The sessions that go on, the one used last first."""
        with self._store.reached() as redis:
            families = await _families(redis, account_id, since_s=now_s - LIFE_S + 1)
            async with redis.pipeline() as asked:
                for family in families:
                    asked.hgetall(_session(family))
                found = zip(families, await asked.execute(), strict=True)
        sessions = [_read(family, fields) for family, fields in found if fields]
        going_on = [session for session in sessions if now_s < session.used_s + IDLE_S]
        return sorted(going_on, key=lambda session: session.used_s, reverse=True)

    async def end(self, account_id: int, family: str) -> None:
        """Ends a session of an account; nothing happens where it has none by this name."""
        with self._store.reached() as redis:
            if await redis.zscore(_of_account(account_id), family) is not None:
                await _end(redis, account_id, [family])

    async def end_all(self, account_id: int, but: str | None = None) -> None:
        """Ends all sessions of an account; `but` goes on."""
        with self._store.reached() as redis:
            families = await _families(redis, account_id)
            await _end(redis, account_id, [family for family in families if family != but])


async def _families(redis: Redis, account_id: int, since_s: int = 0) -> list[str]:
    return [str(family) for family in await redis.zrangebyscore(_of_account(account_id), since_s, "+inf")]


async def _end(redis: Redis, account_id: int, families: list[str]) -> None:
    if families:
        async with redis.pipeline() as ended:
            ended.delete(*map(_session, families))
            ended.zrem(_of_account(account_id), *families)
            await ended.execute()


def _session(family: str) -> str:
    return f"booking:session:{family}"


def _of_account(account_id: int) -> str:
    return f"booking:sessions:{account_id}"


def _read(family: str, fields: dict[str, str]) -> Session:
    return Session(family, int(fields["begun_s"]), int(fields["used_s"]), fields["browser"])
