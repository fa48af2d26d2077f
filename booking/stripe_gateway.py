"""Stripe as our gateway, by its SDK: a PaymentIntent for each order, paid on a card page of ours with Stripe's fields.

What is typed there goes from the browser to Stripe, and never to us. An intent carries our key in its metadata.
"""

import json
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

import stripe
from aiohttp import ClientError, ClientSession, ClientTimeout

from booking.errors import ForgedEvent, GatewayUnavailable
from booking.gateway import Charge, Checkout, Event, Order, Outcome
from booking.sentences import say

TIMEOUT = ClientTimeout(total=20, connect=5)
# Where Stripe's own script loads what it needs from, and authenticates cards. https://docs.stripe.com/security/guide
SCRIPT_ORIGINS = ("https://*.js.stripe.com", "https://hooks.stripe.com", "https://api.stripe.com")
SIGNATURE = "Stripe-Signature"
TOLERANCE_S = 300
# What it answers to a request that is wrong, and to a key that may not ask for it.
REFUSALS = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}

ENDED = say("The payment was ended before it was paid.")

FAILURES = (stripe.StripeError, ClientError, TimeoutError)

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """An account at Stripe. The public key and the script are for browsers."""

    secret_key: str
    public_key: str
    webhook_secret: str
    api_url: str
    script_url: str


class StripeGateway:
    """Talks through a session of ours, and repeats nothing by itself: our callers do, by the same keys."""

    name = "stripe"
    form_origins: tuple[str, ...] = ()

    def __init__(self, session: ClientSession, access: Access, timeout: ClientTimeout = TIMEOUT) -> None:
        self.script_origins = _script_origins(access)
        self.public_key = access.public_key
        self.script_url = access.script_url
        self._webhook_secret = access.webhook_secret
        client = stripe.AIOHTTPClient(timeout=timeout, session=session)
        self._stripe = stripe.StripeClient(
            access.secret_key, base_addresses={"api": access.api_url}, http_client=client, max_network_retries=0
        ).v1

    async def open(self, order: Order) -> Checkout:
        # Only what is the same at each repetition: Stripe takes a key with another content for a mistake.
        intent = await _said(
            self._stripe.payment_intents.create_async(
                {
                    "amount": order.amount_minor,
                    "currency": order.currency.lower(),
                    "metadata": {"payment": order.key, "reference": order.reference},
                },
                {"idempotency_key": order.key},
            )
        )
        return Checkout(intent.id, f"/bookings/{order.reference}/card")

    async def ask(self, gateway_id: str) -> Charge:
        return _charge(await self._intent(gateway_id))

    async def close(self, gateway_id: str) -> Charge:
        """Stripe refuses to cancel what was paid or cancelled before: then it is as it is."""
        try:
            return _charge(await self._stripe.payment_intents.cancel_async(gateway_id))
        except stripe.InvalidRequestError:
            return await self.ask(gateway_id)
        except FAILURES as exc:
            raise _unavailable(exc) from exc

    async def refund(self, key: str, gateway_id: str, amount_minor: int, currency: str) -> None:
        """Stripe forgets idempotency keys after a day, refunds never: so those that there are come first."""
        made = await _said(self._stripe.refunds.list_async({"payment_intent": gateway_id, "limit": 100}))
        if any(refund.metadata and refund.metadata.to_dict().get("refund") == key for refund in made.data):
            return
        await _said(
            self._stripe.refunds.create_async(
                {"payment_intent": gateway_id, "amount": amount_minor, "metadata": {"refund": key}},
                {"idempotency_key": key},
            )
        )

    def event(self, headers: Mapping[str, str], body: bytes) -> Event | None:
        try:
            stripe.WebhookSignature.verify_header(body, headers.get(SIGNATURE), self._webhook_secret, TOLERANCE_S)
            event = json.loads(body)
            key = (event["data"]["object"].get("metadata") or {}).get("payment")
            return Event(str(event["id"]), str(key)) if key else None
        except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError, AttributeError) as exc:
            raise ForgedEvent from exc

    async def client_secret(self, gateway_id: str) -> str:
        """By which a browser may pay this checkout, and nothing else. Raises GatewayUnavailable."""
        return (await self._intent(gateway_id)).client_secret or ""

    async def _intent(self, gateway_id: str) -> stripe.PaymentIntent:
        return await _said(self._stripe.payment_intents.retrieve_async(gateway_id))


async def _said(call: Awaitable[T]) -> T:
    """What Stripe said. Whatever else happens, nobody knows whether it did it."""
    try:
        return await call
    except FAILURES as exc:
        raise _unavailable(exc) from exc


def _unavailable(exc: Exception) -> GatewayUnavailable:
    """The problem that callers know; the operator is told what it is."""
    if isinstance(exc, stripe.StripeError) and exc.http_status in REFUSALS:
        log.error("Stripe refuses what we ask: %s. Check BOOKING_STRIPE_SECRET_KEY; else please report it.", exc)
    else:
        log.warning("Stripe does not answer: %r", exc)
    return GatewayUnavailable()


def _charge(intent: stripe.PaymentIntent) -> Charge:
    """A refused card leaves the intent open: the payer may try another on the same page."""
    if intent.status == "succeeded":
        return Charge(intent.id, Outcome.CAPTURED, intent.amount, intent.currency.upper())
    if intent.status == "canceled":
        return Charge(intent.id, Outcome.DECLINED, reason=ENDED)
    return Charge(intent.id, Outcome.OPEN)


def _script_origins(access: Access) -> tuple[str, ...]:
    """Stripe's, and those that the settings name instead."""
    named = (urlsplit(url) for url in (access.script_url, access.api_url))
    origins = (f"{parts.scheme}://{parts.netloc}" for parts in named)
    return tuple(dict.fromkeys((*origins, *SCRIPT_ORIGINS)))
