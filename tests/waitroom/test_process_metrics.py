"""What Prometheus is told of a process: what it is, has, and falls behind with."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers import Authority, PrivateRedis, free_port
from tests.waitroom.running import TIMEOUT_MS, Origin, Waitroom
from tests.waitroom.serving import serve
from tests.waitroom.test_rooms import room
from waitroom.adaptive_terms import AdaptiveTerms
from waitroom.config_file import ConfigFile
from waitroom.desk.in_force import InForce
from waitroom.desk.overrides import Adapted, Overrides
from waitroom.desk.room_desk import RoomDesk
from waitroom.loop_lag import LoopLag
from waitroom.process_metrics import OverrideCollector
from waitroom.rooms import Rooms
from waitroom.store import Store
from waitroom.tls import PublicTls

OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


async def told(waitroom: Waitroom, accept: str = "") -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{waitroom.admin_port}/metrics", headers={"Accept": accept}) as response,
    ):
        assert response.status == 200
        return await response.text()


async def value(waitroom: Waitroom, name: str, **labels: str) -> float | None:
    """Of one sample, None if there is none."""
    families = text_string_to_metric_families(await told(waitroom))
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return next((sample.value for sample in samples if labels.items() <= sample.labels.items()), None)


async def becomes(waitroom: Waitroom, expected: float, name: str, **labels: str) -> None:
    async with asyncio.timeout(60):
        while await value(waitroom, name, **labels) != expected:
            await asyncio.sleep(0.05)


async def test_a_refused_file_is_told_with_the_version_that_stays(waitroom: Waitroom) -> None:
    assert await value(waitroom, "waitroom_config_refused") == 0
    waitroom.set(cap=-1)
    await becomes(waitroom, 1, "waitroom_config_refused")
    assert await value(waitroom, "waitroom_config_version") == 1
    waitroom.set(cap=3)
    await becomes(waitroom, 3, "waitroom_config_version")
    assert await value(waitroom, "waitroom_config_refused") == 0


async def test_the_limits_in_force_are_told_in_base_units(waitroom: Waitroom) -> None:
    waitroom.set(cap=7, rate_per_minute=90, mode="hold")
    await becomes(waitroom, 2, "waitroom_limits_version", room="site")
    assert await value(waitroom, "waitroom_cap", room="site") == 7
    assert await value(waitroom, "waitroom_rate_per_second", room="site") == 1.5
    assert await value(waitroom, "waitroom_mode", room="site", mode="hold") == 1
    assert await value(waitroom, "waitroom_mode", room="site", mode="auto") == 0
    assert await value(waitroom, "waitroom_phase", room="site", phase="open") == 1


async def test_who_asks_for_openmetrics_gets_it(waitroom: Waitroom) -> None:
    assert (await told(waitroom, OPEN_METRICS)).endswith("# EOF\n")
    assert "# EOF" not in await told(waitroom)


@pytest.fixture
async def cramped(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> AsyncIterator[Waitroom]:
    """Open, with room for two connections."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port, server={"limits": {"connections": 2}})
    waitroom.set(mode="open")
    async with waitroom.serving():
        yield waitroom


async def test_connections_are_told_with_their_limit_and_those_beyond_it(cramped: Waitroom) -> None:
    writers = [(await asyncio.open_connection("127.0.0.1", cramped.port))[1] for _ in range(2)]
    await becomes(cramped, 2, "waitroom_connections", state="idle")
    reader, refused = await asyncio.open_connection("127.0.0.1", cramped.port)
    assert (await reader.readline()).startswith(b"HTTP/1.1 503 ")
    assert await value(cramped, "waitroom_connections_limit") == 2
    assert await value(cramped, "waitroom_connections_refused_total") == 1
    for writer in (*writers, refused):
        writer.close()


async def test_an_origin_that_can_not_be_reached_is_no_fast_one(tmp_path: Path, redis: PrivateRedis) -> None:
    waitroom = Waitroom(tmp_path, redis.url, free_port())
    waitroom.set(mode="open")
    async with waitroom.serving(), aiohttp.ClientSession() as session:
        async with session.get(waitroom.url) as response:
            assert response.status == 502
        assert await value(waitroom, "waitroom_origin_failures_total", room="site", kind="unreachable") == 1
        assert await value(waitroom, "waitroom_origin_duration_seconds_count", room="site") == 0
        assert await value(waitroom, "waitroom_origin_errors_total", room="site") == 1


