"""A database in use is carried over whole: whoever had a seat has it still, and no money is lost on the way."""

from collections.abc import Mapping
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, func, select, text

from booking import schema
from booking.db import Database
from booking.tables import bookings, flight_cabins, metadata, passengers, payments, refunds, seats
from tests.booking.bench import HOUR_S, NOW_S, rows

DEPARTS_S = NOW_S + 48 * HOUR_S
ECONOMY_MINOR, BUSINESS_MINOR = 79_000, 173_800
HELD, PAYING, TICKETED, CANCELLED, EXPIRED, DUE, TICKETED_AGAIN = range(1, 8)

# As the first schema had them: a booking in each state, its seat where it still has one, and its payments.
BOOKINGS = {
    HELD: ("HHHHHH", "7A", "held", 1, None),
    PAYING: ("PPPPPP", "7B", "paying", 1, "key-open"),
    TICKETED: ("TTTTTT", "1A", "ticketed", None, None),
    CANCELLED: ("CCCCCC", "7C", "cancelled", None, None),
    EXPIRED: ("EEEEEE", "7D", "expired", None, None),
    DUE: ("DDDDDD", "7E", "cancelled", None, None),
    TICKETED_AGAIN: ("AAAAAA", "7C", "ticketed", None, None),
}
SEATS = {
    "1A": ("business", "sold", TICKETED),
    "1C": ("business", "free", None),
    "7A": ("economy", "held", HELD),
    "7B": ("economy", "held", PAYING),
    "7C": ("economy", "sold", TICKETED_AGAIN),
    "7D": ("economy", "free", None),
    "7E": ("economy", "free", None),
}
PAYMENTS = {
    "key-open": (PAYING, "open"),
    "key-declined": (PAYING, "declined"),
    "key-captured": (TICKETED, "captured"),
    "key-captured-too": (TICKETED_AGAIN, "captured"),
    "key-refunded": (CANCELLED, "refunded"),
    "key-due": (DUE, "refund_due"),
}


def old_rows() -> list[tuple[str, Mapping[str, Any]]]:
    times = {"created_s": NOW_S - HOUR_S}
    accounts = [
        {"id": number, "email": f"{number}@example.org", "name": "Ada", "phone": None, "password_hash": "x"} | times
        for number in BOOKINGS
    ]
    flight = {
        "id": 1, "number": "H7 102", "origin": "ICN", "destination": "CJU", "departs_on": "2027-01-17",
        "departs_s": DEPARTS_S, "arrives_s": DEPARTS_S + HOUR_S, "aircraft": "Airbus A220", "grade": "standard",
        "economy_minor": ECONOMY_MINOR, "business_minor": BUSINESS_MINOR, "currency": "KRW",
    }  # fmt: skip
    booked = [
        {
            "id": number, "reference": reference, "account_id": number, "flight_id": 1, "seat": seat,
            "cabin": SEATS[seat][0], "passenger": "Ada Lovelace", "amount_minor": price(seat), "currency": "KRW",
            "state": state, "unpaid": unpaid, "open_payment": open_payment, "held_until_s": NOW_S,
        } | times
        for number, (reference, seat, state, unpaid, open_payment) in BOOKINGS.items()
    ]  # fmt: skip
    seated = [
        {
            "flight_id": 1, "label": label, "cabin": cabin, "map_row": int(label[:-1]), "map_column": 1,
            "state": state, "version": 3, "booking_id": booking,
        }
        for label, (cabin, state, booking) in SEATS.items()
    ]  # fmt: skip
    paid = [
        {
            "key": key, "booking_id": booking, "amount_minor": price(BOOKINGS[booking][1]), "currency": "KRW",
            "state": state, "changed_s": NOW_S,
        } | times
        for key, (booking, state) in PAYMENTS.items()
    ]  # fmt: skip
    session = {"token_hash": "0" * 64, "account_id": HELD, "expires_s": NOW_S}
    charge = {
        "key": "key-captured", "amount_minor": BUSINESS_MINOR, "currency": "KRW", "outcome": "captured",
        "reason": "", "refunded_minor": 0,
    }  # fmt: skip
    tables: dict[str, list[dict[str, Any]]] = {
        "accounts": accounts, "flights": [flight], "sandbox_charges": [charge], "bookings": booked,
        "sessions": [session], "seats": seated, "payments": paid,
    }  # fmt: skip
    return [(table, row) for table, filled in tables.items() for row in filled]


