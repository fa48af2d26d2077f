"""Presence, over HTTP: who is away delays nobody and keeps the place; who asks without cookies never has one."""

import asyncio
import time
from pathlib import Path
from typing import cast

import aiohttp
import pytest

from tests.servers import PrivateRedis
from tests.waitroom.running import PAGE, Origin, Waitroom
from tests.waitroom.visitors import PATIENCE_S, Come, Visitor, until_position, until_positions, until_state

WINDOW_MS = 1_000
# Longer than this machine stands still.
CLAIM_MS = 5_000


@pytest.fixture
def waitroom(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> Waitroom:
    """A waitroom with room for one."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(cap=1, rate_per_minute=6000)
    return waitroom


async def in_line(waitroom: Waitroom, come: Come, count: int) -> list[Visitor]:
    """One inside for a session, and the others in line."""
    visitors = [await come(waitroom) for _ in range(count)]
    for one in visitors:
        await one.get()
        await one.place()
    await visitors[0].get()
    return visitors


async def while_away(redis: PrivateRedis, windows: int, *present: Visitor) -> None:
    """Lets some presence windows turn, during which only those who are present ask."""
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(windows):
            before = window(redis)
            while window(redis) == before:
                for one in present:
                    await one.place()
                await asyncio.sleep(0.1)


def window(redis: PrivateRedis) -> int:
    """When the presence window of the line began."""
    return int(cast("bytes", redis.client.hget("wr:{site}:state", "window_ms")))


async def test_a_closed_tab_delays_nobody_and_never_gives_the_place_up(
    waitroom: Waitroom, redis: PrivateRedis, come: Come
) -> None:
    async with waitroom.serving(presence_ms=WINDOW_MS):
        inside, gone, here = await in_line(waitroom, come, 3)
        number = gone.number()
        await while_away(redis, 2, here)
        await until_position(here, 1)
        await inside.leave()
        await until_state("called", here)
        assert (await here.get("/in")).is_origins
        page = await gone.get()
        assert page.waits
        assert gone.number() == number < here.number()


async def test_a_phone_that_wakes_before_its_turn_stands_where_it_stood(
    waitroom: Waitroom, redis: PrivateRedis, come: Come
) -> None:
    async with waitroom.serving(presence_ms=WINDOW_MS):
        _, phone, other = await in_line(waitroom, come, 3)
        number = phone.number()
        await while_away(redis, 3, other)
        await until_position(other, 1)
        await until_positions(phone, other)
        assert phone.number() == number


async def test_a_phone_that_wakes_after_its_turn_is_the_next(
    waitroom: Waitroom, redis: PrivateRedis, come: Come
) -> None:
    async with waitroom.serving(presence_ms=WINDOW_MS):
        inside, phone, second, third = await in_line(waitroom, come, 4)
        number = phone.number()
        await while_away(redis, 2, second, third)
        await inside.leave()
        await until_state("called", second)
        await second.get()
        told = await phone.place()
        assert (told["position"], told["is_late"]) == (1, True)
        await until_position(third, 2)
        await second.leave()
        await until_state("called", phone)
        assert (await phone.get("/in")).is_origins
        assert (await third.place())["state"] == "waiting"
        assert phone.number() == number


async def test_who_keeps_no_cookies_never_stands_in_the_line(
    waitroom: Waitroom, redis: PrivateRedis, come: Come
) -> None:
    async with waitroom.serving():
        _, one = await in_line(waitroom, come, 2)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as forgetful:
            for _ in range(5):
                async with forgetful.get(waitroom.url, headers=PAGE) as response:
                    assert "You are in line" in await response.text()
                async with forgetful.get(waitroom.place_url) as response:
                    assert (await response.json())["state"] == "none"
        last = await come(waitroom)
        await last.get()
        await last.place()
        await until_positions(one, last)
        assert last.number() > one.number() + 5


async def test_who_keeps_no_cookies_delays_nobody_by_more_than_the_claim_window(
    waitroom: Waitroom, redis: PrivateRedis, come: Come
) -> None:
    async with waitroom.serving(claim_ms=CLAIM_MS):
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as forgetful,
            forgetful.get(waitroom.url, headers=PAGE) as response,
        ):
            assert response.headers["Via"]
        [(_, lease_end_ms)] = cast(
            "list[tuple[bytes, float]]", redis.client.zrange("wr:{site}:inside", 0, -1, withscores=True)
        )
        assert lease_end_ms <= time.time() * 1000 + CLAIM_MS
        one = await come(waitroom)
        assert (await one.get()).waits
        await until_state("called", one)
        assert (await one.get("/in")).is_origins


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_only_who_means_to_leave_leaves(waitroom: Waitroom, come: Come, method: str) -> None:
    """A link that is fetched ahead, or a page that is closed, gives no place up."""
    async with waitroom.serving():
        inside, one = await in_line(waitroom, come, 2)
        for visitor in (inside, one):
            got = await visitor.ask(method, "/.waitroom/rooms/site/leave", PAGE)
            assert got.status == 405
            assert "wr-site" in visitor.cookies
        assert [(await visitor.place())["state"] for visitor in (inside, one)] == ["inside", "waiting"]
