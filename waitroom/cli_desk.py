"""The operator's commands on one line: release, revoke and reset."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from waitroom.cli_shared import Failure, config_option, load
from waitroom.desk import Desk
from waitroom.embedded import EmbeddedRedis
from waitroom.errors import StoreLostError, WaitroomError
from waitroom.settings import Settings
from waitroom.store import Store

Result = TypeVar("Result")

HOUR_MS = 3_600_000
key_option = click.option("--key", default="", help="Which line, in a room with {key} in its paths.")
numbers_argument = click.argument("numbers", type=click.IntRange(min=1), nargs=-1, required=True)


@click.command()
@click.argument("room")
@numbers_argument
@key_option
@config_option
def release(room: str, numbers: tuple[int, ...], key: str, config: Path) -> None:
    """Give places back: the `num` of an admission is a visitor's number. Their owners may join anew."""
    count = _done(config, room, key, lambda desk: desk.release(list(numbers)))
    click.echo(f"{count} of {len(numbers)} held a place in the line {_line(room, key)}, and gave it back.")


@click.command()
@click.argument("room")
@numbers_argument
@key_option
@click.option("--hours", type=click.IntRange(1, 24 * 365), default=24, show_default=True, help="For how long.")
@config_option
def revoke(room: str, numbers: tuple[int, ...], key: str, hours: int, config: Path) -> None:
    """Take places away, and refuse the numbers for a time."""
    until_ms = round(time.time() * 1000) + hours * HOUR_MS
    count = _done(config, room, key, lambda desk: desk.revoke(list(numbers), until_ms))
    click.echo(
        f"{count} of {len(numbers)} held a place in the line {_line(room, key)}. "
        f"All of them are refused for {hours} hours."
    )


@click.command()
@click.argument("room")
@key_option
@click.option("--epoch", type=click.IntRange(min=2), help="The epoch to begin: one more than the line has.")
@config_option
def reset(room: str, key: str, epoch: int | None, config: Path) -> None:
    """Begin a line anew, in two steps: all places of those who wait become void.

    Without --epoch it only says what would be done, and how. Those inside stay until they leave.
    """
    if epoch is None:
        seen = _done(config, room, key, lambda desk: desk.look())
        click.echo(
            f"The line {_line(room, key)} has epoch {seen.epoch}: "
            f"{seen.waiting:,} wait in it, {seen.inside:,} are inside.\n"
            "A reset voids the places of all who wait, and can't be undone. To do it:\n\n"
            f"waitroom reset {room}{f' --key {key}' if key else ''} --epoch {seen.epoch + 1} --config {config}"
        )
        return
    _done(config, room, key, lambda desk: desk.reset(epoch))
    click.echo(f"The line {_line(room, key)} began anew with epoch {epoch}. Who comes with an older ticket is told so.")


def _line(room: str, key: str) -> str:
    return f"of {room!r}" + (f", key {key!r}," if key else "")


def _done(config: Path, room: str, key: str, act: Callable[[Desk], Awaitable[Result]]) -> Result:
    """Raises Failure for whatever stands in the way."""
    loaded = load(config)
    rooms = loaded.to_rooms(edited_ms=0)
    guarded = rooms.named(room)
    if guarded is None:
        raise Failure(f"{config} has no room {room!r}: it has {', '.join(one.name for one in rooms)}")
    if not guarded.has_key(key):
        wanted = "name one of its lines with --key" if guarded.has_keys else "it has one line, and no keys"
        raise Failure(f"room {room!r} has no line of key {key!r}: {wanted}")

    async def run() -> Result:
        store = Store(_url(loaded), loaded.store.timeout_ms)
        try:
            return await act(Desk(guarded.line_name(key), guarded.limits, store))
        finally:
            await store.close()

    try:
        return asyncio.run(run())
    except StoreLostError as exc:
        where = "[store] url" if loaded.store.url else "the embedded Redis, which runs while `waitroom serve` does"
        raise Failure(f"Redis can't be reached ({where}): {exc}") from exc
    except WaitroomError as exc:
        raise Failure(str(exc)) from exc


def _url(loaded: Settings) -> str:
    return loaded.store.url or EmbeddedRedis(Path(loaded.server.state)).url
