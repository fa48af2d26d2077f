"""Tickets: a visitor's place, signed, so that it survives everything but the visitor's own cookie jar.

    v1.<payload>.<mac>

The payload is base64url of `line~epoch~number~issued_s~visitor`, the MAC the first 16 bytes of HMAC-SHA-256 over all
that stands before it. Who came before a draw has `arrival@draw` instead of a number: the ticket then does not tell the
number, which hangs on the draw's seed. Once the place was moved to another browser, the visitor has `*moves` behind it,
which an earlier version takes for a part of the name. A list of secrets: the first signs, all verify.
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
# Of an id of a visitor, at random: a multiple of three, which base64 does not pad.
VISITOR_BYTES = 12
# Keeps the secret's other uses, if it ever has any, apart from this one.
SALT = b"waitroom ticket v1"
# RFC 4648, section 5.
URL_SAFE = bytes.maketrans(b"+/", b"-_")
STANDARD = bytes.maketrans(b"-_", b"+/")


class Ticket(NamedTuple):
    """The place of `visitor` (the same for the ticket's life) in a line; `issued_s` is seconds since 1970.

    With an `arrival` in a `draw`, the number is what was drawn for it, 0 where that was not looked up yet. `moves`
    counts how often the place was moved to another browser: of two tickets of one number, the one with more is good.
    """

    line: str
    epoch: int
    number: int
    issued_s: int
    visitor: str
    arrival: int | None = None
    draw: str = ""
    moves: int = 0

    def to_payload(self) -> str:
        """All that a ticket says, unsigned."""
        place = self.number if self.arrival is None else f"{self.arrival}@{self.draw}"
        visitor = f"{self.visitor}*{self.moves}" if self.moves else self.visitor
        return f"{self.line}~{self.epoch}~{place}~{self.issued_s}~{visitor}"

    @classmethod
    def from_payload(cls, payload: str) -> "Ticket":
        """Reads what `to_payload` wrote, and nothing else."""
        line, epoch, place, issued_s, who = payload.split("~")
        visitor, _, moved = who.partition("*")
        moves = int(moved or 0)
        if "@" in place:
            arrival, _, draw = place.partition("@")
            return cls(line, int(epoch), 0, int(issued_s), visitor, int(arrival), draw, moves)
        return cls(line, int(epoch), int(place), int(issued_s), visitor, moves=moves)


def new_visitor() -> str:
    """An id for a visitor: random, and telling nothing."""
    return secrets.token_urlsafe(VISITOR_BYTES)


class TicketSigner:
    """Signs and reads tickets."""

    def __init__(self, ticket_secrets: Sequence[bytes]) -> None:
        # Keyed once: a crowd's polls are little more than this.
        keys = [hmac.digest(secret, SALT, hashlib.sha256) for secret in ticket_secrets]
        self._keyed = [hmac.new(key, digestmod=hashlib.sha256) for key in keys]

    def sign(self, ticket: Ticket) -> str:
        """Gives the ticket as it stands in the cookie."""
        body = START + url_safe(ticket.to_payload().encode())
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
        return Ticket.from_payload(_decoded(body[len(START) :]))


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
    return url_safe(mac.digest()[:MAC_BYTES])


def url_safe(data: bytes) -> bytes:
    """As base64url (RFC 4648, section 5), without padding."""
    return binascii.b2a_base64(data, newline=False).translate(URL_SAFE, b"=")


def _decoded(data: bytes) -> str:
    return binascii.a2b_base64(data.translate(STANDARD) + b"==").decode()
