"""The sandbox bank: the events that it tells, what its ledger outlives, and the faults that it has on demand."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from booking import signatures
from tests.booking.bank import DECLINED, SECRET, PrivateSandbox
from tests.booking.shop import Shop
from tests.servers import eventually


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with Shop() as shop:
        yield shop


@pytest.fixture
async def bank(tmp_path: Path, shop: Shop) -> AsyncIterator[PrivateSandbox]:
    bank = PrivateSandbox(tmp_path / "bank", shop.url)
    bank.start()
    yield bank
    bank.kill()


def ids(shop: Shop) -> list[str]:
    return [headers["webhook-id"] for headers, _body in shop.told]


def types(bank: PrivateSandbox) -> list[str]:
    """The events of the ledger, in their order."""
    return [row[0] for row in bank.rows("SELECT type FROM events ORDER BY rowid")]


async def test_each_event_is_signed_and_names_the_payment(bank: PrivateSandbox, shop: Shop) -> None:
    checkout = await bank.open(key="key-1")
    await bank.pay(checkout["pay_url"])
    await bank.call(
        "POST", f"/v1/checkouts/{checkout['id']}/refunds", {"key": "refund-1", "amount_minor": 300, "currency": "USD"}
    )
    for key, end in [("key-2", "decline"), ("key-3", "close")]:
        other = await bank.open(key=key)
        if end == "decline":
            await bank.pay(other["pay_url"], DECLINED)
        else:
            await bank.call("POST", f"/v1/checkouts/{other['id']}/close")

    await eventually(lambda: len(shop.told) == 4)
    for headers, body in shop.told:
        lower = {name.lower(): value for name, value in headers.items()}
        assert signatures.verify([SECRET], lower, body, int(lower["webhook-timestamp"]))
        assert b"key-" in body
    assert types(bank) == ["checkout.captured", "checkout.refunded", "checkout.declined", "checkout.closed"]


async def test_of_two_who_pay_at_once_one_pays(bank: PrivateSandbox, shop: Shop) -> None:
    checkout = await bank.open()

    await asyncio.gather(*(bank.pay(checkout["pay_url"], card) for card in (DECLINED, *["4242424242424242"] * 8)))

    await eventually(lambda: shop.told)
    assert len(types(bank)) == 1


async def test_an_event_is_repeated_until_the_site_takes_it(bank: PrivateSandbox, shop: Shop) -> None:
    shop.status = 503
    await bank.pay((await bank.open())["pay_url"])
    await eventually(lambda: len(shop.told) >= 2)
    shop.status = 204

    await eventually(bank.has_told_all)

    assert len(set(ids(shop))) == 1


async def test_an_event_survives_the_bank(bank: PrivateSandbox, shop: Shop) -> None:
    """It is in the ledger since the moment that it became true."""
    shop.status = 503
    await bank.pay((await bank.open())["pay_url"])
    await eventually(lambda: shop.told)
    bank.kill()
    shop.told.clear()
    shop.status = 204

    bank.start()

    await eventually(lambda: shop.told)
    await eventually(bank.has_told_all)


async def test_a_paid_checkout_survives_the_bank(bank: PrivateSandbox) -> None:
    checkout = await bank.open()
    await bank.pay(checkout["pay_url"])
    bank.kill()

    bank.start()

    assert await bank.state(checkout) == "captured"


async def test_events_come_several_times_on_demand(bank: PrivateSandbox, shop: Shop) -> None:
    await bank.faults(webhook_copies=3)
    await bank.pay((await bank.open())["pay_url"])

    await eventually(bank.has_told_all)

    assert len(shop.told) == 3
    assert len(set(ids(shop))) == 1


async def test_events_never_come_on_demand(bank: PrivateSandbox, shop: Shop) -> None:
    await bank.faults(drop_webhooks=True)
    await bank.pay((await bank.open())["pay_url"])

    await eventually(bank.has_told_all)

    assert shop.told == []


async def test_events_come_late_on_demand(bank: PrivateSandbox, shop: Shop) -> None:
    await bank.faults(webhook_delay_s=3600)
    await bank.pay((await bank.open())["pay_url"])
    await bank.faults()
    await bank.pay((await bank.open(key="key-2"))["pay_url"])

    await eventually(lambda: shop.told)

    assert b"key-2" in shop.told[0][1]
    assert not bank.has_told_all()


async def test_an_operation_is_out_of_order_on_demand(bank: PrivateSandbox) -> None:
    checkout = await bank.open()
    await bank.faults(refuse=["close"])

    with pytest.raises(AssertionError, match="out_of_order"):
        await bank.call("POST", f"/v1/checkouts/{checkout['id']}/close")
    assert await bank.state(checkout) == "open"


async def test_the_answer_of_an_operation_is_lost_on_demand(bank: PrivateSandbox) -> None:
    await bank.faults(lose_answers=["open"])

    with pytest.raises(aiohttp.ClientConnectionError):
        await bank.open()

    assert len(bank.rows("SELECT id FROM checkouts")) == 1
