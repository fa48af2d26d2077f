"""The pages for people: each handler reads the request, makes one call, and shows a page or leads to the next."""

import contextlib
from datetime import timedelta
from http import HTTPStatus

from aiohttp import web

from booking import accounts, bookings, cookies, flights, holds, payments, search, sessions
from booking.accounts import Account
from booking.airports import AIRPORTS
from booking.answers import page, see, to_log_in
from booking.cards import parse_card
from booking.errors import (
    EmailTaken,
    GatewayUnavailable,
    Invalid,
    NotPayable,
    PaymentDeclined,
    SeatTaken,
    WrongCredentials,
)
from booking.guards import ACCOUNT, signed_in
from booking.local_path import local_path
from booking.site import SITE
from booking.tables import BookingState

# What the home page offers to someone who does not know yet where to go.
POPULAR = (("ICN", "CJU"), ("GMP", "CJU"), ("JFK", "LHR"), ("LHR", "JFK"))

Form = dict[str, str]


async def home(request: web.Request) -> web.Response:
    # The day that has begun at every airport.
    today = max(airport.local(request.app[SITE].now_s()).date() for airport in AIRPORTS.values())
    week = today + timedelta(days=6)
    return page(request, "home.html", wish={"start": today}, faults={}, popular=POPULAR, today=today, week=week)


async def results(request: web.Request) -> web.Response:
    site = request.app[SITE]
    now_s = site.now_s()
    try:
        wish = search.parse(request.query, now_s)
    except Invalid as exc:
        return page(request, "search.html", HTTPStatus.BAD_REQUEST, wish=request.query, faults=exc.faults)
    return page(request, "results.html", found=await search.find(site.db, wish, now_s))


async def seat_map(request: web.Request) -> web.Response:
    return await _seat_map(request, chosen=request.query.get("seat", ""))


async def choose_seat(request: web.Request) -> web.Response:
    flight_id, label = flight_id_of(request), (await _form(request)).get("seat", "").strip().upper()
    if not label:
        return await _seat_map(request, HTTPStatus.BAD_REQUEST, alert="Choose a seat first.")
    if ACCOUNT not in request:
        return to_log_in(local_path(f"/flights/{flight_id}?seat={label}"))
    site = request.app[SITE]
    try:
        reference = await holds.hold(site.db, request[ACCOUNT].id, flight_id, label, site.now_s(), site.hold_s)
    except SeatTaken as exc:
        return await _seat_map(request, exc.status, alert=f"{exc.title}. {exc.detail}")
    return see(f"/bookings/{reference}/pay")


async def _seat_map(request: web.Request, status: int = 200, chosen: str = "", alert: str = "") -> web.Response:
    site = request.app[SITE]
    shown = await flights.seat_map(site.db, flight_id_of(request), site.now_s())
    return page(request, "seats.html", status, map=shown, flight=shown.flight, chosen=chosen, alert=alert)


async def sign_up_form(request: web.Request) -> web.Response:
    return page(request, "sign_up.html", form={}, faults={}, next=local_path(request.query.get("next")))


async def sign_up(request: web.Request) -> web.Response:
    site, form = request.app[SITE], await _form(request)
    back = local_path(form.get("next"))
    try:
        account = await accounts.sign_up(site.db, site.passwords, accounts.parse_sign_up(form), site.now_s())
    except Invalid as exc:
        return page(request, "sign_up.html", exc.status, form=form, faults=exc.faults, next=back)
    except EmailTaken as exc:
        return page(request, "sign_up.html", exc.status, form=form, faults={"email": exc.detail}, next=back)
    return await begin_session(request, see(back), account)


async def log_in_form(request: web.Request) -> web.Response:
    return page(request, "log_in.html", form={}, alert="", next=local_path(request.query.get("next")))


async def log_in(request: web.Request) -> web.Response:
    site, form = request.app[SITE], await _form(request)
    back = local_path(form.get("next"))
    try:
        account = await accounts.log_in(site.db, site.passwords, accounts.parse_log_in(form))
    except WrongCredentials as exc:
        return page(request, "log_in.html", exc.status, form=form, alert=exc.detail, next=back)
    return await begin_session(request, see(back), account)


async def log_out(request: web.Request) -> web.Response:
    return await end_session(request, see("/"))


@signed_in
async def trips(request: web.Request, account: Account) -> web.Response:
    return page(request, "trips.html", trips=await bookings.of_account(request.app[SITE].db, account.id))


