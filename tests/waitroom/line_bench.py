"""A line on a real Redis whose clock the test holds: the transitions as plain calls."""

from dataclasses import replace
from typing import Any, cast

from tests.servers import PrivateRedis
from waitroom.limits import Limits
from waitroom.snapshot import Snapshot
from waitroom.standing import Standing, from_reply
from waitroom.store import TRANSITIONS, script
from waitroom.store_keys import line_keys

START_MS = 1_800_000_000_000
LIMITS = Limits(
    version=1,
    edited_ms=0,
    mode="auto",
    rate_per_minute=6000,
    burst=100,
    cap=10,
    claim_ms=60_000,
    presence_ms=60_000,
    session_ms=600_000,
)


class LineBench:
    """Drives one line; `now_ms` is the time that every transition is told, and only `pass_ms` moves it."""

    def __init__(self, redis: PrivateRedis, **limits: Any) -> None:
        self.limits = replace(LIMITS, **limits)
        self.now_ms = START_MS
        self.known = (0, 0, 0)
        self._redis = redis
        self._scripts = {name: redis.client.register_script(script(name)) for name in TRANSITIONS}

    def set(self, **limits: Any) -> None:
        """Brings a new version of the limits."""
        self.limits = replace(self.limits, version=self.limits.version + 1, **limits)

    def pass_ms(self, ms: int) -> None:
        self.now_ms += ms

    def join(self, n: int = 1) -> tuple[list[int], list[int]]:
        """Gives the numbers joined, and which of them were called at once."""
        _, first, called, _ = self._run("join", self.now_ms, n, *self.limits.to_arguments(), *self.known)
        numbers = list(range(first, first + n))
        return numbers, numbers[:called]

    def waiting(self, n: int) -> list[int]:
        """Lets n visitors join and poll, so that they wait."""
        numbers, called = self.join(n)
        self.poll(*numbers[len(called) :])
        return numbers

    def poll(self, *numbers: int) -> list[Standing]:
        return from_reply(self._run("poll", self.now_ms, *numbers))

    def claim(self, *numbers: int) -> list[Standing]:
        return from_reply(self._run("claim", self.now_ms, *numbers))

    def release(self, *numbers: int) -> int:
        released: int = self._run("release", *numbers)
        return released

    def restore(self, *leases: tuple[int, int]) -> int:
        count: int = self._run("restore", self.now_ms, *(value for lease in leases for value in lease))
        return count

    def advance(self, tick_ms: int = 0) -> Snapshot:
        reply = self._run("advance", self.now_ms, tick_ms, *self.limits.to_arguments(), *self.known)
        return Snapshot.from_reply(reply)

    def inside(self) -> list[int]:
        """The numbers inside, as Redis has them."""
        return sorted(map(int, cast("list[bytes]", self._redis.client.zrange(line_keys("test")[4], 0, -1))))

    def _run(self, transition: str, *arguments: int | str) -> Any:
        return self._scripts[transition](keys=line_keys("test"), args=arguments)
