"""Tickets: whatever is not ours, or was touched, is refused."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitroom.errors import ForgedTicketError, TicketError
from waitroom.ticket import SALT, Ticket, TicketSigner

TICKET = Ticket(line="site", epoch=1, number=4711, issued_s=1_800_000_000, visitor="bm9ib2R5")
SIGNER = TicketSigner([b"new secret", b"old secret"])


def test_a_ticket_reads_as_it_was_signed() -> None:
    assert SIGNER.read(SIGNER.sign(TICKET)) == TICKET


@pytest.mark.parametrize("ticket", [TICKET, TICKET._replace(number=0, arrival=17, draw="a sale")])
def test_a_ticket_of_a_moved_place_reads_as_it_was_signed(ticket: Ticket) -> None:
    moved = ticket._replace(moves=3)
    assert SIGNER.read(SIGNER.sign(moved)) == moved
    assert SIGNER.read(SIGNER.sign(ticket)).moves == 0


def test_an_earlier_version_reads_a_ticket_of_a_moved_place() -> None:
    """It knew of five fields."""
    assert TICKET._replace(moves=3).to_payload().split("~") == [*TICKET.to_payload().split("~")[:4], "bm9ib2R5*3"]


def test_tickets_of_an_older_secret_are_still_believed() -> None:
    assert SIGNER.read(TicketSigner([b"old secret"]).sign(TICKET)) == TICKET


def test_the_first_secret_signs() -> None:
    assert TicketSigner([b"new secret"]).read(SIGNER.sign(TICKET)) == TICKET


def test_another_secret_is_a_forgery() -> None:
    with pytest.raises(ForgedTicketError):
        SIGNER.read(TicketSigner([b"guess"]).sign(TICKET))


def test_every_change_of_a_character_is_refused() -> None:
    text = SIGNER.sign(TICKET)
    for i, character in enumerate(text):
        changed = text[:i] + ("A" if character != "A" else "B") + text[i + 1 :]
        with pytest.raises(TicketError):
            SIGNER.read(changed)


@given(st.binary(min_size=1, max_size=100))
def test_the_mac_is_hmac_sha_256(secret: bytes) -> None:
    """RFC 2104: the first half of it, over all that stands before, as base64url without padding (RFC 4648)."""
    body, _, mac = TicketSigner([secret]).sign(TICKET).encode().rpartition(b".")
    key = hmac.digest(secret, SALT, hashlib.sha256)
    expected = hmac.digest(key, body, hashlib.sha256)[:16]
    assert base64.urlsafe_b64decode(mac + b"==") == expected


@given(st.text(st.characters()))
def test_anything_else_is_refused_and_nothing_else_is_raised(text: str) -> None:
    with pytest.raises(TicketError):
        SIGNER.read(text)
    with pytest.raises(TicketError):
        SIGNER.read(f"v1.{text}.{text}")
