"""The pages as a browser without JavaScript uses them: forms, redirects, and what they say when something is wrong."""

import re

import pytest

from tests.booking.bench import DECLINED_CARD, GOOD_CARD, HOLD_S, PASSWORD, Visitor
from tests.booking.conftest import Site

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PERSON = {"name": "Ada Lovelace", "email": "ada@example.org", "password": PASSWORD, "password_again": PASSWORD}


def seat(text: str, label: str) -> str:
    """The radio button of a seat."""
    found = re.search(rf'<input type="radio" name="seat" value="{label}".*?>', text, re.DOTALL)
    assert found
    return found[0]


async def test_a_stranger_signs_up_on_the_way_and_keeps_the_choice(site: Site, flight_id: int) -> None:
    """From the seat map through log-in and sign-up back to the map, and on to the ticket."""
    visitor, flight = site.visitor(), f"/flights/{flight_id}"

    asked = await visitor.submit(flight, flight, seat="7C")
    assert asked.headers["Location"] == f"/log-in?next=%2Fflights%2F{flight_id}%3Fseat%3D7C"
    log_in = await visitor.page(asked.headers["Location"])
    assert f'href="/sign-up?next=/flights/{flight_id}%3Fseat%3D7C"' in log_in.text
    signed_up = await visitor.submit("/sign-up", "/sign-up", next=f"{flight}?seat=7C", **PERSON)
    assert (signed_up.status, signed_up.headers["Location"]) == (303, f"{flight}?seat=7C")

    seats = await visitor.page(f"{flight}?seat=7C")
    assert "checked" in seat(seats.text, "7C")
    held = await visitor.submit(flight, flight, seat="7C")
    pay = held.headers["Location"]
    assert re.fullmatch(r"/bookings/[A-Z]{6}/pay", pay)
    paid = await visitor.submit(pay, pay, passenger="Ada Lovelace", **GOOD_CARD)
    ticket = await visitor.page(paid.headers["Location"])

    assert paid.status == 303
    assert 'id="ticket-seat">7C<' in ticket.text
    assert paid.headers["Location"] in (await visitor.page("/trips")).text


async def test_a_lost_seat_shows_the_map_again(site: Site, ada: Visitor, grace: Visitor, flight_id: int) -> None:
    await ada.held(flight_id, "7C")

    answer = await grace.submit(f"/flights/{flight_id}", f"/flights/{flight_id}", seat="7C")

    assert answer.status == 409
    assert "Seat 7C was taken a moment ago." in answer.text
    assert "disabled" in seat(answer.text, "7C")
    assert "held by someone" in seat(answer.text, "7C")
    assert "disabled" not in seat(answer.text, "7D")


async def test_no_seat_chosen_says_so(ada: Visitor, flight_id: int) -> None:
    answer = await ada.submit(f"/flights/{flight_id}", f"/flights/{flight_id}")
    assert answer.status == 400
    assert "Choose a seat first." in answer.text


