"""The seat map as a browser without scripts uses it: boxes to tick, a fare, and what is said when a seat was lost."""

import re

import pytest

from tests.booking.bench import HOUR_S, NOW_S, PASSWORD, Visitor, add_flight, departure
from tests.booking.conftest import Site
from tests.booking.forms import fill_in, is_free, seat_box, sent_by, ticked

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PERSON = {"name": "Ada Lovelace", "email": "ada@example.org", "password": PASSWORD, "password_again": PASSWORD}


async def test_a_party_holds_its_seats_by_the_fare_chosen(ada: Visitor, flight_id: int) -> None:
    flight = f"/flights/{flight_id}"
    page = await ada.page(flight)

    wished = [seat_box(page, label) for label in ("7C", "7D", "8C")]
    held = await fill_in(ada, page, flight, seat=wished, fare="flex")

    assert held.status == 303
    assert re.fullmatch(r"/bookings/[A-Z]{6}/passengers", held.headers["Location"])
    order = await ada.page(held.headers["Location"])
    assert [label for label in ("7C", "7D", "8C") if f"{label}, Economy" in order.text] == ["7C", "7D", "8C"]
    assert "₩308,100" in order.text
    assert "<strong>Flex.</strong>" in order.text


async def test_the_map_names_each_fare_with_its_prices_and_what_comes_back(ada: Visitor, flight_id: int) -> None:
    page = await ada.page(f"/flights/{flight_id}")
    for said in ("₩79,000", "₩173,800", "₩102,700", "₩225,940"):
        assert said in page.text
    assert "70% back until 24 hours before departure, nothing after that." in page.text
    assert "100% back until departure." in page.text
    assert ("fare", "saver") in sent_by(page, f"/flights/{flight_id}")


async def test_a_lost_seat_is_named_and_the_others_stay_chosen(ada: Visitor, grace: Visitor, flight_id: int) -> None:
    """Grace has loaded the map before Ada takes one of the seats that she chooses."""
    flight = f"/flights/{flight_id}"
    page = await grace.page(flight)
    await ada.held(flight_id, "7C")

    answer = await fill_in(
        grace, page, flight, seat=[seat_box(page, label) for label in ("7B", "7C", "8C")], fare="flex"
    )

    assert answer.status == 409
    assert "Taken a moment ago: 7C." in answer.text
    assert ticked(answer, flight) == ["7B", "8C"]
    assert not is_free(answer, "7C")
    assert ("fare", "flex") in sent_by(answer, flight)
    again = await fill_in(grace, answer, flight)
    assert again.status == 303, "what is still chosen can be held at once"


async def test_a_seat_that_changed_hands_since_it_was_seen_is_lost_even_if_it_is_free_again(
    ada: Visitor, grace: Visitor, flight_id: int
) -> None:
    flight = f"/flights/{flight_id}"
    page = await grace.page(flight)
    await ada.cancel(await ada.held(flight_id, "7C"))

    answer = await fill_in(grace, page, flight, seat=[seat_box(page, "7C")])

    assert answer.status == 409
    assert is_free(answer, "7C"), "the map that is shown now has the seat as it is now"
    assert (await fill_in(grace, answer, flight, seat=[seat_box(answer, "7C")])).status == 303


@pytest.mark.parametrize(
    ("seats", "said"),
    [
        ([], "Choose one to 9 seats."),
        ([f"{row}A" for row in range(3, 13)], "Choose one to 9 seats."),
        (["<script>"], "Name seats such as 12A."),
    ],
    ids=["none", "ten", "nonsense"],
)
async def test_a_choice_that_cannot_be_is_said_on_the_map(
    ada: Visitor, flight_id: int, seats: list[str], said: str
) -> None:
    flight = f"/flights/{flight_id}"
    answer = await fill_in(ada, await ada.page(flight), flight, seat=seats)
    assert answer.status == 400
    assert said in answer.text


async def test_a_fare_that_there_is_not_is_said_and_the_lowest_chosen_instead(ada: Visitor, flight_id: int) -> None:
    flight = f"/flights/{flight_id}"
    page = await ada.page(flight)
    answer = await fill_in(ada, page, flight, seat=[seat_box(page, "7C")], fare="first")
    assert answer.status == 400
    assert "Choose one of the fares saver, flex." in answer.text
    assert ("fare", "saver") in sent_by(answer, flight)
    assert ticked(answer, flight) == ["7C"]


async def test_a_stranger_signs_up_on_the_way_and_keeps_the_choice(site: Site, flight_id: int) -> None:
    visitor, flight = site.visitor(), f"/flights/{flight_id}"
    page = await visitor.page(flight)

    asked = await fill_in(visitor, page, flight, seat=[seat_box(page, "7C"), seat_box(page, "7D")], fare="flex")
    log_in = await visitor.page(asked.headers["Location"])
    to_sign_up = re.search(r'id="to-sign-up" href="([^"]+)"', log_in.text)
    assert to_sign_up
    sign_up = await visitor.page(to_sign_up[1])
    signed_up = await fill_in(visitor, sign_up, "/sign-up", **PERSON)

    assert (signed_up.status, signed_up.headers["Location"]) == (303, f"{flight}?seat=7C&seat=7D&fare=flex")
    back = await visitor.page(signed_up.headers["Location"])
    assert "Your choice is kept: 7C, 7D." in back.text
    assert ticked(back, flight) == ["7C", "7D"]
    assert ("fare", "flex") in sent_by(back, flight)
    assert (await fill_in(visitor, back, flight)).status == 303


async def test_who_comes_back_to_a_seat_that_is_gone_is_told(ada: Visitor, grace: Visitor, flight_id: int) -> None:
    await ada.held(flight_id, "7C")
    page = await grace.page(f"/flights/{flight_id}?seat=7C&seat=7D")
    assert "Taken meanwhile: 7C. Your other seats are still chosen." in page.text
    assert ticked(page, f"/flights/{flight_id}") == ["7D"]


async def test_a_second_hold_leads_to_the_first(ada: Visitor, flight_id: int) -> None:
    reference, flight = await ada.held(flight_id, "7C"), f"/flights/{flight_id}"
    page = await ada.page(flight)
    answer = await fill_in(ada, page, flight, seat=[seat_box(page, "7D")])
    assert answer.status == 409
    assert f'href="/bookings/{reference}/pay"' in answer.text


async def test_a_form_sent_twice_holds_once(ada: Visitor, flight_id: int) -> None:
    flight = f"/flights/{flight_id}"
    page = await ada.page(flight)
    answers = [await fill_in(ada, page, flight, seat=[seat_box(page, "7C")]) for _ in range(2)]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]


async def test_a_departed_flight_can_be_looked_at_but_not_booked(site: Site, ada: Visitor) -> None:
    flight_id = await add_flight(site.db, departure(NOW_S + HOUR_S))
    flight = f"/flights/{flight_id}"
    page = await ada.page(flight)
    site.clock.pass_s(HOUR_S)

    answer = await fill_in(ada, page, flight, seat=[seat_box(page, "7C")])

    assert answer.status == 410
    assert "has departed" in answer.text
    assert not is_free(await ada.page(flight), "7C")


@pytest.mark.parametrize("hint", ["", "0", "10", "x", "-1", "%D9%A3"])
async def test_a_party_that_cannot_be_is_no_hint(ada: Visitor, flight_id: int, hint: str) -> None:
    page = await ada.page(f"/flights/{flight_id}?party={hint}")
    assert page.status == 200
    assert re.search(r"<h1>Choose (your|9) seats</h1>", page.text)
