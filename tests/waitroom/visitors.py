"""Visitors: browsers that come to a waitroom, each with cookies of its own, and tell what they got."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from multidict import CIMultiDictProxy
from yarl import URL

from tests.waitroom.running import PAGE, Waitroom, payload_of, visitor

Come = Callable[..., Awaitable["Visitor"]]
# Longer than anything takes on a busy machine.
PATIENCE_S = 60


@dataclass(frozen=True)
class Got:
    """A response."""

    status: int
    fields: CIMultiDictProxy[str]
    text: str

    @property
    def is_origins(self) -> bool:
        return "Via" in self.fields

    @property
    def waits(self) -> bool:
        return "You are in line" in self.text

    @property
    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.text)
        return told


class Visitor:
    """A browser at a waitroom; cookies know no ports, so that it has the same at each process."""

    def __init__(self, waitroom: Waitroom, cookies: dict[str, str]) -> None:
        self.waitroom = waitroom
        self.session = visitor(cookies=cookies)

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.key: cookie.value for cookie in self.session.cookie_jar}

    async def get(self, target: str = "/", fields: dict[str, str] = PAGE, at: Waitroom | None = None) -> Got:
        """Asks for a path, spelt exactly so."""
        return await self.ask("GET", target, fields, at)

    async def ask(self, method: str, target: str, fields: dict[str, str], at: Waitroom | None = None) -> Got:
        url = URL(f"{(at or self.waitroom).url}{target}", encoded=True)
        async with self.session.request(method, url, headers=fields, allow_redirects=False) as response:
            return Got(response.status, response.headers, await response.text())

    async def place(self, room: str = "site", key: str = "", at: Waitroom | None = None) -> dict[str, Any]:
        return (await self.get(_own(room, key, "place"), {}, at)).json

    async def extend(self, room: str = "site", key: str = "", at: Waitroom | None = None) -> dict[str, Any]:
        """Asks for more time to come."""
        return (await self.ask("POST", _own(room, key, "extend"), {}, at)).json

    async def leave(self, room: str = "site", key: str = "") -> Got:
        return await self.ask("POST", _own(room, key, "leave"), PAGE)

    def ticket(self, line: str = "site") -> list[str]:
        """The fields of the ticket of a line, which is called as in its cookie."""
        return payload_of(self.cookies[f"wr-{line}"])

    def number(self, line: str = "site") -> int:
        return int(self.ticket(line)[2])


def coming(stack: AsyncExitStack) -> Come:
    """A way to let visitors come, who go when the stack unwinds."""

    async def come(waitroom: Waitroom, cookies: dict[str, str] | None = None) -> Visitor:
        one = Visitor(waitroom, cookies or {})
        await stack.enter_async_context(one.session)
        return one

    return come


async def until_state(
    state: str, *visitors: Visitor, key: str = "", at: Waitroom | None = None
) -> list[dict[str, Any]]:
    """Lets visitors ask for their places until all are in a state, and gives what they were told then."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            places = [await one.place(key=key, at=at) for one in visitors]
            if all(place["state"] == state for place in places):
                return places
            await asyncio.sleep(0.05)


async def until_positions(*visitors: Visitor) -> None:
    """Lets visitors ask for their places, all of them, so that nobody is absent, until they stand in this order."""
    async with asyncio.timeout(PATIENCE_S):
        while [(await one.place())["position"] for one in visitors] != list(range(1, len(visitors) + 1)):
            await asyncio.sleep(0.05)


async def until_position(one: Visitor, position: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await one.place())["position"] != position:
            await asyncio.sleep(0.05)


def _own(room: str, key: str, what: str) -> str:
    return f"/.waitroom/rooms/{room}/{what}{f'?key={key}' if key else ''}"
