"""The paths that are about one flight or one booking. By their variables guards.require_line knows which it is, so that
no route may name one in another way."""

from aiohttp import web

FLIGHT = r"/flights/{flight_id:[1-9][0-9]{0,8}}"
BOOKING = r"/bookings/{reference:[A-Z]{6}}"


def flight_id_of(request: web.Request) -> int:
    return int(request.match_info["flight_id"])


def reference_of(request: web.Request) -> str:
    return request.match_info["reference"]
