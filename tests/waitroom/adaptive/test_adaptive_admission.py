"""Adaptive admission with real parts: a waitroom, a crowd, and an origin of few workers that dies and comes back."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

import aiohttp

from tests.servers import PrivateRedis, eventually, free_port
from tests.waitroom.adaptive.crowd import Crowd
from tests.waitroom.proxy.process import serving
from tests.waitroom.running import TIMEOUT_MS, Waitroom
from waitroom.config_file import ConfigFile
from waitroom.desk.overrides import Adapted
from waitroom.desk.room_desk import RoomDesk
from waitroom.store import Store

MINIMUM, CEILING, TARGET_MS = 240, 6_000, 300


@asynccontextmanager
async def pooled_origin(port: int, workers: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Each worker takes 50 ms for a request: four bear 80 a second, and what is beyond queues."""
    command = (sys.executable, "-m", "tests.waitroom.adaptive.pooled_origin", str(port), str(workers), "0.05")
    process = await asyncio.create_subprocess_exec(*command)
    try:
        async with asyncio.timeout(60):
            while not await _answers(port):
                await asyncio.sleep(0.05)
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _answers(port: int) -> bool:
    with suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}") as response:
            return response.status == 200
    return False


@asynccontextmanager
async def desk_of(waitroom: Waitroom) -> AsyncIterator[RoomDesk]:
    store = Store(waitroom.redis_url, TIMEOUT_MS)
    try:
        (room,) = ConfigFile(waitroom.config).rooms
        yield RoomDesk(room, store)
    finally:
        await store.close()


async def until(desk: RoomDesk, holds: Callable[[Adapted], bool]) -> Adapted:
    """What was decided, once that holds."""
    async with asyncio.timeout(120):
        while True:
            _, overrides = await desk.read()
            if overrides.adapted and holds(overrides.adapted):
                return overrides.adapted
            await asyncio.sleep(0.1)


async def test_the_rate_falls_under_load_freezes_with_the_origin_and_recovers(
    tmp_path: Path, redis: PrivateRedis
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, free_port())
    adaptive = {"rate_min": MINIMUM, "target_ms": TARGET_MS, "settle_s": 5}
    waitroom.set(mode="queue", rate_per_minute=CEILING, cap=10_000, session_s=30, claim_s=10, adaptive=adaptive)
    async with serving(waitroom), desk_of(waitroom) as desk:
        crowd = Crowd(waitroom.url, per_minute=1_200, stay_s=6, think_s=0.5)
        async with crowd.coming():
            async with pooled_origin(waitroom.origin_port, workers=4) as origin:
                # Not yet where a busy machine has a hiccup at the minimum: nothing is learnt from that.
                cut = await until(desk, lambda adapted: adapted.threshold_per_minute > 0)
                assert MINIMUM <= cut.rate_per_minute <= cut.threshold_per_minute < CEILING
                await until(desk, lambda adapted: adapted.state == "steady")
                origin.kill()
            assert await called_while_frozen(desk, redis, crowd) == 0
            # It comes back with more than it needs: nothing but the law keeps the rate low.
            async with pooled_origin(waitroom.origin_port, workers=12):
                entered = len(crowd.entries)
                await until(desk, lambda adapted: adapted.rate_per_minute > 2 * MINIMUM)
                await eventually(lambda: len(crowd.entries) > entered)
        decisions = [entry for entry in await desk.audit() if entry.act == "adapted"][::-1]
    assert decisions[0].after == str(MINIMUM)
    assert {entry.after for entry in decisions if entry.before == "0"} == {str(MINIMUM)}, "slowly"
    assert all(later.before == earlier.after for earlier, later in pairwise(decisions))
    assert any("over the target" in entry.why for entry in decisions)
    assert {int(entry.after) for entry in decisions} <= {0, *range(MINIMUM, CEILING + 1)}


async def called_while_frozen(desk: RoomDesk, redis: PrivateRedis, crowd: Crowd) -> int:
    """How many are called in a while in which the room is frozen, and others come. A room may try again in between, if
    the machine is slow: then another while is looked at."""
    while True:
        frozen = await until(desk, lambda adapted: adapted.state == "frozen")
        rate, before, waiting = _of_line(redis, "rate"), _of_line(redis, "called"), crowd.waiting
        await eventually(lambda waiting=waiting: crowd.waiting > waiting + 20)  # type: ignore[misc]
        after = _of_line(redis, "called")
        if rate == 0 and (await until(desk, bool)) == frozen:
            return after - before


def _of_line(redis: PrivateRedis, field: str) -> int:
    return int(redis.client.hget("wr:{site}:state", field) or 0)
