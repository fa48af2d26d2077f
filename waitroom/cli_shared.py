"""What the commands share: where the configuration is, how it is read, at whose desk they act, how failure is told."""

import asyncio
import getpass
import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from waitroom import settings
from waitroom.desk.room_desk import RoomDesk
from waitroom.embedded import EmbeddedRedis
from waitroom.errors import StoreLostError, WaitroomError
from waitroom.rooms import Room
from waitroom.settings import Settings
from waitroom.store import Store

Result = TypeVar("Result")

UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("config/waitroom.toml"),
    show_default=True,
    help="The configuration file.",
)
why_option = click.option("--why", default="", help="The reason, for the audit log.")


class Duration(click.ParamType[int]):
    """A time: 90, 90s, 10m, 2h or 1d. Gives seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d{1,9})([smhd]?)", str(value))
        if not match or not int(match[1]):
            self.fail(f"{value!r} should be a time such as 90s, 10m, 2h or 1d", param, ctx)
        return int(match[1]) * UNITS_S[match[2]]


class Failure(click.ClickException):
    """An error for the user: its text, and exit code 2."""

    exit_code = 2


def load(config: Path) -> Settings:
    """The settings in a file. Raises Failure, with all faults."""
    try:
        return settings.load(config)[0]
    except WaitroomError as exc:
        raise Failure(str(exc)) from exc


def who() -> str:
    """Who acts, for the audit log."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in a container
        name = "somebody"
    return f"{name}@{socket.gethostname()}"


def at_desk(config: Path, name: str, act: Callable[[Room, RoomDesk], Awaitable[Result]]) -> Result:
    """Does something at the desk of a room. Raises Failure for whatever stands in the way."""
    loaded = load(config)
    rooms = loaded.to_rooms(edited_ms=0)
    room = rooms.named(name)
    if room is None:
        raise Failure(f"{config} has no room {name!r}: it has {', '.join(one.name for one in rooms)}")

    async def run() -> Result:
        store = Store(_url(loaded), loaded.store.timeout_ms)
        try:
            return await act(room, RoomDesk(room, store))
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
    return loaded.store.url.get_secret_value() or EmbeddedRedis(Path(loaded.server.state)).url
