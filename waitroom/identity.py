"""Identities: who a visitor is to the origin, where a room gives one place per person. Pure.

Only a keyed hash of it is kept, so that neither Redis nor a ticket tells who somebody is. It begins with `p.`, by which
the place of a person is told from that of a visitor whom nobody knows.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import jwt

from waitroom.headers import cookie, values

# Keeps the secret's other uses apart from this one.
SALT = b"waitroom identity v1"
HASH_BYTES = 12
PERSON = "p."
Source = Literal["header", "cookie"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Where a room finds the identity: in a header or a cookie of that name.

    With a `claim` the value is a JWT, whose signature and times are verified by `key` (a PEM public key, or a shared
    secret) and one of `algorithms`, and the claim is the identity; else the value itself is. `required` refuses those
    who have none.
    """

    source: Source
    name: str
    claim: str = ""
    key: str = ""
    algorithms: tuple[str, ...] = ()
    required: bool = False

    def of(self, fields: Sequence[tuple[str, str]], secret: bytes) -> str:
        """The hash of the identity in a request's fields, "" where there is none that can be believed."""
        text = self._text(fields)
        who = self._claimed(text) if self.claim and text else text
        if not who:
            return ""
        key = hmac.digest(secret, SALT, hashlib.sha256)
        digest = hmac.digest(key, who.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return PERSON + base64.urlsafe_b64encode(digest[:HASH_BYTES]).decode()

    def _text(self, fields: Sequence[tuple[str, str]]) -> str:
        if self.source == "cookie":
            return cookie(fields, self.name)
        texts = values(fields, self.name.lower())
        if len(texts) != 1:  # of several, somebody on the way may believe another than we do
            return ""
        return re.sub(r"^Bearer(\s+|$)", "", texts[0].strip(), flags=re.IGNORECASE)

    def _claimed(self, token: str) -> str:
        try:
            claims = jwt.decode(token, self.key, algorithms=list(self.algorithms), options={"verify_aud": False})
        except (jwt.PyJWTError, UnicodeError, RecursionError):
            return ""
        claim = claims.get(self.claim)
        return str(claim) if isinstance(claim, str | int) and not isinstance(claim, bool) else ""


def is_person(visitor: str) -> bool:
    """Whether a visitor's id is the hash of an identity."""
    return visitor.startswith(PERSON)
