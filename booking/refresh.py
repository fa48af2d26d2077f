"""Refresh tokens: one link each of the chain that a session is, signed so that nobody makes one up. Pure.

`<account>.<family>.<counter>.<mac>`: whose session, which one, and how often it was renewed. Whether a link is the
last of its chain, `sessions` knows.
"""

import base64
import hmac
import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<account>[1-9][0-9]{0,9})\.(?P<family>[\w-]{22})\.(?P<counter>[1-9][0-9]{0,8})\.(?P<mac>[\w-]{43})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """`counter` is 1 at log-in, and one more after each renewal."""

    account_id: int
    family: str
    counter: int

    def __str__(self) -> str:
        return f"{self.account_id}.{self.family}.{self.counter}"


@dataclass(frozen=True, slots=True, repr=False)
class RefreshTokens:
    """The first key signs, all verify."""

    keys: tuple[bytes, ...]

    def sign(self, token: RefreshToken) -> str:
        """The token as a cookie has it."""
        return f"{token}.{_mac(self.keys[0], token)}"

    def parse(self, text: str) -> RefreshToken | None:
        """The token that was signed; none, where it was not by us."""
        parts = _TOKEN.fullmatch(text)
        if parts is None:
            return None
        token = RefreshToken(int(parts["account"]), parts["family"], int(parts["counter"]))
        fits = any(hmac.compare_digest(parts["mac"], _mac(key, token)) for key in self.keys)
        return token if fits else None


def _mac(key: bytes, token: RefreshToken) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, str(token).encode(), "sha256")).rstrip(b"=").decode()
