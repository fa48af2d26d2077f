"""Prometheus itself reads both listeners, and its alerts fire for what really goes wrong."""

import asyncio
from typing import Any

from aiohttp import ClientSession

from tests.prometheus.conftest import Scene
from tests.prometheus.programs import needs_prometheus, promtool
from tests.prometheus.server import Prometheus
from tests.waitroom.running import PAGE
from tests.waitroom.visitors import Come

pytestmark = needs_prometheus

SLOWEST_S = 180
WELL = {"waitroom": ("up", ""), "booking": ("up", "")}


async def told(port: int) -> str:
    """What a listener for operators exposes."""
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as response:
        return await response.text()


async def fires(prometheus: Prometheus, *names: str) -> dict[str, str]:
    """Waits until these alerts fire. Gives what they say; a label that an expression has dropped would leave a hole in
    the sentence."""
    async with asyncio.timeout(SLOWEST_S):
        while not set(names) <= (found := await prometheus.firing()).keys():
            await asyncio.sleep(0.1)
    return found


async def clears(prometheus: Prometheus, *names: str) -> None:
    async with asyncio.timeout(SLOWEST_S):
        while set(names) & (await prometheus.firing()).keys():
            await asyncio.sleep(0.1)


async def has(prometheus: Prometheus, expression: str) -> list[dict[str, Any]]:
    """Waits until an expression finds something."""
    async with asyncio.timeout(SLOWEST_S):
        while not (found := await prometheus.query(expression)):
            await asyncio.sleep(0.1)
    return found


async def test_it_reads_both_listeners_without_a_complaint(scene: Scene, come: Come) -> None:
    """As OpenMetrics, for which it asks: that ends in a word that tells a whole answer from a part of one."""
    assert (await (await come(scene.waitroom)).get()).is_origins
    scene.booking.status("/")
    for job in ("waitroom", "booking"):
        await has(scene.prometheus, f'count_over_time(up{{job="{job}"}}[1m]) > 4')
    health: object = None
    try:
        async with asyncio.timeout(SLOWEST_S):
            # A machine that stands still for a moment misses a scrape, and may well be told of that.
            while (health := await health_of(scene.prometheus)) != (WELL, [], {}):
                await asyncio.sleep(0.1)
    except TimeoutError:
        assert health == (WELL, [], {})
    assert scene.prometheus.complaints() == []


async def health_of(prometheus: Prometheus) -> tuple[dict[str, tuple[str, str]], list[dict[str, Any]], dict[str, str]]:
    """How the last scrapes went, which of some before have failed, and which alerts fire."""
    targets = (await prometheus.ask("targets"))["activeTargets"]
    health = {target["labels"]["job"]: (target["health"], target["lastError"]) for target in targets}
    return health, await prometheus.query("min_over_time(up[2s]) == 0"), await prometheus.firing()


async def test_promtool_finds_nothing_wrong_with_what_is_exposed(scene: Scene, come: Come) -> None:
    assert (await (await come(scene.waitroom)).get()).is_origins
    scene.booking.status("/")
    for port in (scene.waitroom.admin_port, scene.booking.admin_port):
        assert promtool("check", "metrics", told=await told(port)) == ""


async def test_a_lost_redis_is_told_until_it_is_back(scene: Scene) -> None:
    await has(scene.prometheus, "waitroom_store_lost == 0")
    scene.redis.kill()
    told = await fires(scene.prometheus, "WaitroomStoreLost", "BookingRedisLost")
    assert told["WaitroomStoreLost"] == "Redis is lost for the room site"
    scene.redis.start()
    await clears(scene.prometheus, "WaitroomStoreLost", "BookingRedisLost")


async def test_an_origin_that_is_down_is_told(scene: Scene, come: Come) -> None:
    expected = {"WaitroomOriginFailing", "WaitroomRoomWithoutOrigin", "WaitroomOriginDown"}
    scene.waitroom.set(mode="open", origins=["http://127.0.0.1:1"], origin={"eject_s": 600})
    visitor = await come(scene.waitroom)
    async with asyncio.timeout(SLOWEST_S):
        while not expected <= (await scene.prometheus.firing()).keys():
            await visitor.get()
            await asyncio.sleep(0.05)


async def test_a_line_that_grows_without_calls_is_told(scene: Scene, come: Come) -> None:
    """One call a minute is none in what are five minutes to these rules."""
    scene.waitroom.set(rate_per_minute=1)
    await has(scene.prometheus, "waitroom_limits_version == 2")
    visitors = [await come(scene.waitroom) for _ in range(5)]
    async with asyncio.timeout(SLOWEST_S):
        while "WaitroomLineStalled" not in await scene.prometheus.firing():
            for visitor in visitors:
                await visitor.get("/", PAGE)
                await visitor.place()
            await asyncio.sleep(0.2)
    found = await has(scene.prometheus, "room:waitroom_waiting:max > 1")
    assert found[0]["metric"]["room"] == "site"


async def test_a_refused_configuration_is_told_until_it_is_mended(scene: Scene) -> None:
    scene.waitroom.set(cap=-1)
    await fires(scene.prometheus, "WaitroomConfigRefused")
    scene.waitroom.set(cap=3)
    await clears(scene.prometheus, "WaitroomConfigRefused")


async def test_a_process_that_is_gone_is_told(scene: Scene) -> None:
    await has(scene.prometheus, 'up{job="booking"} == 1')
    scene.booking.process.kill()
    told = await fires(scene.prometheus, "BookingDown")
    assert told["BookingDown"].startswith("booking at 127.0.0.1:")
