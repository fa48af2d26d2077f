"""Finds flights by route, days and size of the party, a page at a time. Bounds every parameter, and lists no flight
that has departed, or that has no cabin with room for all.

How many seats are free is counted along with each sale; a hold that has lapsed counts as free once it is swept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, exists, func, select

from booking.airports import AIRPORTS
from booking.cabins import Cabin
from booking.cache import Cache, Kind
from booking.db import Database
from booking.errors import Invalid
from booking.flights import CabinOffer, Flight, with_cabins
from booking.holds import LARGEST_PARTY
from booking.sentences import say
from booking.tables import flight_cabins, flights
from booking.touches import route_subject

MOST_DAYS = 30
SIZES = (10, 20, 50)
SORTS = ("departure", "arrival", "price")
MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class Search:
    """What was asked for, checked. `start` and `end` are days at the origin, both included; no cabin means any."""

    origin: str
    destination: str
    start: date
    end: date
    party: int = 1
    cabin: str = ""
    sort: str = "departure"
    size: int = 10
    page: int = 1

    def query(self, **changes: object) -> str:
        """The query string of this search, with some parameters changed."""
        parameters = {name: getattr(self, name) for name in self.__slots__} | changes
        return urlencode({name: value for name, value in parameters.items() if value})

    def suits(self, cabin: CabinOffer) -> bool:
        """Whether the whole party can sit in this cabin."""
        return cabin.free >= self.party and self.cabin in {"", cabin.cabin}


@dataclass(frozen=True, slots=True)
class Offer:
    """A flight found, what a seat costs at least in a cabin that suits, and how many of all its seats are free."""

    flight: Flight
    price_minor: int
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


# A flight may be added any moment where there was none, so nothing is kept of that.
PAGES = Kind("search", life_s=10, shape=TypeAdapter(Page), is_worth=lambda page: page.total > 0)


def parse(query: Mapping[str, str], now_s: int) -> Search:
    """The search that a query string spells. Raises Invalid, which names every fault."""
    faults: dict[str, str] = {}
    origin = _airport(query, "origin", faults)
    destination = _airport(query, "destination", faults)
    if origin and origin == destination:
        faults["destination"] = say("Choose another airport than the one you leave from.")
    start, end = _days(query, _today(origin, now_s), faults)
    party = _number(query, "party", range(1, LARGEST_PARTY + 1), faults)
    cabin = query.get("cabin", "")
    if cabin and cabin not in set(Cabin):
        faults["cabin"] = say("Choose one of %(cabins)s, or none.", cabins=", ".join(Cabin))
    sort = query.get("sort") or SORTS[0]
    if sort not in SORTS:
        faults["sort"] = say("Sort by one of %(sorts)s.", sorts=", ".join(SORTS))
    size = _number(query, "size", SIZES, faults)
    page = _number(query, "page", range(1, MOST_PAGES + 1), faults)
    if faults:
        raise Invalid(faults)
    return Search(origin, destination, start, end, party, cabin, sort, size, page)


async def find(db: Database, cache: Cache, search: Search, now_s: int) -> Page:
    """One page of the flights asked for, up to ten seconds old unless a seat of the route was sold."""
    subject = route_subject(search.origin, search.destination)
    return await cache.get(PAGES, search.query(), subject, now_s, lambda: _find(db, search, now_s))


async def _find(db: Database, search: Search, now_s: int) -> Page:
    """Three queries, however many flights there are."""
    is_wanted = _is_wanted(search, now_s)
    page = select(flights).where(*is_wanted).order_by(*_order(search))
    page = page.limit(search.size).offset((search.page - 1) * search.size)
    async with db.reading("search") as connection:
        total = await connection.scalar(select(func.count()).select_from(flights).where(*is_wanted))
        found = await with_cabins(connection, (await connection.execute(page)).all())
    # By now a flight may have been sold out.
    offers = [_offer(search, flight) for flight in found if any(map(search.suits, flight.cabins))]
    return Page(search, offers, total or 0)


def _is_wanted(search: Search, now_s: int) -> list[ColumnElement[bool]]:
    return [
        flights.c.origin == search.origin,
        flights.c.destination == search.destination,
        flights.c.departs_on.between(search.start, search.end),
        flights.c.departs_s > now_s,
        exists().where(*_suits(search)),
    ]


def _suits(search: Search) -> list[ColumnElement[bool]]:
    """Of `flight_cabins`: `Search.suits`, of the flight that is looked at."""
    suits = [flight_cabins.c.flight_id == flights.c.id, flight_cabins.c.free >= search.party]
    return [*suits, flight_cabins.c.cabin == search.cabin] if search.cabin else suits


def _order(search: Search) -> list[ColumnElement[int]]:
    """Ends in the id, so that flights alike keep their order from page to page."""
    price = select(func.min(flight_cabins.c.price_minor)).where(*_suits(search)).scalar_subquery()
    first = {"departure": flights.c.departs_s, "arrival": flights.c.arrives_s, "price": price}[search.sort]
    return [first, flights.c.departs_s, flights.c.id]


def _offer(search: Search, flight: Flight) -> Offer:
    price_minor = min(cabin.price_minor for cabin in flight.cabins if search.suits(cabin))
    return Offer(flight, price_minor, sum(cabin.free for cabin in flight.cabins))


def _airport(query: Mapping[str, str], field: str, faults: dict[str, str]) -> str:
    code = query.get(field, "").strip().upper()
    if code not in AIRPORTS:
        faults[field] = say("Choose one of our %(count)d airports, by its code.", count=len(AIRPORTS))
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
        faults["start"] = say("That day is over. The first one is %(today)s.", today=today)
    if "start" in faults or "end" in faults:
        return start, end
    if end < start:
        faults["end"] = say("The last day is before the first.")
    elif (end - start).days >= MOST_DAYS:
        faults["end"] = say(
            "At most %(days)d days at once: until %(last)s.", days=MOST_DAYS, last=start + timedelta(days=MOST_DAYS - 1)
        )
    return start, end


def _day(value: str | None, default: date, field: str, faults: dict[str, str]) -> date:
    if not value:
        return default
    try:
        return date.fromisoformat(value)
    except ValueError:
        faults[field] = say("Write the day as 2026-12-31.")
        return default


def _number(query: Mapping[str, str], field: str, allowed: Sequence[int], faults: dict[str, str]) -> int:
    """One of the numbers allowed, of which the first goes without saying."""
    value = query.get(field) or str(allowed[0])
    if value.isascii() and value.isdecimal() and len(value) <= 6 and int(value) in allowed:
        return int(value)
    faults[field] = (
        say("A whole number from %(first)d to %(last)d.", first=allowed[0], last=allowed[-1])
        if isinstance(allowed, range)
        else say("One of %(numbers)s.", numbers=", ".join(map(str, allowed)))
    )
    return allowed[0]
