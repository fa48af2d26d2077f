"""The settings of a person's identity: where a room finds it, and the key by which it is believed."""

from pathlib import Path
from typing import Annotated, Self

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from pydantic import Field, model_validator

from waitroom.identity import Identity
from waitroom.setting_types import Algorithm, Table

SHARED_SECRETS = {"HS256", "HS384", "HS512"}
SHORTEST_SECRET = 32


class IdentitySettings(Table):
    """One place per person: where a room finds who somebody is; exactly one of `header` and `cookie`."""

    header: str = ""
    """a header of the site's that says who it is, for instance "Authorization"; instead of a cookie"""
    cookie: str = ""
    """a cookie of the site's that says who it is"""
    claim: str = ""
    """what in it says so, if it is a JWT: the signature is verified"""
    key_file: str = ""
    """a public key (PEM), or for HS256 a file with the shared secret"""
    algorithms: Annotated[list[Algorithm], Field(min_length=1)] = ["EdDSA"]
    """EdDSA, ES256 …, RS256 …, or HS256 …"""
    required: bool = False
    """true: who has no identity gets no place; let the sign-in pages by with `bypass`"""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if bool(self.header) == bool(self.cookie):
            raise ValueError('should name either a header or a cookie, for instance cookie = "session"')
        if bool(self.claim) != bool(self.key_file):
            raise ValueError("claim and key_file go together: a claim is believed only if its signature is verified")
        if len({algorithm in SHARED_SECRETS for algorithm in self.algorithms}) > 1:
            raise ValueError("algorithms should be all of shared secrets (HS…) or all of public keys, never both")
        if self.key_file:
            self._check_key()
        return self

    def _check_key(self) -> None:
        try:
            key = self._key()
            for algorithm in self.algorithms:
                jwt.get_algorithm_by_name(algorithm).prepare_key(key)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm, jwt.PyJWTError) as exc:
            raise ValueError(f"key_file = {self.key_file!r} can't be used for {self.algorithms}: {exc}") from exc
        if self.algorithms[0] in SHARED_SECRETS and len(key) < SHORTEST_SECRET:
            raise ValueError(f"the secret in {self.key_file!r} should have at least {SHORTEST_SECRET} characters")

    def _key(self) -> str:
        return Path(self.key_file).read_text("utf-8").strip() if self.key_file else ""

    def to_identity(self) -> Identity:
        """As values for the rest of the program."""
        return Identity(
            source="header" if self.header else "cookie",
            name=self.header or self.cookie,
            claim=self.claim,
            key=self._key(),
            algorithms=tuple(self.algorithms),
            required=self.required,
        )
