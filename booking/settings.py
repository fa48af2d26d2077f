"""The settings, read from environment variables `BOOKING_*`: all faults at once, each with the name of its variable."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

PREFIX = "BOOKING_"
DRIVERS = ("sqlite+aiosqlite", "mysql+aiomysql")


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


def _keys(value: str) -> str:
    parts = urlsplit(value)
    if not value or (parts.scheme in {"http", "https"} and not parts.hostname):
        raise ValueError("must be the URL or the file of a JWK set, such as http://127.0.0.1:8080/.waitroom/jwks.json")
    return value


class Settings(BaseModel):
    """Each field is the variable of the same name in capitals, after `BOOKING_`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:8081"
    database_url: Annotated[SecretStr, AfterValidator(_database_url)] = SecretStr("sqlite+aiosqlite:///booking.db")
    admission_keys: Annotated[str, AfterValidator(_keys)] = "http://127.0.0.1:8080/.waitroom/jwks.json"
    admission_audience: str = Field("site", min_length=1)
    admission_issuer: str = Field("waitroom", min_length=1)
    hold_s: int = Field(900, ge=10, le=86_400)
    sweep_s: int = Field(10, ge=1, le=3_600)
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


def read(environment: Mapping[str, str]) -> Settings:
    """The settings that an environment spells. Raises SettingsError, which names every fault."""
    values = {
        name.removeprefix(PREFIX).lower(): value for name, value in environment.items() if name.startswith(PREFIX)
    }
    try:
        return Settings.model_validate(values)
    except ValidationError as exc:
        raise SettingsError([_sentence(str(error["loc"][0]), error["msg"]) for error in exc.errors()]) from exc


def _sentence(field: str, message: str) -> str:
    variable = PREFIX + field.upper()
    if field not in Settings.model_fields:
        known = ", ".join(PREFIX + name.upper() for name in Settings.model_fields)
        return f"{variable}: there is no such setting; there are {known}"
    return f"{variable}: {message.removeprefix('Value error, ')}"
