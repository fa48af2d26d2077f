"""The witness of the line: looks into Redis ten times a second, at one moment each, and writes down what stands there.
It asks nobody but Redis, and changes nothing."""

import asyncio
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from scripts.benches.selling.books import LINE, Present, Sample, as_line
from waitroom.store_keys import line_keys

EVERY_S = 0.1
STATE, HERE, _, LATE, _, INSIDE = line_keys("site")[:6]


class Witness:
    """Runs until it is told that the sale is over; then it takes down who stands in the line."""

    def __init__(self, redis_url: str, folder: Path) -> None:
        self._redis = Redis.from_url(redis_url)
        self._path = folder / LINE
        self._is_over = asyncio.Event()

    def end(self) -> None:
        self._is_over.set()

    async def run(self) -> None:
        with self._path.open("w") as file:
            while not self._is_over.is_set():
                if sample := await self._sample():
                    file.write(as_line(sample))
                await asyncio.sleep(EVERY_S)
            if sample := await self._sample():
                file.write(as_line(sample))
            file.write(as_line(await self._present()))
        await self._redis.aclose()

    async def _sample(self) -> Sample | None:
        """None while there is no line yet."""
        time, state, inside = await self._at_once(
            lambda asked: asked.time().hmget(STATE, "tail", "head", "called").zrange(INSIDE, 0, -1, withscores=True)
        )
        if state[0] is None:
            return None
        tail, head, called = map(int, state)
        # Of a lease whose claim window was extended half a millisecond is missing.
        leases = {int(number): -int(-lease_ms // 1) for number, lease_ms in inside}
        return Sample(time[0] * 1000 + time[1] // 1000, tail, head, called, leases)

    async def _present(self) -> Present:
        (base, head), here, late = await self._at_once(
            lambda asked: asked.hmget(STATE, "base", "head").get(HERE).zrange(LATE, 0, -1)
        )
        return Present(int(base or 0), int(head or 0), (here or b"").hex(), [int(number) for number in late])

    async def _at_once(self, ask: Any) -> list[Any]:
        """In one transaction."""
        async with self._redis.pipeline(transaction=True) as asked:
            ask(asked)
            return await asked.execute()
