"""Bookings over HTTP: they belong to their owners, and can be given up until the flight leaves. On both databases."""

import asyncio
from collections import Counter
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.invariants import breaches
from booking.tables import flight_cabins, payments, refunds
from tests.booking.bench import HOUR_S, Answer, Visitor, rows
from tests.booking.conftest import Site

# 70 of 100 of it come back by the fare `saver`, until a day before.
PRICE_MINOR, BACK_MINOR = 79_000, 55_300


def names_by_seat(answer: Answer) -> dict[str, str]:
    return {passenger["seat"]: passenger["name"] for passenger in answer.json["passengers"]}


async def refunded(site: Site) -> list[Any]:
    return [tuple(row) for row in await rows(site.db, select(refunds.c.amount_minor, refunds.c.state))]


async def test_each_of_a_party_sits_where_they_asked_to(ada: Visitor, flight_id: int) -> None:
    """Whatever the order in which the seats were named."""
    names = ["Grace Hopper", "Ada Lovelace", "Mary Somerville"]
    held = await ada.hold(flight_id, "7D", "1A", "7C", passengers=names)

    assert held.status == 201
    assert names_by_seat(held) == {"7D": "Grace Hopper", "1A": "Ada Lovelace", "7C": "Mary Somerville"}
    assert held.json["amount_minor"] == 2 * PRICE_MINOR + 173_800


async def test_names_are_told_until_payment_begins(ada: Visitor, flight_id: int) -> None:
    held = await ada.hold(flight_id, "7C", "7D", passengers=None)
    path = f"/api/bookings/{held.json['reference']}"
    assert names_by_seat(held) == {"7C": None, "7D": None}

    named = await ada.ask("PUT", f"{path}/passengers", json={"passengers": ["Ada", "Grace"]})
    assert names_by_seat(named) == {"7C": "Ada", "7D": "Grace"}

    await ada.check_out(held.json["reference"])
    late = await ada.ask("PUT", f"{path}/passengers", json={"passengers": ["Eve", "Eve"]})
    assert (late.status, late.code) == (409, "not_nameable")
    assert names_by_seat(await ada.get(path)) == {"7C": "Ada", "7D": "Grace"}


async def test_all_that_is_wrong_with_a_wish_is_told_at_once(site: Site, ada: Visitor, flight_id: int) -> None:
    path = f"/api/flights/{flight_id}/holds"
    shape = {"seats": ["7C", {"label": "7D", "version": "3"}, 8], "fare": None, "meal": "fish"}
    assert set((await ada.post(path, shape)).json["faults"]) == {"seats.1.version", "seats.2", "fare", "meal"}

    meaning = {"seats": ["7C", "7c"], "fare": "first"}
    assert set((await ada.post(path, meaning)).json["faults"]) == {"seats", "fare"}

    names = {"seats": ["7C", "7D", "8C"], "passengers": ["Ada", "<b>", ""]}
    assert set((await ada.post(path, names)).json["faults"]) == {"passenger_2", "passenger_3"}
    assert await ada.seat_state(flight_id, "7C") == "free"


async def test_someone_elses_booking_looks_like_none_and_nothing_happens_to_it(
    ada: Visitor, grace: Visitor, flight_id: int
) -> None:
    reference = await ada.held(flight_id, "7C")
    none = await grace.get("/api/bookings/BCDFGH")

    theirs = [
        await grace.get(f"/api/bookings/{reference}"),
        await grace.pay(reference),
        await grace.settle(reference),
        await grace.cancel(reference),
    ]

    assert {(answer.status, answer.code) for answer in [*theirs, none]} == {(404, "not_found")}
    assert (await ada.get(f"/api/bookings/{reference}")).json["state"] == "held"
    assert (await grace.get("/api/bookings")).json == []


