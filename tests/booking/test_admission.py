"""The verifier against docs/admission-token.md: every vector, and anything at all."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.admission import LEEWAY_S, Admission, Judge, Remembered, public_keys, require_key
from booking.errors import AdmissionRefused, OtherFlight
from tests.booking.bench import NOW_S, Room

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "token_vectors.json").read_text())
JUDGE = Judge(VECTORS["audience"], VECTORS["issuer"])
KEYS = public_keys(VECTORS)
TOKEN: str = VECTORS["good"][0]["token"]


@pytest.mark.parametrize("vector", VECTORS["good"], ids=lambda vector: vector["name"])
def test_a_good_token_is_admitted_with_its_claims(vector: dict[str, Any]) -> None:
    claims = vector["claims"]

    admission = JUDGE.verify(vector["token"], KEYS, VECTORS["now_s"])

    assert admission == Admission(claims["sub"], claims["room"], claims.get("key"), claims["num"], claims["exp"])


@pytest.mark.parametrize("vector", VECTORS["bad"], ids=lambda vector: vector["name"])
def test_a_bad_token_is_refused_with_its_code(vector: dict[str, Any]) -> None:
    with pytest.raises(AdmissionRefused) as refusal:
        JUDGE.verify(vector["token"], KEYS, VECTORS["now_s"])
    assert refusal.value.code == vector["code"]


@given(st.text())
def test_no_text_is_an_admission(text: str) -> None:
    """Whatever is sent is refused by name: nothing else is ever raised."""
    with pytest.raises(AdmissionRefused):
        JUDGE.verify(text, KEYS, VECTORS["now_s"])


@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="ascii"))
def test_no_character_of_a_token_can_be_changed(place: int, character: str) -> None:
    """But for the last, of which base64 ignores some bits: a fact of the encoding, not another token."""
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    if changed != TOKEN and place != len(TOKEN) - 1:
        with pytest.raises(AdmissionRefused):
            JUDGE.verify(changed, KEYS, VECTORS["now_s"])


@pytest.mark.parametrize("claim", ["iat", "nbf", "exp", "num"])
@pytest.mark.parametrize("value", [True, 1.5, None, "1", [1]])
def test_a_number_of_another_type_is_refused(tmp_path: Path, claim: str, value: object) -> None:
    room = Room(tmp_path)
    with pytest.raises(AdmissionRefused) as refusal:
        JUDGE.verify(room.admission(**{claim: value}), public_keys({"keys": [room.jwk]}), NOW_S)
    assert refusal.value.code == "admission_claims"


def test_json_nested_without_end_is_malformed() -> None:
    deep = "W1tb" * 3_000  # [[[[…
    with pytest.raises(AdmissionRefused) as refusal:
        JUDGE.verify(f"{deep}.{deep}.", KEYS, VECTORS["now_s"])
    assert refusal.value.code == "admission_malformed"


@pytest.mark.parametrize(
    ("key", "fits"),
    [(None, True), ("12", True), ("13", False), ("", False), ("012", False), (" 12", False), ("1", False)],
)
def test_the_key_of_a_line_opens_its_own_flight_only(key: str | None, *, fits: bool) -> None:
    """By the very spelling of the path, of which booking knows one per flight."""
    admission = Admission("visitor", "site", key, 1, NOW_S)
    if fits:
        require_key(admission, "12")
    else:
        with pytest.raises(OtherFlight) as refusal:
            require_key(admission, "12")
        assert (refusal.value.status, refusal.value.code) == (401, "admission_key")


def test_a_token_is_remembered_until_its_lease_ends() -> None:
    remembered = Remembered()
    admission = Admission("visitor", "site", None, 1, NOW_S)
    remembered.add("token", admission)

    assert remembered.get("token", NOW_S + LEEWAY_S - 0.001) == admission
    assert remembered.get("token", NOW_S + LEEWAY_S) is None
    assert len(remembered) == 0


def test_a_flood_of_tokens_does_not_grow_the_memory() -> None:
    remembered = Remembered(most=3)
    for number in range(10):
        remembered.add(f"token {number}", Admission("visitor", "site", None, number, NOW_S))

    assert len(remembered) == 3
    assert remembered.get("token 9", NOW_S - 1)


@pytest.mark.parametrize(
    "document", [None, [], {}, {"keys": {}}, {"keys": [{"crv": "Ed25519", "kid": "a", "x": "AA"}]}]
)
def test_what_is_no_key_set_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        public_keys(document)


def test_keys_of_other_kinds_are_left_out() -> None:
    assert set(public_keys({"keys": [*VECTORS["keys"], {"kty": "RSA", "kid": "rsa"}, "?"]})) == {"vectors"}
