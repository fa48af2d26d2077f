"""How often one may try: keeps passwords from being guessed, and accounts from being made by the thousand."""

import hashlib
import ipaddress
import math
import time
from typing import Any

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

from booking.errors import TooManyAttempts
from booking.store import Store

# Of failures: a log-in that succeeds forgives what went before.
LOG_INS_PER_EMAIL = RateLimitItemPerMinute(10, 15, namespace="log-in-email")
# Many people may share an address: a family, an office, the subscribers of a phone company.
LOG_INS_PER_ADDRESS = RateLimitItemPerMinute(100, 15, namespace="log-in-address")
SIGN_UPS_PER_ADDRESS = RateLimitItemPerHour(100, 1, namespace="sign-up-address")
PASSWORD_CHANGES_PER_ACCOUNT = RateLimitItemPerMinute(10, 15, namespace="password-change")

IPV6_HOME = 64


class Throttle:
    """Counts in Redis, for all processes together. Its methods raise StoreUnavailable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # The URL is not looked at: the connections are the store's own.
        options: dict[str, Any] = {"connection_pool": store.pool}
        storage = RedisStorage("redis://", implementation="redispy", key_prefix="booking:limit", **options)
        self._limiter = MovingWindowRateLimiter(storage)

    async def spend(self, limit: RateLimitItem, who: str) -> None:
        """Takes one attempt. Raises TooManyAttempts where none is left, which says when the next one is."""
        name = _name(who)
        with self._store.reached():
            if await self._limiter.hit(limit, name):
                return
            reset_s = (await self._limiter.get_window_stats(limit, name)).reset_time
        raise TooManyAttempts(max(1, math.ceil(reset_s - time.time())))

    async def forgive(self, limit: RateLimitItem, who: str) -> None:
        """Gives all attempts back."""
        with self._store.reached():
            await self._limiter.clear(limit, _name(who))


def home_of(address: str) -> str:
    """What one person has of addresses: one of IPv4, or the network of IPv6 that a home or a phone is given."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, IPV6_HOME), strict=False))


def _name(who: str) -> str:
    """Redis need not know anybody's e-mail address."""
    return hashlib.sha256(who.encode()).hexdigest()[:32]
