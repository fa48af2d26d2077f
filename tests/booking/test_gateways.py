"""What every gateway must do: the sandbox bank and Stripe (localstripe), both as processes of their own."""

import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
import stripe
from aiohttp import ClientSession, ClientTimeout
from multidict import CIMultiDict

from booking import signatures
from booking.errors import ForgedEvent, GatewayUnavailable
from booking.gateway import Checkout, Gateway, Order, Outcome
from booking.sandbox_gateway import SandboxGateway
from booking.stripe_gateway import Access, StripeGateway
from tests.booking.bank import SECRET, PrivateSandbox
from tests.booking.local_stripe import SECRET_KEY, WEBHOOK_SECRET, PrivateStripe
from tests.booking.shop import Shop
from tests.servers import eventually

PATIENCE = ClientTimeout(total=20)
IMPATIENCE = ClientTimeout(total=0.5)


class Bench(Protocol):
    """A gateway, and what the payer, the network and the gateway's own staff can do."""

    shop: Shop

    def gateway(self, timeout: ClientTimeout = PATIENCE, secret: str = "") -> Gateway: ...

    async def pay(self, checkout: Checkout) -> None: ...

    async def lose_answers(self, *, lost: bool) -> None: ...

    async def checkouts(self) -> int:
        """How many it has."""

    async def refunds_minor(self, gateway_id: str) -> list[int]:
        """What it gave back."""

    async def be_told(self) -> None:
        """Events go to the shop."""

    def freeze(self) -> None: ...

    def kill(self) -> None: ...

    def signed(self, body: bytes, at_s: int) -> dict[str, str]:
        """The headers of an event."""


class SandboxBench:
    def __init__(self, session: ClientSession, bank: PrivateSandbox, shop: Shop) -> None:
        self.shop = shop
        self._session = session
        self.bank = bank
        self.freeze = bank.freeze
        self.kill = bank.kill

    def gateway(self, timeout: ClientTimeout = PATIENCE, secret: str = "") -> Gateway:
        return SandboxGateway(self._session, self.bank.url, secret or SECRET, timeout)

    async def pay(self, checkout: Checkout) -> None:
        await self.bank.pay(checkout.pay_url)

    async def lose_answers(self, *, lost: bool) -> None:
        await self.bank.faults(lose_answers=["open", "ask", "close", "refund"] if lost else [])

    async def checkouts(self) -> int:
        return len(self.bank.rows("SELECT id FROM checkouts"))

    async def refunds_minor(self, gateway_id: str) -> list[int]:
        rows = self.bank.rows("SELECT amount_minor FROM refunds WHERE checkout_id = ? ORDER BY rowid", gateway_id)
        return [int(row[0]) for row in rows]

    async def be_told(self) -> None:
        pass

    def signed(self, body: bytes, at_s: int) -> dict[str, str]:
        return signatures.sign(SECRET, "evt_1", at_s, body)


class StripeBench:
    def __init__(self, session: ClientSession, server: PrivateStripe, shop: Shop) -> None:
        self.shop = shop
        self._session = session
        self._stripe = server
        self.freeze = server.freeze
        self.kill = server.kill

    def gateway(self, timeout: ClientTimeout = PATIENCE, secret: str = "") -> Gateway:
        url = self._stripe.url
        access = Access(secret or SECRET_KEY, "pk_test", WEBHOOK_SECRET, url, f"{url}/js.stripe.com/v3/")
        return StripeGateway(self._session, access, timeout)

    async def pay(self, checkout: Checkout) -> None:
        await self._stripe.pay(checkout.gateway_id)

    async def lose_answers(self, *, lost: bool) -> None:
        self._stripe.loses_answers = lost

    async def checkouts(self) -> int:
        return len((await self._stripe.call("GET", "/v1/payment_intents"))["data"])

    async def refunds_minor(self, gateway_id: str) -> list[int]:
        made = await self._stripe.call("GET", f"/v1/refunds?payment_intent={gateway_id}")
        return [int(refund["amount"]) for refund in made["data"]]

    async def be_told(self) -> None:
        await self._stripe.tell(f"{self.shop.url}/webhooks/stripe")

    def signed(self, body: bytes, at_s: int) -> dict[str, str]:
        header = stripe.WebhookSignature.generate_signature_header(body.decode(), WEBHOOK_SECRET, at_s)
        return {"Stripe-Signature": header}


@asynccontextmanager
async def sandbox_bench(session: ClientSession, folder: Path, shop: Shop) -> AsyncIterator[Bench]:
    bank = PrivateSandbox(folder, shop.url)
    bank.start()
    try:
        yield SandboxBench(session, bank, shop)
    finally:
        bank.kill()


@asynccontextmanager
async def stripe_bench(session: ClientSession, folder: Path, shop: Shop) -> AsyncIterator[Bench]:
    async with PrivateStripe(folder) as server:
        yield StripeBench(session, server, shop)


