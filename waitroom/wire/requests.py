"""Requests, read from the start of what a visitor has sent, within the limits of what one may ask."""

import re

from waitroom.wire.bodies import ChunkedBody, LengthBody, request_body
from waitroom.wire.errors import RequestError
from waitroom.wire.heads import END, RequestHead, is_hopeless, request_head
from waitroom.wire.limits import WireLimits
from waitroom.wire.targets import Target, target_of

EMPTY_LINES = re.compile(rb"\A(?:\r\n)+")
# Of a request line, what is not its target: the longest method, and the version.
AROUND_TARGET = 32

# With the length of its head.
Request = tuple[RequestHead, Target, LengthBody | ChunkedBody | None, int]


def without_empty_lines(data: bytes) -> bytes:
    """What remains of the data behind empty lines, which mean nothing before a request (RFC 9112, section 2.2)."""
    return EMPTY_LINES.sub(b"", data, count=1)


def read_first(data: bytes, limits: WireLimits) -> Request | None:
    """The request at the start of the data, None while its head is unfinished. Raises RequestError."""
    end = data.find(END) + len(END)
    if end < len(END):
        _check_unfinished(data, limits)
        return None
    head = request_head(data if end == len(data) else data[:end])
    block, target_size = head.block, len(head.target)
    if target_size > limits.target_bytes:
        raise RequestError(414, "target_too_long")
    if end - target_size > limits.fields_bytes or len(block.fields) > limits.fields_count:
        raise RequestError(431, "fields_too_large")
    target = target_of(head)
    if not block.has_body:
        return head, target, None, end
    body = request_body(head)
    if limits.body_bytes and isinstance(body, LengthBody) and body.left > limits.body_bytes:
        raise RequestError(413, "body_too_large")
    return head, target, body, end


def _check_unfinished(data: bytes, limits: WireLimits) -> None:
    """Refuses a head that is already too large, or can't become a good one."""
    line, ended, fields = data.partition(b"\r\n")
    if len(line) > limits.target_bytes + AROUND_TARGET:
        raise RequestError(414, "target_too_long")
    if ended and len(fields) > limits.fields_bytes:
        raise RequestError(431, "fields_too_large")
    if is_hopeless(data):
        raise RequestError(400, "bad_request_line")