@signed_in
async def booking(request: web.Request, account: Account) -> web.Response:
    return page(request, "booking.html", booking=await _booking(request, account))


@signed_in
async def pay_form(request: web.Request, account: Account) -> web.Response:
    shown = await _booking(request, account)
    if not shown.is_payable(request.app[SITE].now_s()):
        return see(f"/bookings/{shown.reference}")
    return page(request, "pay.html", booking=shown, form={"passenger": shown.passenger}, faults={}, alert="")


@signed_in
async def pay(request: web.Request, account: Account) -> web.Response:
    site, form, shown = request.app[SITE], await _form(request), await _booking(request, account)
    ticket = see(f"/bookings/{shown.reference}")
    faults: dict[str, str] = {}
    passenger = accounts.parse_name(form, "passenger", faults)
    card = parse_card(form, faults, site.now_s())
    # The number goes back into no page.
    kept = {"passenger": form.get("passenger", "")}
    if faults:
        return page(request, "pay.html", HTTPStatus.BAD_REQUEST, booking=shown, form=kept, faults=faults, alert="")
    try:
        await payments.pay(site.db, site.gateway, account.id, shown.reference, passenger, card, site.now_s())
    except PaymentDeclined as exc:
        return page(request, "pay.html", exc.status, booking=shown, form=kept, faults={}, alert=exc.detail)
    except NotPayable:
        if (await _booking(request, account)).state == BookingState.TICKETED:
            return ticket  # the form was sent twice
        raise
    return ticket


@signed_in
async def cancel_form(request: web.Request, account: Account) -> web.Response:
    shown = await _booking(request, account)
    if not shown.is_cancellable(request.app[SITE].now_s()):
        return see(f"/bookings/{shown.reference}")
    return page(request, "cancel.html", booking=shown)


@signed_in
async def cancel(request: web.Request, account: Account) -> web.Response:
    reference = request.match_info["reference"]
    await cancel_and_refund(request, account, reference)
    return see(f"/bookings/{reference}")


async def cancel_and_refund(request: web.Request, account: Account, reference: str) -> None:
    """The refund is due from the cancellation on; where the gateway does not answer now, the sweeper asks again."""
    site = request.app[SITE]
    await bookings.cancel(site.db, account.id, reference, site.now_s())
    with contextlib.suppress(GatewayUnavailable):
        await payments.refund(site.db, site.gateway, site.now_s())


async def begin_session(request: web.Request, response: web.Response, account: Account) -> web.Response:
    """Logs in with a new token, and forgets the one that was there: nobody can plant one beforehand."""
    site = request.app[SITE]
    await end_session(request, response)
    token = await sessions.start(site.db, account.id, site.now_s())
    cookies.put(request, response, cookies.SESSION, token, sessions.LIFE_S)
    return response


async def end_session(request: web.Request, response: web.Response) -> web.Response:
    token = cookies.get(request, cookies.SESSION)
    if token:
        await sessions.end(request.app[SITE].db, token)
    for name in (cookies.SESSION, cookies.FORM):
        cookies.drop(request, response, name)
    return response


def flight_id_of(request: web.Request) -> int:
    return int(request.match_info["flight_id"])


async def _booking(request: web.Request, account: Account) -> bookings.Booking:
    return await bookings.find(request.app[SITE].db, account.id, request.match_info["reference"])


async def _form(request: web.Request) -> Form:
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


# By these variables guards.require_line knows which flight a request is about: no route names one in another way.
FLIGHT = r"/flights/{flight_id:[1-9][0-9]{0,8}}"
BOOKING = r"/bookings/{reference:[A-Z]{6}}"

routes = [
    web.get("/", home),
    web.get("/flights", results),
    web.get(FLIGHT, seat_map),
    web.post(FLIGHT, choose_seat),
    web.get("/sign-up", sign_up_form),
    web.post("/sign-up", sign_up),
    web.get("/log-in", log_in_form),
    web.post("/log-in", log_in),
    web.post("/log-out", log_out),
    web.get("/trips", trips),
    web.get(BOOKING, booking),
    web.get(f"{BOOKING}/pay", pay_form),
    web.post(f"{BOOKING}/pay", pay),
    web.get(f"{BOOKING}/cancel", cancel_form),
    web.post(f"{BOOKING}/cancel", cancel),
]
