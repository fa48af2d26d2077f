"""The Date field (RFC 9110, section 6.6.1), written once a second."""

import time
from email.utils import formatdate

_written: dict[int, bytes] = {}


def date_line() -> bytes:
    """With its end."""
    now_s = int(time.time())
    line = _written.get(now_s)
    if line is None:
        _written.clear()
        line = _written[now_s] = b"Date: %b\r\n" % formatdate(now_s, usegmt=True).encode()
    return line
