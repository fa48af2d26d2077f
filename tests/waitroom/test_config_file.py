"""The configuration changes under a running waitroom: a good one is applied without a restart, a bad one never."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.running import PAGE, Origin, Waitroom, visitor


@pytest.fixture
async def slow(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> AsyncIterator[Waitroom]:
    """A waitroom that calls once a minute, with forty who wait."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(rate_per_minute=1, mode="queue")
    async with waitroom.serving(), AsyncExitStack() as stack:
        for _ in range(40):
            session = await stack.enter_async_context(visitor())
            async with session.get(waitroom.url, headers=PAGE), session.get(waitroom.place_url):
                pass
        yield waitroom


async def called(waitroom: Waitroom) -> int:
    count: int = (await waitroom.status())["rooms"][0]["called"]
    return count


async def test_a_raised_rate_is_followed_without_a_restart(slow: Waitroom) -> None:
    """At the old rate, forty calls would take longer than this test may run."""
    slow.set(rate_per_minute=6_000, mode="queue")
    async with asyncio.timeout(20):
        while await called(slow) < 40:
            await asyncio.sleep(0.05)
    room = (await slow.status())["rooms"][0]
    assert (room["version"], room["rate_per_minute"]) == (2, 6_000)


async def test_a_bad_file_is_refused_with_all_faults_and_service_goes_on(
    slow: Waitroom, caplog: pytest.LogCaptureFixture
) -> None:
    slow.set(cap=0, mode="fast", rate_per_minute="many")
    async with asyncio.timeout(20):
        while not (faults := (await slow.status())["config_faults"]):
            await asyncio.sleep(0.05)
    assert {fault.split(":")[0] for fault in faults} == {"rooms[1].cap", "rooms[1].mode", "rooms[1].rate_per_minute"}
    assert "the old one stays in force" in caplog.text
    assert (await slow.status())["rooms"][0]["rate_per_minute"] == 1
    async with visitor() as session, session.get(slow.url, headers=PAGE) as response:
        assert response.status == 200
    slow.set(rate_per_minute=60, mode="queue")
    async with asyncio.timeout(20):
        while (await slow.status())["rooms"][0]["rate_per_minute"] != 60:
            await asyncio.sleep(0.05)
    assert not (await slow.status())["config_faults"]


async def test_a_file_that_is_replaced_as_mounted_volumes_do_is_followed(
    tmp_path: Path, redis: PrivateRedis, origin: Origin
) -> None:
    """Kubernetes swaps a link to the folder; the file's own path never changes."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    for version, rate in (("one", 60), ("two", 120)):
        (tmp_path / version).mkdir()
        waitroom.set(rate_per_minute=rate)
        waitroom.config.rename(tmp_path / version / "waitroom.toml")
    (tmp_path / "..data").symlink_to("one")
    waitroom.config.symlink_to("..data/waitroom.toml")
    async with waitroom.serving():
        assert (await waitroom.status())["rooms"][0]["rate_per_minute"] == 60
        (tmp_path / "new").symlink_to("two")
        (tmp_path / "new").rename(tmp_path / "..data")
        async with asyncio.timeout(20):
            while (await waitroom.status())["rooms"][0]["rate_per_minute"] != 120:
                await asyncio.sleep(0.05)
