"""Finds flights by route and days, a page at a time. Bounds every parameter, and lists nothing that has departed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Row, Select, func, select

from booking.airports import AIRPORTS
from booking.db import Database
from booking.errors import Invalid
from booking.flights import Flight, is_free
from booking.tables import bookings, flights, seats

MOST_DAYS = 30
SIZES = (10, 20, 50)
SORTS = {
    "departure": (flights.c.departs_s, flights.c.id),
    "arrival": (flights.c.arrives_s, flights.c.id),
    "price": (flights.c.economy_minor, flights.c.departs_s, flights.c.id),
}
MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class Search:
    """What was asked for, checked. `start` and `end` are days at the origin, both included."""

    origin: str
    destination: str
    start: date
    end: date
    sort: str = "departure"
    size: int = 10
    page: int = 1

    def query(self, **changes: object) -> str:
        """The query string of this search, with some parameters changed."""
        return urlencode({name: getattr(self, name) for name in self.__slots__} | changes)


@dataclass(frozen=True, slots=True)
class Offer:
    """A flight found, and how many of its seats are free."""

    flight: Flight
    free: int


@dataclass(frozen=True, slots=True)
class Page:
    search: Search
    offers: list[Offer]
    total: int

    @property
    def last(self) -> int:
        return max(1, -(-self.total // self.search.size))

    @property
    def around(self) -> range:
        """The numbers of this page and up to two on each side."""
        return range(max(1, self.search.page - 2), min(self.last, self.search.page + 2) + 1)


def parse(query: Mapping[str, str], now_s: int) -> Search:
    """The search that a query string spells. Raises Invalid, which names every fault."""
    faults: dict[str, str] = {}
    origin = _airport(query, "origin", faults)
    destination = _airport(query, "destination", faults)
    if origin and origin == destination:
        faults["destination"] = "Choose another airport than the one you leave from."
    start, end = _days(query, _today(origin, now_s), faults)
    sort = query.get("sort") or "departure"
    if sort not in SORTS:
        faults["sort"] = f"Sort by one of {', '.join(SORTS)}."
    size = _number(query, "size", SIZES[0], faults)
    if "size" not in faults and size not in SIZES:
        faults["size"] = f"A page has {', '.join(map(str, SIZES))} flights."
    page = _number(query, "page", 1, faults)
    if "page" not in faults and not 1 <= page <= MOST_PAGES:
        faults["page"] = f"Pages count from 1 to {MOST_PAGES}."
    if faults:
        raise Invalid(faults)
    return Search(origin, destination, start, end, sort, size, page)


async def find(db: Database, search: Search, now_s: int) -> Page:
    """One page of the flights asked for. Two queries, however many flights there are."""
    async with db.reading() as connection:
        total = await connection.scalar(_matching(search, now_s, select(func.count()).select_from(flights)))
        page = _matching(search, now_s, select(flights)).order_by(*SORTS[search.sort])
        page = page.limit(search.size).offset((search.page - 1) * search.size)
        rows: list[Row[Any]] = list(await connection.execute(page))
        free = (
            select(seats.c.flight_id, func.count().label("free"))
            .select_from(seats.outerjoin(bookings, seats.c.booking_id == bookings.c.id))
            .where(seats.c.flight_id.in_([row.id for row in rows]), is_free(now_s))
            .group_by(seats.c.flight_id)
        )
        counts = {row.flight_id: row.free for row in await connection.execute(free)}
    return Page(search, [Offer(Flight.of(row), counts.get(row.id, 0)) for row in rows], total or 0)


def _matching(search: Search, now_s: int, query: Select[Any]) -> Select[Any]:
    return query.where(
        flights.c.origin == search.origin,
        flights.c.destination == search.destination,
        flights.c.departs_on.between(search.start, search.end),
        flights.c.departs_s > now_s,
    )


def _airport(query: Mapping[str, str], field: str, faults: dict[str, str]) -> str:
    code = query.get(field, "").strip().upper()
    if code not in AIRPORTS:
        faults[field] = f"Choose one of our {len(AIRPORTS)} airports, by its code."
        return ""
    return code


def _today(origin: str, now_s: int) -> date:
    """The day at the origin, or, without one, the day that has not ended everywhere yet."""
    places = [AIRPORTS[origin]] if origin else AIRPORTS.values()
    return min(airport.local(now_s).date() for airport in places)


def _days(query: Mapping[str, str], today: date, faults: dict[str, str]) -> tuple[date, date]:
    start = _day(query.get("start"), today, "start", faults)
    end = _day(query.get("end"), start, "end", faults)
    if "start" not in faults and start < today:
        faults["start"] = f"That day is over. The first one is {today}."
    if "start" in faults or "end" in faults:
        return start, end
    if end < start:
        faults["end"] = "The last day is before the first."
    elif (end - start).days >= MOST_DAYS:
        faults["end"] = f"At most {MOST_DAYS} days at once: until {start + timedelta(days=MOST_DAYS - 1)}."
    return start, end


def _day(value: str | None, default: date, field: str, faults: dict[str, str]) -> date:
    if not value:
        return default
    try:
        return date.fromisoformat(value)
    except ValueError:
        faults[field] = "Write the day as 2026-12-31."
        return default


def _number(query: Mapping[str, str], field: str, default: int, faults: dict[str, str]) -> int:
    value = query.get(field) or str(default)
    if not (value.isascii() and value.isdecimal() and len(value) <= 6):
        faults[field] = "Write a whole number."
        return default
    return int(value)
