"""From the names to the tickets and back again, as a browser without scripts goes, by way of the bank."""

import re

import pytest

from booking.flights import PAYING_GRACE_S
from tests.booking.bank import DECLINED, PAYS
from tests.booking.bench import HOLD_S, HOUR_S, Visitor
from tests.booking.conftest import Site
from tests.booking.forms import fill_in, sent_by
from tests.booking.trip import bought, chosen, named, to_the_bank

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

RELEASE = "X-Waitroom-Command"


async def test_a_party_goes_from_its_names_to_its_tickets(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await chosen(ada, flight_id, "7C", "7D", "8C")
    path = f"/bookings/{reference}/passengers"
    asked = await ada.page(path)
    assert ("passenger_1", "Ada Lovelace") in sent_by(asked, path), "most people book for themselves, too"

    told = await fill_in(ada, asked, path, passenger_2="Grace  Hopper", passenger_3="홍길동")
    assert told.headers["Location"] == f"/bookings/{reference}/pay"
    led = await to_the_bank(ada, reference)
    assert led.status == 303
    assert led.headers["Location"].startswith(site.bank.url)
    back = await site.bank.pay(led.headers["Location"])
    assert back == f"{site.bank.site_url}/bookings/{reference}/return"
    tickets = await ada.page(f"/bookings/{reference}/return")

    assert tickets.status == 200
    for name, seat in (("Ada Lovelace", "7C"), ("Grace Hopper", "7D"), ("홍길동", "8C")):
        assert re.search(rf"<dd>{name}</dd>.*?class=\"big\">{seat}</dd>", tickets.text, re.DOTALL)
    numbers = re.findall(r"<dd>(977\d{10})</dd>", tickets.text)
    assert len(set(numbers)) == 3
    assert tickets.text.count("<svg") == 3
    trips = await ada.page("/trips")
    assert f'href="/bookings/{reference}"' in trips.text
    assert "7C, 7D, 8C" in trips.text


async def test_the_place_in_the_waiting_room_is_given_back_with_the_tickets_and_not_before(
    site: Site, ada: Visitor, flight_id: int
) -> None:
    reference = await named(ada, flight_id, passenger_1="Ada Lovelace")
    led = await to_the_bank(ada, reference)
    waiting = await ada.page(f"/bookings/{reference}/return")
    await site.bank.pay(led.headers["Location"])
    tickets = await ada.page(f"/bookings/{reference}/return")
    later = await ada.page(f"/bookings/{reference}")
    assert [answer.headers.get(RELEASE) for answer in (led, waiting, tickets, later)] == [None, None, "release", None]
    assert 'id="ticket"' in tickets.text, "the next page may be behind the line again"


async def test_until_the_bank_knows_the_page_waits_and_looks_again(ada: Visitor, flight_id: int) -> None:
    reference = await named(ada, flight_id, passenger_1="Ada Lovelace")
    await to_the_bank(ada, reference)
    waiting = await ada.page(f"/bookings/{reference}/return")
    assert waiting.status == 200
    assert waiting.headers["Refresh"] == "3"
    assert "The bank has not told us of your payment yet." in waiting.text
    assert f'href="/bookings/{reference}/pay"' in waiting.text


async def test_a_declined_card_leads_back_with_the_reason_and_can_be_tried_anew(
    site: Site, ada: Visitor, flight_id: int
) -> None:
    reference = await named(ada, flight_id, passenger_1="Ada Lovelace")
    led = await to_the_bank(ada, reference)
    await site.bank.pay(led.headers["Location"], DECLINED)

    back = await ada.page(f"/bookings/{reference}/return")
    assert (back.status, back.headers["Location"]) == (303, f"/bookings/{reference}/pay")
    again = await ada.page(f"/bookings/{reference}/pay")
    assert "The bank declined the card." in again.text

    anew = await to_the_bank(ada, reference)
    assert anew.headers["Location"] != led.headers["Location"]
    await site.bank.pay(anew.headers["Location"], PAYS)
    assert 'id="ticket"' in (await ada.page(f"/bookings/{reference}/return")).text


async def test_whoever_goes_back_before_paying_finds_the_same_page_of_the_bank(ada: Visitor, flight_id: int) -> None:
    reference = await named(ada, flight_id, passenger_1="Ada Lovelace")
    led = [await to_the_bank(ada, reference) for _ in range(2)]
    assert led[0].headers["Location"] == led[1].headers["Location"]


async def test_faults_in_names_stand_next_to_their_fields_and_the_rest_is_kept(ada: Visitor, flight_id: int) -> None:
    reference = await chosen(ada, flight_id, "7C", "7D", "8C")
    path = f"/bookings/{reference}/passengers"
    answer = await fill_in(ada, await ada.page(path), path, passenger_2=" ", passenger_3="x" * 81)
    assert answer.status == 400
    assert re.findall(r'id="(\w+)-fault"', answer.text) == ["passenger_2", "passenger_3"]
    assert ("passenger_1", "Ada Lovelace") in sent_by(answer, path)
    assert ("passenger_3", "x" * 81) in sent_by(answer, path)


async def test_who_has_told_no_names_is_asked_for_them_before_paying(ada: Visitor, flight_id: int) -> None:
    reference = await chosen(ada, flight_id, "7C")
    asked = await ada.page(f"/bookings/{reference}/pay")
    assert (asked.status, asked.headers["Location"]) == (303, f"/bookings/{reference}/passengers")


async def test_the_pay_page_counts_down_and_states_the_fare(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await named(ada, flight_id, passenger_1="Ada", passenger_2="Grace")
    site.clock.pass_s(61)
    page = await ada.page(f"/bookings/{reference}/pay")
    assert f'data-seconds="{HOLD_S - 61}">13:59<' in page.text
    assert "Pay ₩158,000" in page.text
    assert "70%" in page.text


async def test_an_expired_hold_is_explained_and_leads_back_to_the_map(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await chosen(ada, flight_id, "7C")
    form = await ada.page(f"/bookings/{reference}/passengers")
    site.clock.pass_s(HOLD_S)

    for path in ("passengers", "pay"):
        led = await ada.page(f"/bookings/{reference}/{path}")
        assert led.headers["Location"] == f"/bookings/{reference}"
    late = await fill_in(ada, form, f"/bookings/{reference}/passengers")
    assert late.status == 410
    page = await ada.page(f"/bookings/{reference}")
    assert "The time to pay is over" in page.text
    assert f'href="/flights/{flight_id}"' in page.text


async def test_money_that_came_too_late_for_the_seats_is_said_to_come_back(
    site: Site, ada: Visitor, grace: Visitor, flight_id: int
) -> None:
    """Ada pays long after her hold, when Grace has the seat already."""
    reference = await named(ada, flight_id, passenger_1="Ada Lovelace")
    led = await to_the_bank(ada, reference)
    site.clock.pass_s(HOLD_S + PAYING_GRACE_S)
    await grace.held(flight_id, "7C")
    await site.bank.pay(led.headers["Location"])

    back = await ada.page(f"/bookings/{reference}/return")
    again = await ada.page(back.headers["Location"])
    shown = await ada.page(again.headers["Location"])

    assert back.headers.get(RELEASE) is None
    assert "the seats are free again" in shown.text
    assert "₩79,000 is on its way back to you." in shown.text


async def test_a_paid_booking_leads_from_the_forms_to_its_tickets(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await named(ada, flight_id, passenger_1="Ada Lovelace")
    pay_form = await ada.page(f"/bookings/{reference}/pay")
    led = await to_the_bank(ada, reference)
    await site.bank.pay(led.headers["Location"])
    await ada.page(f"/bookings/{reference}/return")
    for path in ("passengers", "pay"):
        assert (await ada.page(f"/bookings/{reference}/{path}")).headers["Location"] == f"/bookings/{reference}"
    again = await fill_in(ada, pay_form, f"/bookings/{reference}/pay")
    assert again.headers["Location"] == f"/bookings/{reference}"


@pytest.mark.parametrize(
    ("before_departure_s", "back"), [(48 * HOUR_S, "₩110,600"), (HOUR_S, "₩0")], ids=["in time", "too late"]
)
async def test_cancelling_says_what_comes_back_now_and_gives_it_back(
    site: Site, ada: Visitor, flight_id: int, before_departure_s: int, back: str
) -> None:
    reference = await bought(site, ada, flight_id)
    site.clock.pass_s(48 * HOUR_S - before_departure_s)
    ada.carry(site.room.admission(exp=site.clock.now_s + HOUR_S))
    path = f"/bookings/{reference}/cancel"
    asked = await ada.page(path)
    assert f'id="comes-back">{back}<' in asked.text

    answer = await fill_in(ada, asked, path)

    assert answer.headers["Location"] == f"/bookings/{reference}"
    shown = await ada.page(f"/bookings/{reference}")
    assert "This booking was cancelled" in shown.text
    assert (f"{back} is on its way back to you." in shown.text) == (back != "₩0")
    assert (await ada.page(path)).status == 303, "there is nothing left to cancel"


async def test_seats_that_are_only_held_are_given_back_without_money(ada: Visitor, flight_id: int) -> None:
    reference = await chosen(ada, flight_id, "7C", "7D")
    path = f"/bookings/{reference}/cancel"
    asked = await ada.page(path)
    assert "Nothing was charged." in asked.text
    await fill_in(ada, asked, path)
    assert await ada.seat_state(flight_id, "7C") == "free"


async def test_nobody_finds_the_booking_of_another(ada: Visitor, grace: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    own = await grace.held(flight_id, "7D")
    form = sent_by(await grace.page(f"/bookings/{own}/cancel"), f"/bookings/{own}/cancel")
    fields = [field for field in form if field[0] == "form_token"]
    for path in ("", "/passengers", "/pay", "/return", "/cancel"):
        assert (await grace.page(f"/bookings/{reference}{path}")).status == 404
    for path in ("/passengers", "/pay", "/cancel"):
        answer = await grace.ask("POST", f"/bookings/{reference}{path}", data=fields, headers={"Accept": "text/html"})
        assert answer.status == 404


async def test_names_are_escaped(ada: Visitor, flight_id: int) -> None:
    reference = await named(ada, flight_id, passenger_1='Robert "O\'Neil" & Sons')
    assert "Robert &#34;O&#39;Neil&#34; &amp; Sons" in (await ada.page(f"/bookings/{reference}/pay")).text
