"""The command line: `booking serve`, `migrate`, `seed`, `sweep`, `reconcile`, `verify`, `export`, `sandbox`.

Settings come from the environment (BOOKING_*). Exit codes: 0 done, 1 not done, 2 wrong settings or arguments.
"""

import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from booking import export, flights, gateways, reconciliation, schema, serving, sweeper
from booking.db import Database
from booking.embedded import EmbeddedStoreError
from booking.errors import Problem
from booking.invariants import INVARIANTS, Breach, breaches
from booking.sandbox.command import sandbox
from booking.schema import SchemaBehindError
from booking.seed import seed as add_flights
from booking.serving import CannotListenError
from booking.settings import Settings, SettingsError, read
from booking.timetable import MOST_FLIGHTS, PERIOD_DAYS

WRONG_SETTINGS = 2
# Of a database's integer.
LARGEST_ID = 2**31 - 1
# What a command ends with instead of a traceback.
FAILURES = (CannotListenError, EmbeddedStoreError, Problem, SchemaBehindError)

T = TypeVar("T")


@click.group()
@click.pass_context
def main(context: click.Context) -> None:
    """A lean flight-booking backend that believes nobody but the admission token."""
    try:
        settings = read(os.environ)
    except SettingsError as exc:
        _fail_settings(exc)
    context.obj = settings
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)


main.add_command(sandbox)


@main.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Serve the site until SIGTERM or SIGINT."""
    _run(serving.serve(settings))


@main.command()
@click.pass_obj
def migrate(settings: Settings) -> None:
    """Bring the database to the schema of this version."""
    _run(_migrate(settings))
    click.echo("The schema is up to date.")


@main.command()
@click.option(
    "--flights",
    default=600,
    show_default=True,
    type=click.IntRange(1, MOST_FLIGHTS),
    help=f"How many flights there are in {PERIOD_DAYS} days.",
)
@click.pass_obj
def seed(settings: Settings, flights: int) -> None:
    """Add the timetable of the next 30 days. Flights that are there already stay as they are."""
    _run(_seed(settings, flights))


@main.command()
@click.pass_obj
def sweep(settings: Settings) -> None:
    """End lapsed holds, settle payments left open, pay due refunds: once. `serve` does so all the time."""
    click.echo(str(_run(_sweep(settings))))


@main.command()
@click.option(
    "--older-than",
    "late_s",
    default=60,
    show_default=True,
    metavar="SECONDS",
    type=click.IntRange(min=0),
    help="Ask about payments of which nothing was heard for so long.",
)
@click.pass_obj
def reconcile(settings: Settings, late_s: int) -> None:
    """Ask the gateway about all open payments, pay all due refunds, look into all events: until nothing is left to do.

    Exits with 1 if something is still open then.
    """
    done = _run(_reconcile(settings, late_s))
    click.echo(str(done))
    if not done.is_all:
        sys.exit(1)


@main.command()
@click.pass_obj
def verify(settings: Settings) -> None:
    """Ask the records whether all holds that must: seats, parties, money, states. Reads all of them.

    Exits with 1 if something does not.
    """
    found = _run(_verify(settings))
    for breach in found:
        click.echo(str(breach))
    if found:
        sys.exit(1)
    click.echo(f"All {len(INVARIANTS)} invariants hold.")


@main.command(name="export")
@click.argument("flight_id", type=click.IntRange(1, LARGEST_ID))
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to, if not to stdout.")
@click.option("--all", "everyone", is_flag=True, help="With bookings that are not ticketed, too.")
@click.pass_obj
def write_export(settings: Settings, flight_id: int, output: Path | None, everyone: bool) -> None:
    """Write the manifest of a flight as CSV: who has which seat. FLIGHT_ID is the number in the flight's address."""
    try:
        count = _run(_export(settings, flight_id, output, only_ticketed=not everyone))
    except OSError as exc:
        if output is None:
            raise
        raise click.FileError(str(output), exc.strerror) from exc
    click.echo(f"Passengers: {count}", err=True)


async def _migrate(settings: Settings) -> None:
    async with _database(settings) as db:
        await db.ping()
        await schema.migrate(db)


async def _seed(settings: Settings, flights: int) -> None:
    started = time.monotonic()
    added_flights = added_seats = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with _database(settings) as db:
        await schema.migrate(db) if db.is_sqlite else await schema.require_current(db)
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task("Days", total=PERIOD_DAYS)
            async for added in add_flights(db, datetime.now(UTC).date(), flights):
                added_flights += added.flights
                added_seats += added.seats
                progress.advance(task)
    seconds = time.monotonic() - started
    click.echo(f"Added {added_flights:,} flights with {added_seats:,} seats in {seconds:.1f} s.")


async def _sweep(settings: Settings) -> sweeper.Swept:
    async with _current(settings) as db, gateways.connected(settings) as gateway:
        return await sweeper.sweep(db, gateway, int(time.time()))


async def _reconcile(settings: Settings, late_s: int) -> reconciliation.Reconciled:
    async with _current(settings) as db, gateways.connected(settings) as gateway:
        return await reconciliation.reconcile(db, gateway, int(time.time()), late_s)


async def _verify(settings: Settings) -> list[Breach]:
    async with _current(settings) as db:
        return await breaches(db)


async def _export(settings: Settings, flight_id: int, output: Path | None, *, only_ticketed: bool) -> int:
    async with _current(settings) as db:
        await flights.find(db, flight_id)
        with export.file_for(output) as file:
            return await export.write_manifest(db, flight_id, file, only_ticketed=only_ticketed)


@asynccontextmanager
async def _current(settings: Settings) -> AsyncIterator[Database]:
    """The database, if its schema is that of this version. Raises SchemaBehindError."""
    async with _database(settings) as db:
        await schema.require_current(db)
        yield db


def _database(settings: Settings) -> Database:
    return Database(settings.database_url.get_secret_value())


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return uvloop.run(work)
    except SettingsError as exc:
        _fail_settings(exc)
    except FAILURES as exc:
        raise click.ClickException(str(exc)) from exc


def _fail_settings(exc: SettingsError) -> NoReturn:
    for fault in exc.faults:
        click.echo(fault, err=True)
    sys.exit(WRONG_SETTINGS)
