"""What the commands share that act at the desk of a room: the way there, who acts, and why."""

import asyncio
import getpass
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from waitroom.cli_shared import Failure, load
from waitroom.desk.room_desk import RoomDesk
from waitroom.embedded import EmbeddedRedis
from waitroom.errors import StoreLostError, WaitroomError
from waitroom.rooms import Room
from waitroom.settings import Settings
from waitroom.store import Store

Result = TypeVar("Result")

why_option = click.option("--why", default="", help="The reason, for the audit log.")


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
