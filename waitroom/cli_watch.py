"""The commands that look: status, top, and the dashboard; and the one that makes tokens for those who may."""

import re
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from waitroom import admin_tokens
from waitroom.admin.client import Client, DeskError
from waitroom.admin.screen import Trends, screen
from waitroom.cli_shared import Failure, config_option, load

EVERY_S = 1.0


@click.command()
@config_option
def status(config: Path) -> None:
    """Show the rooms of the waitroom that runs with this configuration."""
    show(_asked(config, "/api/status"))


@click.command()
@click.option("--once", is_flag=True, help="Show it once, and end.")
@config_option
def top(config: Path, *, once: bool) -> None:
    """Watch all rooms: who is inside, who waits, how fast they are called. `q` or Ctrl-C ends it."""
    console, trends = Console(), Trends()
    if once:
        console.print(screen(_noted(trends, _asked(config, "/api/rooms")), trends))
        return
    client = Client(load(config))
    with _keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        shown = Group()
        while not pressed(EVERY_S):
            try:
                shown = screen(_noted(trends, client.get("/api/rooms")), trends)
                live.update(shown, refresh=True)
            except DeskError as exc:
                told = Text(f"Not live since {time.strftime('%H:%M:%S')}: {exc}", style="bold red")
                live.update(Group(told, *shown.renderables), refresh=True)


@click.command()
@config_option
def dashboard(config: Path) -> None:
    """Print the dashboard's link, with this machine's token in it: whoever has the link may act."""
    client = Client(load(config))
    try:
        # Behind the #, which browsers keep to themselves: no log has it.
        click.echo(f"{client.url}/#token={client.token}")
    except DeskError as exc:
        raise Failure(str(exc)) from exc


@click.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["reader", "operator"]),
    default="reader",
    show_default=True,
    help="A reader looks, an operator also acts.",
)
def token(name: str, role: str) -> None:
    """Make a token for the admin API and the dashboard; NAME is what the audit log will say."""
    if not re.match(admin_tokens.NAME, name) or name == admin_tokens.LOCAL:
        raise Failure(
            f"{name!r}: a name has up to 40 letters, digits, dots, - and _, and is not {admin_tokens.LOCAL!r}"
        )
    made = admin_tokens.made()
    click.echo(f"The token, which is shown only now:\n\n{made}\n\nWhat the configuration needs to know it:\n")
    click.echo(f'[[admin.tokens]]\nname = "{name}"\nrole = "{role}"\nsha256 = "{admin_tokens.digest(made).hex()}"')


def _asked(config: Path, path: str) -> Any:
    """Raises Failure."""
    try:
        return Client(load(config)).get(path)
    except DeskError as exc:
        raise Failure(str(exc)) from exc


def _noted(trends: Trends, state: Any) -> Any:
    trends.note(state)
    return state


@contextmanager
def _keys() -> Iterator[Any]:
    """Gives what waits for so many seconds, and says whether meanwhile somebody wanted to end it."""
    if not sys.stdin.isatty():
        yield _slept
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield _pressed
    except KeyboardInterrupt:
        pass
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _slept(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _pressed(seconds: float) -> bool:
    return bool(select([sys.stdin], [], [], seconds)[0]) and sys.stdin.read(1) in ("q", "Q", "\x1b")


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
