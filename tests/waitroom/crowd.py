"""A crowd of visitors over HTTP before several processes, and what each of them saw: numbers, turns, who is inside."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import aiohttp

from tests.waitroom.running import PAGE, number_of, visitor

# In what follows a visitor asks, whatever the line says: the tests' presence window is many times as long.
POLL_S = 0.5
STAY_S = 0.3


@dataclass
class Crowd:
    """All visitors share this. `urls` are the processes, asked in turn, as a balancer without memory would."""

    urls: Sequence[str]
    numbers: dict[int, set[int]] = field(default_factory=dict)  # visitor to all numbers that its ticket ever had
    inside: set[int] = field(default_factory=set)
    most_inside: int = 0
    waiting: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._turn: Iterator[str] = itertools.cycle(self.urls)
        self._ids = itertools.count()

    async def visit(self, stay: asyncio.Event | None = None) -> None:
        """Comes, waits, goes in, stays (until `stay` is set, active all the time), and leaves."""
        who = next(self._ids)
        async with visitor() as session:
            while not await self._is_in(who, session):
                self.waiting.add(who)
                await asyncio.sleep(POLL_S)
            self.waiting.discard(who)
            await self._stay(who, session, stay)
            self.inside.discard(who)
            await self._leave(session)

    async def _stay(self, who: int, session: aiohttp.ClientSession, stay: asyncio.Event | None) -> None:
        until_s = time.monotonic() + STAY_S
        while not stay.is_set() if stay else time.monotonic() < until_s:
            await asyncio.sleep(0.2)
            await self._is_in(who, session)

    async def _is_in(self, who: int, session: aiohttp.ClientSession) -> bool:
        """Asks for the page; whether it came from the origin. Notes what the ticket says."""
        try:
            async with session.get(next(self._turn), headers=PAGE) as response:
                body = await response.text()
                inside = response.status == 200 and '"path"' in body
                answered = response.status == 200
        except aiohttp.ClientError:  # the process is being restarted
            return who in self.inside
        if any(cookie.key == "wr-site" for cookie in session.cookie_jar):
            self.numbers.setdefault(who, set()).add(number_of(session))
        if inside:
            self.inside.add(who)
            self.most_inside = max(self.most_inside, len(self.inside))
        elif answered:
            self.inside.discard(who)
        return inside

    async def _leave(self, session: aiohttp.ClientSession) -> None:
        while True:
            try:
                async with session.post(f"{next(self._turn)}/.waitroom/rooms/site/leave") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
