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

from waitroom import draw, explain, keys, settings
from waitroom.app import serve as serve_until_stopped
from waitroom.config_file import ConfigFile
from waitroom.draw import Draw
from waitroom.errors import MalformedTicketError, WaitroomError
from waitroom.settings import Settings

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("config/waitroom.toml"),
    show_default=True,
    help="The configuration file.",
)


class Failure(click.ClickException):
    """An error for the user: its text, and exit code 2."""

    exit_code = 2


@click.group()
@click.version_option(package_name="waitroom")
def main() -> None:
    """A fair, fast waiting room in front of any site."""


@main.command()
@config_option
def serve(config: Path) -> None:
    """Stand in front of the site until stopped."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    try:
        uvloop.run(serve_until_stopped(ConfigFile(config)))
    except WaitroomError as exc:
        raise Failure(str(exc)) from exc


@main.command()
@config_option
def check(config: Path) -> None:
    """Validate a configuration, and say in words what it means."""
    loaded = _load(config)
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


def _hash(_context: click.Context, _parameter: click.Parameter, text: str) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError as exc:
        raise click.BadParameter(f"{text!r} is not hex") from exc
    if len(data) != draw.SEED_BYTES:
        raise click.BadParameter(f"should be {draw.SEED_BYTES} bytes in hex, and has {len(data)}")
    return data


@main.command("verify-draw")
@click.option("--seed", metavar="HEX", required=True, callback=_hash, help="The seed, shown after the opening.")
@click.option("--commitment", metavar="HEX", required=True, callback=_hash, help="What was published before it.")
@click.option("--size", type=click.IntRange(1, draw.LARGEST_SIZE), required=True, help="How many places were drawn.")
@click.argument("arrivals", metavar="TICKET_OR_ARRIVAL...", nargs=-1, required=True)
def verify_draw(seed: bytes, commitment: bytes, size: int, arrivals: tuple[str, ...]) -> None:
    """Check that a seed is the one that was committed to, and say which places it gave.

    An arrival is a number, counted from 0, or the text of a ticket: the value of the room's cookie. Places count
    from 1.
    """
    if draw.commitment(seed) != commitment.hex():
        raise Failure(
            "the seed does not fit the commitment: this is not the draw that was committed to\n"
            f"  SHA-256 of the seed: {draw.commitment(seed)}\n"
            f"  the commitment:      {commitment.hex()}"
        )
    drawn = Draw(seed, size)
    places = [(arrival, drawn.place(arrival)) for arrival in (_arrival(text, size) for text in arrivals)]
    click.echo("The seed fits the commitment.")
    for arrival, place in places:
        click.echo(f"Arrival {arrival:,} of the draw of {size:,} has place {place:,}")


@main.command()
@config_option
def status(config: Path) -> None:
    """Show the rooms of the waitroom that runs with this configuration."""
    url = f"http://{_load(config).admin.listen}/status"
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            _show(json.load(response))
    except (urllib.error.URLError, OSError, ValueError) as exc:
        raise Failure(f"no waitroom answers at {url}: {exc}") from exc


def _arrival(text: str, size: int) -> int:
    try:
        arrival = int(text) if text.isdecimal() else draw.arrival_in(text)
    except (MalformedTicketError, ValueError) as exc:
        raise Failure(f"{text}: should be an arrival, like 17, or the text of a ticket, like v1.c2l0ZX4xf...") from exc
    if arrival is None:
        raise Failure(f"{text}: this ticket was given after the opening: its number was not drawn")
    if not 0 <= arrival < size:
        raise Failure(f"{text}: arrival {arrival:,} is not in a draw of {size:,}, whose arrivals are 0 to {size - 1:,}")
    return arrival


def _load(config: Path) -> Settings:
    try:
        return settings.load(config)[0]
    except WaitroomError as exc:
        raise Failure(str(exc)) from exc


def _show(state: dict[str, Any]) -> None:
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
    if state["store_lost"]:
        console.print("[red]Redis is lost: places are kept, nobody is called.")
    for fault in state["config_faults"]:
        console.print(f"[red]Refused configuration: {fault}")
