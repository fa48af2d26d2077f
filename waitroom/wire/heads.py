"""Heads of messages: read strictly (RFC 9112), and kept as they came: every field line in its order, case and bytes.

Nothing is mended. What two readers could read in two ways is refused, so that no origin sees another message than the
one that was judged here. A response is read as strictly, but for the one thing that a proxy must mend.
"""

import re
from collections.abc import Set
from typing import TypeVar

from waitroom.wire.errors import RequestError, ResponseError

# The lower-case name, and the whole line without its end.
Field = tuple[bytes, bytes]
Looked = dict[bytes, list[bytes]]
T = TypeVar("T")

END = b"\r\n\r\n"
KEPT_ALIVE = [b"keep-alive"]
TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([!-~\x80-\xff]+) HTTP/([0-9])\.([0-9])")
STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: ([\t -~\x80-\xff]*))?")
# A field's line: neither a bare CR or LF in it, nor another control character but HTAB.
FIELD = re.compile(rb"(" + TOKEN + rb"):([\t -~\x80-\xff]*)")
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
    b"host content-length transfer-encoding connection upgrade expect cookie accept accept-encoding accept-language "
    b"user-agent if-none-match origin access-control-request-headers "
    b"sec-fetch-dest sec-purpose purpose forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-request-id "
    b"date set-cookie cache-control x-waitroom-command traceparent tracestate".split()
)
# Stands for a name that an origin might take for one of ours, since it reads "_" as "-" (CGI, WSGI).
LOOKALIKE = b"x-waitroom-lookalike"
TAKEN_FOR_OURS = re.compile(rb"x-waitroom-.*|x-forwarded-.*|x-request-id")
# What was read once is remembered: visitors say the same about themselves with each request, and origins with each
# response. Bounded by the bytes that were read, of which what is found in them takes a few times as much: neither who
# sends ever new ones, nor a million who send one each, fill the memory.
MOST_REMEMBERED = 4096
MOST_REMEMBERED_BYTES = 524_288
LONGEST_REMEMBERED = 4096
# What makes it a response for one visitor, or one moment: nobody gets another like it.
FOR_ONE = (b"set-cookie", b"x-waitroom-command")

# A field with its value, None where nobody asks for it.
Read = tuple[Field, bytes | None]
Start = tuple[bytes, bytes, int, bytes]
Status = tuple[int, bytes, int]

# Of these each visitor, or each request, has its own: they would only drive out what others share.
NEVER_REMEMBERED = frozenset((b"cookie", b"authorization", b"traceparent"))


class Remembered(dict[bytes, T]):
    """What was found in bytes. Where it gets too much, all is forgotten: what comes often is soon back."""

    def __init__(self) -> None:
        self._bytes = 0

    def add(self, data: bytes, found: T) -> None:
        size = len(data)
        if size > LONGEST_REMEMBERED or data in self:
            return
        if len(self) >= MOST_REMEMBERED or self._bytes + size > MOST_REMEMBERED_BYTES:
            self.clear()
            self._bytes = 0
        self[data] = found
        self._bytes += size


_names: Remembered[bytes] = Remembered()
_lines: Remembered[Read] = Remembered()
_starts: Remembered[Start] = Remembered()
_statuses: Remembered[Status] = Remembered()
_blocks: Remembered["Block"] = Remembered()
_heads: Remembered["ResponseHead"] = Remembered()


class Block:
    """The fields of a message, and what is found out about them more than once. Never changed: messages share it.

    `looked` has the values of the fields in LOOKED_AT, by lower-case name, in order.
    """

    __slots__ = ("cookies", "fields", "has_body", "host", "kept", "looked", "manner", "said")

    def __init__(self, fields: list[Field], looked: Looked) -> None:
        self.fields = fields
        self.looked = looked
        values = looked.get(b"connection")
        listed = b",".join(values).lower().split(b",") if values else ()
        self.said = frozenset(option.strip(b" \t") for option in listed)  # what Connection says
        self.has_body = b"content-length" in looked or b"transfer-encoding" in looked
        self.host: tuple[bytes, str] | None = None  # its one host, as sent and as a name, once it was found good
        self.kept: bytes | None = None  # what an origin gets of it, where nothing else decides that; once found out
        self.cookies: dict[bytes, str] = {}  # those that were looked for
        self.manner: object = None  # what a reader has made of how its client asks


class RequestHead:
    """A request up to its body. `path` is that of a target which is nothing but a path with or without a query, b""
    for another; `goes_on` says whether the connection may behind the response (RFC 9112, section 9.3).

    Never changed but for `found`, in which who handles it keeps what follows from it: a connection that brings the same
    bytes again gives the same head again."""

    __slots__ = ("block", "found", "goes_on", "method", "minor", "path", "target")

    def __init__(self, method: bytes, target: bytes, minor: int, path: bytes, block: Block) -> None:
        self.method = method
        self.target = target
        self.minor = minor
        self.path = path
        self.block = block
        self.goes_on = b"close" not in block.said if minor else b"keep-alive" in block.said
        self.found: object | None = None

    @property
    def fields(self) -> list[Field]:
        return self.block.fields

    @property
    def looked(self) -> Looked:
        return self.block.looked


