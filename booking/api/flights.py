"""Airports, flights, and which of their seats are free."""

from aiohttp import web

from booking import search, seat_maps
from booking.airports import AIRPORTS
from booking.api import documents
from booking.etag import unless_held
from booking.paths import FLIGHT, flight_id_of
from booking.site import SITE


async def airports(_request: web.Request) -> web.Response:
    return web.json_response([documents.of_airport(airport) for airport in AIRPORTS.values()])


async def find_flights(request: web.Request) -> web.Response:
    site = request.app[SITE]
    now_s = site.now_s()
    found = await search.find(site.db, site.cache, search.parse(request.query, now_s), now_s)
    offers = [documents.of_flight(offer.flight) for offer in found.offers]
    return web.json_response(
        {"flights": offers, "total": found.total, "page": found.search.page, "last_page": found.last}
    )


async def seat_map(request: web.Request) -> web.Response:
    site = request.app[SITE]
    shown = await seat_maps.find(site.db, site.cache, flight_id_of(request), site.now_s())
    return unless_held(request, web.json_response(documents.of_seat_map(shown)))


routes = [
    web.get("/api/airports", airports),
    web.get("/api/flights", find_flights),
    web.get(f"/api{FLIGHT}/seats", seat_map),
]
