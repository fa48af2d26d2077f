"""Who asks: remembers whose word about it counts, and gives each request an id."""

import itertools
import re
import secrets
from collections.abc import Sequence
from functools import lru_cache

from waitroom.asking import Asking
from waitroom.asking import read as read_asking
from waitroom.exchange import Exchange
from waitroom.headers import Client, Network, client, is_trusted
from waitroom.rooms import host_name

MOST_REMEMBERED = 4096
# A request keeps the id that a trusted proxy has given it, so that their logs can be read together.
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class Clients:
    """The visitors behind exchanges; `trusted` are the networks whose word about visitors is believed."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted
        self._is_trusted = lru_cache(MOST_REMEMBERED)(lambda address: is_trusted(address, trusted))
        self._id_prefix = secrets.token_hex(5)
        self._ids = itertools.count(1)

    def of(self, exchange: Exchange) -> tuple[Client, str]:
        """Who asks, and the host that is asked for: lower case, no port."""
        connection, target = exchange.connection, exchange.target
        scheme = "https" if connection.is_tls else "http"
        if not self.trusts(exchange):
            return Client(connection.address, scheme, target.authority.decode("latin-1")), target.host
        told = client(connection.address, scheme, fields_of(exchange), self._trusted)
        return told, host_name(told.host)

    def trusts(self, exchange: Exchange) -> bool:
        """Whether the word of who sends this counts about others."""
        return self._is_trusted(exchange.connection.address)

    def request_id(self, exchange: Exchange) -> str:
        """An id that no other request has."""
        given = exchange.head.looked.get(b"x-request-id")
        if given and self.trusts(exchange):
            text = given[0].decode("latin-1")
            if REQUEST_ID.fullmatch(text):
                return text
        return f"{self._id_prefix}{next(self._ids):08x}"

    def asking(self, exchange: Exchange) -> Asking:
        """The request as text, for those who read more than a few of its fields."""
        return read_asking(
            exchange.head.method.decode(),
            exchange.target.raw.decode("latin-1"),
            fields_of(exchange),
            client=self.of(exchange)[0],
            request_id=exchange.request_id,
        )


def fields_of(exchange: Exchange) -> list[tuple[str, str]]:
    """The fields of a request as text; Host is that of an absolute target."""
    fields = [
        (name.decode("latin-1"), line[len(name) + 1 :].strip(b" \t").decode("latin-1"))
        for name, line in exchange.head.fields
        if name != b"host"
    ]
    return [("host", exchange.target.authority.decode("latin-1")), *fields]


@lru_cache(MOST_REMEMBERED)
def forwarded_lines(asker: Client) -> bytes:
    """The lines that tell an origin who asks (RFC 7239, and what was used before it)."""
    address, scheme, host = asker.address, asker.scheme, asker.host
    node = f'"[{address}]"' if ":" in address else address
    return (
        f"X-Forwarded-For: {address}\r\nX-Forwarded-Proto: {scheme}\r\nX-Forwarded-Host: {host}\r\n"
        f'Forwarded: for={node};host="{host}";proto={scheme}'
    ).encode("latin-1")
