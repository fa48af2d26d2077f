"""Access tokens: a signed word, good for minutes, by which a request is known to be an account's without asking anyone.

A JWT after RFC 9068, though for ourselves alone. Pure: keys and time are arguments.
"""

from dataclasses import dataclass
from typing import Any

import jwt

from booking.account import Account

LIFE_S = 300
ALGORITHM = "HS256"
# RFC 9068, section 2.1: without it, another token of ours could pass for one of these.
TYPE = "access+jwt"
ISSUER = AUDIENCE = "booking"
_CLAIMS = {"sub": str, "email": str, "name": str, "language": str, "family": str, "iat": int, "exp": int}


@dataclass(frozen=True, slots=True)
class Login:
    """An account that is logged in, by the session that is named `family`."""

    account: Account
    family: str


@dataclass(frozen=True, slots=True, repr=False)
class AccessTokens:
    """The first key signs, all verify."""

    keys: tuple[bytes, ...]

    def issue(self, login: Login, now_s: int) -> str:
        """A token that is good for LIFE_S."""
        account = login.account
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(account.id),
            "email": account.email,
            "name": account.name,
            "language": account.language,
            "family": login.family,
            "iat": now_s,
            "exp": now_s + LIFE_S,
        }
        return jwt.encode(claims, self.keys[0], ALGORITHM, headers={"typ": TYPE})

    def verify(self, token: str, now_s: int) -> Login | None:
        """Who is logged in by a token; nobody, where it is none of ours, or over."""
        claims = next((claims for key in self.keys if (claims := _claims(token, key))), None)
        if claims is None or not claims["iat"] <= now_s < claims["exp"]:
            return None
        account = Account(int(claims["sub"]), claims["email"], claims["name"], claims["language"])
        return Login(account, claims["family"])


def _claims(token: str, key: bytes) -> dict[str, Any] | None:
    """What a token says, if the key has signed it, for us, and it is complete. Its times are judged elsewhere."""
    options: Any = {"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False}
    try:
        read = jwt.decode_complete(token, key, [ALGORITHM], options, audience=AUDIENCE, issuer=ISSUER)
    except jwt.InvalidTokenError:
        return None
    claims: dict[str, Any] = read["payload"]
    is_ours = read["header"].get("typ") == TYPE and all(type(claims[name]) is kind for name, kind in _CLAIMS.items())
    return claims if is_ours and claims["sub"].isdecimal() else None