class ResponseHead:
    """A response up to its body, and what is found out about it more than once. Never changed: responses share it.
    `looked` is as in Block; `goes_on` says whether the connection does behind the response (RFC 9112, section 9.3)."""

    __slots__ = ("fields", "goes_on", "kept", "length", "looked", "minor", "reason", "status")

    def __init__(self, status: int, reason: bytes, minor: int, fields: list[Field], looked: Looked) -> None:
        self.status = status
        self.reason = reason
        self.minor = minor
        self.fields = fields
        self.looked = looked
        said = looked.get(b"connection")
        self.goes_on = minor == 1 if said is None else said == KEPT_ALIVE or _goes_on(said, minor)
        # Once found out: the size of a body that nothing but Content-Length frames, -1 for another; and what any
        # visitor gets of the head.
        self.length: int | None = None
        self.kept: bytes | None = None


NO_FIELDS = Block([], {})


def request_head(data: bytes) -> RequestHead:
    """Reads a head, which ends with the empty line. Raises RequestError."""
    line, _, rest = data.partition(b"\r\n")
    method, target, minor, path = _starts.get(line) or _read_start(line)
    return RequestHead(method, target, minor, path, _blocks.get(rest) or _read_block(rest))


def without(head: RequestHead, names: Set[bytes]) -> RequestHead:
    """The same request, without the fields of these names, in lower case."""
    fields = [field for field in head.fields if field[0] not in names]
    looked = {name: values for name, values in head.looked.items() if name not in names}
    return RequestHead(head.method, head.target, head.minor, head.path, Block(fields, looked))


def response_head(data: bytes) -> ResponseHead:
    """Reads a head, which ends with the empty line. Raises ResponseError."""
    return _heads.get(data) or _read_response(data)


def _read_response(data: bytes) -> ResponseHead:
    lines = iter(data[: -len(END)].split(b"\r\n"))
    start = next(lines)
    status, reason, minor = _statuses.get(start) or _read_status(start)
    fields: list[Field] = []
    looked: Looked = {}
    for line in lines:
        field, value = _lines.get(line) or _read_line(_mended(line)) or _refuse(ResponseError("bad_field"))
        fields.append(field)
        if value is not None:
            looked.setdefault(field[0], []).append(value)
    head = ResponseHead(status, reason, minor, fields, looked)
    if not any(name in looked for name in FOR_ONE):  # an origin says the same while its clock shows the same second
        _heads.add(data, head)
    return head


def is_hopeless(data: bytes) -> bool:
    """Whether an unfinished head can't become a good one: so that who speaks no HTTP is told at once."""
    return bool(data) and (
        len(data.translate(None, CONTROLS)) != len(data)
        or data.count(b"\n") != data.count(b"\r\n")
        or b"\r" in data.removesuffix(b"\r").replace(b"\r\n", b"")
    )


def _read_start(line: bytes) -> Start:
    match = REQUEST_LINE.fullmatch(line)
    if match is None:
        raise RequestError(400, "bad_request_line")
    method, target, major, minor = match.groups()
    if major != b"1" or minor not in b"01":
        raise RequestError(505, "bad_version")
    if method not in METHODS:
        raise RequestError(501, "bad_method")
    path = target.partition(b"?")[0] if target.startswith(b"/") and b"#" not in target else b""
    start = method, target, int(minor), path
    _starts.add(line, start)
    return start


def _read_status(line: bytes) -> Status:
    match = STATUS_LINE.fullmatch(line)
    if match is None:
        raise ResponseError("bad_status_line")
    minor, status, reason = match.groups()
    read = int(status), reason or b"", 0 if minor == b"0" else 1
    _statuses.add(line, read)
    return read


def _read_block(data: bytes) -> Block:
    """The fields up to the empty line, which may be all there is."""
    fields: list[Field] = []
    looked: Looked = {}
    for line in data[: -len(END)].split(b"\r\n") if data != b"\r\n" else ():
        field, value = _lines.get(line) or _read_line(line) or _refuse(RequestError(400, "bad_field"))
        fields.append(field)
        if value is not None:
            looked.setdefault(field[0], []).append(value)
    block = Block(fields, looked)
    _blocks.add(data, block)
    return block


def _read_line(line: bytes) -> Read | None:
    """A field's line, None where it is none."""
    match = FIELD.fullmatch(line)
    if match is None:
        return None
    name, value = match.groups()
    lower = _names.get(name) or _learned(name)
    read = (lower, line), value.strip(b" \t") if lower in LOOKED_AT else None
    if lower not in NEVER_REMEMBERED:
        _lines.add(line, read)
    return read


def _mended(line: bytes) -> bytes:
    """The one thing that a proxy must mend in a response (RFC 9112, section 5.1): a space before the colon."""
    name, colon, value = line.partition(b":")
    return name.rstrip(b" \t") + colon + value


def _goes_on(said: list[bytes], minor: int) -> bool:
    """Whether a connection does, by what Connection says."""
    listed = b",".join(said).lower()
    return b"close" not in listed if minor else b"keep-alive" in listed


def _refuse(error: Exception) -> Read:
    raise error


def _learned(name: bytes) -> bytes:
    """The lower-case form of a field's name."""
    lower = name.lower()
    if b"_" in lower and TAKEN_FOR_OURS.fullmatch(lower.replace(b"_", b"-")):
        lower = LOOKALIKE
    _names.add(name, lower)
    return lower
