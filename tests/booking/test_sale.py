"""The sale of seats to parties, on both databases: all of a party's seats or none, once, for a price that stays."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from booking import bookings, holds, payments, refunds
from booking.account import Account
from booking.db import Database
from booking.errors import (
    AdmissionHolding,
    AlreadyHolding,
    GatewayUnavailable,
    HoldExpired,
    Invalid,
    NamesMissing,
    NotCancellable,
    PaymentRunning,
    SeatTaken,
    Unknown,
)
from booking.flights import PAYING_GRACE_S, seat_map
from booking.gateway import Charge, Outcome
from booking.invariants import breaches
from booking.payments import ASKED_AGAIN_AFTER_S, NEVER_OFFERED_AFTER_S
from booking.settlement import settle_payment
from booking.tables import PaymentState, SeatState, flight_cabins, outbox, seats
from tests.booking.bench import HOLD_S, HOUR_S, add_flight, departure, rows
from tests.booking.conftest import ISOLATIONS, empty_database
from tests.booking.sale import Bank, Sale


@pytest.fixture(params=ISOLATIONS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with empty_database(request, tmp_path) as url:
        yield url


@pytest.fixture
async def sale(db: Database) -> AsyncIterator[Sale]:
    """A sale whose records hold whatever a test does to it."""
    sale = Sale(db, await add_flight(db, departure()))
    yield sale
    assert await breaches(db) == []


@pytest.fixture
async def ada(sale: Sale) -> Account:
    return await sale.buyer("ada")


@pytest.fixture
async def grace(sale: Sale) -> Account:
    return await sale.buyer("grace")


async def owners(sale: Sale) -> dict[str, str]:
    """The seats that are not free, and their state."""
    found = await rows(sale.db, select(seats).where(seats.c.state != SeatState.FREE))
    return {row.label: row.state for row in found}


async def test_a_party_gets_all_of_its_seats(sale: Sale, ada: Account) -> None:
    booking = await sale.booking(ada, await sale.hold(ada, "7C", "7A", "1A"))

    assert booking.seats == ("1A", "7A", "7C")
    assert await owners(sale) == {"1A": "held", "7A": "held", "7C": "held"}
    assert booking.amount_minor == 173_800 + 2 * 79_000
    counts = {row.cabin: row.free for row in await rows(sale.db, select(flight_cabins))}
    assert counts == {"business": 7, "economy": 70}


async def test_a_party_gets_none_of_its_seats_where_one_is_lost(sale: Sale, ada: Account, grace: Account) -> None:
    await sale.hold(ada, "7C")

    with pytest.raises(SeatTaken) as refused:
        await sale.hold(grace, "7A", "7B", "7C")

    assert refused.value.lost == ("7C",)
    assert await owners(sale) == {"7C": "held"}


async def test_a_seat_that_changed_since_it_was_seen_is_lost(sale: Sale, ada: Account, grace: Account) -> None:
    """It was taken and given back: it is free, and all the same not the seat that was seen."""
    await sale.cancel(ada, await sale.hold(ada, ("7C", 0)))

    with pytest.raises(SeatTaken):
        await sale.hold(grace, ("7C", 0))

    await sale.hold(grace, ("7C", 2))


async def test_a_lapsed_seat_is_shown_with_the_version_by_which_it_is_sold(
    sale: Sale, ada: Account, grace: Account
) -> None:
    await sale.hold(ada, "7C")
    sale.now_s += HOLD_S

    shown = {seat.label: seat for seat in (await seat_map(sale.db, sale.flight_id, sale.now_s)).seats}

    assert shown["7C"].is_free
    await sale.hold(grace, ("7C", shown["7C"].version))


async def test_parties_that_want_each_others_seats_never_share_one(sale: Sale) -> None:
    """Twenty parties of three, crosswise over ten seats: whole parties, and no seat twice."""
    labels = [f"{row}{letter}" for row in range(3, 5) for letter in "ABCDE"]
    wishes = [[labels[(start + step * 3) % 10] for step in range(3)] for start in range(10)] * 2
    buyers = [await sale.buyer(f"buyer{number}") for number in range(20)]

    outcomes = await asyncio.gather(
        *(sale.hold(buyer, *wish) for buyer, wish in zip(buyers, wishes, strict=True)), return_exceptions=True
    )

    held = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert 1 <= len(held) <= 3
    assert {type(outcome) for outcome in outcomes} == {str, SeatTaken}
    assert len(await owners(sale)) == 3 * len(held)


@pytest.mark.parametrize(
    ("chosen", "fare", "fault"),
    [
        ([], "saver", "seats"),
        ([(f"{row}A", None) for row in range(1, 11)], "saver", "seats"),
        ([("7C", None), ("7c ", None)], "saver", "seats"),
        ([("", None)], "saver", "seats"),
        ([("7C", None)], "first", "fare"),
    ],
)
def test_a_wish_is_one_to_nine_seats_by_a_fare(chosen: list[tuple[str, int | None]], fare: str, fault: str) -> None:
    with pytest.raises(Invalid) as refused:
        holds.parse_wish(1, chosen, fare)
    assert set(refused.value.faults) == {fault}


async def test_a_seat_that_is_not_there_is_named(sale: Sale, ada: Account) -> None:
    with pytest.raises(Unknown, match="99Z"):
        await sale.hold(ada, "7C", "99Z")


async def test_an_admission_holds_once_whatever_accounts_its_visitor_makes(
    sale: Sale, ada: Account, grace: Account
) -> None:
    await sale.hold(ada, "7C", admission="visitor-1")

    with pytest.raises(AdmissionHolding):
        await sale.hold(grace, "7D", admission="visitor-1")

    sale.now_s += HOLD_S
    await sale.hold(grace, "7D", admission="visitor-1")


async def test_an_account_holds_once_per_flight(sale: Sale, ada: Account) -> None:
    reference = await sale.hold(ada, "7C")

    with pytest.raises(AlreadyHolding) as refused:
        await sale.hold(ada, "7D")

    assert refused.value.reference == reference


async def test_the_price_is_the_one_of_the_hold(sale: Sale, ada: Account) -> None:
    """The timetable gets dearer while ada decides."""
    reference = await sale.hold(ada, "7C", fare="flex")
    async with sale.db.engine.begin() as connection:
        await connection.execute(update(flight_cabins).values(price_minor=1))

    booking = await sale.booking(ada, reference)

    assert (booking.amount_minor, booking.passengers[0].price_minor) == (102_700, 102_700)
    await sale.name(ada, reference)
    key = await sale.check_out(ada, reference)
    assert sale.bank.ledgers[key].order.amount_minor == 102_700


async def test_nobody_pays_before_all_have_names(sale: Sale, ada: Account) -> None:
    reference = await sale.hold(ada, "7C", "7D")
    with pytest.raises(NamesMissing):
        await sale.check_out(ada, reference)


async def test_money_becomes_tickets_with_numbers_of_their_own(sale: Sale, ada: Account) -> None:
    reference = await sale.ticketed(ada, "7C", "7D")

    booking = await sale.booking(ada, reference)

    numbers = {passenger.ticket for passenger in booking.passengers}
    assert booking.state == "ticketed"
    assert len(numbers) == 2
    assert all(number and number.isdecimal() and len(number) == 13 for number in numbers)
    assert await owners(sale) == {"7C": "sold", "7D": "sold"}


async def test_settling_again_changes_nothing(sale: Sale, ada: Account) -> None:
    """Return URL, event and reconciler may all bring the same news, at the same time."""
    reference, key = await sale.checked_out(ada, "7C")
    sale.bank.pay(key)

    states = await asyncio.gather(*(sale.settle(key) for _ in range(8)))

    assert set(states) == {PaymentState.CAPTURED}
    mails = await rows(sale.db, select(outbox).where(outbox.c.kind == "mail"))
    assert [mail.key for mail in mails] == [f"ticketed:{reference}"]


async def test_a_declined_booking_can_be_paid_anew(sale: Sale, ada: Account) -> None:
    reference, key = await sale.checked_out(ada, "7C")
    sale.bank.decline(key)
    assert await sale.settle(key) == PaymentState.DECLINED

    again = await sale.check_out(ada, reference)

    assert again != key
    sale.bank.pay(again)
    assert await sale.settle(again) == PaymentState.CAPTURED


async def test_a_checkout_that_is_open_is_offered_again(sale: Sale, ada: Account) -> None:
    reference, key = await sale.checked_out(ada, "7C")
    assert await sale.check_out(ada, reference) == key


async def test_money_for_a_hold_that_expired_buys_the_same_seats_if_they_are_free(sale: Sale, ada: Account) -> None:
    """The gateway was down for as long as anyone waits for it; then it says that ada had paid in time."""
    reference, key = await sale.checked_out(ada, "7C", "7D")
    sale.bank.pay(key)
    sale.now_s += HOLD_S + PAYING_GRACE_S
    assert await holds.expire(sale.db, sale.now_s) == 1
    assert await owners(sale) == {}

    assert await payments.reconcile(sale.db, sale.bank, sale.now_s) == 1

    assert (await sale.booking(ada, reference)).state == "ticketed"
    assert await owners(sale) == {"7C": "sold", "7D": "sold"}


async def test_money_for_seats_that_are_gone_goes_back(sale: Sale, ada: Account, grace: Account) -> None:
    reference, key = await sale.checked_out(ada, "7C", "7D")
    sale.bank.pay(key)
    sale.now_s += HOLD_S + PAYING_GRACE_S
    await sale.hold(grace, "7D")

    await payments.reconcile(sale.db, sale.bank, sale.now_s)
    due = await sale.booking(ada, reference)
    assert (due.state, due.due_minor) == ("expired", 158_000)
    assert await refunds.refund(sale.db, sale.bank, sale.now_s) == 1

    back = await sale.booking(ada, reference)
    assert (back.due_minor, back.refunded_minor) == (0, 158_000)
    assert sale.bank.kept_minor == 0
    assert await owners(sale) == {"7D": "held"}
    mails = await rows(sale.db, select(outbox).where(outbox.c.kind == "mail"))
    assert [mail.event for mail in mails] == ["returned"]


async def test_another_amount_than_the_price_goes_back(sale: Sale, ada: Account) -> None:
    reference, key = await sale.checked_out(ada, "7C")
    sale.bank.pay(key, 1)

    await sale.settle(key)
    await refunds.refund(sale.db, sale.bank, sale.now_s)

    booking = await sale.booking(ada, reference)
    assert (booking.state, booking.open_payment, booking.refunded_minor) == ("paying", None, 1)
    assert sale.bank.kept_minor == 0


async def test_a_departed_flight_takes_no_money(sale: Sale, ada: Account) -> None:
    reference, key = await sale.checked_out(ada, "7C")
    sale.bank.pay(key)
    sale.now_s += 48 * HOUR_S

    await sale.settle(key)

    assert (await sale.booking(ada, reference)).due_minor == 79_000


async def test_the_end_of_a_hold_closes_its_checkout(sale: Sale, ada: Account) -> None:
    """From then on nobody can pay for it."""
    _, key = await sale.checked_out(ada, "7C")
    sale.now_s += HOLD_S

    await payments.reconcile(sale.db, sale.bank, sale.now_s)
    await holds.expire(sale.db, sale.now_s)

    assert not sale.bank.pay(key)
    assert await owners(sale) == {}


async def test_whoever_paid_in_the_last_second_has_a_ticket(sale: Sale, ada: Account) -> None:
    reference, key = await sale.checked_out(ada, "7C")
    sale.bank.pay(key)
    sale.now_s += HOLD_S

    assert await holds.expire(sale.db, sale.now_s) == 0
    await payments.reconcile(sale.db, sale.bank, sale.now_s)

    assert (await sale.booking(ada, reference)).state == "ticketed"


async def test_a_gateway_that_is_down_keeps_seats_for_a_while_and_not_for_ever(sale: Sale, ada: Account) -> None:
    await sale.checked_out(ada, "7C")
    sale.bank.is_down = True

    sale.now_s += HOLD_S + PAYING_GRACE_S - 1
    assert await payments.reconcile(sale.db, sale.bank, sale.now_s) == 0
    assert await holds.expire(sale.db, sale.now_s) == 0
    sale.now_s += 1
    assert await holds.expire(sale.db, sale.now_s) == 1


async def test_a_checkout_that_the_gateway_did_not_open_is_opened_by_the_same_key(sale: Sale, ada: Account) -> None:
    reference = await sale.hold(ada, "7C")
    await sale.name(ada, reference)
    sale.bank.is_down = True
    with pytest.raises(GatewayUnavailable):
        await sale.check_out(ada, reference)
    begun = (await sale.booking(ada, reference)).open_payment

    sale.bank.is_down = False

    assert await sale.check_out(ada, reference) == begun


async def test_a_payment_that_was_never_offered_is_given_up(sale: Sale, ada: Account) -> None:
    """Its process died before anyone could pay."""
    reference = await sale.hold(ada, "7C")
    await sale.name(ada, reference)
    sale.bank.is_down = True
    with pytest.raises(GatewayUnavailable):
        await sale.check_out(ada, reference)
    sale.bank.is_down = False
    sale.now_s += NEVER_OFFERED_AFTER_S

    assert await payments.reconcile(sale.db, sale.bank, sale.now_s) == 1

    assert (await sale.booking(ada, reference)).open_payment is None


async def test_a_payment_that_is_offered_while_it_is_given_up_stays_open(sale: Sale, ada: Account) -> None:
    """It was read when nobody could pay; by the time that this is written down, the payer has the address."""
    reference, key = await sale.checked_out(ada, "7C")
    never_offered = Charge("", Outcome.DECLINED)

    assert await sale.db.write(settle_payment, key, never_offered, sale.now_s) == PaymentState.OPEN

    sale.bank.pay(key)
    assert await sale.settle(key) == PaymentState.CAPTURED
    assert (await sale.booking(ada, reference)).state == "ticketed"


@pytest.mark.parametrize(
    ("fare", "hours_before", "back_minor"),
    [("saver", 48, 55_300), ("saver", 24, 0), ("flex", 48, 102_700), ("flex", 1, 102_700)],
)
async def test_a_cancelled_ticket_gives_back_what_its_fare_says(
    sale: Sale, ada: Account, fare: str, hours_before: int, back_minor: int
) -> None:
    reference = await sale.ticketed(ada, "7C", fare=fare)
    sale.now_s += (48 - hours_before) * HOUR_S
    assert (await sale.booking(ada, reference)).refund_minor(sale.now_s) == back_minor

    await sale.cancel(ada, reference)
    assert (await sale.booking(ada, reference)).due_minor == back_minor
    await refunds.refund(sale.db, sale.bank, sale.now_s)

    booking = await sale.booking(ada, reference)
    assert booking.state == ("refunded" if back_minor else "cancelled")
    assert booking.refunded_minor == back_minor
    assert sale.bank.kept_minor == booking.amount_minor - back_minor
    assert await owners(sale) == {}


async def test_a_booking_is_cancelled_once(sale: Sale, ada: Account) -> None:
    reference = await sale.ticketed(ada, "7C")

    outcomes = await asyncio.gather(*(sale.cancel(ada, reference) for _ in range(5)), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", *["NotCancellable"] * 4]
    with pytest.raises(NotCancellable):
        await sale.cancel(ada, reference)


async def test_cancelling_what_was_paid_meanwhile_is_told(sale: Sale, ada: Account) -> None:
    reference, key = await sale.checked_out(ada, "7C")
    sale.bank.pay(key)

    with pytest.raises(PaymentRunning):
        await sale.cancel(ada, reference)

    assert (await sale.booking(ada, reference)).state == "ticketed"


async def test_cancelling_closes_an_open_checkout(sale: Sale, ada: Account) -> None:
    reference, key = await sale.checked_out(ada, "7C")

    await sale.cancel(ada, reference)

    assert not sale.bank.pay(key)
    assert (await sale.booking(ada, reference)).state == "cancelled"


async def test_the_bookings_of_others_are_not_there(sale: Sale, ada: Account, grace: Account) -> None:
    reference = await sale.ticketed(ada, "7C")
    for attempt in (sale.booking, sale.cancel, sale.name, sale.check_out):
        with pytest.raises(Unknown):
            await attempt(grace, reference)


async def test_an_expired_hold_is_not_paid_for(sale: Sale, ada: Account) -> None:
    reference = await sale.hold(ada, "7C")
    await sale.name(ada, reference)
    sale.now_s += HOLD_S
    for _ in range(2):
        with pytest.raises(HoldExpired):
            await sale.check_out(ada, reference)
        await holds.expire(sale.db, sale.now_s)


async def test_two_sweeps_at_once_end_each_hold_once(sale: Sale) -> None:
    for number in range(30):
        await sale.hold(await sale.buyer(f"buyer{number}"), f"{3 + number // 6}{'ABCDEF'[number % 6]}")
    sale.now_s += HOLD_S

    ended = await asyncio.gather(*(holds.expire(sale.db, sale.now_s) for _ in range(4)))

    assert sum(ended) == 30
    assert await owners(sale) == {}


class PickyBank(Bank):
    """A bank that never answers about some payments."""

    def __init__(self) -> None:
        super().__init__()
        self.silent: set[str] = set()

    async def ask(self, gateway_id: str) -> Charge:
        if gateway_id in self.silent:
            raise GatewayUnavailable
        return await super().ask(gateway_id)

    async def refund(self, key: str, gateway_id: str, amount_minor: int, currency: str) -> None:
        if gateway_id in self.silent:
            raise GatewayUnavailable
        await super().refund(key, gateway_id, amount_minor, currency)


async def test_what_the_bank_never_answers_about_keeps_nothing_else_from_its_turn(db: Database) -> None:
    """One at a time is asked about, and one always fails: the other has its turn all the same."""
    bank = PickyBank()
    sale = Sale(db, await add_flight(db, departure()), bank)
    first, second = await sale.buyer("first"), await sale.buyer("second")
    _, stuck = await sale.checked_out(first, "7C")
    sale.now_s += 1
    reference, key = await sale.checked_out(second, "7D")
    bank.silent.add(stuck)
    bank.pay(key)
    sale.now_s += ASKED_AGAIN_AFTER_S

    turns = [await payments.reconcile(db, bank, sale.now_s, most=1) for _ in range(50)]
    assert sum(turns) == 1
    bank.silent.clear()
    bank.pay(stuck)
    await sale.settle(stuck)
    bank.silent.add(stuck)
    await sale.cancel(first, (await bookings_of(sale, first))[0])
    sale.now_s += 1
    await sale.cancel(second, reference)
    sale.now_s += 1
    assert await refunds.refund(db, bank, sale.now_s, most=1) == 0
    assert await refunds.refund(db, bank, sale.now_s, most=1) == 1
    assert await breaches(db) == []


async def bookings_of(sale: Sale, buyer: Account) -> list[str]:
    return [booking.reference for booking in await bookings.of_account(sale.db, buyer.id)]
