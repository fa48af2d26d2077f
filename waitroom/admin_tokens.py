"""Who may use the admin API: tokens, known by their digests alone, each with a name and a role.

A token is 256 random bits, so that nobody can try them all, and a plain SHA-256 keeps it as well as a slow hash would:
those are for passwords, which people choose (NIST SP 800-63B, section 5.1.1.2, asks for salt and cost of those alone).
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["reader", "operator"]

# Of its names: they stand in the audit log, before the address from which somebody acted.
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"
# The name of the token that each machine has for those who may read the waitroom's own files.
LOCAL = "local"
PREFIX = "wr_"
BYTES = 32


@dataclass(frozen=True, slots=True)
class Token:
    """`name` is what the audit log says of who carries it. A reader looks, an operator also acts."""

    name: str
    role: Role
    digest: bytes = field(repr=False)

    def may(self, needed: Role) -> bool:
        return needed == "reader" or self.role == "operator"


def made() -> str:
    """A new token; the prefix lets secret scanners find one that was published."""
    return PREFIX + secrets.token_urlsafe(BYTES)


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def known(text: str, tokens: Iterable[Token]) -> Token | None:
    """The token that was presented, or None. How long it takes does not tell how much of one was right."""
    presented = digest(text)
    matches = [token for token in tokens if hmac.compare_digest(presented, token.digest)]
    return matches[0] if matches else None