def price(seat: str) -> int:
    return BUSINESS_MINOR if SEATS[seat][0] == "business" else ECONOMY_MINOR


def fill(connection: Connection) -> None:
    """Makes the first schema, and puts the rows in."""
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")
    quote = connection.dialect.identifier_preparer.quote_identifier
    for table, row in old_rows():
        names = ", ".join(map(quote, row))
        values = ", ".join(f":{name}" for name in row)
        connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)


@pytest.fixture
async def db(database_url: str) -> Any:
    """A database of the first schema in the midst of use, brought up to date."""
    async with Database(database_url) as db:
        async with db.engine.begin() as connection:
            await connection.run_sync(fill)
        await schema.migrate(db)
        yield db


async def test_every_booking_keeps_its_state_reference_and_price(db: Database) -> None:
    columns = (bookings.c.id, bookings.c.reference, bookings.c.state, bookings.c.amount_minor, bookings.c.unpaid)
    found = {row.id: tuple(row)[1:] for row in await rows(db, select(*columns))}

    expected: dict[int, tuple[object, ...]] = {
        number: (reference, state, price(seat), unpaid)
        for number, (reference, seat, state, unpaid, _) in BOOKINGS.items()
    }
    for number in (CANCELLED, DUE):
        reference, _, *rest = expected[number]
        expected[number] = (reference, "refunded", *rest)
    assert found == expected


async def test_each_has_its_one_passenger_on_the_seat_and_a_ticket_where_it_was_ticketed(db: Database) -> None:
    found = {row.booking_id: row for row in await rows(db, select(passengers))}

    assert {number: row.seat for number, row in found.items()} == {n: BOOKINGS[n][1] for n in BOOKINGS}
    assert {row.position for row in found.values()} == {1}
    assert {row.name for row in found.values()} == {"Ada Lovelace"}
    tickets = {number: row.ticket for number, row in found.items() if row.ticket}
    assert set(tickets) == {TICKETED, TICKETED_AGAIN}
    assert {len(ticket) for ticket in tickets.values()} == {13}


async def test_every_seat_keeps_its_owner_its_state_and_its_version(db: Database) -> None:
    found = await rows(db, select(seats.c.label, seats.c.cabin, seats.c.state, seats.c.booking_id, seats.c.version))
    assert {row[0]: tuple(row)[1:] for row in found} == {label: (*seat, 3) for label, seat in SEATS.items()}


async def test_cabins_have_their_price_and_count_the_free_seats(db: Database) -> None:
    found = {(row.cabin, row.price_minor, row.seats, row.free) for row in await rows(db, select(flight_cabins))}
    assert found == {("economy", ECONOMY_MINOR, 5, 2), ("business", BUSINESS_MINOR, 2, 1)}


async def test_what_was_captured_is_ticketed_or_refunded(db: Database) -> None:
    captured = (await rows(db, select(func.sum(payments.c.captured_minor))))[0][0]
    ticketed = (await rows(db, select(func.sum(bookings.c.amount_minor)).where(bookings.c.state == "ticketed")))[0][0]
    returned = (await rows(db, select(func.sum(refunds.c.amount_minor))))[0][0]
    assert captured == ticketed + returned == BUSINESS_MINOR + 3 * ECONOMY_MINOR


async def test_payments_keep_their_keys_and_an_open_one_its_booking(db: Database) -> None:
    found = {row.key: (row.booking_id, row.state) for row in await rows(db, select(payments))}
    assert found == {
        key: (booking, "captured" if state.startswith("refund") else state)
        for key, (booking, state) in PAYMENTS.items()
    }
    waiting = select(bookings.c.id, bookings.c.open_payment).where(bookings.c.open_payment.is_not(None))
    assert await rows(db, waiting) == [(PAYING, "key-open")]


async def test_what_was_promised_at_the_sale_still_holds(db: Database) -> None:
    """Any ticket of then could be given back for all its money until the departure."""
    found = await rows(db, select(bookings.c.refund_percent, bookings.c.refund_until_s).distinct())
    assert found == [(100, DEPARTS_S)]


async def test_nothing_of_the_old_schema_is_left(db: Database) -> None:
    async with db.engine.connect() as connection:
        found = await connection.run_sync(lambda plain: set(plain.dialect.get_table_names(plain)))
    assert found - {"alembic_version"} == set(metadata.tables)
