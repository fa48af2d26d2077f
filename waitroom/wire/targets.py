"""Targets of requests, and the hosts that they are for (RFC 9112, section 3)."""

import re
from dataclasses import dataclass

from waitroom.wire.errors import RequestError
from waitroom.wire.heads import RequestHead

# Nothing but what DNS, IPv4 and IPv6 need. Underscores do occur; what is written with percent signs would be another
# host to who decodes it.
AUTHORITY = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]{1,255})(?::[0-9]{0,5})?")
ABSOLUTE = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE)


@dataclass(slots=True)
class Target:
    """What a request is for; never changed, like its head. `raw` goes to the origin as it stands: path and query, or
    `*`. `authority` is as sent, b"" for none (HTTP/1.0), and `host` its name in lower case without port; `path` is as
    sent, without the query; `is_absolute` says that the authority stands for Host."""

    raw: bytes
    authority: bytes
    host: str
    path: bytes
    is_absolute: bool = False


def target_of(head: RequestHead) -> Target:
    """Raises RequestError."""
    authority, host = head.block.host or _read_host(head)
    if head.path:
        return Target(head.target, authority, host, head.path)
    if b"#" in head.target:
        raise RequestError(400, "bad_target")
    if head.target == b"*" and head.method == b"OPTIONS":
        return Target(b"*", authority, host, b"/")
    return _absolute(head.target, head.method)


def _read_host(head: RequestHead) -> tuple[bytes, str]:
    hosts = head.looked.get(b"host")
    if hosts is None:
        if head.minor:
            raise RequestError(400, "bad_host")
        return b"", ""
    host = _host(hosts[0])
    if not host or len(hosts) > 1:
        raise RequestError(400, "bad_host")
    head.block.host = hosts[0], host
    return head.block.host


def _absolute(target: bytes, method: bytes) -> Target:
    """The authority of an absolute target replaces Host, whatever that says (RFC 9112, section 3.2.2)."""
    match = ABSOLUTE.fullmatch(target)
    host = _host(match[1]) if match else ""
    if match is None or not host:
        raise RequestError(400, "bad_target")
    rest = match[2]
    if not rest and method == b"OPTIONS":
        rest = b"*"
    elif not rest.startswith(b"/"):
        rest = b"/" + rest
    path = b"/" if rest == b"*" else rest.partition(b"?")[0]
    return Target(rest, match[1], host, path, is_absolute=True)


def _host(authority: bytes) -> str:
    """The name in an authority, "" where it is none."""
    match = AUTHORITY.fullmatch(authority)
    if match is None:
        return ""
    return match[1].decode().lower().removesuffix(".")
