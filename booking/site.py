"""What a running site is made of. The composition root builds one; guards, pages and API reach it by its key."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from jinja2 import Environment

from booking.admission import Judge, Remembered
from booking.db import Database
from booking.gateway import Gateway
from booking.key_set import KeySet
from booking.passwords import Passwords


@dataclass(frozen=True, slots=True)
class Site:
    """`clock_s` gives seconds UTC since 1970. Pure functions get the time from here as an argument."""

    db: Database
    gateway: Gateway
    passwords: Passwords
    key_set: KeySet
    judge: Judge
    remembered: Remembered
    templates: Environment
    hold_s: int
    clock_s: Callable[[], float] = time.time

    def now_s(self) -> int:
        return int(self.clock_s())


SITE = web.AppKey("site", Site)
