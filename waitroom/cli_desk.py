"""The operator's commands on one line: release, revoke and reset."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from waitroom.cli_acting import at_desk, who, why_option
from waitroom.cli_shared import Failure, config_option
from waitroom.desk.room_desk import RoomDesk
from waitroom.rooms import Room

Result = TypeVar("Result")

HOUR_MS = 3_600_000
key_option = click.option("--key", default="", help="Which line, in a room with {key} in its paths.")
numbers_argument = click.argument("numbers", type=click.IntRange(min=1), nargs=-1, required=True)


@click.command()
@click.argument("room")
@numbers_argument
@key_option
@why_option
@config_option
def release(room: str, numbers: tuple[int, ...], key: str, why: str, config: Path) -> None:
    """Give places back: the `num` of an admission is a visitor's number. Their owners may join anew."""
    count = _done(config, room, key, lambda desk: desk.release(key, numbers, who=who(), why=why))
    click.echo(f"{count} of {len(numbers)} held a place in the line {_line(room, key)}, and gave it back.")


@click.command()
@click.argument("room")
@numbers_argument
@key_option
@click.option("--hours", type=click.IntRange(1, 24 * 365), default=24, show_default=True, help="For how long.")
@why_option
@config_option
def revoke(room: str, numbers: tuple[int, ...], key: str, hours: int, why: str, config: Path) -> None:
    """Take places away, and refuse the numbers for a time."""
    until_ms = round(time.time() * 1000) + hours * HOUR_MS
    count = _done(config, room, key, lambda desk: desk.revoke(key, numbers, until_ms, who=who(), why=why))
    click.echo(
        f"{count} of {len(numbers)} held a place in the line {_line(room, key)}. "
        f"All of them are refused for {hours} hours."
    )


@click.command()
@click.argument("room")
@key_option
@click.option("--epoch", type=click.IntRange(min=2), help="The epoch to begin: one more than the line has.")
@why_option
@config_option
def reset(room: str, key: str, epoch: int | None, why: str, config: Path) -> None:
    """Begin a line anew, in two steps: all places of those who wait become void.

    Without --epoch it only says what would be done, and how. Those inside stay until they leave.
    """
    if epoch is None:
        seen = _done(config, room, key, lambda desk: desk.look(key))
        click.echo(
            f"The line {_line(room, key)} has epoch {seen.epoch}: "
            f"{seen.waiting:,} wait in it, {seen.inside:,} are inside.\n"
            "A reset voids the places of all who wait, and can't be undone. To do it:\n\n"
            f"waitroom reset {room}{f' --key {key}' if key else ''} --epoch {seen.epoch + 1} --config {config}"
        )
        return
    _done(config, room, key, lambda desk: desk.reset(key, epoch, who=who(), why=why))
    click.echo(f"The line {_line(room, key)} began anew with epoch {epoch}. Who comes with an older ticket is told so.")


def _line(room: str, key: str) -> str:
    return f"of {room!r}" + (f", key {key!r}," if key else "")


def _done(config: Path, name: str, key: str, act: Callable[[RoomDesk], Awaitable[Result]]) -> Result:
    """Raises Failure for whatever stands in the way."""

    def at_line(room: Room, desk: RoomDesk) -> Awaitable[Result]:
        if not room.has_key(key):
            wanted = "name one of its lines with --key" if room.has_keys else "it has one line, and no keys"
            raise Failure(f"room {name!r} has no line of key {key!r}: {wanted}")
        return act(desk)

    return at_desk(config, name, at_line)