@pytest.fixture(params=[sandbox_bench, stripe_bench], ids=["sandbox", "stripe"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with Shop() as shop, ClientSession() as session, request.param(session, tmp_path, shop) as bench:
        yield bench


@pytest.fixture
def gateway(bench: Bench) -> Gateway:
    return bench.gateway()


@pytest.fixture
def order(bench: Bench) -> Order:
    return order_at(bench, "key-1")


def order_at(bench: Bench, key: str) -> Order:
    return_url = f"{bench.shop.url}/bookings/QWERTY/return"
    return Order(key, "QWERTY", 12_300, "USD", return_url, "ada@example.org", "en")


def told(bench: Bench, which: int = 0) -> tuple[CIMultiDict[str], bytes]:
    """An event that came to the shop, with headers as a server has them."""
    headers, body = bench.shop.told[which]
    return CIMultiDict(headers), body


def event_of(key: str) -> bytes:
    """A body that both take for an event about a payment."""
    data = {"payment": key, "object": {"metadata": {"payment": key}}}
    return json.dumps({"id": "evt_1", "type": "payment_intent.succeeded", "data": data}).encode()


async def test_a_new_checkout_is_open(gateway: Gateway, order: Order) -> None:
    checkout = await gateway.open(order)

    charge = await gateway.ask(checkout.gateway_id)

    assert (charge.gateway_id, charge.outcome) == (checkout.gateway_id, Outcome.OPEN)


async def test_an_order_opened_twice_is_one_checkout(bench: Bench, gateway: Gateway, order: Order) -> None:
    assert await gateway.open(order) == await gateway.open(order)
    assert await bench.checkouts() == 1


async def test_orders_with_keys_of_their_own_are_two(bench: Bench, gateway: Gateway, order: Order) -> None:
    one, other = await gateway.open(order), await gateway.open(replace(order, key="key-2"))

    await bench.pay(one)

    assert (await gateway.ask(one.gateway_id)).outcome == Outcome.CAPTURED
    assert (await gateway.ask(other.gateway_id)).outcome == Outcome.OPEN


@pytest.mark.parametrize(("amount_minor", "currency"), [(12_300, "USD"), (68_200, "KRW")])
async def test_what_was_paid_is_told_to_the_minor_unit(
    bench: Bench, gateway: Gateway, order: Order, amount_minor: int, currency: str
) -> None:
    checkout = await gateway.open(replace(order, amount_minor=amount_minor, currency=currency))

    await bench.pay(checkout)

    charge = await gateway.ask(checkout.gateway_id)
    assert (charge.outcome, charge.amount_minor, charge.currency) == (Outcome.CAPTURED, amount_minor, currency)


async def test_nobody_can_pay_what_was_closed(bench: Bench, gateway: Gateway, order: Order) -> None:
    checkout = await gateway.open(order)

    closed = await gateway.close(checkout.gateway_id)
    await bench.pay(checkout)

    assert closed.outcome == Outcome.DECLINED
    assert await gateway.ask(checkout.gateway_id) == closed


async def test_closing_twice_is_closing_once(gateway: Gateway, order: Order) -> None:
    checkout = await gateway.open(order)

    assert await gateway.close(checkout.gateway_id) == await gateway.close(checkout.gateway_id)


async def test_what_was_paid_cannot_be_closed_any_more(bench: Bench, gateway: Gateway, order: Order) -> None:
    checkout = await gateway.open(order)
    await bench.pay(checkout)

    charge = await gateway.close(checkout.gateway_id)

    assert (charge.outcome, charge.amount_minor) == (Outcome.CAPTURED, 12_300)


async def test_money_goes_back_in_parts_each_of_them_once(bench: Bench, gateway: Gateway, order: Order) -> None:
    checkout = await gateway.open(order)
    await bench.pay(checkout)

    for key, amount_minor in [("refund-1", 300), ("refund-2", 2_000), ("refund-1", 300)]:
        await gateway.refund(key, checkout.gateway_id, amount_minor, "USD")

    assert sorted(await bench.refunds_minor(checkout.gateway_id)) == [300, 2_000]
    assert (await gateway.ask(checkout.gateway_id)).amount_minor == 12_300


async def test_an_order_whose_answer_was_lost_is_opened_once(bench: Bench, gateway: Gateway, order: Order) -> None:
    await bench.lose_answers(lost=True)
    with pytest.raises(GatewayUnavailable):
        await gateway.open(order)
    await bench.lose_answers(lost=False)

    await gateway.open(order)

    assert await bench.checkouts() == 1


async def test_a_refund_whose_answer_was_lost_is_made_once(bench: Bench, gateway: Gateway, order: Order) -> None:
    checkout = await gateway.open(order)
    await bench.pay(checkout)
    await bench.lose_answers(lost=True)
    with pytest.raises(GatewayUnavailable):
        await gateway.refund("refund-1", checkout.gateway_id, 300, "USD")
    await bench.lose_answers(lost=False)

    await gateway.refund("refund-1", checkout.gateway_id, 300, "USD")

    assert await bench.refunds_minor(checkout.gateway_id) == [300]


async def test_a_closing_whose_answer_was_lost_stands(bench: Bench, gateway: Gateway, order: Order) -> None:
    checkout = await gateway.open(order)
    await bench.lose_answers(lost=True)
    with pytest.raises(GatewayUnavailable):
        await gateway.close(checkout.gateway_id)
    await bench.lose_answers(lost=False)

    assert (await gateway.close(checkout.gateway_id)).outcome == Outcome.DECLINED


async def test_of_a_gateway_that_is_gone_nobody_knows_anything(bench: Bench, gateway: Gateway, order: Order) -> None:
    checkout = await gateway.open(order)
    bench.kill()

    await require_silence(gateway, order, checkout)


async def test_a_gateway_that_stays_silent_is_given_up(bench: Bench, gateway: Gateway, order: Order) -> None:
    checkout = await gateway.open(order)
    bench.freeze()

    await require_silence(bench.gateway(IMPATIENCE), order, checkout)


async def require_silence(gateway: Gateway, order: Order, checkout: Checkout) -> None:
    """Whatever went wrong, there is one problem, which all callers know."""
    for call in (
        lambda: gateway.open(replace(order, key="key-2")),
        lambda: gateway.ask(checkout.gateway_id),
        lambda: gateway.close(checkout.gateway_id),
        lambda: gateway.refund("refund-1", checkout.gateway_id, 300, "USD"),
    ):
        with pytest.raises(GatewayUnavailable):
            await call()


async def test_what_a_gateway_refuses_is_told_to_the_operator(
    bench: Bench, order: Order, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(GatewayUnavailable):
        await bench.gateway().ask("pi_unknown")

    assert "please report it" in caplog.text


async def test_an_event_names_the_payment(bench: Bench, gateway: Gateway, order: Order) -> None:
    await bench.be_told()
    checkout = await gateway.open(order)
    await bench.pay(checkout)

    await eventually(lambda: bench.shop.told)
    event = gateway.event(*told(bench))

    assert event is not None
    assert event.payment_key == "key-1"


async def test_an_event_that_comes_twice_has_one_id(bench: Bench, gateway: Gateway, order: Order) -> None:
    await bench.be_told()
    for key in ("key-1", "key-2"):
        await bench.pay(await gateway.open(replace(order, key=key)))
    await eventually(lambda: len(bench.shop.told) == 2)

    ids = [event.id for which in (0, 0, 1) if (event := gateway.event(*told(bench, which)))]

    assert ids[0] == ids[1] != ids[2]


async def test_an_event_whose_body_was_changed_is_forged(bench: Bench, gateway: Gateway) -> None:
    body = event_of("key-1")
    headers = bench.signed(body, int(time.time()))

    assert gateway.event(headers, body)
    with pytest.raises(ForgedEvent):
        gateway.event(headers, body.replace(b"key-1", b"key-2"))


async def test_an_event_that_is_repeated_later_is_forged(bench: Bench, gateway: Gateway) -> None:
    body = event_of("key-1")

    with pytest.raises(ForgedEvent):
        gateway.event(bench.signed(body, int(time.time()) - 400), body)


async def test_an_event_without_a_signature_is_forged(gateway: Gateway) -> None:
    with pytest.raises(ForgedEvent):
        gateway.event({}, event_of("key-1"))


async def test_a_signed_event_of_another_form_is_forged(bench: Bench, gateway: Gateway) -> None:
    for body in (b"", b"[]", b'{"data": 1}'):
        with pytest.raises(ForgedEvent):
            gateway.event(bench.signed(body, int(time.time())), body)


async def test_stripe_gives_back_once_even_when_it_has_forgotten_the_key(tmp_path: Path) -> None:
    """It keeps an idempotency key for a day, and a refund may stay due for longer."""
    async with Shop() as shop, ClientSession() as session, PrivateStripe(tmp_path) as server:
        bench = StripeBench(session, server, shop)
        gateway = bench.gateway()
        checkout = await gateway.open(order_at(bench, "key-1"))
        await bench.pay(checkout)

        for _ in range(2):
            await gateway.refund("refund-1", checkout.gateway_id, 300, "USD")
            server.forget_keys()

        assert await bench.refunds_minor(checkout.gateway_id) == [300]


async def test_what_the_bank_does_too_late_it_has_done(tmp_path: Path) -> None:
    async with Shop() as shop, ClientSession() as session, sandbox_bench(session, tmp_path, shop) as bench:
        assert isinstance(bench, SandboxBench)
        await bench.bank.faults(delay_s=1)
        with pytest.raises(GatewayUnavailable):
            await bench.gateway(IMPATIENCE).open(order_at(bench, "key-1"))

        await eventually(lambda: bench.bank.rows("SELECT id FROM checkouts"))
