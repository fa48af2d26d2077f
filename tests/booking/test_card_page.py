"""The page where one pays through Stripe, and the way from there to the ticket."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Route, expect

from tests.booking.bench import HOLD_S, Visitor
from tests.booking.conftest import Site
from tests.booking.local_stripe import CONFIRMED, CONFIRMED_IN_VAIN, SECRET_KEY, WEBHOOK_SECRET, PrivateStripe
from tests.browser import chromium, needs_chromium

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PUBLIC_URL = "http://air.example"


@pytest.fixture
async def stripe(tmp_path: Path) -> AsyncIterator[PrivateStripe]:
    async with PrivateStripe(tmp_path / "stripe") as stripe:
        yield stripe


@pytest.fixture
def gateway_settings(stripe: PrivateStripe) -> dict[str, str]:
    return {
        "BOOKING_PUBLIC_URL": PUBLIC_URL,
        "BOOKING_GATEWAY": "stripe",
        "BOOKING_STRIPE_SECRET_KEY": SECRET_KEY,
        "BOOKING_STRIPE_PUBLIC_KEY": "pk_test",
        "BOOKING_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "BOOKING_STRIPE_API_URL": stripe.url,
        "BOOKING_STRIPE_SCRIPT_URL": f"{stripe.url}/js.stripe.com/v3/",
    }


async def checked_out(visitor: Visitor, flight_id: int) -> tuple[str, str]:
    """The reference of a booking, and the address where it is paid."""
    reference = await visitor.held(flight_id, "7C")
    return reference, str((await visitor.check_out(reference)).json["pay_url"])


def intent_of(text: str) -> str:
    found = re.search(r'data-client-secret="(pi_\w+)_secret_', text)
    assert found, text
    return found[1]


async def test_a_card_becomes_a_ticket(ada: Visitor, stripe: PrivateStripe, flight_id: int) -> None:
    reference, pay_url = await checked_out(ada, flight_id)
    card = await ada.page(pay_url)

    await stripe.pay(intent_of(card.text))

    assert pay_url == f"/bookings/{reference}/card"
    assert 'data-public-key="pk_test"' in card.text
    back = re.search(r'action="https?://[^/]+(/bookings/[A-Z]{6}/return)"', card.text)
    assert back
    await ada.page(back[1])
    assert (await ada.get(f"/api/bookings/{reference}")).json["state"] == "ticketed"


async def test_only_this_page_may_load_the_script_of_the_gateway(
    ada: Visitor, stripe: PrivateStripe, flight_id: int
) -> None:
    _reference, pay_url = await checked_out(ada, flight_id)

    policies = [(await each).headers["Content-Security-Policy"] for each in (ada.page(pay_url), ada.page("/trips"))]

    assert [stripe.url in policy for policy in policies] == [True, False]
    assert [re.findall("script-src ([^;]*)", policy)[0].split()[0] for policy in policies] == ["'self'", "'self'"]


async def test_nobody_pays_for_another_account(ada: Visitor, grace: Visitor, flight_id: int) -> None:
    _reference, pay_url = await checked_out(ada, flight_id)
    assert (await grace.page(pay_url)).status == 404


async def test_there_is_nothing_to_pay_before_a_checkout_and_after_the_hold(
    site: Site, ada: Visitor, flight_id: int
) -> None:
    reference = await ada.held(flight_id, "7C")
    before = await ada.page(f"/bookings/{reference}/card")
    await ada.check_out(reference)
    site.clock.pass_s(HOLD_S)
    after = await ada.page(f"/bookings/{reference}/card")

    assert [(each.status, each.headers.get("Location")) for each in (before, after)] == [
        (303, f"/bookings/{reference}")
    ] * 2


async def test_a_gateway_that_is_gone_is_told(ada: Visitor, stripe: PrivateStripe, flight_id: int) -> None:
    _reference, pay_url = await checked_out(ada, flight_id)
    stripe.kill()

    answer = await ada.page(pay_url)

    assert answer.status == 503
    assert "The bank does not answer" in answer.text


async def let_in(context: BrowserContext, visitor: Visitor) -> None:
    """The browser is the visitor's: it has the cookies, and the waiting room sends the admission along."""
    site, admission = str(visitor._address), visitor._session.headers["X-Waitroom-Admission"]
    cookies = [{"name": name, "value": value, "url": site} for name, value in visitor.cookies().items()]
    await context.add_cookies(cookies)  # type: ignore[arg-type]  # SetCookieParam has only optional keys

    async def with_admission(route: Route) -> None:
        await route.continue_(headers={**route.request.headers, "X-Waitroom-Admission": admission})

    await context.route(f"{site}/**", with_admission)


@needs_chromium
@pytest.mark.parametrize(
    ("card", "outcome"), [(CONFIRMED, "succeeded"), (CONFIRMED_IN_VAIN, "requires_payment_method")]
)
async def test_the_script_takes_a_card_and_leads_back_once_it_has_paid(
    site: Site, ada: Visitor, stripe: PrivateStripe, flight_id: int, card: str, outcome: str
) -> None:
    """localstripe's script asks for the confirmation only, so the card was typed before."""
    _reference, pay_url = await checked_out(ada, flight_id)
    intent = intent_of((await ada.page(pay_url)).text)
    await stripe.pay(intent, await stripe.card(card))
    async with chromium() as browser:
        context = await browser.new_context()
        await let_in(context, ada)
        await context.route(f"{PUBLIC_URL}/**", lambda route: route.fulfill(body="back"))
        page = await context.new_page()
        await page.goto(str(site.server.make_url(pay_url)))

        await page.click("#pay")
        await page.click("text=Complete authentication")

        if card == CONFIRMED:
            await page.wait_for_url(f"{PUBLIC_URL}/**/return")
        else:
            await expect(page.locator("#refusal")).to_have_text("Your card was declined.")
            await expect(page.locator("#pay")).to_be_enabled()
    assert (await stripe.call("GET", f"/v1/payment_intents/{intent}"))["status"] == outcome
