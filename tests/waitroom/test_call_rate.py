"""What a process measures of a line: calls, and under which terms."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.servers import PrivateRedis
from tests.waitroom.line_bench import LIMITS, START_MS
from tests.waitroom.running import TIMEOUT_MS
from waitroom.limits import TICK_MS
from waitroom.line import Line
from waitroom.store import Store


class HeldClock:
    """A store whose Redis is told the time by the test."""

    def __init__(self, store: Store) -> None:
        self.now_ms = START_MS
        self._store = store

    async def run(self, transition: str, line: str, arguments: Sequence[int | str | bytes]) -> Any:
        return await self._store.run(transition, line, [self.now_ms, *arguments[1:]])


async def test_the_time_before_the_opening_does_not_slow_what_is_measured(redis: PrivateRedis) -> None:
    """A sale opens after a minute of waiting: its calls are then measured by the time since, so that who is next is
    told a short wait, and polls soon."""
    opens_ms = START_MS + 60_000
    limits = replace(LIMITS, opens_ms=opens_ms, cap=1_000)
    store = Store(redis.url, TIMEOUT_MS)
    clock = HeldClock(store)
    line = Line("sale", limits, clock)
    joined = [await line.join("") for _ in range(600)]
    measured = []
    while clock.now_ms < opens_ms + 3_000:
        for visitor in joined:
            assert visitor
            if line.standing(visitor.number):
                line.poll(visitor.number)
        await line.tick()
        clock.now_ms += TICK_MS
        measured.append(line.rate.per_minute)
    await store.close()
    assert measured[-1] == limits.rate_per_minute
