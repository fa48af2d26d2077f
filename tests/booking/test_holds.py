"""The sale of a seat, over HTTP, on both databases: sold once, held for a while, and free again."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select

from booking.tables import bookings, seats
from tests.booking.bench import HOLD_S, HOUR_S, NOW_S, Visitor, add_buyers, add_flight, departure, rows
from tests.booking.conftest import Site
from tests.booking.mariadb import PrivateMariaDB

BUYERS = 100


async def test_one_seat_is_held_by_one_of_a_hundred_buyers(site: Site, flight_id: int) -> None:
    """All ask at the same moment; one holds, 99 are told clearly, and the database agrees."""
    buyers = [site.customer(account) for account in await add_buyers(site.db, BUYERS)]

    answers = await asyncio.gather(*(buyer.hold(flight_id, "7C") for buyer in buyers))

    assert Counter(answer.status for answer in answers) == {201: 1, 409: BUYERS - 1}
    assert {answer.code for answer in answers if answer.status == 409} == {"seat_taken"}
    [booking] = await rows(site.db, select(bookings))
    [seat] = await rows(site.db, select(seats).where(seats.c.state != "free"))
    assert (seat.label, seat.state, seat.version, seat.booking_id) == ("7C", "held", 1, booking.id)


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
async def test_a_rival_between_looking_and_taking_wins(
    site: Site, ada: Visitor, flight_id: int, mariadb: PrivateMariaDB
) -> None:
    """The seat was free when it was looked at, and is not when it is taken: everything is undone."""
    is_rival_there = True

    def rival(*details: Any) -> None:
        nonlocal is_rival_there
        if is_rival_there and details[2].startswith("UPDATE seats"):
            is_rival_there = False
            mariadb.execute("UPDATE booking.seats SET state = 'sold', version = version + 1 WHERE label = '7C'")

    event.listen(Engine, "before_cursor_execute", rival)
    answer = await ada.hold(flight_id, "7C")
    event.remove(Engine, "before_cursor_execute", rival)

    assert not is_rival_there
    assert (answer.status, answer.code) == (409, "seat_taken")
    assert await rows(site.db, select(bookings)) == []
    [seat] = await rows(site.db, select(seats).where(seats.c.label == "7C"))
    assert (seat.state, seat.booking_id) == ("sold", None)


async def test_one_account_holds_one_seat_however_fast_it_asks(site: Site, ada: Visitor, flight_id: int) -> None:
    """The one who hoards is sent to the seat held already."""
    answers = await asyncio.gather(*(ada.hold(flight_id, f"{row}A") for row in range(1, 11)))

    assert Counter(answer.status for answer in answers) == {201: 1, 409: 9}
    refused = [answer for answer in answers if answer.status == 409]
    reference = next(answer.json["reference"] for answer in answers if answer.status == 201)
    assert {answer.code for answer in refused} == {"already_holding"}
    assert {answer.json["link"] for answer in refused} == {f"/bookings/{reference}/pay"}
    [held] = await rows(site.db, select(func.count()).select_from(seats).where(seats.c.state == "held"))
    assert held[0] == 1


async def test_the_price_is_the_one_of_the_moment_of_the_hold(ada: Visitor, flight_id: int) -> None:
    business = await ada.hold(flight_id, "1A")
    assert (business.json["amount_minor"], business.json["currency"]) == (173_800, "KRW")
    assert business.json["passengers"][0]["cabin"] == "business"
    assert business.json["held_until_s"] == NOW_S + HOLD_S


async def test_an_expired_hold_is_not_payable(site: Site, ada: Visitor, flight_id: int) -> None:
    """Neither before the sweeper has passed nor after."""
    reference = await ada.held(flight_id, "7C")
    site.clock.pass_s(HOLD_S)

    answer = await ada.pay(reference)

    assert (answer.status, answer.code) == (410, "hold_expired")


async def test_the_seat_of_an_expired_hold_is_sold_again_without_a_sweeper(
    site: Site, ada: Visitor, grace: Visitor, flight_id: int
) -> None:
    reference = await ada.held(flight_id, "7C")
    site.clock.pass_s(HOLD_S)

    assert await grace.seat_state(flight_id, "7C") == "free"
    assert (await grace.hold(flight_id, "7C")).status == 201
    assert (await ada.get(f"/api/bookings/{reference}")).json["state"] == "expired"
    assert (await ada.pay(reference)).code == "hold_expired"


async def test_whose_hold_expired_may_hold_again(site: Site, ada: Visitor, flight_id: int) -> None:
    await ada.held(flight_id, "7C")
    site.clock.pass_s(HOLD_S)

    assert (await ada.hold(flight_id, "7C")).status == 201


async def test_whatever_has_lapsed_stands_in_nobodys_way(
    site: Site, ada: Visitor, grace: Visitor, flight_id: int
) -> None:
    """Neither a hold of hers elsewhere, nor one of the seat that she wishes for, nor both."""
    elsewhere = await add_flight(site.db, departure(number="H7 104"))
    await ada.held(elsewhere, "7C")
    await grace.held(flight_id, "7C")
    site.clock.pass_s(HOLD_S)

    assert (await ada.hold(flight_id, "7C")).status == 201


async def test_names_that_come_with_a_hold_are_written_down_with_it(site: Site, ada: Visitor, flight_id: int) -> None:
    """In the order of the seats as they were wished for, and not as a change of the booking."""
    held = await ada.hold(flight_id, "7D", "7C", passengers=["Ada  Lovelace", "Grace Hopper"])

    named = {passenger["seat"]: passenger["name"] for passenger in held.json["passengers"]}
    assert named == {"7D": "Ada Lovelace", "7C": "Grace Hopper"}
    assert await rows(site.db, select(bookings.c.version)) == [(0,)]


async def test_departed_flights_are_not_sold(site: Site, ada: Visitor, flight_id: int) -> None:
    site.clock.pass_s(48 * HOUR_S)
    admitted = site.stranger(site.room.admission(exp=site.clock.now_s + 60))

    late = await (await admitted.sign_up("Late Larry")).hold(flight_id, "7C")

    assert (late.status, late.code) == (410, "flight_departed")


async def test_a_hold_ends_when_the_flight_departs(site: Site, ada: Visitor) -> None:
    soon = await add_flight(site.db, departure(NOW_S + 60))

    assert (await ada.hold(soon, "7C")).json["held_until_s"] == NOW_S + 60


async def test_what_does_not_exist_is_not_found(ada: Visitor, flight_id: int) -> None:
    assert (await ada.hold(flight_id, "99Z")).code == "not_found"
    assert (await ada.hold(flight_id + 1, "7C")).code == "not_found"
    assert (await ada.get(f"/api/flights/{flight_id + 1}/seats")).code == "not_found"
