"""The command `waitroom`."""

import logging
import sys
from pathlib import Path

import click
import uvloop

from waitroom import keys
from waitroom.cli_config import check, print_schema
from waitroom.cli_desk import release, reset, revoke
from waitroom.cli_draw import verify_draw
from waitroom.cli_knobs import audit, clear, close, hold, message, open_room, queue, resume, set_knobs
from waitroom.cli_shared import Failure, config_option
from waitroom.cli_watch import dashboard, status, token, top
from waitroom.errors import WaitroomError
from waitroom.orders import Orders
from waitroom.rehearsal.cli import plan_command, rehearse_command
from waitroom.supervisor import supervise
from waitroom.worker import work


@click.group()
@click.version_option(package_name="waitroom")
def main() -> None:
    """A fair, fast waiting room in front of any site."""


KNOBS = (set_knobs, clear, hold, resume, open_room, close, queue, message, audit)
WATCHES = (status, top, dashboard, token)
ACTS = (release, revoke, reset)
for command in (check, print_schema, *KNOBS, *ACTS, *WATCHES, rehearse_command, plan_command, verify_draw):
    main.add_command(command)


@main.command()
@config_option
@click.option("--take-over", is_flag=True, help="Relieve the waitroom that runs with this configuration.")
def serve(config: Path, *, take_over: bool) -> None:
    """Stand in front of the site until stopped.

    SIGTERM lets requests under way finish, a second one does not; SIGHUP applies the whole configuration.
    """
    _log()
    try:
        uvloop.run(supervise(config, take_over=take_over))
    except WaitroomError as exc:
        raise Failure(str(exc)) from exc


@main.command(hidden=True)
@click.argument("orders")
def worker(orders: str) -> None:
    """Serve by a supervisor's orders."""
    _log()
    try:
        uvloop.run(work(Orders.of_text(orders)))
    except WaitroomError as exc:
        # The supervisor was told what is wrong, and says it.
        raise SystemExit(Failure.exit_code) from exc


def _log() -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(process)d %(name)s %(message)s", stream=sys.stderr
    )
    logging.getLogger("watchfiles").setLevel(logging.WARNING)


@main.command("keys")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("keys"), show_default=True)
def make_keys(out: Path) -> None:
    """Make a pair of keys: for admissions and for tickets."""
    try:
        admission, ticket = keys.make_pair(out)
    except FileExistsError as exc:
        raise Failure(f"{exc.filename} exists, and what it signed hangs on it: choose another --out") from exc
    click.echo(f"Wrote {admission} and {ticket}. Name them in the configuration:\n")
    click.echo(f'[keys]\nadmission = ["{admission}"]\nticket = ["{ticket}"]')
