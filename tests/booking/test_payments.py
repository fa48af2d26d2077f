"""Paying over HTTP, at the real sandbox bank: what was taken is a ticket, once, and whoever only says so has none."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.db import Database
from booking.invariants import breaches
from booking.payments import settle
from booking.tables import inbox, outbox, payments
from tests.booking.bank import DECLINED, INSUFFICIENT_FUNDS
from tests.booking.bench import HOLD_S, NOW_S, Visitor, rows
from tests.booking.conftest import Site

PRICE_MINOR = 79_000


async def test_a_payment_makes_a_ticket_for_each_of_a_party(site: Site, ada: Visitor, flight_id: int) -> None:
    """And the waiting room is asked to give the place to the next: who has tickets needs it no more."""
    paid = await ada.pay(await ada.held(flight_id, "7C", "7D", "8C"))

    tickets = [passenger["ticket"] for passenger in paid.json["passengers"]]
    assert (paid.status, paid.json["state"], paid.json["held_until_s"]) == (200, "ticketed", None)
    assert len(set(tickets)) == 3
    assert {len(ticket) for ticket in tickets} == {13}
    assert {await ada.seat_state(flight_id, label) for label in ("7C", "7D", "8C")} == {"sold"}
    assert paid.headers["X-Waitroom-Command"] == "release"
    assert await breaches(site.db) == []


async def test_who_only_says_so_has_not_paid(ada: Visitor, flight_id: int) -> None:
    """The bank is asked, and knows nothing of it: the place is kept, and so are the seats for a while."""
    reference = await ada.held(flight_id, "7C")
    await ada.check_out(reference)

    settled = await ada.settle(reference)

    assert (settled.json["state"], settled.json["awaits_payment"]) == ("paying", True)
    assert "X-Waitroom-Command" not in settled.headers


async def test_the_amount_is_ours_whatever_the_client_sends(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    for body in ({"amount_minor": 1}, {"currency": "USD"}, {"return_url": "https://evil.example"}):
        assert (await ada.post(f"/api/bookings/{reference}/checkout", body)).code == "invalid"

    assert (await ada.pay(reference)).json["amount_minor"] == PRICE_MINOR
    assert [row.captured_minor for row in await rows(site.db, select(payments))] == [PRICE_MINOR]


async def test_ten_who_check_out_at_once_pay_at_one_place(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")

    answers = await asyncio.gather(*(ada.check_out(reference) for _ in range(10)))

    assert Counter(answer.status for answer in answers) == {200: 10}
    assert len({answer.json["pay_url"] for answer in answers}) == 1
    assert len(await rows(site.db, select(payments))) == 1


async def test_ten_who_settle_at_once_are_told_the_same_ticket(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    await site.bank.pay((await ada.check_out(reference)).json["pay_url"])

    answers = await asyncio.gather(*(ada.settle(reference) for _ in range(10)))

    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["passengers"][0]["ticket"] for answer in answers}) == 1
    assert len(await rows(site.db, select(outbox).where(outbox.c.event == "ticketed"))) == 1
    assert await breaches(site.db) == []


async def test_who_settles_a_moment_after_another_is_told_the_ticket(
    site: Site, ada: Visitor, flight_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bank's event is worked off just when the payer's request has begun to read."""
    reference = await ada.held(flight_id, "7C")
    await site.bank.pay((await ada.check_out(reference)).json["pay_url"])
    [payment] = await rows(site.db, select(payments))
    reading = Database.reading

    @asynccontextmanager
    async def overtaken(db: Database, name: str) -> AsyncIterator[AsyncConnection]:
        async with reading(db, name) as connection:
            yield connection
        if name in {"booking", "payments_open_of_booking"}:
            monkeypatch.undo()
            await settle(site.db, site.gateway, payment.key, NOW_S)

    monkeypatch.setattr(Database, "reading", overtaken)

    assert (await ada.settle(reference)).json["state"] == "ticketed"


async def test_what_is_paid_is_not_paid_again(ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    await ada.pay(reference)

    again = await ada.check_out(reference)

    assert (again.status, again.code) == (409, "not_payable")


async def test_nobody_pays_before_all_have_names(ada: Visitor, flight_id: int) -> None:
    held = await ada.hold(flight_id, "7C", "7D", passengers=None)

    answer = await ada.check_out(held.json["reference"])

    assert (answer.status, answer.code) == (409, "names_missing")


@pytest.mark.parametrize("card", [DECLINED, INSUFFICIENT_FUNDS])
async def test_a_declined_card_keeps_the_seats_for_another_card(
    site: Site, ada: Visitor, flight_id: int, card: str
) -> None:
    reference = await ada.held(flight_id, "7C")

    declined = await ada.pay(reference, card)
    assert (declined.json["state"], declined.json["awaits_payment"]) == ("paying", False)
    assert await ada.seat_state(flight_id, "7C") == "held"

    assert (await ada.pay(reference)).json["state"] == "ticketed"
    assert await breaches(site.db) == []


async def test_a_declined_booking_expires_like_any_other(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    await ada.pay(reference, DECLINED)
    site.clock.pass_s(HOLD_S)

    assert (await ada.check_out(reference)).code == "hold_expired"
    assert await ada.seat_state(flight_id, "7C") == "free"


async def test_a_payment_of_which_nobody_told_us_is_found_by_the_sweeper(
    site: Site, ada: Visitor, flight_id: int
) -> None:
    """The payer never came back from the bank, and its event was lost."""
    reference = await ada.held(flight_id, "7C")
    await site.bank.pay((await ada.check_out(reference)).json["pay_url"])
    site.clock.pass_s(HOLD_S)

    await site.sweep()

    assert (await ada.get(f"/api/bookings/{reference}")).json["state"] == "ticketed"
    assert await breaches(site.db) == []


async def test_while_the_bank_does_not_answer_the_seats_are_kept(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    await site.bank.faults(refuse=["open"])
    refused = await ada.check_out(reference)
    await site.bank.faults()

    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (503, "gateway_unavailable", "5")
    assert (await ada.pay(reference)).json["state"] == "ticketed"


async def test_an_event_is_believed_by_its_signature_alone(site: Site, ada: Visitor, flight_id: int) -> None:
    """It has no admission, so it needs none; and whoever makes one up is told so."""
    await ada.check_out(await ada.held(flight_id, "7C"))
    [payment] = await rows(site.db, select(payments))
    headers = {"webhook-id": "1", "webhook-timestamp": str(NOW_S), "webhook-signature": "v1,bWFkZSB1cA=="}
    forged = {"type": "checkout.captured", "data": {"payment": payment.key}}

    answer = await site.stranger().ask("POST", "/webhooks/sandbox", json=forged, headers=headers)

    assert (answer.status, answer.code) == (400, "forged_event")
    assert await rows(site.db, select(inbox)) == []
