"""The airports that Halcyon Air serves: where they are, and which clock hangs on their wall."""

import math
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

EARTH_RADIUS_KM = 6371.0


@dataclass(frozen=True)
class Airport:
    code: str
    city: str
    name: str
    country: str
    zone_name: str
    latitude: float
    longitude: float

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone_name)

    def local(self, moment_s: int) -> datetime:
        """A moment (seconds UTC since 1970) as the clock of this airport shows it."""
        return datetime.fromtimestamp(moment_s, self.zone)


AIRPORTS = {
    airport.code: airport
    for airport in (
        Airport("JFK", "New York", "John F. Kennedy", "US", "America/New_York", 40.6413, -73.7781),
        Airport("LAX", "Los Angeles", "Los Angeles International", "US", "America/Los_Angeles", 33.9416, -118.4085),
        Airport("ORD", "Chicago", "O'Hare", "US", "America/Chicago", 41.9742, -87.9073),
        Airport("ATL", "Atlanta", "Hartsfield-Jackson", "US", "America/New_York", 33.6407, -84.4277),
        Airport("DXB", "Dubai", "Dubai International", "AE", "Asia/Dubai", 25.2532, 55.3657),
        Airport("LHR", "London", "Heathrow", "GB", "Europe/London", 51.4700, -0.4543),
        Airport("CDG", "Paris", "Charles de Gaulle", "FR", "Europe/Paris", 49.0097, 2.5479),
        Airport("AMS", "Amsterdam", "Schiphol", "NL", "Europe/Amsterdam", 52.3105, 4.7683),
        Airport("SIN", "Singapore", "Changi", "SG", "Asia/Singapore", 1.3644, 103.9915),
        Airport("PEK", "Beijing", "Capital", "CN", "Asia/Shanghai", 40.0799, 116.6031),
        Airport("ICN", "Seoul", "Incheon", "KR", "Asia/Seoul", 37.4602, 126.4407),
        Airport("SYD", "Sydney", "Kingsford Smith", "AU", "Australia/Sydney", -33.9399, 151.1753),
        Airport("FRA", "Frankfurt", "Frankfurt Airport", "DE", "Europe/Berlin", 50.0379, 8.5622),
        Airport("DEN", "Denver", "Denver International", "US", "America/Denver", 39.8561, -104.6737),
        Airport("SFO", "San Francisco", "San Francisco International", "US", "America/Los_Angeles", 37.6213, -122.3790),
        Airport("HND", "Tokyo", "Haneda", "JP", "Asia/Tokyo", 35.5494, 139.7798),
        Airport("GMP", "Seoul", "Gimpo", "KR", "Asia/Seoul", 37.5587, 126.7945),
        Airport("CJJ", "Cheongju", "Cheongju International", "KR", "Asia/Seoul", 36.7166, 127.4989),
        Airport("CJU", "Jeju", "Jeju International", "KR", "Asia/Seoul", 33.5104, 126.4914),
    )
}


def distance_km(one: Airport, other: Airport) -> float:
    """The great-circle distance by the haversine formula."""
    latitudes = math.radians(one.latitude), math.radians(other.latitude)
    half_north = (latitudes[1] - latitudes[0]) / 2
    half_east = math.radians(other.longitude - one.longitude) / 2
    chord = math.sin(half_north) ** 2 + math.cos(latitudes[0]) * math.cos(latitudes[1]) * math.sin(half_east) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(chord))
