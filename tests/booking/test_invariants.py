"""The invariants find what breaks them: each is broken by hand once, and found by its name."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from booking.db import Database
from booking.invariants import INVARIANTS, breaches
from tests.booking.bench import add_flight, departure
from tests.booking.conftest import DATABASES, empty_database
from tests.booking.sale import Sale

# How each can be broken, in a sale with a ticket for 7C and 7D, a hold of 8A, and a cancelled ticket for 9A.
BREAKS = {
    "one owner per seat": ["UPDATE seats SET state = 'sold' WHERE label = '9A'"],
    "a party has all of its seats or none": [
        "UPDATE seats SET state = 'free', booking_id = NULL WHERE label = '7D'",
        "UPDATE flight_cabins SET free = free + 1 WHERE cabin = 'economy'",
    ],
    "a party has as many passengers as seats, for its price": [
        "UPDATE passengers SET price_minor = 1 WHERE seat = '7C'"
    ],
    "free seats are counted right": ["UPDATE flight_cabins SET free = free - 1 WHERE cabin = 'economy'"],
    "captured money is a ticket, kept by its fare, refunded or due back": ["DELETE FROM refunds"],
    "no more goes back than was captured": ["UPDATE refunds SET amount_minor = 1000000"],
    "only what was captured is counted as captured": ["UPDATE payments SET captured_minor = 0"],
    "every passenger of a ticket has its number": ["UPDATE passengers SET ticket = NULL WHERE seat = '7C'"],
    "an unpaid booking is marked as such": ["UPDATE bookings SET unpaid = NULL WHERE state = 'held'"],
    "states move forward, each as the log says": [
        "UPDATE audit_log SET `before` = 'ticketed' WHERE `after` = 'paying'"
    ],
    "one effect per idempotency key": [
        "INSERT INTO idempotency_keys (scope, `key`, fingerprint, state, effect, locked_until_s, created_s) "
        f"VALUES ('a', '{key}', 'f', 'done', 'BCDFGH', 0, 0)"
        for key in "xy"
    ],
    "the owner of a ticket is told, once": ["DELETE FROM outbox WHERE event = 'ticketed'"],
    "nobody is told of a ticket that is none": [
        "UPDATE outbox SET event = 'ticketed', `key` = 'ticketed:ZZZZZZ' WHERE event = 'booking.held' AND id = "
        "(SELECT first FROM (SELECT MIN(id) AS first FROM outbox WHERE event = 'booking.held') o)"
    ],
}


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with empty_database(request, tmp_path) as url:
        yield url


@pytest.fixture
async def sale(db: Database) -> Sale:
    sale = Sale(db, await add_flight(db, departure()))
    ada = await sale.buyer("ada")
    await sale.ticketed(ada, "7C", "7D")
    await sale.cancel(ada, await sale.ticketed(ada, "9A"))
    await sale.hold(await sale.buyer("grace"), "8A")
    return sale


def test_every_invariant_is_broken_once() -> None:
    assert set(BREAKS) == set(INVARIANTS)


async def test_a_sale_breaks_none(sale: Sale) -> None:
    assert await breaches(sale.db) == []


@pytest.mark.parametrize("invariant", INVARIANTS)
async def test_what_breaks_an_invariant_is_found(sale: Sale, invariant: str) -> None:
    async with sale.db.engine.begin() as connection:
        for statement in BREAKS[invariant]:
            await connection.execute(text(statement))

    assert invariant in {breach.invariant for breach in await breaches(sale.db)}
