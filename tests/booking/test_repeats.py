"""The Idempotency-Key over HTTP: whatever is lost, a request is carried out once, and its answer comes again."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import once
from booking.db import Database
from booking.errors import KeyInUse
from booking.once import LOCK_S
from booking.payments import NEVER_OFFERED_AFTER_S
from booking.tables import KeyState, accounts, bookings, idempotency_keys, seats
from tests.booking.bench import NOW_S, PASSWORD, Answer, Visitor, rows
from tests.booking.conftest import Site
from tests.booking.forms import seat_box, sent_by

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
KEY = "6f1c8f0a-8a0e-4f0e-9f52-1a5c0d9b7b6e"
WISH = {"seats": ["7C", "7D"], "passengers": ["Ada Lovelace", "Grace Hopper"]}
PERSON = {"email": "ada@example.org", "name": "Ada", "password": PASSWORD}


async def send(visitor: Visitor, path: str, document: object, key: str = KEY, method: str = "POST") -> Answer:
    return await visitor.ask(method, path, json=document, headers={"Idempotency-Key": key})


async def hold(visitor: Visitor, flight_id: int, wish: object = WISH, key: str = KEY) -> Answer:
    return await send(visitor, f"/api/flights/{flight_id}/holds", wish, key)


def is_replayed(answer: Answer) -> bool:
    return answer.headers.get("Idempotency-Replayed") == "true"


async def test_a_repeated_request_is_carried_out_once_and_answered_alike(
    site: Site, ada: Visitor, flight_id: int
) -> None:
    first, again = await hold(ada, flight_id), await hold(ada, flight_id)

    assert (first.status, again.status) == (201, 201)
    assert again.text == first.text
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert (is_replayed(first), is_replayed(again)) == (False, True)
    assert len(await rows(site.db, select(bookings))) == 1


async def test_of_ten_at_once_one_is_carried_out(site: Site, ada: Visitor, flight_id: int) -> None:
    """The others are told to come again in a moment, or get its answer already."""
    answers = await asyncio.gather(*(hold(ada, flight_id) for _ in range(10)))

    refused = [answer for answer in answers if answer.status != 201]
    assert len({answer.json["reference"] for answer in answers if answer.status == 201}) == 1
    assert {(answer.status, answer.code) for answer in refused} <= {(409, "idempotency_key_in_use")}
    assert {answer.headers["Retry-After"] for answer in refused} <= {"1"}
    assert len(await rows(site.db, select(bookings))) == 1
    assert is_replayed(await hold(ada, flight_id))


async def test_a_key_is_of_one_request(site: Site, ada: Visitor, flight_id: int) -> None:
    """Neither another body nor another route gets the answer of the first, and nothing is done."""
    held = await hold(ada, flight_id)

    other_body = await hold(ada, flight_id, {"seats": ["8A"]})
    other_route = await send(ada, f"/api/bookings/{held.json['reference']}/cancellation", {})

    for answer in (other_body, other_route):
        assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    assert [row.state for row in await rows(site.db, select(bookings))] == ["held"]


async def test_two_people_may_choose_the_same_key(ada: Visitor, grace: Visitor, flight_id: int) -> None:
    first = await hold(ada, flight_id)
    second = await hold(grace, flight_id, {"seats": ["8A"]})

    assert (first.status, second.status) == (201, 201)
    assert not is_replayed(second)


@on_sqlite
async def test_a_refusal_comes_again_too(site: Site, ada: Visitor, grace: Visitor, flight_id: int) -> None:
    """Whoever wants to try anew takes a new key."""
    reference = await grace.held(flight_id, "7C")
    refused = await hold(ada, flight_id)
    await grace.cancel(reference)

    assert (await hold(ada, flight_id)).text == refused.text
    assert refused.code == "seat_taken"
    assert (await hold(ada, flight_id, key="another")).status == 201


@on_sqlite
async def test_after_a_failure_of_ours_the_same_key_goes_on(site: Site, ada: Visitor, flight_id: int) -> None:
    checkout = f"/api/bookings/{await ada.held(flight_id, '7C')}/checkout"
    await site.bank.faults(refuse=["open"])
    failed = await send(ada, checkout, {})
    await site.bank.faults()
    paid = await send(ada, checkout, {})

    assert (failed.status, failed.code, failed.headers["Retry-After"]) == (503, "gateway_unavailable", "5")
    assert (paid.status, is_replayed(paid)) == (200, False)
    assert (await send(ada, checkout, {})).json == paid.json


@on_sqlite
async def test_a_checkout_that_was_given_up_meanwhile_is_begun_anew(site: Site, ada: Visitor, flight_id: int) -> None:
    """The bank did not answer, and the sweeper has closed what nobody was offered: by the same key one still pays."""
    reference = await ada.held(flight_id, "7C")
    checkout = f"/api/bookings/{reference}/checkout"
    await site.bank.faults(refuse=["open"])
    await send(ada, checkout, {})
    await site.bank.faults()
    site.clock.pass_s(NEVER_OFFERED_AFTER_S)
    await site.sweep()

    offered = await send(ada, checkout, {})

    assert offered.status == 200
    await site.bank.pay(offered.json["pay_url"])
    assert (await ada.settle(reference)).json["state"] == "ticketed"


async def test_after_a_crash_the_next_attempt_finds_what_was_done(site: Site, ada: Visitor, flight_id: int) -> None:
    """The process died between the COMMIT of the hold and its answer. Until its lock has run out, nobody knows that."""
    held = await hold(ada, flight_id)

    async def forget_the_answer(connection: AsyncConnection) -> None:
        lost: dict[str, Any] = {"state": KeyState.RUNNING, "status": None, "headers": None, "body": None}
        lost["locked_until_s"] = site.clock.now_s + LOCK_S
        await connection.execute(update(idempotency_keys).values(lost))

    await site.db.write(forget_the_answer)

    assert (await hold(ada, flight_id)).code == "idempotency_key_in_use"
    site.clock.pass_s(LOCK_S)
    assert (await hold(ada, flight_id)).json["reference"] == held.json["reference"]
    assert len(await rows(site.db, select(bookings))) == 1
    assert len(await rows(site.db, select(seats).where(seats.c.state == "held"))) == 2


async def test_who_signs_up_twice_by_one_key_has_one_account_and_is_logged_in(site: Site) -> None:
    """The answer was lost with its cookies, so they are made anew: another session of the same account."""
    admission = site.room.admission()
    first, second = site.stranger(admission), site.stranger(admission)

    answers = [await send(visitor, "/api/accounts", PERSON) for visitor in (first, second)]

    assert [answer.status for answer in answers] == [201, 201]
    assert len(await rows(site.db, select(accounts))) == 1
    for visitor in (first, second):
        assert (await visitor.get("/api/account")).json["email"] == "ada@example.org"
    assert first.cookies()["halcyon-refresh"] != second.cookies()["halcyon-refresh"]


@on_sqlite
async def test_no_secret_is_kept_with_a_key(site: Site) -> None:
    """Neither the password that was sent nor the cookies of the answer."""
    admission = site.room.admission()
    await send(site.stranger(admission), "/api/accounts", PERSON, key="sign-up")
    credentials = {"email": PERSON["email"], "password": PASSWORD}
    await send(site.stranger(admission), "/api/session", credentials, key="log-in")

    kept = await rows(site.db, select(idempotency_keys))
    assert [(row.key, row.headers, row.body) for row in kept] == [("sign-up", None, None), ("log-in", None, None)]
    assert PASSWORD not in str(kept)


@on_sqlite
@pytest.mark.parametrize("key", ["", "  ", '""', '"a', "ä", "a\tb", "x" * 256, '"' + "x" * 256 + '"'])
async def test_what_cannot_be_a_key_is_refused(ada: Visitor, flight_id: int, key: str) -> None:
    answer = await hold(ada, flight_id, key=key)
    assert (answer.status, set(answer.json["faults"])) == (400, {"Idempotency-Key"})


@on_sqlite
async def test_two_keys_are_refused(ada: Visitor, flight_id: int) -> None:
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    answer = await ada.ask("POST", f"/api/flights/{flight_id}/holds", json=WISH, headers=twice)
    assert (answer.status, answer.code) == (400, "invalid")


@on_sqlite
async def test_a_key_is_the_same_in_quotes_and_without(ada: Visitor, flight_id: int) -> None:
    """RFC 9651 has it in quotes; most clients leave them out."""
    await hold(ada, flight_id, key='"k \\"1\\""')
    assert is_replayed(await hold(ada, flight_id, key='"k \\"1\\""'))
    await ada.cancel((await ada.get("/api/bookings")).json[0]["reference"])
    await hold(ada, flight_id, key='"plain"')
    assert is_replayed(await hold(ada, flight_id, key="plain"))


@on_sqlite
async def test_reading_needs_no_key_and_keeps_none(site: Site, ada: Visitor, flight_id: int) -> None:
    for _ in range(2):
        answer = await ada.get(f"/api/flights/{flight_id}/seats", headers={"Idempotency-Key": KEY})
        assert not is_replayed(answer)
    assert await rows(site.db, select(idempotency_keys)) == []


@on_sqlite
async def test_a_replay_is_guarded_as_the_request_was(site: Site, ada: Visitor, flight_id: int) -> None:
    """The answer is given to whom it belongs, while they are logged in and let in to its flight."""
    reference = (await hold(ada, flight_id)).json["reference"]

    stranger = site.stranger(site.room.admission())
    assert (await hold(stranger, flight_id)).code == "signed_out"
    ada.carry(site.room.admission(key=str(flight_id + 1)))
    refused = await hold(ada, flight_id)
    assert refused.code == "admission_key"
    assert reference not in refused.text


async def test_a_form_that_is_sent_twice_gets_one_answer_twice(site: Site, ada: Visitor, flight_id: int) -> None:
    """A double click: the browser shows only the last answer, so that one waits for the first and is the same."""
    flight = f"/flights/{flight_id}"
    page = await ada.page(flight)
    fields = [*sent_by(page, flight), ("seat", seat_box(page, "7C"))]

    clicks = await asyncio.gather(*(ada.ask("POST", flight, data=fields) for _ in range(3)))

    [booking] = await rows(site.db, select(bookings))
    assert {(click.status, click.headers.get("Location")) for click in clicks} == {
        (303, f"/bookings/{booking.reference}/passengers")
    }
    assert sorted(map(is_replayed, clicks)) == [False, True, True]


async def test_a_key_that_is_answered_as_it_is_looked_at_is_not_carried_out_again(db: Database) -> None:
    """Between reading that a key is in use and taking it over, its request may end."""
    begun = await once.begin(db, "account 1", "key", "fingerprint", NOW_S)
    assert isinstance(begun, once.Once)
    [seen] = await rows(db, select(idempotency_keys))
    await once.finish(db, begun, once.Replay(201, {}, b""), NOW_S)

    with pytest.raises(KeyInUse):
        await db.write(once._take_over, seen, NOW_S)

    assert isinstance(await once.begin(db, "account 1", "key", "fingerprint", NOW_S), once.Replay)