async def test_cancelling_what_is_held_frees_its_seats(ada: Visitor, grace: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C", "7D")

    cancelled = await ada.cancel(reference)

    assert (cancelled.json["state"], cancelled.json["due_minor"]) == ("cancelled", 0)
    assert (await grace.hold(flight_id, "7C", "7D")).status == 201


async def test_cancelling_a_ticket_frees_its_seat_and_gives_back_what_it_said(
    site: Site, ada: Visitor, grace: Visitor, flight_id: int
) -> None:
    """Due at once, and back with the next sweep."""
    reference = await ada.held(flight_id, "7C")
    ticket = await ada.pay(reference)
    assert ticket.json["refund_now_minor"] == BACK_MINOR

    cancelled = await ada.cancel(reference)
    assert (cancelled.json["state"], cancelled.json["due_minor"]) == ("cancelled", BACK_MINOR)
    assert (await grace.hold(flight_id, "7C")).status == 201

    assert [(await site.sweep()).refunded, (await site.sweep()).refunded] == [1, 0]
    shown = (await ada.get(f"/api/bookings/{reference}")).json
    assert (shown["state"], shown["refunded_minor"], shown["due_minor"]) == ("refunded", BACK_MINOR, 0)


async def test_what_comes_back_depends_on_the_fare_and_the_day(site: Site, ada: Visitor, flight_id: int) -> None:
    """A flight that leaves in 48 hours: `saver` gives a part back for 24 of them, `flex` all until the departure."""
    ada.carry(site.room.admission(exp=site.clock.now_s + 72 * HOUR_S))
    flex = (await ada.hold(flight_id, "7C", fare="flex")).json
    await ada.pay(flex["reference"])
    saver = await ada.held(flight_id, "7D")
    await ada.pay(saver)

    site.clock.pass_s(25 * HOUR_S)
    back = {trip["fare"]: trip["refund_now_minor"] for trip in (await ada.get("/api/bookings")).json}

    assert back == {"flex": flex["amount_minor"], "saver": 0}
    assert flex["amount_minor"] == 102_700


async def test_cancelling_ten_times_at_once_gives_back_once(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    await ada.pay(reference)

    answers = await asyncio.gather(*(ada.cancel(reference) for _ in range(10)))

    assert Counter(answer.status for answer in answers) == {200: 1, 409: 9}
    assert {answer.code for answer in answers if answer.status == 409} == {"not_cancellable"}
    await asyncio.gather(*(site.sweep() for _ in range(3)))
    assert await refunded(site) == [(BACK_MINOR, "refunded")]


async def test_paying_and_cancelling_at_once_agree(site: Site, ada: Visitor, flight_id: int) -> None:
    """Whoever comes first: a ticket and its money, or neither."""
    reference = await ada.held(flight_id, "7C")
    pay_url = (await ada.check_out(reference)).json["pay_url"]

    await asyncio.gather(site.bank.pay(pay_url), ada.cancel(reference), return_exceptions=True)
    settled = await ada.settle(reference)

    captured = [row.captured_minor for row in await rows(site.db, select(payments))]
    assert (settled.json["state"], captured) in [("ticketed", [PRICE_MINOR]), ("cancelled", [0])]
    assert await ada.seat_state(flight_id, "7C") == ("sold" if settled.json["state"] == "ticketed" else "free")
    assert await breaches(site.db) == []


async def test_a_ticket_cannot_be_cancelled_after_the_departure(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    await ada.pay(reference)
    site.clock.pass_s(48 * HOUR_S)
    ada.carry(site.room.admission(exp=site.clock.now_s + HOUR_S))

    late = await ada.cancel(reference)

    assert (late.status, late.code) == (410, "flight_departed")


async def test_trips_list_every_booking_with_its_state(ada: Visitor, flight_id: int) -> None:
    first = await ada.held(flight_id, "7C")
    await ada.cancel(first)
    second = await ada.held(flight_id, "7C")
    await ada.pay(second)

    trips = (await ada.get("/api/bookings")).json

    assert [(trip["reference"], trip["state"]) for trip in trips] == [(second, "ticketed"), (first, "cancelled")]


async def test_the_price_of_a_booking_does_not_follow_the_flight(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")

    async def raise_prices(connection: AsyncConnection) -> None:
        await connection.execute(update(flight_cabins).values(price_minor=999_000))

    await site.db.write(raise_prices)

    assert (await ada.pay(reference)).json["amount_minor"] == PRICE_MINOR
    assert [row.captured_minor for row in await rows(site.db, select(payments))] == [PRICE_MINOR]
