"""Who asks: remembers whose word about it counts, and gives each request an id."""

import itertools
import re
import secrets
from collections.abc import Callable, Sequence
from functools import lru_cache

from waitroom.asking import Asking
from waitroom.asking import read as read_asking
from waitroom.exchange import Asker, Exchange
from waitroom.headers import Client, Network, client, is_trusted
from waitroom.rooms import host_name

MOST_REMEMBERED = 4096
# A request keeps the id that a trusted proxy has given it, so that their logs can be read together.
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")


class Clients:
    """The visitors behind exchanges; `trusted` are the networks whose word about visitors is believed."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted
        self._is_trusted = lru_cache(MOST_REMEMBERED)(lambda address: is_trusted(address, trusted))
        ids = map(f"{secrets.token_hex(5)}%08x".encode().__mod__, itertools.count(1))
        self.next_id: Callable[[], bytes] = ids.__next__  # one that no other request has

    def identify(self, exchange: Exchange) -> Asker:
        """Finds out who asks. It hangs on nothing but the connection, and the bytes of the request."""
        asker = exchange.connection.asker
        if asker is None or asker.authority != exchange.target.authority:
            asker = self._asker(exchange)
        return asker

    def given_id(self, exchange: Exchange) -> bytes:
        """The id that a trusted proxy has given to the request, b"" for none that is good."""
        given = exchange.head.looked.get(b"x-request-id")
        return given[0] if given and self.trusts(exchange) and REQUEST_ID.fullmatch(given[0]) else b""

    def _asker(self, exchange: Exchange) -> Asker:
        """The same for all that comes on a connection for one authority, unless others ask through it."""
        connection, target = exchange.connection, exchange.target
        scheme = "https" if connection.is_tls else "http"
        if self.trusts(exchange):
            told = client(connection.address, scheme, fields_of(exchange), self._trusted)
            return Asker(target.authority, told, host_name(told.host))
        told = Client(connection.address, scheme, target.authority.decode("latin-1"))
        connection.asker = Asker(target.authority, told, target.host)
        return connection.asker

    def trusts(self, exchange: Exchange) -> bool:
        """Whether the word of who sends this counts about others."""
        return self._is_trusted(exchange.connection.address)

    def asking(self, exchange: Exchange) -> Asking:
        """The request, for those who read more than a few of its fields."""
        return read_asking(
            exchange.head.method.decode(),
            exchange.target.raw.decode("latin-1"),
            exchange.head.block,
            client=(exchange.asker or self._asker(exchange)).client,
            request_id=exchange.request_id.decode(),
        )


def fields_of(exchange: Exchange) -> list[tuple[str, str]]:
    """The fields of a request as text; Host is that of an absolute target."""
    fields = [
        (name.decode("latin-1"), line[len(name) + 1 :].strip(b" \t").decode("latin-1"))
        for name, line in exchange.head.fields
        if name != b"host"
    ]
    return [("host", exchange.target.authority.decode("latin-1")), *fields]
