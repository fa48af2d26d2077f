"""Fields of a request as the wire has them."""

from collections.abc import Iterable

from waitroom.wire.heads import Block, request_head


def block(fields: Iterable[tuple[str, str]]) -> Block:
    """Read as those of a request."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return request_head(f"GET / HTTP/1.1\r\n{lines}\r\n".encode("latin-1")).block
