"""Tickets: a visitor's place, signed, so that it survives everything but the visitor's own cookie jar.

    v1.<payload>.<mac>

The payload is base64url of `line~epoch~number~issued_s~visitor`, the MAC the first 16 bytes of HMAC-SHA-256 over all
that stands before it. Who came before a draw has `arrival@draw` instead of a number: the ticket then does not tell the
number, which hangs on the draw's seed. A list of secrets: the first signs, all verify.
"""

import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from waitroom.errors import ForgedTicketError, MalformedTicketError

START = b"v1."
MAC_BYTES = 16
# Keeps the secret's other uses, if it ever has any, apart from this one.
SALT = b"waitroom ticket v1"
# RFC 4648, section 5.
URL_SAFE = bytes.maketrans(b"+/", b"-_")
STANDARD = bytes.maketrans(b"-_", b"+/")


class Ticket(NamedTuple):
    """The place of `visitor` (the same for the ticket's life) in a line; `issued_s` is seconds since 1970.

    With an `arrival` in a `draw`, the number is what was drawn for it, 0 where that was not looked up yet.
    """

    line: str
    epoch: int
    number: int
    issued_s: int
    visitor: str
    arrival: int | None = None
    draw: str = ""


def new_visitor() -> str:
    """An id for a visitor: random, and telling nothing."""
    return secrets.token_urlsafe(12)


class TicketSigner:
    """Signs and reads tickets."""

    def __init__(self, ticket_secrets: Sequence[bytes]) -> None:
        # Keyed once: a crowd's polls are little more than this.
        keys = [hmac.digest(secret, SALT, hashlib.sha256) for secret in ticket_secrets]
        self._keyed = [hmac.new(key, digestmod=hashlib.sha256) for key in keys]

    def sign(self, ticket: Ticket) -> str:
        """Gives the ticket as it stands in the cookie."""
        place = ticket.number if ticket.arrival is None else f"{ticket.arrival}@{ticket.draw}"
        fields = (ticket.line, ticket.epoch, place, ticket.issued_s, ticket.visitor)
        body = START + _encoded("~".join(map(str, fields)).encode())
        return (body + b"." + _mac(self._keyed[0], body)).decode()

    def read(self, text: str) -> Ticket:
        """Raises MalformedTicketError, or ForgedTicketError if none of the secrets has signed it."""
        body, _, mac = text.encode("utf-8", "surrogatepass").rpartition(b".")
        if not body.startswith(START):
            raise MalformedTicketError
        # MACs are compared as text: two spellings of one MAC are not the same ticket.
        for keyed in self._keyed:
            if hmac.compare_digest(mac, _mac(keyed, body)):
                break
        else:
            raise ForgedTicketError
        # Signed by us, so it has our shape.
        line, epoch, place, issued_s, visitor = _decoded(body[len(START) :]).split("~")
        if "@" in place:
            arrival, _, draw = place.partition("@")
            return Ticket(line, int(epoch), 0, int(issued_s), visitor, int(arrival), draw)
        return Ticket(line, int(epoch), int(place), int(issued_s), visitor)


def number_in(text: str) -> int:
    """The number that a ticket names, to whoever holds it and has no secret; 0 for one that a draw is yet to give.
    Raises MalformedTicketError."""
    body, _, _ = text.encode("utf-8", "surrogatepass").rpartition(b".")
    if not body.startswith(START):
        raise MalformedTicketError
    try:
        place = _decoded(body[len(START) :]).split("~")[2]
    except (ValueError, IndexError) as exc:
        raise MalformedTicketError from exc
    return int(place) if place.isdecimal() else 0


def _mac(keyed: hmac.HMAC, body: bytes) -> bytes:
    """As it stands in the ticket."""
    mac = keyed.copy()
    mac.update(body)
    return _encoded(mac.digest()[:MAC_BYTES])


def _encoded(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False).translate(URL_SAFE, b"=")


def _decoded(data: bytes) -> str:
    return binascii.a2b_base64(data.translate(STANDARD) + b"==").decode()
