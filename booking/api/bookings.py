"""Bookings: seats held for a party, named, paid and given up again, each by its owner alone."""

from dataclasses import replace
from http import HTTPStatus

from aiohttp import web

from booking import bookings, holds, payments
from booking.account import Account
from booking.answers import with_place_released
from booking.api import bodies, documents
from booking.guards import ADMISSION, signed_in
from booking.holds import Buyer
from booking.paths import BOOKING, FLIGHT, flight_id_of, reference_of
from booking.repeats import ONCE
from booking.site import SITE
from booking.tables import BookingState


@signed_in
async def hold(request: web.Request, account: Account) -> web.Response:
    """The names may come along, and are written down with the hold."""
    site, wished = request.app[SITE], await bodies.read(request, bodies.HoldWish)
    wish = holds.parse_wish(flight_id_of(request), wished.chosen, wished.fare)
    if wished.passengers is not None:
        bookings.parse_names(wished.passengers, len(wish.seats))
        wish = replace(wish, names=bookings.parse_names(wished.names_by_seat(), len(wish.seats)))
    buyer = Buyer(account.id, request[ADMISSION].holder)
    reference = await holds.hold(site.db, buyer, wish, site.now_s(), site.hold_s, request.get(ONCE))
    headers = {"Location": f"/api/bookings/{reference}"}
    return await _shown(request, account, reference, status=HTTPStatus.CREATED, headers=headers)


@signed_in
async def trips(request: web.Request, account: Account) -> web.Response:
    site = request.app[SITE]
    own = await bookings.of_account(site.db, account.id)
    return web.json_response([documents.of_booking(booking, site.now_s()) for booking in own])


@signed_in
async def booking(request: web.Request, account: Account) -> web.Response:
    return await _shown(request, account, reference_of(request))


@signed_in
async def name_passengers(request: web.Request, account: Account) -> web.Response:
    site, reference = request.app[SITE], reference_of(request)
    names = (await bodies.read(request, bodies.Names)).passengers
    await bookings.name_passengers(site.db, account.id, reference, names, site.now_s(), request.get(ONCE))
    return await _shown(request, account, reference)


@signed_in
async def check_out(request: web.Request, account: Account) -> web.Response:
    site, reference = request.app[SITE], reference_of(request)
    await bodies.read(request, bodies.Nothing)
    pay_url = await payments.check_out(
        site.db, site.gateway, account, reference, site.return_url(reference), site.now_s(), request.get(ONCE)
    )
    return web.json_response({"pay_url": pay_url})


@signed_in
async def settle(request: web.Request, account: Account) -> web.Response:
    """Who has a ticket needs the place in the waiting room no more."""
    site = request.app[SITE]
    await bodies.read(request, bodies.Nothing)
    settled = await payments.settle_booking(site.db, site.gateway, account.id, reference_of(request), site.now_s())
    response = web.json_response(documents.of_booking(settled, site.now_s()))
    return with_place_released(response) if settled.state == BookingState.TICKETED else response


@signed_in
async def cancel(request: web.Request, account: Account) -> web.Response:
    """What is due back is given back by the sweeper."""
    site, reference = request.app[SITE], reference_of(request)
    await bodies.read(request, bodies.Nothing)
    await payments.cancel(site.db, site.gateway, account.id, reference, site.now_s(), request.get(ONCE))
    return await _shown(request, account, reference)


async def _shown(
    request: web.Request,
    account: Account,
    reference: str,
    status: int = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
) -> web.Response:
    site = request.app[SITE]
    found = await bookings.find(site.db, account.id, reference)
    return web.json_response(documents.of_booking(found, site.now_s()), status=status, headers=headers)


routes = [
    web.post(f"/api{FLIGHT}/holds", hold),
    web.get("/api/bookings", trips),
    web.get(f"/api{BOOKING}", booking),
    web.put(f"/api{BOOKING}/passengers", name_passengers),
    web.post(f"/api{BOOKING}/checkout", check_out),
    web.post(f"/api{BOOKING}/settlement", settle),
    web.post(f"/api{BOOKING}/cancellation", cancel),
]
