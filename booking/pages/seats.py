"""The seat map of a flight: shows what is free, and holds what a party has chosen."""

from http import HTTPStatus

from aiohttp import web

from booking import holds, seat_maps
from booking.answers import page, see, to_log_in
from booking.errors import Invalid, SeatTaken, SignedOut
from booking.guards import ADMISSION, account_of
from booking.holds import LARGEST_PARTY, Buyer
from booking.local_path import local_path
from booking.pages.choice import Choice
from booking.paths import FLIGHT, flight_id_of
from booking.repeats import ONCE
from booking.sentences import say
from booking.site import SITE


async def seat_map(request: web.Request) -> web.Response:
    return await _shown(request, Choice.of(request.query.items()))


async def choose_seats(request: web.Request) -> web.Response:
    site, flight_id, choice = request.app[SITE], flight_id_of(request), Choice.of((await request.post()).items())
    try:
        wish = holds.parse_wish(flight_id, list(choice.seats.items()), choice.fare)
        buyer = Buyer(account_of(request).id, request[ADMISSION].holder)
        reference = await holds.hold(site.db, buyer, wish, site.now_s(), site.hold_s, request.get(ONCE))
    except SignedOut:
        return to_log_in(local_path(f"{request.path}?{choice.query()}"))
    except Invalid as exc:
        return await _shown(request, choice, exc.status, alert=next(iter(exc.faults.values())))
    except SeatTaken as exc:
        return await _shown(request, choice.without(exc.lost), exc.status, alert=exc.detail)
    return see(f"/bookings/{reference}/passengers")


async def _shown(request: web.Request, choice: Choice, status: int = HTTPStatus.OK, alert: str = "") -> web.Response:
    site = request.app[SITE]
    shown = await seat_maps.find(site.db, site.cache, flight_id_of(request), site.now_s())
    lost = [seat.label for seat in shown.seats if seat.label in choice.seats and not seat.is_free]
    if lost and not alert:
        alert = say("Taken meanwhile: %(seats)s. Your other seats are still chosen.", seats=", ".join(lost))
    context = {"map": shown, "choice": choice.without(lost), "party": _party(request), "alert": alert}
    return page(request, "seats.html", status, **context)


def _party(request: web.Request) -> int:
    """For how many was searched: a hint, since the seats chosen decide."""
    asked = request.query.get("party", "")
    return min(int(asked), LARGEST_PARTY) if asked.isascii() and asked.isdecimal() and len(asked) < 3 else 0


routes = [web.get(FLIGHT, seat_map), web.post(FLIGHT, choose_seats)]
