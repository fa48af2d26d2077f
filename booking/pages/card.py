"""The page where one pays through Stripe: its fields stand in frames of Stripe's, so that no card comes near us.

Only a site whose gateway is Stripe leads here, and only this page may load Stripe's script.
"""

from typing import TYPE_CHECKING, cast

from aiohttp import web

from booking import bookings, payments
from booking.account import Account
from booking.answers import page, see
from booking.bookings import Booking
from booking.guards import signed_in
from booking.paths import BOOKING, reference_of
from booking.site import SITE, Site

if TYPE_CHECKING:  # of the extra `stripe`
    from booking.stripe_gateway import StripeGateway


@signed_in
async def card_form(request: web.Request, account: Account) -> web.Response:
    """To the booking where there is nothing to pay, or not any more."""
    site, reference = request.app[SITE], reference_of(request)
    booking = await bookings.find(site.db, account.id, reference)
    gateway_id = await _open_checkout(site, booking)
    if gateway_id is None or site.gateway.name != "stripe":
        return see(f"/bookings/{reference}")
    gateway = cast("StripeGateway", site.gateway)
    response = page(
        request,
        "card.html",
        booking=booking,
        client_secret=await gateway.client_secret(gateway_id),
        public_key=gateway.public_key,
        script_url=gateway.script_url,
        return_url=site.return_url(reference),
    )
    response.headers["Content-Security-Policy"] = content_policy(gateway.script_origins)
    return response


async def _open_checkout(site: Site, booking: Booking) -> str | None:
    """What the gateway calls the checkout that a booking may be paid by now."""
    if booking.open_payment is None or not booking.is_payable(site.now_s()):
        return None
    return (await payments.find(site.db, booking.open_payment)).gateway_id


def content_policy(origins: tuple[str, ...]) -> str:
    """Lets Stripe's script run, show its frames, and reach Stripe. https://docs.stripe.com/security/guide"""
    stripe = " ".join(origins)
    return (
        f"default-src 'none'; script-src 'self' {stripe}; frame-src {stripe}; connect-src 'self' {stripe}; "
        "style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


routes = [web.get(f"{BOOKING}/card", card_form)]
