"""One state for all who watch: it is looked up each second while anybody does, and never else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from waitroom.admin.problems import ApiError
from waitroom.admin.shapes import State

EVERY_S = 1.0
# Each is an open connection, and a write each second.
MOST_LISTENERS = 64


class Broadcast:
    """Gives each listener the newest state there is; who is slow misses some, and delays nobody."""

    def __init__(self, look: Callable[[], Awaitable[State]]) -> None:
        self._look = look
        self._listeners = 0
        self._is_closed = False
        self._watched = asyncio.Event()
        self._next: asyncio.Future[State | None] = asyncio.get_running_loop().create_future()

    def close(self) -> None:
        """Ends all listening."""
        self._is_closed = True
        self._tell(None)

    async def run(self) -> None:
        """Looks while somebody listens, until cancelled."""
        while True:
            await self._watched.wait()
            self._tell(await self._look())
            await asyncio.sleep(EVERY_S)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[AsyncIterator[State]]:
        """States from now on, until it is closed. Raises ApiError where too many listen."""
        if self._listeners >= MOST_LISTENERS:
            raise ApiError(
                503,
                "too_many_listeners",
                f"{MOST_LISTENERS} dashboards listen already",
                "Close some, or ask for /api/rooms now and then.",
                {"Retry-After": "10"},
            )
        self._listeners += 1
        self._watched.set()
        try:
            yield self._states()
        finally:
            self._listeners -= 1
            if not self._listeners:
                self._watched.clear()

    async def _states(self) -> AsyncIterator[State]:
        while not self._is_closed:
            # Shielded: many await the same one, and it must outlive each of them.
            state = await asyncio.shield(self._next)
            if state is None:
                return
            yield state

    def _tell(self, state: State | None) -> None:
        told, self._next = self._next, asyncio.get_running_loop().create_future()
        told.set_result(state)
