"""Heads on their way on: what is removed first, and what is added second (RFC 9110, section 7.6). The rest stays as it
came, byte for byte."""

from collections.abc import Set

from waitroom.wire.heads import LOOKALIKE, RequestHead, ResponseHead
from waitroom.wire.targets import Target

VIA = (b"Via: 1.0 waitroom\r\n", b"Via: 1.1 waitroom\r\n")
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
NEVER_HOP_BY_HOP = frozenset(b"host content-length cookie authorization set-cookie date".split())
USUAL_OPTIONS = frozenset((b"", b"keep-alive", b"close", b"upgrade", b"te"))
# Ended by 101, these would carry whole requests past the gate.
NEVER_TUNNELLED = (b"h2c", b"http/", b"tls/")
OUR_COOKIES = (b"wr-", b"__host-wr-")
USUAL_SAID = ([b"keep-alive"], [b"close"])
NOTHING: frozenset[bytes] = frozenset()
REQUEST_DROPPED = HOP_BY_HOP | OURS
RESPONSE_DROPPED = HOP_BY_HOP | {COMMAND, LOOKALIKE}


def upgrade_of(head: RequestHead) -> bytes:
    """The protocols that a request wants to go on with, b"" for none that we would tunnel."""
    wanted = head.looked.get(b"upgrade")
    if not wanted or b"upgrade" not in head.block.said or not head.minor:
        return b""
    protocols = b", ".join(wanted)
    names = [name.strip(b" \t").lower() for name in protocols.split(b",")]
    return b"" if any(name.startswith(NEVER_TUNNELLED) for name in names) else protocols


def to_origin(head: RequestHead, target: Target, ours: bytes, *, authority: bytes, is_chunked: bool) -> bytes:
    """A request's head as the origin gets it; `ours` are lines of our own, with their ends. `authority` stands in where
    the visitor named no host (HTTP/1.0)."""
    kept = head.block.kept
    if kept is not None and head.minor and not target.is_absolute:
        return b"%b %b HTTP/1.1\r\n%b%bVia: 1.1 waitroom\r\n\r\n" % (head.method, target.raw, kept, ours)
    if target.is_absolute or not target.authority:
        kept = b"Host: %b\r\n%b" % (target.authority or authority, _kept(head, {b"host"}))
    else:
        kept = _kept(head, NOTHING)
    upgrade = upgrade_of(head)
    if head.minor and not (target.is_absolute or is_chunked or upgrade):
        head.block.kept = kept
    return b"%b %b HTTP/1.1\r\n%b%b%b%b%b\r\n" % (
        head.method,
        target.raw,
        kept,
        ours,
        VIA[head.minor],
        b"Transfer-Encoding: chunked\r\n" if is_chunked else b"",
        b"Connection: Upgrade\r\nUpgrade: %b\r\n" % upgrade if upgrade else b"",
    )


def _kept(head: RequestHead, more: Set[bytes]) -> bytes:
    """The lines of a request that go on, without those called by `more` names."""
    block = head.block
    dropped = REQUEST_DROPPED | more
    if not block.said <= USUAL_OPTIONS:
        dropped = dropped | (block.said - NEVER_HOP_BY_HOP)
    if not head.minor:  # only HTTP/1.1 knows how to wait (RFC 9110, section 10.1.1)
        dropped = dropped | {b"expect"}
    lines: list[bytes] = []
    for lower, line in block.fields:
        if lower == b"cookie" and b"wr-" in line.lower():
            cookies = _without_ours(line.partition(b":")[2])
            lines += [b"Cookie: " + cookies] if cookies else []
        elif lower not in dropped:
            lines.append(line)
    return b"".join(line + b"\r\n" for line in lines)


def to_visitor(head: ResponseHead, ours: bytes, *, is_private: bool = False) -> bytes:
    """A response's head as the visitor gets it: `ours` are lines of our own, with their ends, of framing, cookies, and
    the date where it has none. One that is private is for this visitor alone: no cache may hand our cookies on."""
    if is_private:
        return b"%bCache-Control: private, no-store\r\n%b\r\n" % (
            _passed(head, {b"cache-control"}) + ours,
            VIA[head.minor],
        )
    kept = head.kept
    if kept is None:
        kept = head.kept = _passed(head, NOTHING)
    return b"%b%b%b\r\n" % (kept, ours, VIA[head.minor])


def _passed(head: ResponseHead, more: Set[bytes]) -> bytes:
    """The start of a response that goes on: its status, and its lines without those called by `more` names."""
    looked = head.looked
    dropped = RESPONSE_DROPPED | more
    if b"connection" in looked and looked[b"connection"] not in USUAL_SAID:
        said = b",".join(looked[b"connection"]).lower()
        named = frozenset(option.strip(b" \t") for option in said.split(b","))
        dropped = dropped | (named - NEVER_HOP_BY_HOP)
    if head.status < 200 or head.status == 204:  # RFC 9110, section 8.6
        dropped = dropped | {b"content-length"}
    lines = [line for lower, line in head.fields if lower not in dropped]
    if b"set-cookie" in looked:
        lines = [line for line in lines if not _sets_ours(line)]
    return b"".join(line + b"\r\n" for line in (b"HTTP/1.1 %d %b" % (head.status, head.reason), *lines))


def _without_ours(cookies: bytes) -> bytes:
    """A Cookie field's value without the cookies by which waitroom knows a visitor."""
    pairs = [pair.strip(b" \t") for pair in cookies.split(b";")]
    return b"; ".join(pair for pair in pairs if pair and not pair.lower().startswith(OUR_COOKIES))


def _sets_ours(line: bytes) -> bool:
    """Whether an origin would set a cookie of ours; one without a name is sent back as if its value were the cookie."""
    name, _, value = line.partition(b":")
    return name.lower() == b"set-cookie" and value.lstrip(b" \t=").lower().startswith(OUR_COOKIES)
