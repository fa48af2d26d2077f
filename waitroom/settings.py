"""The configuration file: its shape, its defaults, its checks. All faults are reported at once, each with its place."""

import ipaddress
import math
import re
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from waitroom import store_url
from waitroom.errors import ConfigError, Fault
from waitroom.identity import Identity
from waitroom.limits import TICK_MS, Limits, Mode, OnStoreLoss
from waitroom.rooms import KEY, Room, Rooms

# What may hold a password, and is never shown.
SECRETS = (("store",), ("store", "url"))
ROOM_NAME = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
# What a key may consist of in any case: it stands in cookies' names, in tickets and in Redis.
KEY_CHARACTERS = r"[A-Za-z0-9_-]{1,64}"
# What it consists of unless the operator says otherwise. No capitals: where an origin takes two spellings for one
# thing, only one of them may have a line.
KEY_PATTERN = r"[a-z0-9_-]+"
SHARED_SECRETS = {"HS256", "HS384", "HS512"}
SHORTEST_SECRET = 32


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


def _guarded(value: str) -> str:
    if value.count(KEY) > 1 or (KEY in value and not re.search(r"/\{key\}(/|$)", value)):
        raise ValueError('may have one {key}, as a whole segment: "/flights/{key}/*"')
    _glob(value.replace(KEY, "key"))
    return value


def _key_pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as exc:
        raise ValueError(f"should be a regular expression ({exc})") from exc
    return value


def _moment(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("should say its time zone, for instance 2027-03-01T09:00:00+09:00")
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
GuardedGlob = Annotated[str, AfterValidator(_guarded)]
KeyPattern = Annotated[str, AfterValidator(_key_pattern)]
Moment = Annotated[datetime, AfterValidator(_moment)]
HostGlob = Annotated[str, AfterValidator(_host)]
Algorithm = Literal["EdDSA", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "HS256", "HS384", "HS512"]
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


class IdentitySettings(Table):
    """Where a room finds who somebody is; exactly one of `header` and `cookie`."""

    header: str = ""
    cookie: str = ""
    claim: str = ""
    key_file: str = ""
    algorithms: Annotated[list[Algorithm], Field(min_length=1)] = ["EdDSA"]
    required: bool = False

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if bool(self.header) == bool(self.cookie):
            raise ValueError('should name either a header or a cookie, for instance cookie = "session"')
        if bool(self.claim) != bool(self.key_file):
            raise ValueError("claim and key_file go together: a claim is believed only if its signature is verified")
        if len({algorithm in SHARED_SECRETS for algorithm in self.algorithms}) > 1:
            raise ValueError("algorithms should be all of shared secrets (HS…) or all of public keys, never both")
        if self.key_file:
            self._check_key()
        return self

    def _check_key(self) -> None:
        try:
            key = self._key()
            for algorithm in self.algorithms:
                jwt.get_algorithm_by_name(algorithm).prepare_key(key)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm, jwt.PyJWTError) as exc:
            raise ValueError(f"key_file = {self.key_file!r} can't be used for {self.algorithms}: {exc}") from exc
        if self.algorithms[0] in SHARED_SECRETS and len(key) < SHORTEST_SECRET:
            raise ValueError(f"the secret in {self.key_file!r} should have at least {SHORTEST_SECRET} characters")

    def _key(self) -> str:
        return Path(self.key_file).read_text("utf-8").strip() if self.key_file else ""

    def to_identity(self) -> Identity:
        """As values for the rest of the program."""
        return Identity(
            source="header" if self.header else "cookie",
            name=self.header or self.cookie,
            claim=self.claim,
            key=self._key(),
            algorithms=tuple(self.algorithms),
            required=self.required,
        )


class RoomSettings(Table):
    name: Annotated[str, Field(pattern=ROOM_NAME)]
    title: str = ""
    audience: str = ""
    hosts: Annotated[list[HostGlob], Field(min_length=1)] = ["*"]
    paths: Annotated[list[GuardedGlob], Field(min_length=1)] = ["/*"]
    key_pattern: KeyPattern = KEY_PATTERN
    max_lines: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    idle_s: Annotated[int, Field(ge=60, le=7 * 86_400)] = 3_600
    bypass: list[PathGlob] = []
    origins: Annotated[list[Origin], Field(min_length=1)]
    mode: Mode = "auto"
    rate_per_minute: Annotated[int, Field(ge=1, le=6_000_000)] = 600
    burst: Annotated[int, Field(ge=1, le=100_000)] | None = None
    cap: Annotated[int, Field(ge=1, le=1_000_000)] = 200
    session_s: Seconds = 600
    claim_s: Annotated[int, Field(ge=5, le=3_600)] = 60
    presence_s: Annotated[int, Field(ge=5, le=3_600)] = 60
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    draw: Annotated[str, Field(pattern=ROOM_NAME)] | None = None
    draw_size: Annotated[int, Field(ge=1, le=10_000_000)] = 1_000_000
    identity: IdentitySettings | None = None
    on_store_loss: OnStoreLoss = "hold"
    loss_cap: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
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
        if len({KEY in path for path in self.paths}) > 1:
            raise ValueError("either all of the paths have {key}, or none")
        if KEY in self.paths[0] and self.idle_s < max(self.session_s, self.presence_s):
            raise ValueError(f"idle_s = {self.idle_s} should not be shorter than session_s and presence_s")
        if self.draw and not self.opens_at:
            raise ValueError("draw needs opens_at: those who come before it are drawn")
        if self.opens_at and self.closes_at and self.opens_at >= self.closes_at:
            raise ValueError("closes_at should be after opens_at")
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
            opens_ms=_to_ms(self.opens_at),
            closes_ms=_to_ms(self.closes_at),
            draw=self.draw or "",
            draw_size=self.draw_size if self.draw else 0,
            idle_ms=self.idle_s * 1000 if KEY in self.paths[0] else 0,
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
            key_pattern=rf"(?={KEY_CHARACTERS}\Z)(?:{self.key_pattern})",
            most_lines=self.max_lines,
            identity=self.identity.to_identity() if self.identity else None,
            on_store_loss=self.on_store_loss,
            loss_cap=self.loss_cap or self.cap,
        )


def _to_ms(moment: datetime | None) -> int:
    return round(moment.timestamp() * 1000) if moment else 0


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
