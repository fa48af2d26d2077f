"""Heads on their way on: what is removed first, and what is added second (RFC 9110, section 7.6). The rest stays as it
came, byte for byte."""

from collections.abc import Sequence
from email.utils import formatdate

from waitroom.wire.heads import LOOKALIKE, Looked, RequestHead, ResponseHead
from waitroom.wire.targets import Target

VIA = (b"Via: 1.0 waitroom", b"Via: 1.1 waitroom")
# RFC 9110, section 7.6.1; Keep-Alive and Proxy-Connection by custom. Trailers are dropped, so that nobody may announce
# them, or ask for them.
HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade proxy-authenticate "
    b"proxy-authorization".split()
)
# Ours on a request: what a visitor says under these names is never believed further on.
OURS = frozenset(
    b"x-waitroom-admission x-waitroom-command x-request-id x-forwarded-for x-forwarded-proto x-forwarded-host "
    b"forwarded".split()
) | {LOOKALIKE}
COMMAND = b"x-waitroom-command"
# What Connection may name and can't remove: a visitor could otherwise strip what the origin decides by.
NEVER_HOP_BY_HOP = frozenset(b"host content-length cookie authorization set-cookie".split())
USUAL_OPTIONS = frozenset((b"", b"keep-alive", b"close", b"upgrade", b"te"))
# Ended by 101, these would carry whole requests past the gate.
NEVER_TUNNELLED = (b"h2c", b"http/", b"tls/")
OUR_COOKIES = (b"wr-", b"__host-wr-")
REQUEST_DROPPED = HOP_BY_HOP | OURS
RESPONSE_DROPPED = HOP_BY_HOP | {COMMAND, LOOKALIKE}


def options(looked: Looked) -> frozenset[bytes]:
    """What Connection says, in lower case."""
    values = looked.get(b"connection")
    listed = b",".join(values).lower().split(b",") if values else ()
    return frozenset(option.strip(b" \t") for option in listed)


def upgrade_of(head: RequestHead, said: frozenset[bytes]) -> bytes:
    """The protocols that a request wants to go on with, b"" for none that we would tunnel; `said` is Connection's."""
    wanted = head.looked.get(b"upgrade")
    if not wanted or b"upgrade" not in said or not head.minor:
        return b""
    protocols = b", ".join(wanted)
    names = [name.strip(b" \t").lower() for name in protocols.split(b",")]
    return b"" if any(name.startswith(NEVER_TUNNELLED) for name in names) else protocols


def to_origin(
    head: RequestHead,
    target: Target,
    said: frozenset[bytes],
    ours: Sequence[bytes],
    *,
    authority: bytes,
    is_chunked: bool,
) -> bytes:
    """A request's head as the origin gets it; `said` is what Connection says, `ours` are lines of our own. `authority`
    stands in where the visitor named no host (HTTP/1.0)."""
    dropped = REQUEST_DROPPED
    if not said <= USUAL_OPTIONS:
        dropped = dropped | (said - NEVER_HOP_BY_HOP)
    lines = [b"%b %b HTTP/1.1" % (head.method, target.raw)]
    if target.is_absolute or not target.authority:
        lines.append(b"Host: " + (target.authority or authority))
        dropped = dropped | {b"host"}
    cookies = head.looked.get(b"cookie")
    if cookies and any(b"wr-" in value.lower() for value in cookies):
        dropped = dropped | {b"cookie"}
        lines += [b"Cookie: " + kept for kept in map(_without_ours, cookies) if kept]
    if not head.minor:  # only HTTP/1.1 knows how to wait (RFC 9110, section 10.1.1)
        dropped = dropped | {b"expect"}
    lines += [line for lower, line in head.fields if lower not in dropped]
    lines += ours
    lines.append(VIA[head.minor])
    if is_chunked:
        lines.append(b"Transfer-Encoding: chunked")
    upgrade = upgrade_of(head, said)
    lines.append(b"Connection: Upgrade\r\nUpgrade: %b\r\n\r\n" % upgrade if upgrade else b"\r\n")
    return b"\r\n".join(lines)


def to_visitor(head: ResponseHead, ours: Sequence[bytes], *, is_private: bool = False) -> bytes:
    """A response's head as the visitor gets it: `ours` are lines of our own, of framing and cookies. One that is
    private is for this visitor alone: no cache may hand our cookies on."""
    dropped = RESPONSE_DROPPED
    if is_private:
        dropped = dropped | {b"cache-control"}
    if b"connection" in head.looked:
        dropped = dropped | (options(head.looked) - NEVER_HOP_BY_HOP)
    if head.status < 200 or head.status == 204:  # RFC 9110, section 8.6
        dropped = dropped | {b"content-length"}
    lines = [b"HTTP/1.1 %d %b" % (head.status, head.reason)]
    lines += [line for lower, line in head.fields if lower not in dropped]
    if b"set-cookie" in head.looked:
        lines = [line for line in lines if not _sets_ours(line)]
    lines += ours
    if is_private:
        lines.append(b"Cache-Control: private, no-store")
    lines.append(VIA[head.minor])
    if b"date" not in head.looked and head.status >= 200:
        lines.append(b"Date: " + formatdate(usegmt=True).encode())
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def _without_ours(cookies: bytes) -> bytes:
    """A Cookie field's value without the cookies by which waitroom knows a visitor."""
    pairs = [pair.strip(b" \t") for pair in cookies.split(b";")]
    return b"; ".join(pair for pair in pairs if pair and not pair.lower().startswith(OUR_COOKIES))


def _sets_ours(line: bytes) -> bool:
    """Whether an origin would set a cookie of ours; one without a name is sent back as if its value were the cookie."""
    name, _, value = line.partition(b":")
    return name.lower() == b"set-cookie" and value.lstrip(b" \t=").lower().startswith(OUR_COOKIES)
