"""Money and seats agree: paid once, ticketed or given back, whatever crashes in between. On both databases."""

import asyncio
from collections import Counter
from dataclasses import dataclass

import pytest
from sqlalchemy import func, select

from booking import accounts, bookings, holds, payments
from booking.db import Database
from booking.errors import GatewayUnavailable, HoldExpired, PaymentDeclined, PaymentReturned, PaymentRunning
from booking.gateway import Card, Charge, Outcome
from booking.passwords import Passwords
from booking.sandbox import SandboxGateway
from booking.sweeper import sweep
from booking.tables import PaymentState, sandbox_charges, seats
from booking.tables import payments as payment_table
from tests.booking.bench import DECLINED_CARD, GOOD_CARD, HOLD_S, NOW_S, PASSWORD, Visitor, add_flight, departure, rows
from tests.booking.conftest import Site

CARD = Card("4242424242424242", "12/29", "123")
PRICE_MINOR = 79_000
LATER_S = NOW_S + payments.GIVEN_UP_AFTER_S
NAME = "Ada Lovelace"


async def captured_minor(db: Database) -> int:
    """What the bank took, less what it gave back."""
    query = select(func.sum(sandbox_charges.c.amount_minor - sandbox_charges.c.refunded_minor))
    [total] = await rows(db, query.where(sandbox_charges.c.outcome == "captured"))
    return int(total[0] or 0)


@dataclass(frozen=True)
class Held:
    """A seat held by an account, on a database without a site: the tests are the process that crashes."""

    db: Database
    gateway: SandboxGateway
    account_id: int
    reference: str

    async def begin(self) -> payments.Payment:
        return await payments.begin(self.db, self.account_id, self.reference, NAME, NOW_S)

    async def charge(self, payment: payments.Payment) -> Charge:
        return await self.gateway.charge(payment.key, payment.amount_minor, payment.currency, CARD)

    async def pay(self, now_s: int = NOW_S) -> None:
        await payments.pay(self.db, self.gateway, self.account_id, self.reference, NAME, CARD, now_s)

    async def sweep(self, now_s: int) -> None:
        await sweep(self.db, self.gateway, now_s)

    async def states(self) -> tuple[str, str]:
        """Of the booking, and of the seat."""
        booking = await bookings.find(self.db, self.account_id, self.reference)
        [seat] = await rows(self.db, select(seats.c.state).where(seats.c.label == "7C"))
        return booking.state, seat.state

    async def payment_states(self) -> list[str]:
        return [row.state for row in await rows(self.db, select(payment_table).order_by(payment_table.c.id))]


@pytest.fixture
async def held(db: Database) -> Held:
    wish = accounts.SignUp("ada@example.org", NAME, None, PASSWORD)
    account = await accounts.sign_up(db, Passwords(), wish, NOW_S)
    flight_id = await add_flight(db, departure())
    reference = await holds.hold(db, account.id, flight_id, "7C", NOW_S, HOLD_S)
    return Held(db, SandboxGateway(db), account.id, reference)


