"""Rooms with a line for each flight: an admission with a key opens its own flight on every route, and no other."""

import re
from dataclasses import dataclass

import pytest

from booking.guards import EXEMPT
from tests.booking.bench import (
    HOUR_S,
    NOW_S,
    PASSWORD,
    Answer,
    Route,
    Visitor,
    add_flight,
    all_routes,
    departure,
    everything,
)
from tests.booking.conftest import Site
from tests.booking.forms import fill_in
from tests.booking.trip import bought

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# Whoever stood in any line may ask for these.
ABOUT_NO_FLIGHT = {
    ("GET", "/"),
    ("GET", "/flights"),
    ("GET", "/sign-up"),
    ("POST", "/sign-up"),
    ("GET", "/log-in"),
    ("POST", "/log-in"),
    ("POST", "/log-out"),
    ("POST", "/language"),
    ("GET", "/trips"),
    ("GET", "/account"),
    ("GET", "/account/log-out-everywhere"),
    ("GET", "/account/name"),
    ("GET", "/account/password"),
    ("POST", "/account/name"),
    ("POST", "/account/password"),
    ("POST", "/account/log-out-everywhere"),
    ("GET", "/api/airports"),
    ("GET", "/api/flights"),
    ("POST", "/api/accounts"),
    ("POST", "/api/session"),
    ("DELETE", "/api/session"),
    ("GET", "/api/sessions"),
    ("DELETE", "/api/sessions"),
    ("GET", "/api/account"),
    ("PATCH", "/api/account"),
    ("PUT", "/api/account/password"),
    ("GET", "/api/bookings"),
    ("GET", "/api/openapi.yaml"),
    ("GET", "/api/docs"),
}
# The variables by which the guard knows the flight, and those that name something else.
KNOWN_BY = {"flight_id", "reference"}
# More than any form asks for: what is not refused would change something.
FIELDS = {"seat": "7D", "passenger_1": "Ada Lovelace"}


def variables(route: Route) -> set[str]:
    return set(re.findall(r"{(\w+)", route[1]))


ABOUT_A_FLIGHT = [route for route in all_routes() if variables(route) & KNOWN_BY]


@dataclass(frozen=True)
class Flight:
    """A flight, and the booking of somebody who holds a seat on it."""

    id: int
    reference: str

    def path(self, route: Route) -> str:
        return route[1].replace("{flight_id}", str(self.id)).replace("{reference}", self.reference)


@pytest.fixture
async def other_id(site: Site) -> int:
    """Another flight of 80 free seats."""
    return await add_flight(site.db, departure(NOW_S + 72 * HOUR_S))


async def ask(visitor: Visitor, method: str, path: str) -> Answer:
    """As an app or as a browser would, by the path."""
    if path.startswith("/api/"):
        return await visitor.call(method, path)
    if method == "GET":
        return await visitor.page(path)
    return await visitor.submit("/log-in", path, **FIELDS)


def test_every_route_is_known_to_be_about_a_flight_or_about_none() -> None:
    """A new route whose flight the guard could not see fails here: put its flight or its booking into the path."""
    guarded = {route for route in all_routes() if route[1] not in EXEMPT}
    assert guarded - set(ABOUT_A_FLIGHT) == ABOUT_NO_FLIGHT
    assert {name for route in guarded for name in variables(route)} == KNOWN_BY
    assert len(ABOUT_A_FLIGHT) >= 16


@on_sqlite
async def test_every_route_about_a_flight_refuses_the_line_of_another(
    site: Site, ada: Visitor, flight_id: int, other_id: int
) -> None:
    """In JSON, and to a browser as a page that leads to the right line; and nothing is changed."""
    other = Flight(other_id, await ada.held(other_id, "7C"))
    ada.carry(site.room.admission(key=str(flight_id)))
    before = await everything(site.db)

    for route in ABOUT_A_FLIGHT:
        answer = await ask(ada, route[0], other.path(route))
        assert answer.status == 401, route
        if route[1].startswith("/api/"):
            assert answer.code == "admission_key", route
            assert answer.headers["Content-Type"].startswith("application/problem+json")
        else:
            assert 'data-code="admission_key"' in answer.text, route
            assert f'href="/flights/{other_id}"' in answer.text, route

    assert await everything(site.db) == before


@on_sqlite
@pytest.mark.parametrize("has_key", [True, False])
async def test_every_route_about_a_flight_takes_its_own_line_and_one_without_key(
    site: Site, ada: Visitor, flight_id: int, *, has_key: bool
) -> None:
    own = Flight(flight_id, await ada.held(flight_id, "7C"))
    ada.carry(site.room.admission(**({"key": str(flight_id)} if has_key else {})))
    for route in ABOUT_A_FLIGHT:
        answer = await ask(ada, route[0], own.path(route))
        # The booking is cancelled on the way: a later route may come too late.
        assert answer.status in {200, 201, 303, 409}, (route, answer.text)


