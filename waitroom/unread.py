"""What has come on a connection and waits in its socket, unread: an origin may answer an upload early and close, and
the write that fails by that must not swallow the answer (RFC 9112, section 9.5)."""

import asyncio
import contextlib
import os
from collections.abc import Iterator

READ_BYTES = 65_536


def rest(transport: asyncio.Transport) -> Iterator[bytes]:
    """What waits, to be read before `connection_lost` returns: until then the socket is open. Of TLS nothing can be had
    by then."""
    peer = transport.get_extra_info("socket")
    if peer is None or transport.get_extra_info("ssl_object"):
        return
    with contextlib.suppress(OSError):
        while data := os.read(peer.fileno(), READ_BYTES):
            yield data