async def test_a_payment_makes_a_ticket(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")

    answer = await ada.pay(reference, GOOD_CARD | {"passenger": "Charles  Babbage"})

    assert (answer.status, answer.json["state"], answer.json["passenger"]) == (200, "ticketed", "Charles Babbage")
    assert await ada.seat_state(flight_id, "7C") == "sold"
    assert await captured_minor(site.db) == PRICE_MINOR


async def test_paying_ten_times_at_once_charges_once(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")

    answers = await asyncio.gather(*(ada.pay(reference) for _ in range(10)))

    assert Counter(answer.status for answer in answers) == {200: 1, 409: 9}
    assert {answer.code for answer in answers if answer.status == 409} <= {"payment_running", "not_payable"}
    assert await captured_minor(site.db) == PRICE_MINOR


async def test_the_amount_is_ours_whatever_the_client_sends(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    await ada.pay(reference, GOOD_CARD | {"amount_minor": "1", "currency": "USD", "price": "1"})
    assert await captured_minor(site.db) == PRICE_MINOR


async def test_a_declined_card_keeps_the_seat_for_another_card(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")

    declined = await ada.pay(reference, DECLINED_CARD)

    assert (declined.status, declined.code) == (402, "payment_declined")
    assert await captured_minor(site.db) == 0
    assert await ada.seat_state(flight_id, "7C") == "held"
    assert (await ada.pay(reference)).json["state"] == "ticketed"


async def test_a_declined_booking_expires_like_any_other(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    await ada.pay(reference, DECLINED_CARD)
    site.clock.pass_s(HOLD_S)

    assert (await ada.pay(reference)).code == "hold_expired"
    assert await ada.seat_state(flight_id, "7C") == "free"


async def test_a_card_that_is_none_never_reaches_the_bank(site: Site, ada: Visitor, flight_id: int) -> None:
    reference = await ada.held(flight_id, "7C")
    answer = await ada.pay(reference, {"card_number": "4242424242424241", "card_expires": "12/20", "card_code": "x"})

    assert answer.status == 400
    assert set(answer.json["faults"]) == {"card_number", "card_expires", "card_code"}
    assert await rows(site.db, select(sandbox_charges)) == []


async def test_a_crash_before_the_bank_was_asked_costs_nothing(held: Held) -> None:
    payment = await held.begin()  # and here the process dies

    await held.sweep(LATER_S)

    assert await held.payment_states() == ["declined"]
    assert await held.states() == ("paying", "held")
    assert (await held.charge(payment)).outcome == Outcome.DECLINED, "a late charge must not follow"
    await held.pay(LATER_S)
    assert await held.states() == ("ticketed", "sold")


async def test_a_crash_after_the_bank_was_asked_still_makes_the_ticket(held: Held) -> None:
    await held.charge(await held.begin())  # and here the process dies

    await held.sweep(LATER_S)

    assert await held.states() == ("ticketed", "sold")
    assert await captured_minor(held.db) == PRICE_MINOR


async def test_a_seat_that_is_being_paid_for_does_not_lapse(held: Held) -> None:
    """However long the bank takes: the money that it took buys the seat it was taken for."""
    await held.charge(await held.begin())

    assert await holds.expire(held.db, NOW_S + 10 * HOLD_S) == 0
    await held.sweep(NOW_S + 10 * HOLD_S)

    assert await held.states() == ("ticketed", "sold")


async def test_a_crash_and_an_expiry_free_the_seat_in_one_sweep(held: Held) -> None:
    await held.begin()
    await held.sweep(NOW_S + HOLD_S)
    assert await held.states() == ("expired", "free")


async def test_the_sweeper_leaves_a_payment_alone_that_is_under_way(held: Held) -> None:
    payment = await held.begin()

    await held.sweep(LATER_S - 1)
    assert await held.payment_states() == ["open"]
    with pytest.raises(PaymentRunning):
        await held.pay()

    assert await payments.settle(held.db, await held.charge(payment), NOW_S) == PaymentState.CAPTURED


async def test_settling_twice_changes_nothing(held: Held) -> None:
    charge = await held.charge(await held.begin())
    for _ in range(2):
        assert await payments.settle(held.db, charge, NOW_S) == PaymentState.CAPTURED
    assert await held.states() == ("ticketed", "sold")


async def test_ten_sweepers_and_the_process_itself_settle_once(held: Held) -> None:
    charge = await held.charge(await held.begin())

    await asyncio.gather(payments.settle(held.db, charge, LATER_S), *(held.sweep(LATER_S) for _ in range(10)))

    assert await held.states() == ("ticketed", "sold")
    assert await held.payment_states() == ["captured"]
    assert await captured_minor(held.db) == PRICE_MINOR


class Overcharging(SandboxGateway):
    """A bank that takes more than it was asked for."""

    async def charge(self, key: str, amount_minor: int, currency: str, card: Card) -> Charge:
        return await super().charge(key, amount_minor * 2, currency, card)


class Losing(SandboxGateway):
    """A bank whose answer gets lost on the way."""

    async def charge(self, key: str, amount_minor: int, currency: str, card: Card) -> Charge:
        await super().charge(key, amount_minor, currency, card)
        raise GatewayUnavailable


async def test_another_amount_than_agreed_is_given_back(held: Held) -> None:
    with pytest.raises(PaymentReturned):
        await payments.pay(held.db, Overcharging(held.db), held.account_id, held.reference, NAME, CARD, NOW_S)
    assert await held.states() == ("paying", "held")

    await held.sweep(NOW_S)

    assert await held.payment_states() == ["refunded"]
    assert await rows(held.db, select(sandbox_charges.c.refunded_minor)) == [(PRICE_MINOR * 2,)]
    await held.pay()
    assert await held.payment_states() == ["refunded", "captured"]


async def test_an_answer_that_is_lost_is_asked_for_again(held: Held) -> None:
    with pytest.raises(GatewayUnavailable):
        await payments.pay(held.db, Losing(held.db), held.account_id, held.reference, NAME, CARD, NOW_S)
    assert (await bookings.find(held.db, held.account_id, held.reference)).awaits_bank

    await held.sweep(LATER_S)

    assert await held.states() == ("ticketed", "sold")
    assert await captured_minor(held.db) == PRICE_MINOR


@pytest.mark.parametrize("number", ["4000000000000002", "4000000000009995", "5555555555554444"])
async def test_only_the_good_test_card_pays(held: Held, number: str) -> None:
    card = Card(number, "12/29", "123")
    with pytest.raises(PaymentDeclined):
        await payments.pay(held.db, held.gateway, held.account_id, held.reference, NAME, card, NOW_S)
    assert await captured_minor(held.db) == 0


async def test_the_bank_answers_a_key_the_same_way_twice(held: Held) -> None:
    first = await held.gateway.charge("key", 100, "USD", CARD)
    again = await held.gateway.charge("key", 999, "KRW", Card("4000000000000002", "12/29", "123"))
    assert again == first == await held.gateway.resolve("key")


async def test_paying_after_the_hold_is_refused_before_the_bank_is_asked(held: Held) -> None:
    with pytest.raises(HoldExpired):
        await held.pay(NOW_S + HOLD_S)
    assert await rows(held.db, select(sandbox_charges)) == []


def test_a_card_does_not_show_itself() -> None:
    assert repr(CARD) == "<Card ending in 4242>"
