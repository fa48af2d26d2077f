"""The settings, read from environment variables `BOOKING_*`: all faults at once, each with the name of its variable.

What is secret may stand in a file that `BOOKING_…_FILE` names.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from booking import secret_files
from booking.mail_address import address_of
from booking.secret_files import SecretFileError
from booking.signatures import key_of

PREFIX = "BOOKING_"
DRIVERS = ("sqlite+aiosqlite", "mysql+aiomysql")
SHORTEST_SECRET = 32
SECRET = (
    "database_url", "redis_url", "secrets", "sandbox_secret", "stripe_secret_key", "stripe_webhook_secret", "smtp_url",
    "webhook_secret",
)  # fmt: skip


class SettingsError(Exception):
    """The settings do not hold; `faults` has one sentence for each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def _database_url(value: SecretStr) -> SecretStr:
    wanted = f"must start with one of {', '.join(f'{driver}://' for driver in DRIVERS)}"
    try:
        url = make_url(value.get_secret_value())
    except ArgumentError as exc:
        raise ValueError(wanted) from exc
    if url.drivername not in DRIVERS:
        raise ValueError(wanted)
    return value


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) < 65_536:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:8081")
    return value


def _url_of(*schemes: str) -> AfterValidator:
    wanted = f"must start with one of {', '.join(f'{scheme}://' for scheme in schemes)}"

    def check(value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if value.get_secret_value() and (parts.scheme not in schemes or not (parts.netloc or parts.path)):
            raise ValueError(wanted)
        if not _has_sound_port(parts):
            raise ValueError("must have a port number or none; a password in it must be percent-encoded")
        return value

    return AfterValidator(check)


def _has_sound_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _public_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("must be what visitors type before the path, such as https://air.example.org")
    return value.rstrip("/")


def _keys(value: str) -> str:
    parts = urlsplit(value)
    if not value or (parts.scheme in {"http", "https"} and not parts.hostname):
        raise ValueError("must be the URL or the file of a JWK set, such as http://127.0.0.1:8080/.waitroom/jwks.json")
    return value


def _webhook_url(value: str) -> str:
    if value and urlsplit(value).scheme not in {"http", "https"}:
        raise ValueError("must be a URL that takes POST, such as https://crm.example.org/hooks/booking")
    return value


def _mail_address(value: str) -> str:
    address_of(value)
    return value


def _webhook_secret(value: SecretStr) -> SecretStr:
    if value.get_secret_value():
        key_of(value.get_secret_value())
    return value


def _words(value: object) -> object:
    return value.split() if isinstance(value, str) else value


def _plain(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


Secret = Annotated[SecretStr, Field(min_length=SHORTEST_SECRET)]


class Settings(BaseModel):
    """Each field is the variable of the same name in capitals, after `BOOKING_`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:8081"
    admin_listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:9181"
    public_url: Annotated[str, AfterValidator(_public_url)] = "http://127.0.0.1:8080"
    state_folder: Path = Path("booking-state")
    database_url: Annotated[SecretStr, AfterValidator(_database_url)] = SecretStr("sqlite+aiosqlite:///booking.db")
    redis_url: Annotated[SecretStr, _url_of("redis", "rediss", "unix")] = SecretStr("")
    # The first signs, all verify; none: one is made, and kept in the state folder.
    secrets: Annotated[tuple[Secret, ...], BeforeValidator(_words)] = ()

    admission_keys: Annotated[str, AfterValidator(_keys)] = "http://127.0.0.1:8080/.waitroom/jwks.json"
    admission_audience: str = Field("site", min_length=1)
    admission_issuer: str = Field("waitroom", min_length=1)

    hold_s: int = Field(900, ge=10, le=86_400)
    sweep_s: int = Field(10, ge=1, le=3_600)

    gateway: Literal["sandbox", "stripe"] = "sandbox"
    sandbox_url: Annotated[str, AfterValidator(_public_url)] = "http://127.0.0.1:8082"
    sandbox_secret: SecretStr = SecretStr("")
    stripe_secret_key: SecretStr = SecretStr("")
    stripe_public_key: str = ""
    stripe_webhook_secret: SecretStr = SecretStr("")
    stripe_api_url: Annotated[str, AfterValidator(_public_url)] = "https://api.stripe.com"
    stripe_script_url: str = "https://js.stripe.com/v3/"

    smtp_url: Annotated[SecretStr, _url_of("smtp", "smtps", "smtp+starttls")] = SecretStr("")
    mail_from: Annotated[str, AfterValidator(_mail_address)] = "Halcyon Air <tickets@halcyon.example>"
    # Where events go, and the secret that signs them (Standard Webhooks: whsec_…).
    webhook_url: Annotated[str, AfterValidator(_webhook_url)] = ""
    webhook_secret: Annotated[SecretStr, AfterValidator(_webhook_secret)] = SecretStr("")

    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    slow_query_ms: int = Field(200, ge=1, le=60_000)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {
            "stripe": ("stripe_secret_key", "stripe_public_key", "stripe_webhook_secret"),
        }.get(self.gateway, ())
        missing = [name for name in needed if not _plain(getattr(self, name))]
        if missing:
            raise ValueError(f"BOOKING_GATEWAY={self.gateway} needs {', '.join(PREFIX + n.upper() for n in missing)}")
        if self.gateway == "stripe" and find_spec("stripe") is None:
            raise ValueError("BOOKING_GATEWAY=stripe needs Stripe's library: pip install waitroom[booking,stripe]")
        if self.webhook_url and not self.webhook_secret.get_secret_value():
            raise ValueError("BOOKING_WEBHOOK_URL needs BOOKING_WEBHOOK_SECRET, by which its receiver knows us")
        return self


def read(environment: Mapping[str, str]) -> Settings:
    """The settings that an environment spells. Raises SettingsError, which names every fault."""
    try:
        environment = secret_files.opened(environment, [PREFIX + name.upper() for name in SECRET])
    except SecretFileError as exc:
        raise SettingsError(exc.faults) from exc
    values = {
        name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if name.startswith(PREFIX)
    }
    try:
        return Settings.model_validate(values)
    except ValidationError as exc:
        raise SettingsError(
            [_sentence(str(error["loc"][0]) if error["loc"] else "", error["msg"]) for error in exc.errors()]
        ) from exc


def _sentence(field: str, message: str) -> str:
    if not field:
        return message.removeprefix("Value error, ")
    variable = PREFIX + field.upper()
    if field not in Settings.model_fields:
        known = ", ".join(PREFIX + name.upper() for name in Settings.model_fields)
        return f"{variable}: there is no such setting; there are {known}"
    return f"{variable}: {message.removeprefix('Value error, ')}"
