"""What a running site is made of. The composition root builds one; guards, pages and API reach it by its key."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web
from jinja2 import Environment

from booking.access import AccessTokens
from booking.cache import Cache
from booking.db import Database
from booking.doorkeeper import Doorkeeper
from booking.gateway import Gateway
from booking.inbox import Inbox
from booking.language import Language
from booking.metrics import Metrics
from booking.passwords import Passwords
from booking.refresh import RefreshTokens
from booking.sessions import Sessions
from booking.store import Store
from booking.throttle import Throttle


@dataclass(frozen=True, slots=True)
class Site:
    """`clock_s` gives seconds UTC since 1970. Pure functions get the time from here as an argument."""

    db: Database
    gateway: Gateway
    store: Store
    cache: Cache
    metrics: Metrics
    inbox: Inbox
    passwords: Passwords
    sessions: Sessions
    access_tokens: AccessTokens
    refresh_tokens: RefreshTokens
    throttle: Throttle
    doorkeeper: Doorkeeper
    languages: Mapping[str, Language]
    templates: Environment
    # What visitors type before the path.
    public_url: str
    content_policy: str
    # Of requests that come again by their key.
    fingerprint_key: bytes
    hold_s: int
    clock_s: Callable[[], float] = time.time

    def now_s(self) -> int:
        return int(self.clock_s())

    def return_url(self, reference: str) -> str:
        """Where people come back to from the page where they paid for a booking."""
        return f"{self.public_url}/bookings/{reference}/return"


SITE = web.AppKey("site", Site)
