"""The command `waitroom`."""

import json
import logging
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click
import uvloop
from rich.console import Console
from rich.table import Table

from waitroom import explain, keys
from waitroom.cli_desk import release, reset, revoke
from waitroom.cli_draw import verify_draw
from waitroom.cli_shared import Failure, config_option, load
from waitroom.errors import WaitroomError
from waitroom.orders import Orders
from waitroom.supervisor import supervise
from waitroom.worker import work


@click.group()
@click.version_option(package_name="waitroom")
def main() -> None:
    """A fair, fast waiting room in front of any site."""


for command in (release, revoke, reset, verify_draw):
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


@main.command()
@config_option
def check(config: Path) -> None:
    """Validate a configuration, and say in words what it means."""
    loaded = load(config)
    for line in explain.explain(loaded):
        click.echo(line)
    for warning in explain.warnings(loaded):
        click.secho(f"Warning: {warning}", fg="yellow")


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


@main.command()
@config_option
def status(config: Path) -> None:
    """Show the rooms of the waitroom that runs with this configuration."""
    url = f"http://{load(config).admin.listen}/status"
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            show(json.load(response))
    except (urllib.error.URLError, OSError, ValueError) as exc:
        raise Failure(f"no waitroom answers at {url}: {exc}") from exc


def show(state: dict[str, Any]) -> None:
    """Prints what the admin listener says of itself."""
    console = Console()
    table = Table(
        "Room", "Key", "Mode", "Inside / cap", "Waiting", "Calls/min measured / set", "Joined", "Called", "Claimed"
    )
    for room in state["rooms"]:
        table.add_row(
            room["room"],
            room["key"],
            room["mode"],
            f"{room['inside']} / {room['cap']}",
            str(room["waiting"]),
            f"{room['measured_per_minute']} / {room['rate_per_minute']}",
            str(room["joined"]),
            str(room["called"]),
            str(room["claimed"]),
        )
    console.print(table)
    if len(state["workers"]) > 1:
        console.print(f"{len(state['workers'])} workers serve.")
    if lost := [room["room"] for room in state["rooms"] if room["store_lost"]]:
        console.print(f"[red]Redis is lost for {', '.join(lost)}: places are kept, nobody is called.")
    for origin in state["origins"]:
        if origin["why_not"]:
            fault = f": {origin['fault']}" if origin["fault"] else ""
            console.print(f"[red]The origin {origin['url']} is {origin['why_not']}{fault}")
    for fault in state["config_faults"]:
        console.print(f"[red]Refused configuration: {fault}")
