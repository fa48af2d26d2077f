"""The command line: `booking serve`, `migrate`, `seed` and `sweep`. Settings come from the environment (BOOKING_*)."""

import logging
import os
import sys
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar

import click
import uvloop
from aiohttp import web
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from booking import schema, sweeper
from booking.app import build
from booking.db import Database
from booking.errors import DatabaseUnavailable
from booking.sandbox import SandboxGateway
from booking.schema import SchemaBehindError
from booking.seed import seed as add_flights
from booking.settings import Settings, SettingsError, read
from booking.timetable import MOST_FLIGHTS, PERIOD_DAYS

# After the signal to stop, requests under way have this long to end.
GRACE_S = 20.0
WRONG_SETTINGS = 2

T = TypeVar("T")

log = logging.getLogger(__name__)


@click.group()
@click.pass_context
def main(context: click.Context) -> None:
    """A lean flight-booking backend that believes nobody but the admission token."""
    try:
        settings = read(os.environ)
    except SettingsError as exc:
        for fault in exc.faults:
            click.echo(fault, err=True)
        sys.exit(WRONG_SETTINGS)
    context.obj = settings
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)


@main.command()
@click.pass_obj
def serve(settings: Settings) -> None:
    """Serve the site until SIGTERM or SIGINT."""
    try:
        web.run_app(
            build(settings),
            host=settings.host,
            port=settings.port,
            shutdown_timeout=GRACE_S,
            access_log=None,
            print=lambda _banner: log.info("Serving on http://%s", settings.listen),
            loop=uvloop.new_event_loop(),
        )
    except OSError as exc:
        _fail(f"cannot listen on {settings.listen}: {exc.strerror}. Choose another BOOKING_LISTEN.")
    except (SchemaBehindError, DatabaseUnavailable) as exc:
        _fail(str(exc))


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
    async with _database(settings) as db:
        await schema.require_current(db)
        return await sweeper.sweep(db, SandboxGateway(db), int(time.time()))


def _database(settings: Settings) -> Database:
    return Database(settings.database_url.get_secret_value())


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return uvloop.run(work)
    except (SchemaBehindError, DatabaseUnavailable) as exc:
        _fail(str(exc))


def _fail(message: str) -> NoReturn:
    raise click.ClickException(message)
