"""The configuration file as a whole: read, and checked. All faults are reported at once, each with its place."""

import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from waitroom.errors import ConfigError, Fault
from waitroom.rooms import Rooms
from waitroom.setting_types import Table
from waitroom.settings_rooms import RoomSettings
from waitroom.settings_server import AdminSettings, KeySettings, ServerSettings, StoreSettings

# What may hold a password, and is never shown.
SECRETS = (("store",), ("store", "url"))


class Settings(Table):
    """A whole configuration; the file's own docs are in config/waitroom.toml."""

    version: Annotated[int, Field(ge=1, le=2**31)]
    server: ServerSettings = ServerSettings()
    admin: AdminSettings = AdminSettings()
    store: StoreSettings = StoreSettings()
    keys: KeySettings = KeySettings()
    rooms: Annotated[list[RoomSettings], Field(min_length=1)]

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        names = [room.name for room in self.rooms]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"each room needs a name of its own; used twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _unique_addresses(self) -> Self:
        addresses = self.addresses
        if twice := sorted({address for address in addresses if addresses.count(address) > 1}):
            raise ValueError(f"each listener needs an address of its own; used twice: {', '.join(twice)}")
        return self

    @property
    def public_addresses(self) -> list[str]:
        """Where visitors come, in the clear or by TLS."""
        return [*self.server.listen, *(self.server.tls.listen if self.server.tls else [])]

    @property
    def addresses(self) -> list[str]:
        """All on which a waitroom listens."""
        return [*self.public_addresses, self.admin.listen]

    def to_rooms(self, edited_ms: int) -> Rooms:
        """The rooms as values; `edited_ms` is when the file was last written."""
        return Rooms([room.to_room(self.version, edited_ms) for room in self.rooms])

    def needs_workers(self, other: "Settings") -> list[str]:
        """The tables in which the other differs from this one, and that only new workers apply."""
        return [name for name in ("server", "admin", "store", "keys") if getattr(self, name) != getattr(other, name)]


def load(path: Path) -> tuple[Settings, int]:
    """Reads a file; gives the settings, and when it was last written (ms). Raises ConfigError with all its faults."""
    try:
        edited_ms = path.stat().st_mtime_ns // 1_000_000
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(str(path), [Fault("the file", f"can't be read: {exc}")]) from exc
    return parse(text, str(path)), edited_ms


def parse(text: str, source: str) -> Settings:
    """Reads the text of a file; `source` names it in errors. Raises ConfigError with all its faults."""
    try:
        return Settings.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(source, [Fault("the file", f"is not TOML: {exc}")]) from exc
    except ValidationError as exc:
        raise ConfigError(source, [_fault(error) for error in exc.errors()]) from exc


def _fault(error: ErrorDetails) -> Fault:
    where = ""
    for part in error["loc"]:
        where += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if where else ''}{part}"
    return Fault(where or "the file", _advice(error))


def _advice(error: ErrorDetails) -> str:
    given = error.get("input")
    message = str(error["msg"]).removeprefix("Value error, ")
    match error["type"]:
        case "extra_forbidden":
            return "there is no such setting"
        case "missing":
            return "is required"
        case _ if isinstance(given, str | int | float | bool) and error["loc"] not in SECRETS:
            return f"{given!r}: {message[0].lower()}{message[1:]}"
        case _:
            return message
