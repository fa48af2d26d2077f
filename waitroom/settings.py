"""The configuration file: its shape, its defaults, its checks. All faults are reported at once, each with its place."""

import ipaddress
import math
import re
import tomllib
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from waitroom import store_url
from waitroom.errors import ConfigError, Fault
from waitroom.limits import TICK_MS, Limits, Mode
from waitroom.rooms import Room, Rooms

# What may hold a password, and is never shown.
SECRETS = (("store",), ("store", "url"))
ROOM_NAME = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (host and colon and port.isdigit() and int(port) < 65_536):
        raise ValueError('should be "host:port", for instance "127.0.0.1:8080" or "[::1]:8080"')
    return value


def _origin(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in ("http", "https") or not url.hostname or url.path not in ("", "/") or url.query:
        raise ValueError('should be "http://host:port" or "https://host", without a path')
    return value.rstrip("/")


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError as exc:
        raise ValueError(f'should be an address or a network, for instance "10.0.0.0/8" ({exc})') from exc
    return value


def _store_url(value: str) -> str:
    if value:
        store_url.parse(value)
    return value


def _glob(value: str) -> str:
    if not value.startswith("/") or re.search(r"[{}?#%]|//|/\.{1,2}(/|$)", value):
        raise ValueError('should start with "/" and be a plain path in which * stands for anything')
    return value


def _host(value: str) -> str:
    if value != value.lower() or re.search(r"[/\s@]|:\d+$", value) or not value:
        raise ValueError("should be a host name in lower case without port, in which * stands for anything")
    return value


Address = Annotated[str, AfterValidator(_address)]
Origin = Annotated[str, AfterValidator(_origin)]
Network = Annotated[str, AfterValidator(_network)]
StoreUrl = Annotated[str, AfterValidator(_store_url)]
PathGlob = Annotated[str, AfterValidator(_glob)]
HostGlob = Annotated[str, AfterValidator(_host)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ServerSettings(Table):
    listen: Annotated[list[Address], Field(min_length=1)] = ["0.0.0.0:8080"]
    trusted_proxies: list[Network] = []
    issuer: Annotated[str, Field(min_length=1)] = "waitroom"
    state: str = ".waitroom"


class AdminSettings(Table):
    listen: Address = "127.0.0.1:9180"


class StoreSettings(Table):
    url: Annotated[StoreUrl, Field(repr=False)] = ""
    timeout_ms: Annotated[int, Field(ge=50, le=5_000)] = store_url.TIMEOUT_MS


class KeySettings(Table):
    admission: list[str] = []
    ticket: list[str] = []


class RoomSettings(Table):
    name: Annotated[str, Field(pattern=ROOM_NAME)]
    title: str = ""
    audience: str = ""
    hosts: Annotated[list[HostGlob], Field(min_length=1)] = ["*"]
    paths: Annotated[list[PathGlob], Field(min_length=1)] = ["/*"]
    bypass: list[PathGlob] = []
    origins: Annotated[list[Origin], Field(min_length=1)]
    mode: Mode = "auto"
    rate_per_minute: Annotated[int, Field(ge=1, le=6_000_000)] = 600
    burst: Annotated[int, Field(ge=1, le=100_000)] | None = None
    cap: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    session_s: Seconds = 600
    claim_s: Annotated[int, Field(ge=5, le=3_600)] = 60
    presence_s: Annotated[int, Field(ge=5, le=3_600)] = 60
    page_status: Annotated[int, Field(ge=200, le=599)] = 200
    polls_per_second: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    message: Annotated[str, Field(max_length=500)] = ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        least = math.ceil(self.rate_per_minute * TICK_MS / 60_000) + 1
        if self.burst is not None and self.burst < least:
            raise ValueError(
                f"burst = {self.burst} would lose calls at rate_per_minute = {self.rate_per_minute}, "
                f"since the line calls every {TICK_MS} ms: it should be at least {least}"
            )
        if self.session_s < self.claim_s:
            raise ValueError(f"session_s = {self.session_s} should not be shorter than claim_s = {self.claim_s}")
        return self

    def to_room(self, version: int, edited_ms: int) -> Room:
        """This room as values for the rest of the program."""
        limits = Limits(
            version=version,
            edited_ms=edited_ms,
            mode=self.mode,
            rate_per_minute=self.rate_per_minute,
            burst=self.burst or math.ceil(self.rate_per_minute / 60) + 1,
            cap=self.cap,
            claim_ms=self.claim_s * 1000,
            presence_ms=self.presence_s * 1000,
            session_ms=self.session_s * 1000,
        )
        return Room(
            name=self.name,
            title=self.title or self.name,
            audience=self.audience or self.name,
            hosts=tuple(self.hosts),
            paths=tuple(self.paths),
            bypass=tuple(self.bypass),
            origins=tuple(self.origins),
            limits=limits,
            page_status=self.page_status,
            polls_per_second=self.polls_per_second,
            message=self.message,
        )


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

    def to_rooms(self, edited_ms: int) -> Rooms:
        """The rooms as values; `edited_ms` is when the file was last written."""
        return Rooms([room.to_room(self.version, edited_ms) for room in self.rooms])

    def needs_restart(self, other: "Settings") -> list[str]:
        """The tables in which the other differs from this one, and that only a restart applies."""
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
