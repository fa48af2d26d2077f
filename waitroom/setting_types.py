"""The kinds of values in a configuration: what each may be, and what is said where it is not."""

import ipaddress
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from waitroom import languages, store_url
from waitroom.rooms import KEY
from waitroom.setting_secret import secret

UNIX = "unix:"
ROOM_NAME = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
# Of a moment. Numbers follow an opening, and Redis counts exactly up to 2**53 only: a thousand numbers for each
# millisecond until the year 2255.
FIRST_YEAR, LAST_YEAR = 2000, 2200


class Table(BaseModel):
    """A table of the file: nothing in it is unknown, and nothing is converted.

    What stands under a field says what it is: in the JSON Schema, and word for word in config/waitroom.toml.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not (host and colon and port.isdigit() and int(port) < 65_536) or (":" in host and not bracketed):
        raise ValueError('should be "host:port", for instance "127.0.0.1:8080" or "[::1]:8080"')
    return value


def _origin(value: str) -> str:
    if value.startswith(UNIX):
        if not re.fullmatch(r"/[^\0?#]*[^\0?#/]", value.removeprefix(UNIX)):
            raise ValueError('should be "unix:" and the whole path of a socket, for instance "unix:/run/site.sock"')
        return value
    url = urlsplit(value)
    if (
        url.scheme not in ("http", "https")
        or not _has_host_and_port(value)
        or url.path not in ("", "/")
        or url.query
        or url.username is not None
    ):
        raise ValueError('should be "http://host:port", "https://host" or "unix:/path/to.sock", without a path')
    return value.rstrip("/")


def _has_host_and_port(value: str) -> bool:
    url = urlsplit(value)
    try:
        return bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        return False


def _network(value: str) -> str:
    try:
        ipaddress.ip_network(value)
    except ValueError as exc:
        raise ValueError(f'should be an address or a network, for instance "10.0.0.0/8" ({exc})') from exc
    return value


def _store_url(value: str) -> None:
    if value:
        store_url.parse(value)


def _glob(value: str) -> str:
    if not value.startswith("/") or re.search(r"[{}?#%]|//|/\.{1,2}(/|$)", value):
        raise ValueError('should start with "/" and be a plain path in which * stands for anything')
    return value


def _guarded(value: str) -> str:
    if value.count(KEY) > 1 or (KEY in value and not re.search(r"/\{key\}(/|$)", value)):
        raise ValueError('may have one {key}, as a whole segment: "/flights/{key}/*"')
    _glob(value.replace(KEY, "key"))
    return value


def _language(value: str) -> str:
    if value not in languages.codes():
        raise ValueError(f"should be one of {', '.join(languages.codes())}")
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
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"should be in a year from {FIRST_YEAR} to {LAST_YEAR}")
    return value


def _host(value: str) -> str:
    if value != value.lower() or re.search(r"[/\s@]|:\d+$", value) or not value:
        raise ValueError("should be a host name in lower case without port, in which * stands for anything")
    return value


def _health_path(value: str) -> str:
    if value and not re.fullmatch(r"/[!-\"$-~]*", value):
        raise ValueError('should be a path with or without a query, for instance "/healthz"; empty: nobody is asked')
    return value


def _server_name(value: str) -> str:
    if value and not re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", value):
        raise ValueError("should be a host name in lower case without port; empty: the host of the origin")
    return value


def _log_file(value: str) -> str:
    if value not in ("", "-") and not Path(value).parent.is_dir():
        raise ValueError('should be "" for none, "-" for the standard output, or a file in a folder that exists')
    return value


def _script_origin(value: str) -> str:
    default_port = ":443" if value.startswith("https:") else ":80"
    if not re.fullmatch(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?", value) or value.endswith(
        default_port
    ):
        raise ValueError(
            'should be an origin as browsers send it, for instance "https://app.example.com" or '
            '"http://localhost:3000": in lower case, without a path, and without the port that goes without saying'
        )
    return value


Address = Annotated[str, AfterValidator(_address)]
Origin = Annotated[str, AfterValidator(_origin)]
Network = Annotated[str, AfterValidator(_network)]
StoreUrl = Annotated[SecretStr, secret(_store_url)]
PathGlob = Annotated[str, AfterValidator(_glob)]
GuardedGlob = Annotated[str, AfterValidator(_guarded)]
LanguageCode = Annotated[str, AfterValidator(_language)]
KeyPattern = Annotated[str, AfterValidator(_key_pattern)]
Moment = Annotated[datetime, AfterValidator(_moment)]
HostGlob = Annotated[str, AfterValidator(_host)]
HealthPath = Annotated[str, AfterValidator(_health_path)]
ServerName = Annotated[str, AfterValidator(_server_name)]
ScriptOrigin = Annotated[str, AfterValidator(_script_origin)]
LogFile = Annotated[str, AfterValidator(_log_file)]
Algorithm = Literal["EdDSA", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "HS256", "HS384", "HS512"]
Seconds = Annotated[int, Field(ge=1, le=86_400)]
# Of a time in which something must happen; parts of a second may be meant.
Patience = Annotated[float, Field(ge=0.1, le=86_400)]
