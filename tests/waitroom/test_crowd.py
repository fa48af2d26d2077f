"""A crowd over HTTP: the limits are kept, and the order too, as Redis saw it during the run."""

import asyncio
from pathlib import Path
from typing import cast

import jwt

from tests.servers import PrivateRedis
from tests.waitroom.running import PAGE, Origin, Waitroom, visitor

VISITORS, CAP = 200, 20
INSIDE = "wr:{site}:inside"


async def visit(waitroom: Waitroom) -> None:
    """Comes, waits, goes in, and leaves."""
    async with visitor() as session:
        async with session.get(waitroom.url, headers=PAGE):
            pass
        while True:
            async with session.get(waitroom.place_url) as response:
                place = await response.json()
            if place["state"] != "waiting":
                break
            await asyncio.sleep(place["poll_after_ms"] / 1000)
        async with session.get(waitroom.url, headers=PAGE) as response:
            assert "path" in await response.json()
        async with session.post(f"{waitroom.url}/.waitroom/rooms/site/leave"):
            pass


async def watch(redis: PrivateRedis, most: list[int], called: list[int]) -> None:
    """Notes how many were inside at most, and the order in which numbers came in."""
    known: set[int] = set()
    while True:
        members = sorted(map(int, cast("list[bytes]", await asyncio.to_thread(redis.client.zrange, INSIDE, 0, -1))))
        most.append(len(members))
        called += [number for number in members if number not in known]
        known.update(members)
        await asyncio.sleep(0.005)


async def test_two_hundred_at_once_are_let_in_by_turns_and_never_more_than_the_cap(
    tmp_path: Path, redis: PrivateRedis, origin: Origin
) -> None:
    """I1, I3, I5: never more than 20 inside; called in the order of their numbers; all come in."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(cap=CAP, rate_per_minute=600, presence_s=30)
    inside: list[int] = []
    called: list[int] = []
    async with waitroom.serving():
        watching = asyncio.create_task(watch(redis, inside, called))
        async with asyncio.timeout(120):
            await asyncio.gather(*(visit(waitroom) for _ in range(VISITORS)))
        watching.cancel()
    assert max(inside) <= CAP
    assert called == sorted(called)
    tokens = [request.headers["X-Waitroom-Admission"] for request in origin.requests]
    numbers = {jwt.decode(token, options={"verify_signature": False})["num"] for token in tokens}
    assert len(numbers) == VISITORS
    assert max(numbers) - min(numbers) == VISITORS - 1
