"""What a visitor's browser does for it: it keeps cookies, and writes requests. A balancer stands before waitroom, so
that connections are the balancer's, and the visitor's address is in `X-Forwarded-For`."""

import json
from collections.abc import Mapping
from typing import Any

from scripts.benches.raw_http import Reply

HTML, JSON = "text/html", "application/json"


def address_of(who: int) -> str:
    """Each visitor has one of its own (RFC 6890: 10.0.0.0/8 is nobody's in public)."""
    return f"10.{who >> 16 & 255}.{who >> 8 & 255}.{who & 255}"


class Browser:
    """One visitor's."""

    __slots__ = ("_fields", "cookies")

    def __init__(self, who: int, host: str) -> None:
        self._fields = f"Host: {host}\r\nX-Forwarded-For: {address_of(who)}\r\nAccept-Encoding: gzip\r\n"
        self.cookies: dict[str, str] = {}

    def keep(self, reply: Reply) -> bool:
        """Keeps the cookies that came along, and says whether there were any."""
        fields = reply.fields(b"set-cookie")
        for field in fields:
            name, _, value = field.partition(b";")[0].decode().partition("=")
            if value and b"max-age=0" not in field.lower():
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return bool(fields)

    def get(self, target: str, accept: str) -> bytes:
        return self._written("GET", target, accept, b"")

    def post(self, target: str, content: Mapping[str, Any]) -> bytes:
        """As JSON."""
        return self._written("POST", target, JSON, json.dumps(content).encode())

    def _written(self, method: str, target: str, accept: str, body: bytes) -> bytes:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = f"Cookie: {cookies}\r\n" if cookies else ""
        if method == "POST":
            sent += f"Content-Type: {JSON}\r\nContent-Length: {len(body)}\r\n"
        return f"{method} {target} HTTP/1.1\r\n{self._fields}Accept: {accept}\r\n{sent}\r\n".encode() + body
