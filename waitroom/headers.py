"""Header fields on their way between visitor and origin: what is dropped, what is ours, what is added. Pure."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from waitroom import admission

Fields = list[tuple[str, str]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# On a response of the origin's: gives the visitor's place back, or takes it away. What a visitor sends under that name
# is removed, so that no origin that echoes it obeys a visitor.
COMMAND = "x-waitroom-command"
Command = Literal["release", "revoke"]
# RFC 9110, section 7.6.1; Keep-Alive and Proxy-Connection by custom.
HOP_BY_HOP = {
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    "proxy-authenticate", "proxy-authorization",
}  # fmt: skip
# What Connection may name and can't remove: a visitor could otherwise strip what the origin decides by.
NEVER_HOP_BY_HOP = {"host", "content-length", "cookie", "authorization"}
OUR_REQUEST_FIELDS = {
    admission.HEADER.lower(), COMMAND,
    "x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded",
}  # fmt: skip
COOKIE_PREFIXES = ("wr-", "__host-wr-")
VIA = "1.1 waitroom"


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, as far as can be believed: address, scheme and host of the visitor's own request."""

    address: str
    scheme: str
    host: str

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"


def client(peer: str, scheme: str, fields: Sequence[tuple[str, str]], trusted: Sequence[Network]) -> Client:
    """Who asks. X-Forwarded-* counts only from a peer in the trusted networks, and is walked from the right: the first
    address that is not trusted is the visitor's."""
    host = _last(fields, "host")
    if not _is_in(peer, trusted):
        return Client(peer, scheme, host)
    hops = [hop.strip() for hop in ",".join(values(fields, "x-forwarded-for")).split(",") if hop.strip()]
    address = next((hop for hop in reversed(hops) if not _is_in(hop, trusted)), hops[0] if hops else peer)
    proto = _last(fields, "x-forwarded-proto").lower()
    return Client(
        address if _is_address(address) else peer,
        proto if proto in ("http", "https") else scheme,
        _last(fields, "x-forwarded-host") or host,
    )


def to_origin(fields: Sequence[tuple[str, str]], asking: Client, token: str | None, request_id: str) -> Fields:
    """The visitor's fields as the origin gets them: end-to-end, ours removed, then ours added."""
    kept = [(name, value) for name, value in _end_to_end(fields) if name.lower() not in OUR_REQUEST_FIELDS]
    passed = [(name, value) for name, value in map(_without_our_cookies, kept) if value or name.lower() != "cookie"]
    passed += [
        ("X-Forwarded-For", asking.address),
        ("X-Forwarded-Proto", asking.scheme),
        ("X-Forwarded-Host", asking.host),
        ("X-Request-Id", request_id),
        ("Via", VIA),
    ]
    if token is not None:
        passed.append((admission.HEADER, token))
    return passed


def to_visitor(fields: Sequence[tuple[str, str]]) -> Fields:
    """The origin's fields as the visitor gets them; an origin does not set our cookies, and its commands are for us."""
    kept = [field for field in _end_to_end(fields) if not _sets_our_cookie(field) and field[0].lower() != COMMAND]
    return [*kept, ("Via", VIA)]


def command(fields: Sequence[tuple[str, str]]) -> Command | None:
    """What the origin wants done with the place of the visitor whom it answers; None for nothing that we know."""
    match _last(fields, COMMAND).lower():
        case "release" | "revoke" as known:
            return known
        case _:
            return None


def cookie(fields: Sequence[tuple[str, str]], name: str) -> str:
    """The value of a cookie, or "" where the visitor sent none; of several, the first."""
    for pair in _cookie_pairs(values(fields, "cookie")):
        key, _, value = pair.partition("=")
        if key == name:
            return value
    return ""


def cookie_names(fields: Sequence[tuple[str, str]]) -> list[str]:
    """The names of all cookies that the visitor sent: browsers send the oldest first (RFC 6265, section 5.4)."""
    return [pair.partition("=")[0] for pair in _cookie_pairs(values(fields, "cookie"))]


def _end_to_end(fields: Sequence[tuple[str, str]]) -> Fields:
    named = {option.strip().lower() for option in ",".join(values(fields, "connection")).split(",")}
    dropped = HOP_BY_HOP | (named - NEVER_HOP_BY_HOP)
    return [(name, value) for name, value in fields if name.lower() not in dropped]


def _without_our_cookies(field: tuple[str, str]) -> tuple[str, str]:
    name, value = field
    if name.lower() != "cookie":
        return field
    return name, "; ".join(pair for pair in _cookie_pairs([value]) if not _is_our_cookie(pair))


def _sets_our_cookie(field: tuple[str, str]) -> bool:
    name, value = field
    return name.lower() == "set-cookie" and _is_our_cookie(value.lstrip())


def _is_our_cookie(pair: str) -> bool:
    return pair.lower().startswith(COOKIE_PREFIXES)


def _cookie_pairs(values: Iterable[str]) -> list[str]:
    return [pair.strip() for value in values for pair in value.split(";") if pair.strip()]


def values(fields: Sequence[tuple[str, str]], name: str) -> list[str]:
    """All values of a field, by its name in lower case, in order."""
    return [value for key, value in fields if key.lower() == name]


def _last(fields: Sequence[tuple[str, str]], name: str) -> str:
    return next(iter(reversed(values(fields, name))), "").strip()


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    return _is_address(address) and any(ipaddress.ip_address(address) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
