"""A crowd that comes whatever happens: each visitor waits a turn, asks again and again while inside, and goes away."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp

PAGE = {"Accept": "text/html"}
PLACE = "/.waitroom/rooms/site/place"
# Nobody waits longer for a page.
PATIENCE_S = 20.0


@dataclass
class Crowd:
    """Visitors at `url`, `per_minute` of them on average. One that is inside asks for a page, thinks for `think_s` on
    average, and asks for the next until it has been inside for `stay_s`.

    `answers` has each page asked for inside: when it came (s of a steady clock), how long it took, and whether it was a
    good one. `entries` are the times at which visitors came in.
    """

    url: str
    per_minute: float
    stay_s: float
    think_s: float
    answers: list[tuple[float, float, bool]] = field(default_factory=list)
    entries: list[float] = field(default_factory=list)
    waiting: int = 0

    @asynccontextmanager
    async def coming(self) -> AsyncIterator[None]:
        """They come while the context is entered, and all are gone when it is left."""
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(PATIENCE_S)
        async with aiohttp.ClientSession(
            self.url, connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout
        ) as session:
            coming = asyncio.create_task(self._come(session))
            try:
                yield
            finally:
                coming.cancel()
                await asyncio.wait([coming])

    async def _come(self, session: aiohttp.ClientSession) -> None:
        async with asyncio.TaskGroup() as visitors:
            due_s = time.monotonic()
            while True:
                visitors.create_task(self._visit(Visitor(session)))
                due_s += random.expovariate(self.per_minute / 60)
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))

    async def _visit(self, visitor: "Visitor") -> None:
        self.waiting += 1
        try:
            while not await visitor.is_inside():
                pass
        finally:
            self.waiting -= 1
        self.entries.append(time.monotonic())
        leaves_s = time.monotonic() + self.stay_s
        while time.monotonic() < leaves_s:
            begun_s = time.monotonic()
            is_good = await visitor.ask()
            self.answers.append((time.monotonic(), time.monotonic() - begun_s, is_good))
            await asyncio.sleep(random.expovariate(1 / self.think_s))


class Visitor:
    """One browser: all share connections, and each has cookies of its own."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._cookies: dict[str, str] = {}

    async def is_inside(self) -> bool:
        """Looks whether it is its turn, and if not waits for as long as it is told to."""
        if not self._cookies:
            await self.ask()
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self._session.get(PLACE, headers=self._fields()) as response:
                self._keep(response)
                place = await response.json()
                if place["state"] in ("called", "inside"):
                    return True
                await asyncio.sleep(place["poll_after_ms"] / 1000)
                return False
        await asyncio.sleep(1)
        return False

    async def ask(self) -> bool:
        """Asks for a page; whether the origin gave it."""
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self._session.get("/", headers=PAGE | self._fields()) as response:
                self._keep(response)
                await response.read()
                return "X-Served" in response.headers
        return False

    def _fields(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}

    def _keep(self, response: aiohttp.ClientResponse) -> None:
        self._cookies |= {name: cookie.value for name, cookie in response.cookies.items()}
