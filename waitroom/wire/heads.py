"""Heads of messages: read strictly (RFC 9112), and kept as they came: every field line in its order, case and bytes.

Nothing is mended. What two readers could read in two ways is refused, so that no origin sees another message than the
one that was judged here. A response is read as strictly, but for the one thing that a proxy must mend.
"""

import re
from dataclasses import dataclass

from waitroom.wire.errors import RequestError, ResponseError

# The lower-case name, and the whole line without its end.
Field = tuple[bytes, bytes]
Looked = dict[bytes, list[bytes]]

END = b"\r\n\r\n"
TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([!-~\x80-\xff]+) HTTP/([0-9])\.([0-9])")
STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: ([\t -~\x80-\xff]*))?")
NAME = re.compile(TOKEN)
# All but HTAB, CR and LF, of which each has its own rule.
CONTROLS = bytes({*range(0x20), 0x7F} - {0x09, 0x0D, 0x0A})
# The methods that llhttp knows; others are not forwarded. CONNECT asks for a tunnel to anywhere, and TRACE would show
# to scripts what the proxy added to the request.
METHODS = frozenset(
    b"DELETE GET HEAD POST PUT OPTIONS COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL "
    b"REPORT MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK SOURCE "
    b"QUERY".split()
)
# The fields whose values somebody asks for; the rest only passes through.
LOOKED_AT = frozenset(
    b"host content-length transfer-encoding connection upgrade expect cookie accept accept-encoding user-agent "
    b"sec-fetch-dest sec-purpose purpose forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-request-id "
    b"date set-cookie cache-control x-waitroom-command".split()
)
# Stands for a name that an origin might take for one of ours, since it reads "_" as "-" (CGI, WSGI).
LOOKALIKE = b"x-waitroom-lookalike"
TAKEN_FOR_OURS = re.compile(rb"x-waitroom-.*|x-forwarded-.*|x-request-id")
MOST_NAMES = 4096

_names: dict[bytes, bytes] = {}


@dataclass(slots=True)
class RequestHead:
    """A request up to its body. `looked` has the values of the fields in LOOKED_AT, by lower-case name, in order."""

    method: bytes
    target: bytes
    minor: int
    fields: list[Field]
    looked: Looked


@dataclass(slots=True)
class ResponseHead:
    """A response up to its body."""

    status: int
    reason: bytes
    minor: int
    fields: list[Field]
    looked: Looked


def request_head(data: bytes) -> RequestHead:
    """Reads a head, which ends with the empty line. Raises RequestError."""
    lines = _lines(data)
    match = REQUEST_LINE.fullmatch(lines[0]) if lines else None
    if match is None:
        raise RequestError(400, "bad_request_line")
    method, target, major, minor = match.groups()
    if major != b"1" or minor not in b"01":
        raise RequestError(505, "bad_version")
    if method not in METHODS:
        raise RequestError(501, "bad_method")
    fields: list[Field] = []
    looked: Looked = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        lower = _names.get(name) or _learned(name)
        if not (lower and colon):
            raise RequestError(400, "bad_field")
        fields.append((lower, line))
        if lower in LOOKED_AT:
            looked.setdefault(lower, []).append(value.strip(b" \t"))
    return RequestHead(method, target, minor == b"1", fields, looked)


def response_head(data: bytes) -> ResponseHead:
    """Reads a head, which ends with the empty line. Raises ResponseError."""
    lines = _lines(data)
    match = STATUS_LINE.fullmatch(lines[0]) if lines else None
    if match is None:
        raise ResponseError("bad_status_line")
    minor, status, reason = match.groups()
    fields: list[Field] = []
    looked: Looked = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        # The one thing that a proxy must mend (RFC 9112, section 5.1): a space before the colon.
        bare = name.rstrip(b" \t")
        lower = _names.get(bare) or _learned(bare)
        if not (lower and colon):
            raise ResponseError("bad_field")
        fields.append((lower, line if bare == name else bare + colon + value))
        if lower in LOOKED_AT:
            looked.setdefault(lower, []).append(value.strip(b" \t"))
    return ResponseHead(int(status), reason or b"", 0 if minor == b"0" else 1, fields, looked)


def is_hopeless(data: bytes) -> bool:
    """Whether an unfinished head can't become a good one: so that who speaks no HTTP is told at once."""
    return bool(data) and (
        len(data.translate(None, CONTROLS)) != len(data)
        or data.count(b"\n") != data.count(b"\r\n")
        or b"\r" in data.removesuffix(b"\r").replace(b"\r\n", b"")
    )


def _lines(data: bytes) -> list[bytes]:
    """The lines of a head; none where it has a bare CR or LF, or a control character."""
    lines = data[: -len(END)].split(b"\r\n")
    ends = len(lines) + 1
    if data.count(b"\n") != ends or data.count(b"\r") != ends or len(data.translate(None, CONTROLS)) != len(data):
        return []
    return lines


def _learned(name: bytes) -> bytes:
    """The lower-case form of a field's name, b"" where it is none."""
    if NAME.fullmatch(name) is None:
        return b""
    lower = name.lower()
    if b"_" in lower and TAKEN_FOR_OURS.fullmatch(lower.replace(b"_", b"-")):
        lower = LOOKALIKE
    if len(_names) >= MOST_NAMES:  # whoever sends ever new names does not fill the memory
        _names.clear()
    _names[name] = lower
    return lower
