"""What an account has booked: all of it, each booking with its tickets, who travels, and giving one up."""

from aiohttp import web

from booking import bookings, payments
from booking.account import Account
from booking.answers import page, see
from booking.bookings import Booking
from booking.errors import Invalid
from booking.guards import signed_in
from booking.pages.form import Form, form_of
from booking.paths import BOOKING, reference_of
from booking.repeats import ONCE
from booking.site import SITE


@signed_in
async def trips(request: web.Request, account: Account) -> web.Response:
    return page(request, "trips.html", trips=await bookings.of_account(request.app[SITE].db, account.id))


@signed_in
async def booking(request: web.Request, account: Account) -> web.Response:
    return page(request, "booking.html", booking=await _booking(request, account), is_new=False)


@signed_in
async def passengers_form(request: web.Request, account: Account) -> web.Response:
    shown = await _booking(request, account)
    if not shown.is_nameable(request.app[SITE].now_s()):
        return see(f"/bookings/{shown.reference}")
    names = [passenger.name or "" for passenger in shown.passengers]
    # Most people book for themselves, too.
    names[0] = names[0] or account.name
    return page(request, "passengers.html", booking=shown, names=names, faults={})


@signed_in
async def name_passengers(request: web.Request, account: Account) -> web.Response:
    site, form, shown = request.app[SITE], await form_of(request), await _booking(request, account)
    names = _names(form, shown)
    try:
        await bookings.name_passengers(site.db, account.id, shown.reference, names, site.now_s(), request.get(ONCE))
    except Invalid as exc:
        return page(request, "passengers.html", exc.status, booking=shown, names=names, faults=exc.faults)
    return see(f"/bookings/{shown.reference}/pay")


@signed_in
async def cancel_form(request: web.Request, account: Account) -> web.Response:
    shown = await _booking(request, account)
    if not shown.is_cancellable(request.app[SITE].now_s()):
        return see(f"/bookings/{shown.reference}")
    return page(request, "cancel.html", booking=shown)


@signed_in
async def cancel(request: web.Request, account: Account) -> web.Response:
    site, reference = request.app[SITE], reference_of(request)
    await payments.cancel(site.db, site.gateway, account.id, reference, site.now_s(), request.get(ONCE))
    return see(f"/bookings/{reference}")


def _names(form: Form, booking: Booking) -> list[str]:
    return [form.get(f"passenger_{passenger.position}", "") for passenger in booking.passengers]


async def _booking(request: web.Request, account: Account) -> Booking:
    return await bookings.find(request.app[SITE].db, account.id, reference_of(request))


routes = [
    web.get("/trips", trips),
    web.get(BOOKING, booking),
    web.get(f"{BOOKING}/passengers", passengers_form),
    web.post(f"{BOOKING}/passengers", name_passengers),
    web.get(f"{BOOKING}/cancel", cancel_form),
    web.post(f"{BOOKING}/cancel", cancel),
]
