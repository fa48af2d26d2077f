"""Judges admission tokens as docs/admission-token.md has it: the ladder of checks, in its order, with its codes.

Pure: keys and time are arguments. What a token says about itself is believed only after the signature fits.
"""

import base64
import binascii
import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from booking.errors import AdmissionRefused, OtherFlight

HEADER = "X-Waitroom-Admission"
LEEWAY_S = 5
REMEMBERED = 10_000

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_STRINGS = ("iss", "aud", "sub", "room", "jti")
_INTEGERS = ("num", "iat", "nbf", "exp")


@dataclass(frozen=True, slots=True)
class Admission:
    """The proof that one visitor holds one place until `ends_s`. `key` is the line's, in rooms with a line per key."""

    visitor: str
    room: str
    key: str | None
    number: int
    ends_s: int

    @property
    def holder(self) -> str:
        """Who was let in, for as long as they keep their place: the same in each token that they are given."""
        return hashlib.sha256(json.dumps([self.room, self.key, self.visitor]).encode()).hexdigest()


class UnknownKey(AdmissionRefused):
    """The one refusal that a newer key set may turn: the caller may fetch it, and ask again."""

    def __init__(self, kid: object) -> None:
        super().__init__("admission_unknown_key", f"No key of the key set is named {kid!r}.")


@dataclass(frozen=True, slots=True)
class Judge:
    """Knows whom this site believes."""

    audience: str
    issuer: str

    def verify(self, token: str, keys: Mapping[str, Ed25519PublicKey], now_s: float) -> Admission:
        """The admission that a token proves. Raises AdmissionRefused with the code of the first check that fails."""
        if not token:
            raise AdmissionRefused("admission_missing", f"The header {HEADER} is missing, or there more than once.")
        body, header, claims, signature = _parsed(token)
        _require_kind(header)
        _require_signature(body, signature, _key(header, keys))
        _require_claims(claims)
        _require_time(claims, now_s)
        if claims["aud"] != self.audience:
            raise AdmissionRefused("admission_audience", f"The admission is for {claims['aud']!r}, not for this site.")
        if claims["iss"] != self.issuer:
            raise AdmissionRefused("admission_issuer", f"The admission is from {claims['iss']!r}, not from our room.")
        return Admission(claims["sub"], claims["room"], claims.get("key"), claims["num"], claims["exp"])


def require_key(admission: Admission, flight_id: str) -> None:
    """Refuses the admission to one flight's line where another flight is asked for, by its id as in a path."""
    if admission.key is not None and admission.key != flight_id:
        raise OtherFlight(admission.key, flight_id)


class Remembered:
    """The tokens verified so far, each until its lease ends, so that a signature is checked once. Bounded."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._admissions: OrderedDict[str, Admission] = OrderedDict()

    def __len__(self) -> int:
        return len(self._admissions)

    def get(self, token: str, now_s: float) -> Admission | None:
        """The admission of a token seen before, unless it has ended."""
        admission = self._admissions.get(token)
        if admission is not None and admission.ends_s + LEEWAY_S <= now_s:
            del self._admissions[token]
            return None
        return admission

    def add(self, token: str, admission: Admission) -> None:
        self._admissions[token] = admission
        if len(self._admissions) > self._most:
            self._admissions.popitem(last=False)


def public_keys(document: object) -> dict[str, Ed25519PublicKey]:
    """The Ed25519 keys of a JWK set (RFC 7517, RFC 8037) by `kid`; others are left out. Raises ValueError."""
    jwks = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(jwks, list):
        raise ValueError("a JWK set is an object with a list named keys")
    wanted = [jwk for jwk in jwks if isinstance(jwk, dict) and jwk.get("crv") == "Ed25519"]
    return {str(jwk["kid"]): Ed25519PublicKey.from_public_bytes(_decoded(str(jwk.get("x")))) for jwk in wanted}


def _parsed(token: str) -> tuple[bytes, dict[str, Any], dict[str, Any], bytes]:
    parts = token.split(".")
    if len(parts) != 3:
        raise AdmissionRefused("admission_malformed", "An admission has three parts.")
    try:
        header, claims = (json.loads(_decoded(part)) for part in parts[:2])
        signature = _decoded(parts[2])
    except (ValueError, RecursionError) as exc:
        raise AdmissionRefused("admission_malformed", "The parts of an admission are base64url of JSON.") from exc
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise AdmissionRefused("admission_malformed", "Header and claims of an admission are JSON objects.")
    return ".".join(parts[:2]).encode(), header, claims, signature


def _decoded(part: str) -> bytes:
    """base64url without padding, strictly: Python's own decoder passes over what it does not know."""
    if not _BASE64URL.fullmatch(part):
        raise ValueError("not base64url")
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as exc:
        raise ValueError("not base64url") from exc


def _require_kind(header: Mapping[str, Any]) -> None:
    if header.get("alg") != "EdDSA":
        raise AdmissionRefused("admission_algorithm", "An admission is signed with EdDSA and nothing else.")
    if header.get("typ") != "admission+jwt":
        raise AdmissionRefused("admission_type", "This token is not an admission.")


def _key(header: Mapping[str, Any], keys: Mapping[str, Ed25519PublicKey]) -> Ed25519PublicKey:
    kid = header.get("kid")
    if not isinstance(kid, str) or kid not in keys:
        raise UnknownKey(kid)
    return keys[kid]


def _require_signature(body: bytes, signature: bytes, key: Ed25519PublicKey) -> None:
    try:
        key.verify(signature, body)
    except InvalidSignature as exc:
        raise AdmissionRefused("admission_signature", "The signature of the admission does not fit.") from exc


def _require_claims(claims: Mapping[str, Any]) -> None:
    wrong = [name for name in _STRINGS if not isinstance(claims.get(name), str)]
    wrong += [name for name in _INTEGERS if type(claims.get(name)) is not int]
    if not wrong and claims["num"] < 0:
        wrong.append("num")
    if "key" in claims and not isinstance(claims["key"], str):
        wrong.append("key")
    if wrong:
        raise AdmissionRefused("admission_claims", f"Missing from the admission, or not of its type: {wrong}.")


def _require_time(claims: Mapping[str, Any], now_s: float) -> None:
    if claims["exp"] + LEEWAY_S <= now_s:
        raise AdmissionRefused("admission_expired", "The admission has ended.")
    if max(claims["nbf"], claims["iat"]) - LEEWAY_S > now_s:
        raise AdmissionRefused("admission_early", "The admission is not valid yet.")
