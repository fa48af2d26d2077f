"""The same for programs: JSON in, JSON out, by the same services as the pages."""

import json
from http import HTTPStatus
from typing import Any

from aiohttp import web

from booking import accounts, bookings, flights, holds, payments, search
from booking.accounts import Account
from booking.airports import AIRPORTS
from booking.bookings import Booking
from booking.cards import parse_card
from booking.errors import Invalid
from booking.flights import Flight
from booking.guards import signed_in
from booking.pages import BOOKING, FLIGHT, begin_session, cancel_and_refund, end_session, flight_id_of
from booking.site import SITE


async def airports(_request: web.Request) -> web.Response:
    names = ("code", "city", "name", "country", "zone_name")
    return web.json_response([{name: getattr(airport, name) for name in names} for airport in AIRPORTS.values()])


async def find_flights(request: web.Request) -> web.Response:
    site = request.app[SITE]
    now_s = site.now_s()
    found = await search.find(site.db, search.parse(request.query, now_s), now_s)
    offers = [_flight(offer.flight) | {"free_seats": offer.free} for offer in found.offers]
    return web.json_response(
        {"flights": offers, "total": found.total, "page": found.search.page, "last_page": found.last}
    )


async def seat_map(request: web.Request) -> web.Response:
    site = request.app[SITE]
    shown = await flights.seat_map(site.db, flight_id_of(request), site.now_s())
    names = ("label", "cabin", "map_row", "map_column", "state", "price_minor")
    seats = [{name: getattr(seat, name) for name in names} for seat in shown.seats]
    return web.json_response({"flight": _flight(shown.flight), "seats": seats})


async def sign_up(request: web.Request) -> web.Response:
    site = request.app[SITE]
    wish = accounts.parse_sign_up(await _strings(request))
    account = await accounts.sign_up(site.db, site.passwords, wish, site.now_s())
    return await begin_session(request, web.json_response(_account(account), status=HTTPStatus.CREATED), account)


async def log_in(request: web.Request) -> web.Response:
    site = request.app[SITE]
    account = await accounts.log_in(site.db, site.passwords, accounts.parse_log_in(await _strings(request)))
    return await begin_session(request, web.json_response(_account(account)), account)


async def log_out(request: web.Request) -> web.Response:
    return await end_session(request, web.Response(status=HTTPStatus.NO_CONTENT))


@signed_in
async def trips(request: web.Request, account: Account) -> web.Response:
    return web.json_response([_booking(trip) for trip in await bookings.of_account(request.app[SITE].db, account.id)])


@signed_in
async def hold(request: web.Request, account: Account) -> web.Response:
    site = request.app[SITE]
    label = (await _strings(request)).get("seat", "").upper()
    if not label:
        raise Invalid({"seat": "Name a seat, such as 12A."})
    reference = await holds.hold(site.db, account.id, flight_id_of(request), label, site.now_s(), site.hold_s)
    shown = await bookings.find(site.db, account.id, reference)
    headers = {"Location": f"/api/bookings/{reference}"}
    return web.json_response(_booking(shown), status=HTTPStatus.CREATED, headers=headers)


@signed_in
async def booking(request: web.Request, account: Account) -> web.Response:
    return await _shown(request, account)


@signed_in
async def pay(request: web.Request, account: Account) -> web.Response:
    site, form = request.app[SITE], await _strings(request)
    shown = await bookings.find(site.db, account.id, request.match_info["reference"])
    faults: dict[str, str] = {}
    passenger = accounts.parse_name({"passenger": shown.passenger} | form, "passenger", faults)
    card = parse_card(form, faults, site.now_s())
    if faults:
        raise Invalid(faults)
    await payments.pay(site.db, site.gateway, account.id, shown.reference, passenger, card, site.now_s())
    return await _shown(request, account)


@signed_in
async def cancel(request: web.Request, account: Account) -> web.Response:
    await cancel_and_refund(request, account, request.match_info["reference"])
    return await _shown(request, account)


async def _shown(request: web.Request, account: Account) -> web.Response:
    return web.json_response(
        _booking(await bookings.find(request.app[SITE].db, account.id, request.match_info["reference"]))
    )


async def _strings(request: web.Request) -> dict[str, str]:
    """The body as an object of strings. Raises Invalid."""
    try:
        document = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise Invalid({"body": "Send a JSON object."}) from exc
    if not isinstance(document, dict):
        raise Invalid({"body": "Send a JSON object."})
    faults = {name: "Send a string." for name, value in document.items() if not isinstance(value, str)}
    if faults:
        raise Invalid(faults)
    return document


def _account(account: Account) -> dict[str, Any]:
    return {"email": account.email, "name": account.name}


def _flight(flight: Flight) -> dict[str, Any]:
    return {
        "id": flight.id,
        "number": flight.number,
        "origin": flight.origin,
        "destination": flight.destination,
        "departs": flight.departs.isoformat(),
        "arrives": flight.arrives.isoformat(),
        "aircraft": flight.aircraft,
        "grade": flight.grade,
        "economy_minor": flight.economy_minor,
        "business_minor": flight.business_minor,
        "currency": flight.currency,
    }


def _booking(booking: Booking) -> dict[str, Any]:
    return {
        "reference": booking.reference,
        "state": booking.state,
        "flight": _flight(booking.flight),
        "seat": booking.seat,
        "cabin": booking.cabin,
        "passenger": booking.passenger,
        "amount_minor": booking.amount_minor,
        "currency": booking.currency,
        "held_until_s": booking.held_until_s if booking.is_unpaid else None,
        "awaits_bank": booking.awaits_bank,
    }


routes = [
    web.get("/api/airports", airports),
    web.get("/api/flights", find_flights),
    web.get(f"/api{FLIGHT}/seats", seat_map),
    web.post(f"/api{FLIGHT}/holds", hold),
    web.post("/api/accounts", sign_up),
    web.post("/api/session", log_in),
    web.delete("/api/session", log_out),
    web.get("/api/bookings", trips),
    web.get(f"/api{BOOKING}", booking),
    web.post(f"/api{BOOKING}/payments", pay),
    web.post(f"/api{BOOKING}/cancellation", cancel),
]
