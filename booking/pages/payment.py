"""The way to the gateway's page, and back: what is to be paid, and what became of it."""

from http import HTTPStatus

from aiohttp import web

from booking import bookings, payments
from booking.account import Account
from booking.answers import page, see, with_place_released
from booking.bookings import Booking
from booking.errors import GatewayUnavailable, NamesMissing, NotPayable, PaymentRunning
from booking.guards import signed_in
from booking.paths import BOOKING, reference_of
from booking.repeats import ONCE
from booking.site import SITE
from booking.tables import BookingState

# How often the page that waits for the bank looks again.
LOOK_AGAIN_S = 3


@signed_in
async def pay_form(request: web.Request, account: Account) -> web.Response:
    site, reference = request.app[SITE], reference_of(request)
    shown = await bookings.find(site.db, account.id, reference)
    if not shown.is_payable(site.now_s()):
        return see(f"/bookings/{reference}")
    if not shown.has_names:
        return see(f"/bookings/{reference}/passengers")
    declined = "" if shown.awaits_payment else await payments.reason_of_last(site.db, shown.id)
    return page(request, "pay.html", booking=shown, alert=declined)


@signed_in
async def pay(request: web.Request, account: Account) -> web.Response:
    site, reference = request.app[SITE], reference_of(request)
    try:
        pay_url = await payments.check_out(
            site.db, site.gateway, account, reference, site.return_url(reference), site.now_s(), request.get(ONCE)
        )
    except NamesMissing:
        return see(f"/bookings/{reference}/passengers")
    except NotPayable:
        return see(f"/bookings/{reference}")
    except (GatewayUnavailable, PaymentRunning) as exc:
        shown = await bookings.find(site.db, account.id, reference)
        return page(request, "pay.html", exc.status, booking=shown, alert=exc.detail)
    return see(pay_url)


@signed_in
async def come_back(request: web.Request, account: Account) -> web.Response:
    """Where the gateway's page leads to. Who has tickets needs the place in the waiting room no more, so they are shown
    here: the next page might be behind the line again."""
    site, reference = request.app[SITE], reference_of(request)
    try:
        settled = await payments.settle_booking(site.db, site.gateway, account.id, reference, site.now_s())
    except GatewayUnavailable:
        return _wait(request, await bookings.find(site.db, account.id, reference))
    if settled.awaits_payment:
        return _wait(request, settled)
    if settled.state == BookingState.TICKETED:
        return with_place_released(page(request, "booking.html", booking=settled, is_new=True))
    return see(f"/bookings/{reference}/pay")


def _wait(request: web.Request, booking: Booking) -> web.Response:
    response = page(request, "waiting.html", HTTPStatus.OK, booking=booking)
    response.headers["Refresh"] = str(LOOK_AGAIN_S)
    return response


routes = [
    web.get(f"{BOOKING}/pay", pay_form),
    web.post(f"{BOOKING}/pay", pay),
    web.get(f"{BOOKING}/return", come_back),
]
