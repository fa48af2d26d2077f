"""Where an origin is, as its URL says: a host and a port, in the clear or over TLS, or a unix socket."""

from dataclasses import dataclass
from urllib.parse import urlsplit

UNIX = "unix:"


@dataclass(frozen=True, slots=True)
class OriginAddress:
    """`path` is that of a unix socket, and empty where there are a `host` and a `port`. `authority` is what a Host
    field names it by (RFC 9110, section 7.2)."""

    host: str
    port: int
    is_tls: bool
    path: str
    authority: bytes


def parse(url: str) -> OriginAddress:
    """The address in `http://host:port`, `https://host` or `unix:/path/to.sock`; other URLs the settings refuse."""
    if url.startswith(UNIX):
        return OriginAddress("localhost", 0, is_tls=False, path=url.removeprefix(UNIX), authority=b"localhost")
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    authority = parts.netloc.encode("ascii" if parts.netloc.isascii() else "idna")
    return OriginAddress(parts.hostname or "", port, is_tls, path="", authority=authority)