async def test_a_second_hold_leads_to_the_first(ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    answer = await ada.submit(f"/flights/{flight_id}", f"/flights/{flight_id}", seat="7D")
    assert answer.status == 409
    assert f'href="/bookings/{reference}/pay"' in answer.text


async def test_the_pay_page_counts_down_and_names_the_test_cards(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    site.clock.pass_s(61)
    page = await ada.page(f"/bookings/{reference}/pay")
    assert f'data-seconds="{HOLD_S - 61}">13:59<' in page.text
    assert "4242 4242 4242 4242" in page.text


async def test_a_form_sent_twice_leads_to_the_ticket(ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    pay = f"/bookings/{reference}/pay"
    fields = {"passenger": "Ada", **GOOD_CARD}
    answers = [await ada.submit("/", pay, **fields), await ada.submit("/", pay, **fields)]
    assert [answer.headers["Location"] for answer in answers] == [f"/bookings/{reference}"] * 2


async def test_a_declined_card_is_said_on_the_form_and_its_number_not_shown_again(ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    pay = f"/bookings/{reference}/pay"
    answer = await ada.submit(pay, pay, passenger="Ada", **(DECLINED_CARD | {"card_code": "7531"}))

    assert answer.status == 402
    assert "The bank declined the card. Nothing was charged" in answer.text
    assert 'name="card_number" type="text" value=""' in answer.text
    assert "7531" not in answer.text


async def test_what_is_wrong_with_a_card_stands_next_to_the_field(ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    pay = f"/bookings/{reference}/pay"
    answer = await ada.submit(pay, pay, passenger="", card_number="1", card_expires="13/29", card_code="1")
    assert answer.status == 400
    assert set(re.findall(r'id="(\w+)-fault"', answer.text)) == {
        "passenger",
        "card_number",
        "card_expires",
        "card_code",
    }


async def test_an_expired_hold_is_explained(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    site.clock.pass_s(HOLD_S)
    led = await ada.page(f"/bookings/{reference}/pay")
    assert led.headers["Location"] == f"/bookings/{reference}"
    assert "The time to pay is over" in (await ada.page(f"/bookings/{reference}")).text


async def test_cancelling_asks_first(ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    await ada.pay(reference)
    cancel = f"/bookings/{reference}/cancel"
    assert "₩79,000 go back to your card" in (await ada.page(cancel)).text

    answer = await ada.submit(cancel, cancel)

    assert answer.headers["Location"] == f"/bookings/{reference}"
    assert "refunded to the card" in (await ada.page(f"/bookings/{reference}")).text
    assert (await ada.page(cancel)).status == 303, "there is nothing left to cancel"


async def test_sign_up_keeps_what_was_typed_but_the_password(site: Site) -> None:
    answer = await site.visitor().submit("/sign-up", "/sign-up", **(PERSON | {"email": "ada"}))
    assert answer.status == 400
    assert 'id="email-fault"' in answer.text
    assert 'value="Ada Lovelace"' in answer.text
    assert PASSWORD not in answer.text


async def test_an_email_taken_is_said_next_to_the_field(site: Site) -> None:
    visitor = site.visitor()
    await visitor.submit("/sign-up", "/sign-up", **PERSON)
    answer = await visitor.submit("/sign-up", "/sign-up", **PERSON)
    assert answer.status == 409
    assert "An account with this e-mail exists." in answer.text


async def test_a_wrong_password_shows_the_form_again(site: Site) -> None:
    answer = await site.visitor().submit("/log-in", "/log-in", next="/trips", email="a@b.de", password="wrong")
    assert answer.status == 401
    assert "E-mail or password is wrong." in answer.text
    assert 'name="next" value="/trips"' in answer.text


async def test_names_are_escaped(site: Site, flight_id: int) -> None:
    visitor = await site.visitor().sign_up('Robert "O\'Neil" & Sons')
    await visitor.held(flight_id, "7C")
    assert "Robert &#34;O&#39;Neil&#34; &amp; Sons" in (await visitor.page("/trips")).text


async def test_what_is_not_there_is_a_page_for_people_and_a_document_for_apps(ada: Visitor) -> None:
    page, document = await ada.page("/nowhere"), await ada.get("/api/nowhere")
    assert (page.status, document.status) == (404, 404)
    assert 'id="problem"' in page.text
    assert document.code == "not_found"


async def test_a_body_without_end_is_refused(ada: Visitor) -> None:
    answer = await ada.post("/api/session", {"email": "a" * 100_000})
    assert answer.status == 413


@pytest.mark.parametrize("body", ["", "[]", "{", '{"email": 1}', '{"email": {"a": []}}', "[" * 50_000])
async def test_a_body_that_is_no_object_of_strings_is_refused(ada: Visitor, body: str) -> None:
    answer = await ada.ask("POST", "/api/session", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.code) == (400, "invalid")
