"""Redis is killed under a running waitroom: the admitted go on, those who wait are told, every place is kept."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.servers import PrivateRedis, eventually
from tests.waitroom.running import PAGE, Origin, Waitroom, number_of, visitor

WAITING = 6


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.05)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def waitroom(tmp_path: Path, own_redis: PrivateRedis, origin: Origin) -> AsyncIterator[Waitroom]:
    waitroom = Waitroom(tmp_path, own_redis.url, origin.port)
    waitroom.set(cap=2)
    async with waitroom.serving():
        yield waitroom


@pytest.fixture
async def visitors(waitroom: Waitroom, stack: AsyncExitStack) -> list[aiohttp.ClientSession]:
    """Two inside, and six who wait."""
    sessions = [await stack.enter_async_context(visitor()) for _ in range(2 + WAITING)]
    for session in sessions:
        async with session.get(waitroom.url, headers=PAGE):
            pass
        await place(session, waitroom)
    for session in sessions[:2]:
        async with session.get(waitroom.url, headers=PAGE):
            pass  # the first return: now they hold the lease of a session
    return sessions


def members(numbers: list[int]) -> list[bytes]:
    return [str(number).encode() for number in numbers]


async def place(session: aiohttp.ClientSession, waitroom: Waitroom) -> dict[str, Any]:
    async with session.get(waitroom.place_url) as response:
        told: dict[str, Any] = await response.json()
        return told


async def store_lost(waitroom: Waitroom) -> bool:
    return bool((await waitroom.status())["store_lost"])


async def test_the_admitted_go_on_and_the_page_says_what_is(
    waitroom: Waitroom, own_redis: PrivateRedis, visitors: list[aiohttp.ClientSession]
) -> None:
    own_redis.kill()
    await until(lambda: store_lost(waitroom))
    async with visitors[0].get(f"{waitroom.url}/still", headers=PAGE) as response:
        assert (await response.json())["path"] == "/still"
    async with visitors[2].get(waitroom.url, headers=PAGE) as response:
        assert "We are reconnecting to the line. Your place is kept" in await response.text()
    assert (await place(visitors[2], waitroom))["paused"] == "store_lost"
    async with visitor() as newcomer, newcomer.get(waitroom.url, headers=PAGE) as response:
        assert response.status == 503
        assert not list(newcomer.cookie_jar)


async def test_before_an_opening_the_loss_is_told_too(tmp_path: Path, own_redis: PrivateRedis, origin: Origin) -> None:
    waitroom = Waitroom(tmp_path, own_redis.url, origin.port)
    waitroom.set(opens_at=datetime.now(UTC) + timedelta(hours=1))
    async with waitroom.serving(), visitor() as session:
        async with session.get(waitroom.url, headers=PAGE):
            pass
        assert (await place(session, waitroom))["paused"] is None
        own_redis.kill()
        await until(lambda: store_lost(waitroom))
        told = await place(session, waitroom)
    assert (told["state"], told["paused"], told["position"]) == ("early", "store_lost", None)
    assert 0 < told["opens_in_ms"] <= 3_600_000


async def test_who_can_not_leave_just_now_keeps_the_place(
    waitroom: Waitroom, own_redis: PrivateRedis, visitors: list[aiohttp.ClientSession]
) -> None:
    """Nothing is half done: the line could not be told, so the visitor is still inside, and may try again."""
    own_redis.kill()
    await until(lambda: store_lost(waitroom))
    async with visitors[0].post(f"{waitroom.url}/.waitroom/rooms/site/leave") as response:
        assert response.status == 503
    async with visitors[0].get(waitroom.url, headers=PAGE) as response:
        assert "path" in await response.json()


@pytest.mark.parametrize("about", ["leave", "extend"])
async def test_what_can_not_be_done_just_now_is_said_and_asked_again_by_no_page(
    waitroom: Waitroom, own_redis: PrivateRedis, visitors: list[aiohttp.ClientSession], about: str
) -> None:
    """It would come back with a GET, which does neither."""
    own_redis.kill()
    await until(lambda: store_lost(waitroom))
    url = f"{waitroom.url}/.waitroom/rooms/site/{about}"
    async with visitors[2].post(url) as response:
        assert (response.status, (await response.json())["code"]) == (503, "store_lost")
    async with visitors[2].post(url, headers=PAGE) as response:
        assert response.status == 503
        assert response.headers["Retry-After"]
        assert f"rooms/site/{about}" not in await response.text()


@pytest.mark.parametrize("loss", ["killed, empty on return", "frozen, all kept"])
async def test_every_visitor_has_the_same_number_and_turn_afterwards(
    waitroom: Waitroom, own_redis: PrivateRedis, visitors: list[aiohttp.ClientSession], loss: str
) -> None:
    """I1, I3, I4: whether Redis lost everything or only time."""
    numbers = [number_of(session) for session in visitors]
    own_redis.kill() if loss.startswith("killed") else own_redis.freeze()
    await until(lambda: store_lost(waitroom))
    own_redis.start() if loss.startswith("killed") else own_redis.thaw()

    async def settled() -> bool:
        told = [await place(session, waitroom) for session in visitors[2:]]
        in_order: bool = [one["position"] for one in told] == list(range(1, WAITING + 1))
        return in_order and not any(one["paused"] for one in told)

    await until(settled)
    assert [number_of(session) for session in visitors] == numbers
    await eventually(lambda: own_redis.client.zrange("wr:{site}:inside", 0, -1) == members(numbers[:2]))
    async with visitor() as newcomer, newcomer.get(waitroom.url, headers=PAGE):
        assert number_of(newcomer) > max(numbers)


async def test_the_line_goes_on_in_order_after_redis_was_emptied(
    waitroom: Waitroom, own_redis: PrivateRedis, visitors: list[aiohttp.ClientSession]
) -> None:
    """I1 and I3: a place that falls free goes to the first who waits, and only after the leases are back."""
    numbers = [number_of(session) for session in visitors]
    own_redis.client.flushall()
    await eventually(lambda: own_redis.client.zrange("wr:{site}:inside", 0, -1) == members(numbers[:2]))
    async with visitors[0].post(f"{waitroom.url}/.waitroom/rooms/site/leave"):
        pass

    async def first_is_called() -> bool:
        return bool((await place(visitors[2], waitroom))["state"] == "called")

    await until(first_is_called)
    assert own_redis.client.zrange("wr:{site}:inside", 0, -1) == members([numbers[2], numbers[1]])
    assert (await place(visitors[3], waitroom))["position"] == 1
