"""Header fields as text: who asks, as far as that can be believed, and what cookies were brought. Pure."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

Fields = list[tuple[str, str]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

AUTHORITY = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]{1,255})(?::[0-9]{0,5})?")
# RFC 7239, section 4: a parameter, its value a token or quoted.
FORWARDED = re.compile(r'(for|host|proto)=(?:"([^"\\]*)"|([^\s;,"]*))', re.IGNORECASE)


class Client(NamedTuple):
    """Who asks, as far as can be believed: address, scheme and host of the visitor's own request."""

    address: str
    scheme: str
    host: str

    @property
    def is_secure(self) -> bool:
        return self.scheme == "https"


def forwarded_lines(asker: Client) -> bytes:
    """The lines that tell an origin who asks (RFC 7239, and what was used before it), with their ends."""
    address, scheme, host = asker.address, asker.scheme, asker.host
    node = f'"[{address}]"' if ":" in address else address
    return (
        f"X-Forwarded-For: {address}\r\nX-Forwarded-Proto: {scheme}\r\nX-Forwarded-Host: {host}\r\n"
        f'Forwarded: for={node};host="{host}";proto={scheme}\r\n'
    ).encode("latin-1")


def client(peer: str, scheme: str, fields: Sequence[tuple[str, str]], trusted: Sequence[Network]) -> Client:
    """Who asks. X-Forwarded-*, or where there is none Forwarded (RFC 7239), counts only from a peer in the trusted
    networks. It is walked from the right: the first address that is not trusted is the visitor's."""
    host = _last(fields, "host")
    if not is_trusted(peer, trusted):
        return Client(peer, scheme, host)
    told = _forwarded(fields)
    hops = told["for"]
    address = next((hop for hop in reversed(hops) if not is_trusted(hop, trusted)), hops[0] if hops else peer)
    proto, told_host = _final(told["proto"]).lower(), _final(told["host"])
    return Client(
        address if _is_address(address) else peer,
        proto if proto in ("http", "https") else scheme,
        told_host if AUTHORITY.fullmatch(told_host) else host,
    )


def _forwarded(fields: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """What proxies in front have told, each in the order of the hops."""
    told = {name: _items(values(fields, f"x-forwarded-{name}")) for name in ("for", "proto", "host")}
    if any(told.values()):
        told["for"] = [_node(hop) for hop in told["for"]]
        return told
    for name, quoted, token in FORWARDED.findall(",".join(values(fields, "forwarded"))):
        value = quoted or token
        told[name.lower()].append(_node(value) if name.lower() == "for" else value)
    return told


def _items(values: Iterable[str]) -> list[str]:
    return [item.strip() for item in ",".join(values).split(",") if item.strip()]


def _node(text: str) -> str:
    """An address without brackets and port."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _final(items: Sequence[str]) -> str:
    return items[-1] if items else ""


def cookie(fields: Sequence[tuple[str, str]], name: str) -> str:
    """The value of a cookie, or "" where the visitor sent none; of several, the first."""
    for pair in _cookie_pairs(values(fields, "cookie")):
        key, is_given, value = pair.partition("=")
        if is_given and key == name:
            return value.lstrip(" \t")
    return ""


def cookie_names(fields: Sequence[tuple[str, str]]) -> list[str]:
    """The names of all cookies that the visitor sent: browsers send the oldest first (RFC 6265, section 5.4)."""
    return [pair.partition("=")[0] for pair in _cookie_pairs(values(fields, "cookie"))]


def _cookie_pairs(values: Iterable[str]) -> list[str]:
    return [kept for value in values for pair in value.split(";") if (kept := pair.strip(" \t"))]


def values(fields: Sequence[tuple[str, str]], name: str) -> list[str]:
    """All values of a field, by its name in lower case, in order."""
    return [value for key, value in fields if key.lower() == name]


def _last(fields: Sequence[tuple[str, str]], name: str) -> str:
    return next(iter(reversed(values(fields, name))), "").strip()


def is_trusted(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address is in one of the networks."""
    return _is_address(address) and any(ipaddress.ip_address(address) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
