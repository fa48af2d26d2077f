"""The proxy's own verifier, by the vectors that every verifier must judge alike."""

import base64
import json
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import OKPAlgorithm

from tests.make_token_vectors import PATH, vectors
from waitroom.admission import Admission, AdmissionKey, AdmissionSigner, AdmissionVerifier
from waitroom.errors import AdmissionError

VECTORS = json.loads(PATH.read_text())
KEYS = {jwk["kid"]: cast(Ed25519PublicKey, OKPAlgorithm.from_jwk(jwk)) for jwk in VECTORS["keys"]}
VERIFIER = AdmissionVerifier(KEYS, VECTORS["issuer"])


def test_the_vectors_are_what_their_script_writes() -> None:
    assert vectors() == VECTORS


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_good_vectors_are_believed(vector: dict[str, Any]) -> None:
    admission = VERIFIER.verify(vector["token"], VECTORS["audience"], VECTORS["now_s"])
    assert (admission.number, admission.visitor) == (vector["claims"]["num"], vector["claims"]["sub"])


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_bad_vectors_are_refused_with_their_code(vector: dict[str, Any]) -> None:
    with pytest.raises(AdmissionError) as caught:
        VERIFIER.verify(vector["token"], VECTORS["audience"], VECTORS["now_s"])
    assert caught.value.code == vector["code"]


# As aiohttp decodes what a visitor sends: bytes that are no UTF-8 become surrogates.
texts = st.binary(max_size=40).map(lambda data: data.decode("utf-8", "surrogateescape"))


@given(texts)
def test_anything_else_is_refused_and_nothing_else_is_raised(text: str) -> None:
    for token in (text, f"{text}.{text}.{text}", f"{VECTORS['good'][0]['token']}{text}x"):
        with pytest.raises(AdmissionError):
            VERIFIER.verify(token, VECTORS["audience"], VECTORS["now_s"])


@pytest.mark.parametrize("part", [0, 1])
def test_what_is_too_deep_to_read_is_refused(part: int) -> None:
    parts = VECTORS["good"][0]["token"].split(".")
    parts[part] = base64.urlsafe_b64encode(b"[" * 6000).decode()
    with pytest.raises(AdmissionError, match="admission_malformed"):
        VERIFIER.verify(".".join(parts), VECTORS["audience"], VECTORS["now_s"])


def test_what_the_signer_signs_the_verifier_believes_until_its_lease_ends() -> None:
    key = AdmissionKey(Ed25519PrivateKey.generate())
    admission = Admission("site", "shop", "visitor", 7, issued_s=1_000_000, expires_s=1_000_600, key="KE-123")
    token = AdmissionSigner([key], "waitroom").sign(admission)
    verifier = AdmissionVerifier({key.id: key.public}, "waitroom")
    assert verifier.verify(token, "shop", 1_000_604.9) == admission
    with pytest.raises(AdmissionError, match="admission_expired"):
        verifier.verify(token, "shop", 1_000_605)
