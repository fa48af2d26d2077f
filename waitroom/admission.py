"""Admissions: the signed proof of a lease, which the origin verifies. docs/admission-token.md is the contract."""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from waitroom.errors import AdmissionError

HEADER = "X-Waitroom-Admission"
ALGORITHM = "EdDSA"
TYPE = "admission+jwt"
# How far the clocks of signer and verifier may differ.
LEEWAY_S = 5
# The `sub` of what everybody gets while a room is open.
OPEN_VISITOR = "open"
TEXTS = ("iss", "aud", "sub", "room", "jti")
NUMBERS = ("num", "iat", "nbf", "exp")


@dataclass(frozen=True, slots=True)
class Admission:
    """What an admission says. `number` is 0 where the room was open; `expires_s` is the end of the lease; `key` is the
    line's in rooms with keys, "" in others."""

    room: str
    audience: str
    visitor: str
    number: int
    issued_s: int
    expires_s: int
    key: str = ""


class AdmissionKey:
    """An Ed25519 key pair; its id is the start of the SHA-256 of the public key."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self.private = private
        self.public = private.public_key()
        self.id = hashlib.sha256(self.public.public_bytes_raw()).hexdigest()[:16]

    def to_jwk(self) -> dict[str, str]:
        """The public half, as it stands in the key set (RFC 8037)."""
        jwk: dict[str, str] = OKPAlgorithm.to_jwk(self.public, as_dict=True)
        return {**jwk, "kid": self.id, "use": "sig", "alg": ALGORITHM}


class AdmissionSigner:
    """Signs admissions with the first of the keys; `issuer` names this waitroom."""

    def __init__(self, keys: Sequence[AdmissionKey], issuer: str) -> None:
        self._key = keys[0]
        self._issuer = issuer

    def sign(self, admission: Admission) -> str:
        claims: dict[str, str | int] = {
            "iss": self._issuer,
            "aud": admission.audience,
            "sub": admission.visitor,
            "room": admission.room,
            "num": admission.number,
            "iat": admission.issued_s,
            "nbf": admission.issued_s,
            "exp": admission.expires_s,
            "jti": secrets.token_hex(8),
        }
        if admission.key:
            claims["key"] = admission.key
        return jwt.encode(claims, self._key.private, ALGORITHM, headers={"kid": self._key.id, "typ": TYPE})


class AdmissionVerifier:
    """Judges admissions by a set of public keys, in the order and with the codes of the contract."""

    def __init__(self, keys: dict[str, Ed25519PublicKey], issuer: str) -> None:
        self._keys = keys
        self._issuer = issuer

    def verify(self, token: str, audience: str, now_s: float) -> Admission:
        """Raises AdmissionError with the code of the first check that fails."""
        claims = self._claims(token)
        _check_claims(claims)
        if claims["exp"] + LEEWAY_S <= now_s:
            raise AdmissionError("admission_expired")
        if max(claims["nbf"], claims["iat"]) - LEEWAY_S > now_s:
            raise AdmissionError("admission_early")
        if claims["aud"] != audience:
            raise AdmissionError("admission_audience")
        if claims["iss"] != self._issuer:
            raise AdmissionError("admission_issuer")
        return Admission(
            claims["room"],
            claims["aud"],
            claims["sub"],
            claims["num"],
            claims["iat"],
            claims["exp"],
            claims.get("key", ""),
        )

    def _claims(self, token: str) -> dict[str, Any]:
        if not token:
            raise AdmissionError("admission_missing")
        header = _header(token)
        if header.get("alg") != ALGORITHM:
            raise AdmissionError("admission_algorithm")
        if header.get("typ") != TYPE:
            raise AdmissionError("admission_type")
        key = self._keys.get(str(header.get("kid")))
        if key is None:
            raise AdmissionError("admission_unknown_key")
        try:
            payload = jwt.api_jws.decode(token, key, [ALGORITHM])
        except jwt.InvalidSignatureError as exc:
            raise AdmissionError("admission_signature") from exc
        except jwt.InvalidTokenError as exc:
            raise AdmissionError("admission_malformed") from exc
        return _json_object(payload)


def _header(token: str) -> dict[str, Any]:
    """The header, read before anything is verified; the claims must at least be base64url, too."""
    try:
        unverified = jwt.api_jws.decode_complete(token, options={"verify_signature": False})
    except (jwt.InvalidTokenError, RecursionError, UnicodeError) as exc:
        raise AdmissionError("admission_malformed") from exc
    _json_object(unverified["payload"])
    header: dict[str, Any] = unverified["header"]
    return header


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise AdmissionError("admission_malformed") from exc
    if not isinstance(value, dict):
        raise AdmissionError("admission_malformed")
    return value


def _check_claims(claims: dict[str, Any]) -> None:
    texts = all(isinstance(claims.get(name), str) for name in TEXTS)
    numbers = all(type(claims.get(name)) is int for name in NUMBERS)
    if not (texts and numbers and claims["num"] >= 0 and isinstance(claims.get("key", ""), str)):
        raise AdmissionError("admission_claims")
