"""The address of the store: what [store] url may say. A fault is told without showing it: it may hold a password."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote

# A store that takes longer than this is as good as lost: visitors are waiting on the answer.
TIMEOUT_MS = 200

Kind = Literal["server", "socket", "sentinel", "cluster"]
# What a url may begin with: how the store is reached, and whether by TLS.
SCHEMES: Mapping[str, tuple[Kind, bool]] = {
    "redis": ("server", False),
    "rediss": ("server", True),
    "unix": ("socket", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
PORT, SENTINEL_PORT = 6379, 26379
SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")
# Names and meanings are redis-py's.
TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")
YES, NO = ("true", "yes", "1"), ("false", "no", "0")

AFTER_SCHEME = re.compile(r"(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?")
HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)]|(?P<name>[^][:\s]+))(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """A url, read. `name` is the master that sentinels watch, or the path of a socket; `tls` is redis-py's."""

    kind: Kind
    secure: bool
    hosts: tuple[tuple[str, int], ...]
    name: str
    db: int
    username: str
    password: str = field(repr=False)
    sentinel_username: str
    sentinel_password: str = field(repr=False)
    tls: Mapping[str, str | bool]


def parse(text: str) -> StoreUrl:
    """Reads a url. Raises ValueError, which says what would be right and shows nothing of a login."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in SCHEMES:
        raise ValueError(
            f"should be empty (an embedded Redis), or start with {', '.join(f'{known}://' for known in SCHEMES)}"
        )
    kind, secure = SCHEMES[scheme]
    parts = AFTER_SCHEME.fullmatch(rest)
    after_authority = rest[len(parts["authority"]) :] if parts else "@"
    if not parts or ("@" in after_authority and kind != "socket"):
        raise ValueError('in a user name or a password, "/", "?" and "#" should be written %2F, %3F and %23')
    login, _, hosts = parts["authority"].rpartition("@")
    username, _, password = login.partition(":")
    path = unquote(parts["path"] or "")
    options = _options(scheme, parts["query"] or "")
    return StoreUrl(
        kind=kind,
        secure=secure,
        hosts=_hosts(kind, hosts),
        name=_name(kind, path),
        db=_db(options.get("db", path.strip("/") if kind == "server" else "")),
        username=unquote(username),
        password=unquote(password),
        sentinel_username=options.get("sentinel_username", ""),
        sentinel_password=options.get("sentinel_password", ""),
        tls={name: _tls(name, options[name]) for name in TLS_OPTIONS if name in options},
    )


def _hosts(kind: Kind, text: str) -> tuple[tuple[str, int], ...]:
    if kind == "socket":
        if text:
            raise ValueError('should have three slashes before the path of a socket: "unix:///run/redis.sock"')
        return ()
    hosts = tuple(_host(host, SENTINEL_PORT if kind == "sentinel" else PORT) for host in text.split(","))
    if kind == "server" and len(hosts) > 1:
        raise ValueError("should start with redis+sentinel:// or redis+cluster:// where it names several hosts")
    return hosts


def _host(text: str, default_port: int) -> tuple[str, int]:
    found = HOST.fullmatch(text)
    port = int(found["port"] or default_port) if found else 0
    if not found or not 0 < port < 65_536:
        raise ValueError('should name each host as "host" or "host:port", with a port from 1 to 65535')
    return found["v6"] or found["name"], port


def _name(kind: Kind, path: str) -> str:
    match kind:
        case "socket" if path:
            return path
        case "socket":
            raise ValueError('should name the path of a socket: "unix:///run/redis.sock"')
        case "sentinel":
            name = path.removeprefix("/")
            if not name or "/" in name:
                raise ValueError(
                    "should end in the name of the master that the sentinels watch: "
                    '"redis+sentinel://one:26379,two:26379/mymaster"'
                )
            return name
        case "cluster" if path.strip("/"):
            raise ValueError("should end with the hosts: a cluster has no databases")
    return ""


def _db(text: str) -> int:
    if not re.fullmatch(r"[0-9]{0,6}", text):
        raise ValueError('should give the database as a number: "redis://host:6379/0"')
    return int(text or 0)


def _options(scheme: str, query: str) -> dict[str, str]:
    kind, secure = SCHEMES[scheme]
    known = [
        *(() if kind == "cluster" else ("db",)),
        *(TLS_OPTIONS if secure else ()),
        *(SENTINEL_OPTIONS if kind == "sentinel" else ()),
    ]
    given = parse_qsl(query, keep_blank_values=True)
    for name, value in given:
        if name not in known:
            raise ValueError(f"has an option {name!r}: {scheme}:// knows {', '.join(known) or 'none'}")
        if not value:
            raise ValueError(f"has an option {name!r} without a value")
    return dict(given)


def _tls(name: str, value: str) -> str | bool:
    if name != "ssl_check_hostname":
        return value
    if value.lower() not in YES + NO:
        raise ValueError(f"has an option {name!r} that should be true or false")
    return value.lower() in YES
