"""The manifest of a flight: the right passengers in the order of their seats, as CSV that harms nobody."""

import csv
import io
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.db import Database
from booking.export import HEADER, file_for, write_manifest
from booking.tables import passengers
from tests.booking.bench import add_flight, departure
from tests.booking.sale import Sale


@pytest.fixture
async def sale(db: Database) -> Sale:
    return Sale(db, await add_flight(db, departure()))


async def manifest(sale: Sale, *, only_ticketed: bool = True) -> str:
    file = io.StringIO(newline="")
    await write_manifest(sale.db, sale.flight_id, file, only_ticketed=only_ticketed)
    return file.getvalue()


async def rename(sale: Sale, name: str) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(update(passengers).values(name=name))

    await sale.db.write(work)


async def test_it_has_those_who_have_a_ticket_in_the_order_of_their_seats(sale: Sale) -> None:
    ada, grace = await sale.buyer("Ada"), await sale.buyer("Grace")
    tail = await sale.ticketed(ada, "14F", "7C", fare="flex")
    nose = await sale.ticketed(grace, "1A")
    await sale.hold(ada, "9A")

    lines = list(csv.DictReader(io.StringIO(await manifest(sale))))

    found = [(line["booking_reference"], line["seat"], line["cabin"], line["fare"], line["state"]) for line in lines]
    assert found == [
        (nose, "1A", "business", "saver", "ticketed"),
        (tail, "7C", "economy", "flex", "ticketed"),
        (tail, "14F", "economy", "flex", "ticketed"),
    ]
    assert [line["passenger"] for line in lines] == ["Grace 1", "Ada 2", "Ada 1"]
    assert len({line["ticket_number"] for line in lines}) == 3


async def test_all_of_it_has_also_what_is_held_and_what_is_over(sale: Sale) -> None:
    ada, grace = await sale.buyer("Ada"), await sale.buyer("Grace")
    await sale.cancel(ada, await sale.ticketed(ada, "7C"))
    await sale.hold(grace, "7C")

    lines = list(csv.DictReader(io.StringIO(await manifest(sale, only_ticketed=False))))

    assert [(line["seat"], line["state"], line["passenger"]) for line in lines] == [
        ("7C", "cancelled", "Ada 1"),
        ("7C", "held", ""),
    ]


async def test_another_flight_is_not_on_it(sale: Sale) -> None:
    await sale.ticketed(await sale.buyer("Ada"), "7C")
    other = Sale(sale.db, await add_flight(sale.db, departure(number="H7 104")))
    assert await manifest(other) == ",".join(HEADER) + "\r\n"


@pytest.mark.parametrize("name", ['=HYPERLINK("http://evil.example","Ada")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
async def test_no_name_is_a_formula(sale: Sale, name: str) -> None:
    await sale.ticketed(await sale.buyer("Ada"), "7C")
    await rename(sale, name)
    [line] = csv.DictReader(io.StringIO(await manifest(sale), newline=""))
    assert line["passenger"] == f"'{name}"


@pytest.mark.parametrize("name", ['Ada "Countess", Lovelace', "홍길동", "O'Neil", "Ada\nLovelace"])
async def test_every_other_name_is_read_as_it_was_written(sale: Sale, name: str) -> None:
    await sale.ticketed(await sale.buyer("Ada"), "7C")
    await rename(sale, name)
    text = await manifest(sale)
    [line] = csv.DictReader(io.StringIO(text, newline=""))
    assert line["passenger"] == name
    assert text.endswith("\r\n")


def test_a_file_that_was_not_finished_leaves_the_one_of_yesterday(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text("yesterday's")

    def fail() -> None:
        with file_for(path) as file:
            file.write("half a li")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "yesterday's"
    assert list(tmp_path.iterdir()) == [path]
