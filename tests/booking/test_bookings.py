"""Bookings belong to their owners, and can be given up until the flight leaves. On both databases."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import bookings, payments
from booking.errors import FlightDeparted
from booking.sandbox import SandboxGateway
from booking.sweeper import sweep
from booking.tables import accounts, flights, sandbox_charges
from booking.tables import bookings as booking_table
from booking.tables import payments as payment_table
from tests.booking.bench import HOUR_S, NOW_S, Visitor, rows
from tests.booking.conftest import Site


async def test_someone_elses_booking_looks_like_none(site: Site, ada: Visitor, grace: Visitor, flight_id: int) -> None:
    """For reading, paying and cancelling, as an app and as a browser; and nothing happens to it."""
    reference = await ada.held(flight_id, "7C")
    none = await grace.get("/api/bookings/BCDFGH")

    for answer in (
        await grace.get(f"/api/bookings/{reference}"),
        await grace.pay(reference),
        await grace.cancel(reference),
    ):
        assert (answer.status, answer.code) == (none.status, none.code) == (404, "not_found")
    for path in (f"/bookings/{reference}", f"/bookings/{reference}/pay", f"/bookings/{reference}/cancel"):
        assert (await grace.page(path)).status == 404
    assert (await grace.submit("/log-in", f"/bookings/{reference}/cancel")).status == 404
    assert (await ada.get(f"/api/bookings/{reference}")).json["state"] == "held"
    assert (await grace.get("/api/bookings")).json == []


async def test_cancelling_what_is_held_frees_the_seat(ada: Visitor, grace: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")

    assert (await ada.cancel(reference)).json["state"] == "cancelled"
    assert (await grace.hold(flight_id, "7C")).status == 201


async def test_cancelling_a_ticket_frees_the_seat_and_gives_the_money_back(
    site: Site, ada: Visitor, grace: Visitor, flight_id: int
) -> None:
    reference = await ada.held(flight_id, "7C")
    await ada.pay(reference)

    assert (await ada.cancel(reference)).json["state"] == "cancelled"

    assert await rows(site.db, select(sandbox_charges.c.refunded_minor)) == [(79_000,)]
    assert await rows(site.db, select(payment_table.c.state)) == [("refunded",)]
    assert (await grace.hold(flight_id, "7C")).status == 201


async def test_a_crash_before_the_refund_does_not_keep_the_money(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    await ada.pay(reference)
    [account] = await rows(site.db, select(accounts.c.id))
    await bookings.cancel(site.db, account.id, reference, NOW_S)  # and here the process dies

    swept = await sweep(site.db, SandboxGateway(site.db), NOW_S)
    again = await sweep(site.db, SandboxGateway(site.db), NOW_S)

    assert (swept.refunded, again.refunded) == (1, 0)
    assert await rows(site.db, select(sandbox_charges.c.refunded_minor)) == [(79_000,)]


async def test_cancelling_ten_times_at_once_refunds_once(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    await ada.pay(reference)

    answers = await asyncio.gather(*(ada.cancel(reference) for _ in range(10)))

    assert Counter(answer.status for answer in answers) == {200: 1, 409: 9}
    assert {answer.code for answer in answers if answer.status == 409} == {"not_cancellable"}
    assert await rows(site.db, select(sandbox_charges.c.refunded_minor)) == [(79_000,)]


async def test_paying_and_cancelling_at_once_agree(site: Site, ada: Visitor, flight_id: int) -> None:
    """Whoever comes first: either a ticket and its money, or neither."""
    reference = await ada.held(flight_id, "7C")

    await asyncio.gather(ada.pay(reference), ada.cancel(reference))

    state = (await ada.get(f"/api/bookings/{reference}")).json["state"]
    charges = await rows(site.db, select(sandbox_charges.c.amount_minor - sandbox_charges.c.refunded_minor))
    assert (state, sum(row[0] for row in charges)) in {("ticketed", 79_000), ("cancelled", 0)}
    assert await ada.seat_state(flight_id, "7C") == ("sold" if state == "ticketed" else "free")


async def test_a_ticket_cannot_be_cancelled_after_the_departure(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    await ada.pay(reference)
    [account] = await rows(site.db, select(accounts.c.id))

    with pytest.raises(FlightDeparted):
        await bookings.cancel(site.db, account.id, reference, NOW_S + 48 * HOUR_S)


async def test_a_booking_cannot_be_cancelled_while_the_bank_is_asked(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    [account] = await rows(site.db, select(accounts.c.id))
    await payments.begin(site.db, account.id, reference, "Ada", NOW_S)

    assert (await ada.cancel(reference)).code == "payment_running"
    assert "We are waiting for the bank" in (await ada.page(f"/bookings/{reference}")).text


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
        await connection.execute(update(flights).values(economy_minor=999_000))

    await site.db.write(raise_prices)
    assert (await ada.pay(reference)).json["amount_minor"] == 79_000
    assert await rows(site.db, select(sandbox_charges.c.amount_minor)) == [(79_000,)]
    assert await rows(site.db, select(booking_table.c.amount_minor)) == [(79_000,)]
