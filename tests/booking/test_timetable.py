"""The timetable: believable, evenly dense, and the same whenever it is asked for."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from booking.airports import AIRPORTS, distance_km
from booking.cabins import LONG_HAUL, MEDIUM_HAUL, SHORT_HAUL, Aircraft
from booking.timetable import MOST_FLIGHTS, PERIOD_DAYS, departures, period

days = st.dates(date(2026, 1, 1), date(2036, 12, 31))
sizes = st.integers(1, 3_000)


@given(days, sizes)
@settings(deadline=None)
def test_flights_arrive_after_they_depart_and_no_number_is_used_twice_a_day(day: date, size: int) -> None:
    flights = list(departures(day, size))

    assert all(3_600 <= flight.arrives_s - flight.departs_s <= 16 * 3_600 for flight in flights)
    assert all(AIRPORTS[flight.origin].local(flight.departs_s).date() == day for flight in flights)
    assert len({flight.number for flight in flights}) == len(flights)
    assert len({(flight.origin, flight.destination, flight.departs_s) for flight in flights}) == len(flights)


@given(days, sizes)
@settings(deadline=None, max_examples=25)
def test_any_thirty_days_have_the_flights_that_were_asked_for(day: date, size: int) -> None:
    assert sum(len(list(departures(each, size))) for each in period(day)) == size


@given(days)
@settings(deadline=None, max_examples=25)
def test_a_day_is_always_the_same(day: date) -> None:
    """Whenever it is generated: it depends on its date, not on the first day asked for."""
    assert list(departures(day, 600)) == list(departures(day, 600))


@pytest.mark.parametrize("route", ["ICN-CJU", "CJU-ICN", "GMP-CJU", "CJU-GMP", "JFK-LHR", "LHR-JFK"])
def test_well_known_routes_are_flown_every_day(route: str) -> None:
    for day in period(date(2026, 11, 22)):
        assert route in {f"{flight.origin}-{flight.destination}" for flight in departures(day, 600)}


def test_every_airport_is_flown_to_and_from() -> None:
    flights = [flight for day in period(date(2026, 11, 22)) for flight in departures(day, 600)]
    assert {flight.origin for flight in flights} == {flight.destination for flight in flights} == set(AIRPORTS)
    assert {flight.grade for flight in flights} == {"saver", "standard", "peak"}


def test_the_largest_timetable_still_has_a_minute_for_each_flight() -> None:
    flights = list(departures(date(2026, 11, 22), MOST_FLIGHTS))
    assert len({(flight.origin, flight.destination, flight.departs_s) for flight in flights}) == len(flights)
    assert max(len(flight.number) for flight in flights) <= 8


@pytest.mark.parametrize("aircraft", [SHORT_HAUL, MEDIUM_HAUL, LONG_HAUL], ids=lambda aircraft: aircraft.name)
def test_an_aircraft_has_eighty_seats_or_more_each_in_its_own_place(aircraft: Aircraft) -> None:
    places = list(aircraft.places())
    assert len(places) >= 80
    assert len({place.label for place in places}) == len(places)
    assert len({(place.map_row, place.map_column) for place in places}) == len(places)


def test_distances_are_those_of_the_map() -> None:
    """Against published great-circle distances, to one per cent."""
    for one, other, kilometres in (("JFK", "LHR", 5_540), ("GMP", "CJU", 451), ("SIN", "SYD", 6_300)):
        assert distance_km(AIRPORTS[one], AIRPORTS[other]) == pytest.approx(kilometres, rel=0.01)


def test_a_period_is_thirty_days() -> None:
    assert len(list(period(date(2026, 11, 22)))) == PERIOD_DAYS == 30
