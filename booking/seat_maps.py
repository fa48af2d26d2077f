"""Seat maps as visitors see them: at most two seconds old, and never older than a sale that this process has made."""

from pydantic import TypeAdapter

from booking import flights
from booking.cache import Cache, Kind
from booking.db import Database
from booking.flights import SeatMap
from booking.touches import flight_subject

SEAT_MAPS = Kind("seat_map", life_s=2, shape=TypeAdapter(SeatMap))


async def find(db: Database, cache: Cache, flight_id: int, now_s: int) -> SeatMap:
    """Raises Unknown."""
    subject = flight_subject(flight_id)
    return await cache.get(SEAT_MAPS, str(flight_id), subject, now_s, lambda: flights.seat_map(db, flight_id, now_s))
