"""The manifest of a flight: who travels on which seat, as CSV (RFC 4180) for whoever boards them."""

import csv
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sqlalchemy import select

from booking.db import Database
from booking.tables import BookingState, bookings, passengers, seats

HEADER = ("booking_reference", "ticket_number", "passenger", "seat", "cabin", "fare", "state")
# A spreadsheet takes a cell that begins so for a formula, and runs it. Passengers type their names themselves. An
# apostrophe in front makes it text (OWASP, "CSV Injection"); a name that begins so is no name, so none is spoiled.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


async def manifest(db: Database, flight_id: int, *, only_ticketed: bool) -> AsyncIterator[tuple[str, ...]]:
    """The rows of a manifest, from the nose of the aircraft to its tail, without ever having all of them."""
    query = (
        select(
            bookings.c.reference,
            passengers.c.ticket,
            passengers.c.name,
            passengers.c.seat,
            passengers.c.cabin,
            bookings.c.fare,
            bookings.c.state,
        )
        .join_from(bookings, passengers)
        .join(seats, (seats.c.flight_id == bookings.c.flight_id) & (seats.c.label == passengers.c.seat))
        .where(bookings.c.flight_id == flight_id)
        .order_by(seats.c.map_row, seats.c.map_column, bookings.c.id)
    )
    if only_ticketed:
        query = query.where(bookings.c.state == BookingState.TICKETED)
    async with db.reading("manifest") as connection, connection.stream(query) as found:
        async for row in found:
            yield tuple("" if cell is None else str(cell) for cell in row)


async def write_manifest(db: Database, flight_id: int, file: TextIO, *, only_ticketed: bool) -> int:
    """Writes a manifest with its header; returns how many passengers it has. `file` must leave line ends alone."""
    writer = csv.writer(file)
    writer.writerow(HEADER)
    written = 0
    async for row in manifest(db, flight_id, only_ticketed=only_ticketed):
        writer.writerow(map(_harmless, row))
        written += 1
    return written


@contextmanager
def file_for(path: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that gets its name once it is whole. Raises OSError."""
    if path is None:
        sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]  # it is a real stream
        yield sys.stdout
        return
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink()
        raise


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