@on_sqlite
async def test_every_route_about_no_flight_takes_any_line(site: Site, ada: Visitor) -> None:
    """Whoever was let in to a flight needs the log-in to buy it, and may look for another."""
    ada.carry(site.room.admission(key="7"))
    for method, path in sorted(ABOUT_NO_FLIGHT):
        answer = await ask(ada, method, path)
        assert answer.status < 500, (method, path)
        assert not re.search(r'code"?[:=] ?"admission', answer.text), (method, path)


@on_sqlite
async def test_who_stood_in_a_flights_line_can_do_all_that_selling_it_takes(site: Site, flight_id: int) -> None:
    """From the map through sign-up to the ticket and back, as a browser, with the one admission."""
    visitor, flight = site.stranger(site.room.admission(key=str(flight_id))), f"/flights/{flight_id}"

    assert (await visitor.page(flight)).status == 200
    person = {"name": "Ada", "email": "ada@example.org", "password": PASSWORD, "password_again": PASSWORD}
    signed_up = await fill_in(visitor, await visitor.page(f"/sign-up?next={flight}"), "/sign-up", **person)
    assert signed_up.headers["Location"] == flight
    reference = await bought(site, visitor, flight_id)
    ticket = f"/bookings/{reference}"
    cancelled = await fill_in(visitor, await visitor.page(f"{ticket}/cancel"), f"{ticket}/cancel")

    assert (cancelled.status, cancelled.headers["Location"]) == (303, ticket)
    assert ticket in (await visitor.page("/trips")).text


async def test_no_seat_is_held_on_a_flight_whose_line_one_did_not_stand_in(
    site: Site, ada: Visitor, flight_id: int, other_id: int
) -> None:
    ada.carry(site.room.admission(key=str(flight_id)))

    assert (await ada.hold(other_id, "7C")).code == "admission_key"
    assert (await ada.submit("/log-in", f"/flights/{other_id}", seat="7C")).status == 401

    assert await site.visitor().seat_state(other_id, "7C") == "free"
    assert (await ada.hold(flight_id, "7C")).status == 201


async def test_a_booking_is_paid_and_cancelled_by_its_own_flights_line_only(
    site: Site, ada: Visitor, flight_id: int, other_id: int
) -> None:
    reference = await ada.held(other_id, "7C")

    ada.carry(site.room.admission(key=str(flight_id)))
    assert (await ada.pay(reference)).code == "admission_key"
    assert (await ada.cancel(reference)).code == "admission_key"
    assert await site.visitor().seat_state(other_id, "7C") == "held"

    ada.carry(site.room.admission(key=str(other_id)))
    assert (await ada.pay(reference)).json["state"] == "ticketed"
    assert (await ada.cancel(reference)).json["state"] == "cancelled"


@on_sqlite
async def test_a_key_tells_nobody_whether_there_is_a_booking(
    site: Site, ada: Visitor, grace: Visitor, flight_id: int, other_id: int
) -> None:
    """Somebody else's looks like none, whatever its flight; and whoever is signed out is asked to log in."""
    held = await ada.held(flight_id, "7C")
    other = await ada.carry(site.room.admission()).held(other_id, "7C")
    token = site.room.admission(key=str(flight_id))
    grace.carry(token)

    for reference in (held, other, "BCDFGH"):
        answer = await grace.get(f"/api/bookings/{reference}")
        assert (answer.status, answer.code) == (404, "not_found")
        assert (await grace.pay(reference)).code == "not_found"
        assert (await site.stranger(token).get(f"/api/bookings/{reference}")).code == "signed_out"
        page = await site.stranger(token).page(f"/bookings/{reference}/pay")
        assert page.headers["Location"] == f"/log-in?next=%2Fbookings%2F{reference}%2Fpay"


@on_sqlite
async def test_rooms_that_share_an_audience_are_believed_alike(site: Site, flight_id: int) -> None:
    """A room with a line per flight, and one for the rest: the site knows their audience, not their names."""
    path = f"/api/flights/{flight_id}/seats"
    for claims in ({"room": "flights", "key": str(flight_id)}, {"room": "site"}, {"room": "bookings"}):
        assert (await site.stranger(site.room.admission(**claims)).get(path)).status == 200
    alone = site.room.admission(room="flights", aud="flights", key=str(flight_id))
    assert (await site.stranger(alone).get(path)).code == "admission_audience"


@on_sqlite
async def test_the_spelling_of_a_path_does_not_change_its_flight(site: Site, flight_id: int, other_id: int) -> None:
    queued = site.stranger(site.room.admission(key=str(flight_id)))

    def spelled(number: int) -> str:
        return "".join(f"%{ord(digit):02X}" for digit in str(number))

    assert (await queued.get(f"/api/flights/{spelled(flight_id)}/seats")).status == 200
    assert (await queued.get(f"/api/flights/{spelled(other_id)}/seats")).code == "admission_key"
    assert (await queued.get(f"/api/flights/0{flight_id}/seats")).status == 404
