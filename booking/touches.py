"""Which flights a sale has changed, told to the cache: in batches, a few a second however hot a flight is."""

import asyncio
import logging

from sqlalchemy import select

from booking.cache import Cache
from booking.db import Database
from booking.errors import DatabaseUnavailable
from booking.tables import flights

# Between two batches. Other processes see a sale so much later, at most; this one at once.
PAUSE_S = 0.2
ALL_ROUTES = "route"

log = logging.getLogger(__name__)


def flight_subject(flight_id: int) -> str:
    return f"flight:{flight_id}"


def route_subject(origin: str, destination: str) -> str:
    return f"{ALL_ROUTES}:{origin}-{destination}"


class Touches:
    """`note` belongs into `Database.when_touched`; `tell_for_ever` is a task."""

    def __init__(self, db: Database, cache: Cache) -> None:
        self._db = db
        self._cache = cache
        self._noted: set[int] = set()
        self._wake = asyncio.Event()
        # Of a flight that was touched: it never changes, and there are some thousand flights.
        self._routes: dict[int, str] = {}

    def note(self, flight_ids: frozenset[int]) -> None:
        """Returns at once; from now on this process reads nothing older."""
        self._noted |= flight_ids
        self._cache.doubt(self._subjects(flight_ids))
        self._wake.set()

    async def tell_for_ever(self) -> None:
        """Runs until cancelled. What could not be told is old for as long as entries live, and then right."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._tell()
            except Exception:
                log.exception("Changed flights could not be told to the cache.")
            await asyncio.sleep(PAUSE_S)

    async def _tell(self) -> None:
        flight_ids = frozenset(self._noted)
        self._noted.clear()
        await self._learn_routes(flight_ids)
        # No doubt about all routes is left: now it is known which.
        await self._cache.renew(self._subjects(flight_ids) | {ALL_ROUTES})

    async def _learn_routes(self, flight_ids: frozenset[int]) -> None:
        unknown = flight_ids - self._routes.keys()
        if not unknown:
            return
        query = select(flights.c.id, flights.c.origin, flights.c.destination).where(flights.c.id.in_(unknown))
        try:
            async with self._db.reading("routes") as connection:
                rows = (await connection.execute(query)).all()
        except DatabaseUnavailable:
            log.warning("The routes of changed flights cannot be read: searches may be old for some seconds.")
        else:
            self._routes |= {row.id: route_subject(row.origin, row.destination) for row in rows}

    def _subjects(self, flight_ids: frozenset[int]) -> frozenset[str]:
        routes = {self._routes.get(flight_id, ALL_ROUTES) for flight_id in flight_ids}
        return frozenset(routes | {flight_subject(flight_id) for flight_id in flight_ids})
