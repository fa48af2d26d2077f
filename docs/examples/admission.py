"""Judges admissions with PyJWT, as docs/admission-token.md has it. Needs pyjwt[crypto]."""

import time
from typing import Any

import jwt

LEEWAY_S, COOL_DOWN_S, COOL_DOWN_WITHOUT_KEYS_S = 5, 10, 1
TYPES: dict[str, type] = dict.fromkeys(("iss", "aud", "sub", "room", "jti"), str)
TYPES |= dict.fromkeys(("num", "iat", "nbf", "exp"), int)
# The signature is PyJWT's to judge. The claims are judged below, in the order of the contract.
SIGNATURE_ALONE: Any = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}


class Refused(Exception):
    """`code` is one of the contract's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Verifier:
    def __init__(self, keys_url: str, audience: str = "site", issuer: str = "waitroom") -> None:
        self._source = jwt.PyJWKClient(keys_url, cache_jwk_set=False, timeout=3)
        self._audience, self._issuer = audience, issuer
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked_s = float("-inf")

    def verify(self, token: str, now_s: float) -> dict[str, Any]:
        """The claims of a good admission. Raises Refused, and PyJWKClientError while no key can be had."""
        if not token:
            raise Refused("admission_missing")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as exc:
            raise Refused("admission_malformed") from exc
        if header.get("alg") != "EdDSA":
            raise Refused("admission_algorithm")
        if header.get("typ") != "admission+jwt":
            raise Refused("admission_type")
        claims = self._signed(token, self._key(header.get("kid")))
        self._judge(claims, now_s)
        return claims

    def _key(self, kid: object) -> jwt.PyJWK:
        """Asks for the key set where the key is unknown, unless it was just asked for."""
        cool_down_s = COOL_DOWN_S if self._keys else COOL_DOWN_WITHOUT_KEYS_S
        if kid not in self._keys and time.monotonic() - self._asked_s >= cool_down_s:
            self._asked_s = time.monotonic()
            self._keys = {str(key.key_id): key for key in self._source.get_signing_keys()}
        if not self._keys:
            raise jwt.PyJWKClientError("no key set")
        if kid not in self._keys:
            raise Refused("admission_unknown_key")
        return self._keys[str(kid)]

    def _signed(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        try:
            return dict(jwt.decode(token, key, algorithms=["EdDSA"], options=SIGNATURE_ALONE))
        except jwt.InvalidSignatureError as exc:
            raise Refused("admission_signature") from exc
        except jwt.PyJWTError as exc:
            raise Refused("admission_malformed") from exc

    def _judge(self, claims: dict[str, Any], now_s: float) -> None:
        is_whole = all(type(claims.get(name)) is kind for name, kind in TYPES.items()) and claims["num"] >= 0
        if not is_whole or not isinstance(claims.get("key", ""), str):
            raise Refused("admission_claims")
        if claims["exp"] + LEEWAY_S <= now_s:
            raise Refused("admission_expired")
        if max(claims["nbf"], claims["iat"]) - LEEWAY_S > now_s:
            raise Refused("admission_early")
        if claims["aud"] != self._audience:
            raise Refused("admission_audience")
        if claims["iss"] != self._issuer:
            raise Refused("admission_issuer")
