"""A receipt: the short code by which a place is moved to another browser, and the QR code of its address. Pure.

A code is eight characters of Crockford's base 32 (https://www.crockford.com/base32.html): 40 random bits, and none of
the letters that are taken for others. Redis keeps no code, but its keyed hash.
"""

import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass
from typing import Literal

import segno

from waitroom.ticket import Ticket

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8
# How long a code is good: as long as it takes to fetch the other device, and to type it.
VALID_S = 600
# Keeps the secret's other uses apart from this one.
SALT = b"waitroom receipt v1"
HASH_BYTES = 16
MISREAD = str.maketrans("OIL", "011", "- ")
# A screen shows the code whole: what gets lost is little.
CORRECTION = "l"
# White modules around it, by which a reader finds it (ISO/IEC 18004).
BORDER = 4
NotMoved = Literal[
    "from_elsewhere",
    "locked",
    "no_place_to_move",
    "one_per_person",
    "too_many_receipts",
    "too_often",
    "used_up",
    "wrong_code",
]
# What a home or a phone is given of IPv6.
IPV6_HOME = 64


@dataclass(frozen=True, slots=True)
class Made:
    """A code, good until `expires_ms` since 1970."""

    code: str
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Taken:
    """The place is the redeemer's, by this ticket; the other browser was at the path `here`."""

    ticket: Ticket
    here: str


@dataclass(frozen=True, slots=True)
class NotNow:
    """There is no code, or nothing was moved; `retry_after_s` where it may be tried again."""

    fault: NotMoved
    retry_after_s: int | None = None


def new_code() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def read_code(text: str) -> str:
    """The code in what somebody typed, "" where it can't be one."""
    code = text.upper().translate(MISREAD)
    return code if len(code) == LENGTH and all(character in ALPHABET for character in code) else ""


def shown(code: str) -> str:
    """A code in two halves, `4T7K-9XQ2`, as people read and type it best."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def qr_code(url: str) -> str:
    """The QR code of an address, as an SVG element that grows with its surroundings and has nothing to load."""
    code = segno.make_qr(url, error=CORRECTION)
    return code.svg_inline(border=BORDER, omitsize=True, svgclass="qr", lineclass=None, light="#fff")


class Seal:
    """Hashes codes and addresses by a secret, so that Redis holds neither."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, SALT, hashlib.sha256)

    def of_code(self, line: str, code: str) -> str:
        """The hash of a code, which is good for one line."""
        return self._hash(f"code~{line}~{code}")

    def of_address(self, address: str) -> str:
        """The hash of who comes from an address: of IPv6, of the network that a home is given."""
        return self._hash(f"address~{home_of(address)}")

    def _hash(self, text: str) -> str:
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)[:HASH_BYTES].hex()


def home_of(address: str) -> str:
    """What one person has of addresses: one of IPv4, or a network of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((int(parsed), IPV6_HOME), strict=False))
