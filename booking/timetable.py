"""The timetable: which flights leave on which day, at what time and price. Pure: the same day always looks the same.

Any 30 days in a row have the same number of flights, so that adding a day each day keeps the timetable as dense.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from booking.airports import AIRPORTS, Airport, distance_km
from booking.cabins import LONG_HAUL, MEDIUM_HAUL, SHORT_HAUL, Aircraft

AIRLINE = "H7"
PERIOD_DAYS = 30
# How many flights of a period the timetable can hold before two of a route would leave in the same minute.
MOST_FLIGHTS = 50_000
FIRST_MINUTE, LAST_MINUTE = 6 * 60, 22 * 60
BLOCK_SPEED_KM_PER_HOUR, GROUND_MINUTES = 840.0, 35

# City pairs, flown both ways, with their weight. Weight 10 is flown daily from 600 flights a period on.
PAIRS = (
    ("GMP", "CJU", 10), ("ICN", "CJU", 10), ("JFK", "LHR", 10), ("ICN", "HND", 3), ("GMP", "HND", 3), ("CJJ", "CJU", 3),
    ("JFK", "LAX", 3), ("LAX", "SFO", 3), ("LHR", "CDG", 3), ("LHR", "AMS", 3), ("ICN", "PEK", 2), ("ICN", "SIN", 2),
    ("JFK", "SFO", 2), ("JFK", "ORD", 2), ("ORD", "DEN", 2), ("ATL", "JFK", 2), ("ATL", "ORD", 2), ("DEN", "SFO", 2),
    ("CDG", "FRA", 2), ("AMS", "FRA", 2), ("LHR", "DXB", 2), ("DXB", "SIN", 2), ("SIN", "SYD", 2), ("HND", "PEK", 2),
    ("ICN", "LAX", 1), ("ICN", "FRA", 1), ("ICN", "SYD", 1), ("HND", "SFO", 1), ("CDG", "JFK", 1), ("DXB", "FRA", 1),
)  # fmt: skip
ROUTES = tuple(ends for one, other, _ in PAIRS for ends in ((one, other), (other, one)))
WEIGHTS = tuple(weight for *_, weight in PAIRS for _ in range(2))


@dataclass(frozen=True, slots=True)
class Departure:
    """One flight of the timetable. Prices are minor units of `currency`."""

    number: str
    origin: str
    destination: str
    departs_on: date
    departs_s: int
    arrives_s: int
    aircraft: Aircraft
    grade: str
    economy_minor: int
    business_minor: int
    currency: str


def departures(day: date, flights: int) -> Iterator[Departure]:
    """The flights that leave on `day` (at each origin's own calendar), of a timetable with `flights` in any 30 days."""
    for route, share in enumerate(_shares(flights)):
        today = _times_a_day(day.toordinal(), route, share)
        for nth in range(today):
            yield _departure(day, route, nth, today)


@lru_cache(maxsize=8)
def _shares(flights: int) -> tuple[int, ...]:
    """How many of a period's flights each route gets: by its weight, what the rounding leaves to the first routes."""
    whole = [flights * weight // sum(WEIGHTS) for weight in WEIGHTS]
    left = flights - sum(whole)
    return tuple(share + (route < left) for route, share in enumerate(whole))


def _times_a_day(day: int, route: int, share: int) -> int:
    """Spreads a route's share evenly; each route starts the count elsewhere, so that the days are equally full."""
    start = day * share + route * 7
    return (start + share) // PERIOD_DAYS - start // PERIOD_DAYS


def _departure(day: date, route: int, nth: int, today: int) -> Departure:
    origin, destination = (AIRPORTS[code] for code in ROUTES[route])
    kilometres = distance_km(origin, destination)
    minute = _minute(route, nth, today)
    leaves = datetime.combine(day, time(minute // 60, minute % 60), origin.zone)
    departs_s = int(leaves.timestamp())
    grade = _grade(leaves)
    currency, economy, business = _prices(origin, destination, kilometres, grade)
    return Departure(
        number=f"{AIRLINE} {100 + route + 100 * nth}",
        origin=origin.code,
        destination=destination.code,
        departs_on=day,
        departs_s=departs_s,
        arrives_s=departs_s + _minutes_in_the_air(kilometres) * 60,
        aircraft=_aircraft(kilometres),
        grade=grade,
        economy_minor=economy,
        business_minor=business,
        currency=currency,
    )


def _minute(route: int, nth: int, today: int) -> int:
    """Minute of the local day: a route's flights spread from morning to night, each route with an offset of its own."""
    window = (LAST_MINUTE - FIRST_MINUTE) / today
    offset = (route * 0.618) % 1
    return FIRST_MINUTE + int((nth + offset) * window) // 5 * 5


def _minutes_in_the_air(kilometres: float) -> int:
    return round((kilometres / BLOCK_SPEED_KM_PER_HOUR * 60 + GROUND_MINUTES) / 5) * 5


def _aircraft(kilometres: float) -> Aircraft:
    if kilometres < 1_000:
        return SHORT_HAUL
    return MEDIUM_HAUL if kilometres < 4_000 else LONG_HAUL


GRADES = {"saver": 80, "standard": 100, "peak": 135}


def _grade(leaves: datetime) -> str:
    if leaves.hour < 8 or leaves.hour >= 20:
        return "saver"
    is_rush = leaves.isoweekday() in {5, 7} or 16 <= leaves.hour < 19
    return "peak" if is_rush else "standard"


def _prices(origin: Airport, destination: Airport, kilometres: float, grade: str) -> tuple[str, int, int]:
    """Currency, economy and business in minor units. Within Korea a flight is priced in won, to the hundred."""
    dollars = round((42 + kilometres * 0.085) * GRADES[grade] / 100)
    if origin.country == destination.country == "KR":
        return "KRW", dollars * 1_000, dollars * 2_200
    return "USD", dollars * 100, dollars * 260


def period(first_day: date) -> Iterator[date]:
    """The days of one period."""
    return (first_day + timedelta(days=offset) for offset in range(PERIOD_DAYS))
