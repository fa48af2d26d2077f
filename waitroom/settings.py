"""The configuration file as a whole: read, and checked. All faults are reported at once, each with its place."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from waitroom.beside import Beside
from waitroom.errors import ConfigError, Fault
from waitroom.rooms import Rooms
from waitroom.setting_faults import THE_FILE, faults_of
from waitroom.setting_types import Table
from waitroom.settings_rooms import RoomSettings
from waitroom.settings_server import AdminSettings, KeySettings, ServerSettings, StoreSettings

# Far more than any configuration has.
MOST_BYTES = 2**20


class Settings(Table):
    """A whole configuration of waitroom; config/waitroom.toml has each setting with its default."""

    version: Annotated[int, Field(ge=1, le=2**31)]
    """raise it with each change, a roll-back too: among several processes, the highest version wins"""
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

    def differs_in_looks_only(self, other: "Settings") -> bool:
        """Whether nothing is changed of which the highest version wins: each process reads its own pages."""
        looks = {"rooms": {"__all__": {"page"}}}
        return self.model_dump(exclude=looks) == other.model_dump(exclude=looks)

    def needs_workers(self, other: "Settings") -> list[str]:
        """The tables in which the other differs from this one, and that only new workers apply."""
        tables = [name for name in ("server", "store", "keys") if getattr(self, name) != getattr(other, name)]
        # Tokens are looked up in the settings in force.
        return tables + (["admin"] if self.admin.listen != other.admin.listen else [])


def load(path: Path, beside: Beside | None = None) -> tuple[Settings, int]:
    """Reads a file; gives the settings, and when it was last written (ms). Raises ConfigError with all its faults. What
    it leads to is read `beside` it, which notes that."""
    try:
        # Opened once: what a link leads to may change in between.
        with path.open("rb") as file:
            edited_ms = os.fstat(file.fileno()).st_mtime_ns // 1_000_000
            content = file.read(MOST_BYTES + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(str(path), [Fault(THE_FILE, f"can't be read: {exc}")]) from exc
    if len(content) > MOST_BYTES:
        raise ConfigError(str(path), [Fault(THE_FILE, f"is too long: should have at most {MOST_BYTES:,} bytes")])
    return parse(text, str(path), beside), edited_ms


def parse(text: str, source: str, beside: Beside | None = None) -> Settings:
    """Reads the text of a file; `source` names it in errors. Raises ConfigError with all its faults."""
    try:
        return Settings.model_validate(tomllib.loads(text), context=beside or Beside(Path(source).parent))
    except ValidationError as exc:
        raise ConfigError(source, faults_of(exc, Settings)) from exc
    # Of a number with thousands of digits it raises a plain ValueError.
    except ValueError as exc:
        raise ConfigError(source, [Fault(THE_FILE, f"is not TOML: {exc}")]) from exc
    except RecursionError as exc:
        raise ConfigError(source, [Fault(THE_FILE, "is nested too deeply")]) from exc


def advise_version(version: int, in_force: int) -> str:
    """What to do about a changed file whose version is not higher than the one in force."""
    if version < in_force:
        return (
            f"version {version} is lower than version {in_force} in force, whose limits stay: a roll-back is a new "
            f"version too, set version = {in_force + 1}"
        )
    return (
        f"version {version} is not higher than version {in_force} in force: of two files of one version the one "
        f"written later wins, whichever that is; set version = {in_force + 1}"
    )
