"""Identities: who a visitor is to the origin, as far as it can be believed; and what is kept of it."""

import base64
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

from waitroom.identity import Identity, is_person
from waitroom.ticket import new_visitor

SECRET = b"secret"
SHARED = "a shared secret of 32 characters or more"
PRIVATE = Ed25519PrivateKey.generate()
PUBLIC = PRIVATE.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
COOKIE = Identity("cookie", "session")
HEADER = Identity("header", "X-User")
SIGNED = Identity("header", "Authorization", "sub", PUBLIC.decode(), ("EdDSA",))
SHARING = Identity("cookie", "session", "sub", SHARED, ("HS256",))

Fields = Sequence[tuple[str, str]]


def token(key: Any = PRIVATE, algorithm: str = "EdDSA", **claims: Any) -> str:
    return jwt.encode({"sub": "ada"} | claims, key, algorithm)


def of(identity: Identity, text: str) -> str:
    """The hash of who brings a text where that room looks for it."""
    name = "Cookie" if identity.source == "cookie" else identity.name
    return identity.of([(name, f"{identity.name}={text}" if identity.source == "cookie" else text)], SECRET)


def parts_of(text: str, **changes: Any) -> str:
    """A token whose claims were changed after it was signed."""
    head, _, mac = text.split(".")
    claims = jwt.decode(text, options={"verify_signature": False}) | changes
    forged = jwt.encode(claims, "", "none").split(".")[1]
    return f"{head}.{forged}.{mac}"


@pytest.mark.parametrize("identity", [COOKIE, HEADER])
def test_a_person_has_one_hash_and_no_other_person_has_it(identity: Identity) -> None:
    assert of(identity, "ada") == of(identity, "ada") != of(identity, "eve")
    assert is_person(of(identity, "ada"))
    assert not is_person(new_visitor())


def test_the_hash_is_another_under_another_secret() -> None:
    assert HEADER.of([("X-User", "ada")], b"secret") != HEADER.of([("X-User", "ada")], b"other")


def test_one_person_is_the_same_by_header_cookie_and_claim() -> None:
    assert of(COOKIE, "ada") == of(HEADER, "ada") == of(SIGNED, token()) == of(SHARING, token(SHARED, "HS256"))


@pytest.mark.parametrize("scheme", ["", "Bearer ", "bearer ", "BEARER  ", " "])
def test_a_header_may_say_that_it_is_a_bearer_token(scheme: str) -> None:
    assert of(SIGNED, scheme + token()) == of(SIGNED, token())


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], id="nothing"),
        pytest.param([("X-User", "")], id="an empty value"),
        pytest.param([("X-User", " ")], id="a blank value"),
        pytest.param([("X-User", "Bearer ")], id="a scheme alone"),
        pytest.param([("X-Users", "ada")], id="another name"),
        pytest.param([("Cookie", "X-User=ada")], id="another place"),
        pytest.param([("X-User", "ada"), ("x-user", "eve")], id="two that differ"),
        pytest.param([("X-User", "ada"), ("X-User", "")], id="two of which one is empty"),
    ],
)
def test_who_says_nothing_clear_is_nobody(fields: Fields) -> None:
    assert HEADER.of(fields, SECRET) == ""


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ada", id="no token"),
        pytest.param(token() + "x", id="a signature that was touched"),
        pytest.param(parts_of(token(), sub="eve"), id="a claim that was touched"),
        pytest.param(token(Ed25519PrivateKey.generate()), id="another's key"),
        pytest.param(token("", "none"), id="no signature"),
        pytest.param(token(exp=time.time() - 60), id="expired"),
        pytest.param(token(nbf=time.time() + 86_400), id="not valid yet"),
        pytest.param(token(sub=""), id="an empty claim"),
        pytest.param(token(name="ada", sub=None), id="no such claim"),
        pytest.param(jwt.encode({"name": "ada"}, PRIVATE, "EdDSA"), id="no claim at all"),
        pytest.param(token(SHARED, "HS256"), id="another algorithm"),
    ],
)
def test_a_token_that_can_not_be_believed_is_nobodys(text: str) -> None:
    assert of(SIGNED, text) == ""


def test_the_public_key_is_no_shared_secret() -> None:
    """A token signed by what everybody knows, under an algorithm of its own choice (RFC 8725, section 2.1)."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
    body = token().split(".")[1]
    mac = jwt.get_algorithm_by_name("HS256").sign(f"{head}.{body}".encode(), PUBLIC)
    forged = f"{head}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert of(SIGNED, forged) == ""


@pytest.mark.parametrize("text", [token("another secret of 32 characters or so", "HS256"), token("", "none"), token()])
def test_what_another_secret_signed_is_nobodys(text: str) -> None:
    assert of(SHARING, text) == ""


def test_a_number_is_a_person_too_and_a_truth_value_is_none() -> None:
    by_id = replace(SHARING, claim="id")
    assert of(by_id, token(SHARED, "HS256", id=7)) == of(COOKIE, "7")
    assert of(by_id, token(SHARED, "HS256", id=True)) == ""
    assert of(by_id, token(SHARED, "HS256", id=[7])) == ""


def test_a_deep_token_is_nobodys_and_nothing_is_raised() -> None:
    head = base64.urlsafe_b64encode(b"[" * 6000).decode()
    assert of(SIGNED, f"{head}.{head}.x") == ""


# As aiohttp decodes what a visitor sends: bytes that are no UTF-8 become surrogates.
texts = st.binary(max_size=40).map(lambda data: data.decode("utf-8", "surrogateescape"))


@given(texts)
def test_nothing_that_a_visitor_sends_raises_or_is_believed_unsigned(text: str) -> None:
    for identity in (SIGNED, SHARING):
        assert of(identity, text) == ""
        assert of(identity, f"{text}.{text}.{text}") == ""


@given(texts, texts)
@example("\udcfe", "\udcff")
def test_no_two_values_are_one_person(one: str, other: str) -> None:
    """Bytes that are no text count as what they are."""
    told = [HEADER.of([("X-User", text)], SECRET) for text in (f"a{one}b", f"a{other}b")]
    assert (told[0] == told[1]) == (one == other)


@given(st.text(st.characters(categories=["L", "N"]), min_size=6))
def test_the_hash_tells_nothing_of_who_it_is(who: str) -> None:
    told = of(HEADER, who)
    assert who not in told
    assert base64.urlsafe_b64encode(who.encode()).decode().rstrip("=") not in told
    assert len(told) == len(of(HEADER, "ada"))
