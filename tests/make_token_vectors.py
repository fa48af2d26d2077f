"""Writes token_vectors.json, which every verifier of admissions must judge alike.

Run `python -m tests.make_token_vectors` after a change of docs/admission-token.md. The keys are fixed and worthless:
they sign these examples and nothing else, so that a second run gives the same file.
"""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NOW_S = 1_800_000_000
PATH = Path(__file__).with_name("token_vectors.json")
KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"token vectors: the room's key").digest())
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"token vectors: a stranger's key").digest())

HEADER = {"alg": "EdDSA", "kid": "vectors", "typ": "admission+jwt"}
CLAIMS = {
    "iss": "waitroom",
    "aud": "site",
    "sub": "c2l0dGluZyBoZXJlIQ",
    "room": "site",
    "num": 17,
    "iat": NOW_S - 60,
    "nbf": NOW_S - 60,
    "exp": NOW_S + 540,
    "jti": "0f5a0c1e",
}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def unsigned(header: object, claims: object) -> str:
    return ".".join(encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))


def signed(header: object, claims: object, key: Ed25519PrivateKey = KEY) -> str:
    body = unsigned(header, claims)
    return f"{body}.{encoded(key.sign(body.encode()))}"


def without(name: str) -> dict[str, Any]:
    return {claim: value for claim, value in CLAIMS.items() if claim != name}


def hmac_with_the_public_key() -> str:
    body = unsigned(HEADER | {"alg": "HS256"}, CLAIMS)
    return f"{body}.{encoded(hmac.digest(public(KEY), body.encode(), 'sha256'))}"


def good() -> dict[str, dict[str, Any]]:
    return {
        "an ordinary admission": CLAIMS,
        "of a line per key": CLAIMS | {"key": "KE081"},
        "of an open room": CLAIMS | {"num": 0},
        "expired within the leeway": CLAIMS | {"exp": NOW_S - 4},
        "from a clock a little ahead": CLAIMS | {"iat": NOW_S + 4, "nbf": NOW_S + 4},
    }


def bad() -> dict[str, tuple[str, str]]:
    head, claims, signature = signed(HEADER, CLAIMS).split(".")
    raised = encoded(json.dumps(CLAIMS | {"exp": NOW_S + 9_999}, separators=(",", ":")).encode())
    return {
        "nothing": ("", "admission_missing"),
        "two parts": (f"{head}.{claims}", "admission_malformed"),
        "not base64": (f"{head}.{claims}!.{signature}", "admission_malformed"),
        "claims that are a list": (signed(HEADER, [CLAIMS]), "admission_malformed"),
        "alg none, unsigned": (unsigned(HEADER | {"alg": "none"}, CLAIMS) + ".", "admission_algorithm"),
        "alg none, old signature": (f"{unsigned(HEADER | {'alg': 'none'}, CLAIMS)}.{signature}", "admission_algorithm"),
        "HMAC keyed with the public key": (hmac_with_the_public_key(), "admission_algorithm"),
        "another kind of token": (signed(HEADER | {"typ": "JWT"}, CLAIMS), "admission_type"),
        "unknown key": (signed(HEADER | {"kid": "who"}, CLAIMS, OTHER_KEY), "admission_unknown_key"),
        "signed by another key": (signed(HEADER, CLAIMS, OTHER_KEY), "admission_signature"),
        "claims changed after signing": (f"{head}.{raised}.{signature}", "admission_signature"),
        **{f"without {name}": (signed(HEADER, without(name)), "admission_claims") for name in CLAIMS},
        "a number that is none": (signed(HEADER, CLAIMS | {"num": "17"}), "admission_claims"),
        "a negative number": (signed(HEADER, CLAIMS | {"num": -1}), "admission_claims"),
        "a key that is a number": (signed(HEADER, CLAIMS | {"key": 12}), "admission_claims"),
        "a key that is null": (signed(HEADER, CLAIMS | {"key": None}), "admission_claims"),
        "expired": (signed(HEADER, CLAIMS | {"exp": NOW_S - 6}), "admission_expired"),
        "not yet valid": (signed(HEADER, CLAIMS | {"nbf": NOW_S + 6}), "admission_early"),
        "issued in the future": (signed(HEADER, CLAIMS | {"iat": NOW_S + 6}), "admission_early"),
        "for another audience": (signed(HEADER, CLAIMS | {"aud": "elsewhere"}), "admission_audience"),
        "from another issuer": (signed(HEADER, CLAIMS | {"iss": "mallory"}), "admission_issuer"),
    }


def vectors() -> dict[str, Any]:
    jwk = {"kty": "OKP", "crv": "Ed25519", "kid": "vectors", "use": "sig", "alg": "EdDSA", "x": encoded(public(KEY))}
    return {
        "now_s": NOW_S,
        "audience": "site",
        "issuer": "waitroom",
        "keys": [jwk],
        "good": [{"name": name, "token": signed(HEADER, claims), "claims": claims} for name, claims in good().items()],
        "bad": [{"name": name, "token": token, "code": code} for name, (token, code) in bad().items()],
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1) + "\n")