async def test_a_knob_is_told_while_it_is_turned(waitroom: Waitroom, redis: PrivateRedis) -> None:
    async def since_s() -> float | None:
        return await value(waitroom, "waitroom_override_set_timestamp_seconds", room="site", knob="cap")

    store = Store(redis.url, TIMEOUT_MS)
    desk = RoomDesk(next(iter(ConfigFile(waitroom.config).rooms)), store)
    assert await since_s() is None
    await desk.turn({"cap": 7}, who="ada", why="the site is well")
    await becomes(waitroom, 7, "waitroom_cap", room="site")
    assert await since_s() == pytest.approx(time.time(), abs=60)
    await desk.turn({"cap": None}, who="ada", why="enough")
    await becomes(waitroom, 2, "waitroom_cap", room="site")
    assert await since_s() is None
    await store.close()


def test_what_adaptive_admission_has_decided_is_told_of_rooms_that_have_it() -> None:
    adaptive, fixed = replace(room("site"), adaptive=AdaptiveTerms(60, 400)), room("other")
    known = {name: Overrides(1, {}, Adapted(90, "steady", "", 0)) for name in ("site", "other")}
    in_force = InForce(Rooms([adaptive, fixed]), known, lambda: 0)
    _, adapted = OverrideCollector(in_force, lambda: 0).collect()
    assert [(sample.labels, sample.value) for sample in adapted.samples] == [({"room": "site"}, 1.5)]


async def test_workers_are_counted_and_those_that_died(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port, server={"workers": 2})
    waitroom.set(mode="open")
    async with serve(waitroom) as served:
        assert await value(waitroom, "waitroom_worker_deaths_total") == 0
        # Whoever answers operators has the lower number, or the other has: each may be the one.
        os.kill(max(served.workers), signal.SIGKILL)
        async with asyncio.timeout(60):
            while await scraped(waitroom) != (2, 1):
                await asyncio.sleep(0.05)


async def scraped(waitroom: Waitroom) -> tuple[float | None, float | None]:
    """Workers and deaths. Nobody may answer while the first worker is replaced."""
    try:
        return await value(waitroom, "waitroom_workers"), await value(waitroom, "waitroom_worker_deaths_total")
    except aiohttp.ClientError:
        return None, None


async def test_the_event_loop_is_late_by_as_much_as_somebody_blocks_it() -> None:
    now_s = iter((0.0, 0.25, 10.0, 10.75))
    loop_lag = LoopLag(lambda: next(now_s))
    with pytest.raises(RuntimeError):  # the clock has told all that it knows
        await loop_lag.run()
    assert (loop_lag.lags.counts[0], loop_lag.lags.sum_s) == (1, 0.5)


def test_a_certificate_is_told_with_its_end_also_after_it_was_renewed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("site", ends_in=timedelta(days=3))
    tls = PublicTls(str(certificate), str(key))
    assert tls.ends_s == pytest.approx(time.time() + 3 * 86_400, abs=3_600)
    authority.issue("site", ends_in=timedelta(days=90))
    tls.read_again()
    assert tls.ends_s == pytest.approx(time.time() + 90 * 86_400, abs=3_600)


async def test_the_certificate_of_a_public_listener_is_watched(
    tmp_path: Path, redis: PrivateRedis, origin: Origin
) -> None:
    certificate, key = Authority(tmp_path).issue("site")
    tls = {"listen": [f"127.0.0.1:{free_port()}"], "certificate": str(certificate), "key": str(key)}
    waitroom = Waitroom(tmp_path, redis.url, origin.port, server={"tls": tls})
    waitroom.set(mode="open")
    async with waitroom.serving():
        ends_s = await value(waitroom, "waitroom_certificate_expiry_timestamp_seconds")
    assert ends_s == pytest.approx(time.time() + 86_400, abs=3_600)
