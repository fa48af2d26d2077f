"""Failings that ticket shops have had, and that this one does not share: each by a test, here or elsewhere.

| failing | what shows that it is not ours |
|---|---|
| booking and paying were not guarded | test_guards: test_every_route_refuses_a_request_without_an_admission |
| an admission for one flight bounced at another | test_flight_lines: test_every_route_about_no_flight_takes_any_line |
| the lock came after the read, and it was believed | test_holds: test_a_rival_between_looking_and_taking_wins |
| one account could hold all seats | test_who_wants_all_seats_gets_those_of_one_party |
| departed flights were sold | test_holds: test_departed_flights_are_not_sold |
| whoever posted the right price had paid | test_payments: test_who_only_says_so_has_not_paid |
| anyone could pay for others | test_guards: test_every_route_of_a_booking_refuses_another_account |
| anyone could send mail to others | test_no_address_sends_mail_to_whom_one_names |
| double payment | test_payments: test_ten_who_check_out_at_once_pay_at_one_place, test_what_is_paid_is_not_paid_again |
| a payment after the hold took money for nothing | test_sale: test_money_for_seats_that_are_gone_goes_back |
| the sweeper deleted what was just paid | test_sale: test_whoever_paid_in_the_last_second_has_a_ticket |
| a full thread pool undid what was charged | test_sale: test_money_becomes_tickets_with_numbers_of_their_own |
| mail was lost with the queue | test_mail: test_while_no_server_answers_the_ticket_waits_and_then_arrives_once |
| errors were swallowed | test_outbox: test_what_fails_comes_again_after_a_pause |
| cancelling what was paid lost the ticket | test_bookings: test_cancelling_ten_times_at_once_gives_back_once |
| no refund | test_bookings: test_cancelling_a_ticket_frees_its_seat_and_gives_back_what_it_said |
| no history | test_nothing_that_was_booked_is_forgotten |
| the cache key lacked a parameter | test_search: test_every_parameter_is_part_of_the_key |
| size and sort were unbounded | test_search: test_no_query_does_anything_but_parse_or_name_its_faults |
| sessions slid for ever | test_sessions: test_a_session_ends_after_thirty_days_however_much_it_is_used |
| old tokens could still be exchanged | test_logins: test_an_old_refresh_token_is_never_exchanged_again |
| redirects lost the query | test_pages_of_accounts: test_whoever_was_sent_to_log_in_goes_on_where_they_were |
| redirects lost the body | test_pages_of_seats: test_a_stranger_signs_up_on_the_way_and_keeps_the_choice |
| validation was declared, and never enforced | test_bookings: test_all_that_is_wrong_with_a_wish_is_told_at_once |
| password hashes were in the cache | test_redis_keeps_nothing_by_which_one_could_log_in |
| forms of other sites were believed | test_guards: test_what_another_site_sends_is_refused |
| one logged out by a link | test_guards: test_a_wrong_method_is_told_which_are_right |
| a redirect led anywhere | test_local_path: test_nothing_leads_to_another_host |
"""

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from booking.holds import LARGEST_PARTY
from booking.tables import audit_log, outbox, seats
from tests.booking.bench import HOLD_S, PASSWORD, Visitor, rows
from tests.booking.conftest import Site
from tests.servers import PrivateRedis

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HERE = Path(__file__)
# How Redis tells a value, by its kind.
READ_BY: dict[bytes, list[Any]] = {
    b"string": ["GET"],
    b"hash": ["HGETALL"],
    b"zset": ["ZRANGE", 0, -1],
    b"list": ["LRANGE", 0, -1],
}


def test_the_table_names_tests_that_exist() -> None:
    for line in re.findall(r"^\|[^|]+\|(.+)\|$", __doc__ or "", re.MULTILINE)[2:]:
        file = re.search(r"(test_\w+):", line)
        there = (HERE.with_name(f"{file[1]}.py") if file else HERE).read_text()
        for name in re.findall(r"(test_\w+)(?!\w|:)", line):
            assert f"def {name}(" in there, line


@on_sqlite
async def test_who_wants_all_seats_gets_those_of_one_party(
    site: Site, ada: Visitor, redis_server: PrivateRedis, flight_id: int
) -> None:
    """Nine at most, and no more before they are paid: neither by the same account nor, with the same place in the
    waiting room, by another."""
    labels = [f"{row}{letter}" for row in range(6, 16) for letter in "ABCDEF"]
    assert (await ada.hold(flight_id, *labels[: LARGEST_PARTY + 1])).code == "invalid"
    await ada.held(flight_id, *labels[:LARGEST_PARTY])

    assert (await ada.hold(flight_id, labels[-1])).code == "already_holding"
    await ada.ask("DELETE", "/api/session")
    await ada.sign_up("Eve")
    assert (await ada.hold(flight_id, labels[-1])).code == "admission_holding"

    [[held]] = await rows(site.db, select(func.count()).select_from(seats).where(seats.c.state == "held"))
    assert held == LARGEST_PARTY


async def test_no_address_sends_mail_to_whom_one_names(site: Site, ada: Visitor, flight_id: int) -> None:
    """Mail goes to the account of the booking, by what became of it, and by nothing else."""
    reference = await ada.held(flight_id, "7C")
    await ada.ask("PATCH", "/api/account", json={"email": "eve@example.org"})
    await ada.pay(reference)

    mails = await rows(site.db, select(outbox).where(outbox.c.kind == "mail"))
    assert [(mail.event, mail.address) for mail in mails] == [("ticketed", "ada.lovelace@example.org")]


async def test_nothing_that_was_booked_is_forgotten(site: Site, ada: Visitor, flight_id: int) -> None:
    """What expired, was cancelled or given back stays among the bookings, and each step in the log."""
    expired = await ada.held(flight_id, "7C")
    site.clock.pass_s(HOLD_S)
    cancelled = await ada.held(flight_id, "7C")
    await ada.cancel(cancelled)
    refunded = await ada.held(flight_id, "7C")
    await ada.pay(refunded)
    await ada.cancel(refunded)
    await site.sweep()

    trips = {trip["reference"]: trip["state"] for trip in (await ada.get("/api/bookings")).json}
    assert trips == {expired: "expired", cancelled: "cancelled", refunded: "refunded"}
    steps = [row.after for row in await rows(site.db, select(audit_log).order_by(audit_log.c.id)) if row.after]
    assert steps == [
        *("held", "expired"),
        *("held", "cancelled"),
        *("held", "paying", "ticketed", "cancelled", "refunded"),
    ]


@on_sqlite
async def test_redis_keeps_nothing_by_which_one_could_log_in(
    site: Site, ada: Visitor, redis_server: PrivateRedis, flight_id: int
) -> None:
    """No password, no hash of one, and no token: not for sessions, nor for limits, nor in what is cached."""
    await ada.post("/api/session", {"email": "ada.lovelace@example.org", "password": PASSWORD})
    await ada.get("/api/flights?origin=ICN&destination=CJU&start=2027-01-17")
    await ada.get(f"/api/flights/{flight_id}/seats")

    kept = everything_in(redis_server)
    assert "session" in kept
    for secret in (PASSWORD, "$argon2", "ada.lovelace", *ada.cookies().values()):
        assert secret not in kept


def everything_in(redis: PrivateRedis) -> str:
    """Keys and values of whatever kind."""
    kept = {}
    for key in map(bytes.decode, redis.command("KEYS", "*")):
        verb, *bounds = READ_BY[redis.command("TYPE", key)]
        kept[key] = redis.command(verb, key, *bounds)
    return str(kept)
