"""A crowd of real HTTP visitors: each comes, polls until called, looks around inside, leaves, and comes again."""

import asyncio
import random
from typing import Any

import aiohttp

# How long a visitor of the crowd stays inside, and how long one stays away before coming as a new visitor (s).
STAY_S = (20.0, 40.0)
AWAY_S = (0.5, 3.0)
PAGE = {"Accept": "text/html"}
PLACE = "/.waitroom/rooms/site/place"
LEAVE = "/.waitroom/rooms/site/leave"


async def crowd(base_url: str, size: int) -> None:
    """Runs `size` visitors against a waitroom until cancelled; they come within the first few seconds."""
    async with asyncio.TaskGroup() as group:
        for _ in range(size):
            group.create_task(_visitor(base_url))
            await asyncio.sleep(0.02)


async def _visitor(base_url: str) -> None:
    while True:
        try:
            async with aiohttp.ClientSession(base_url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
                await _visit(session)
        except (aiohttp.ClientError, OSError, TimeoutError):
            await asyncio.sleep(1)  # the waitroom is being restarted: try again, as people do
        await asyncio.sleep(random.uniform(*AWAY_S))


async def _visit(session: aiohttp.ClientSession) -> None:
    await _look_at(session, "/")
    while (place := await _place(session))["state"] == "waiting":
        await asyncio.sleep(place["poll_after_ms"] / 1000)
    await _look_at(session, "/")
    await asyncio.sleep(random.uniform(*STAY_S))
    async with session.post(LEAVE):
        pass


async def _look_at(session: aiohttp.ClientSession, path: str) -> None:
    async with session.get(path, headers=PAGE) as response:
        await response.read()


async def _place(session: aiohttp.ClientSession) -> dict[str, Any]:
    async with session.get(PLACE) as response:
        response.raise_for_status()
        place: dict[str, Any] = await response.json()
        return place
