"""Standard Webhooks: what we sign others verify, what others sign we verify, and nothing else passes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from booking.errors import ForgedEvent
from booking.signatures import ID, SIGNATURE, TIMESTAMP, TOLERANCE_S, key_of, sign, verify

# The example of the specification's reference libraries.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = b'{"test": 2432232314}'
AT_S = 1_614_265_330


def test_the_example_of_the_specification_is_signed_alike() -> None:
    assert sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", AT_S, BODY) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@given(event_id=st.from_regex(r"[a-z0-9_]{1,40}", fullmatch=True), body=st.text(), at_s=st.integers(0, 2**33))
def test_the_reference_library_signs_alike(event_id: str, body: str, at_s: int) -> None:
    theirs = Webhook(SECRET).sign(event_id, datetime.fromtimestamp(at_s, UTC), body)
    assert sign(SECRET, event_id, at_s, body.encode())[SIGNATURE] == theirs


def test_what_was_signed_verifies_and_gives_its_id() -> None:
    assert verify([SECRET], sign(SECRET, "evt_1", AT_S, BODY), BODY, AT_S) == "evt_1"


@pytest.mark.parametrize("drift_s", [-TOLERANCE_S, TOLERANCE_S])
def test_clocks_may_differ_by_five_minutes(drift_s: int) -> None:
    assert verify([SECRET], sign(SECRET, "evt_1", AT_S, BODY), BODY, AT_S + drift_s)


@pytest.mark.parametrize("drift_s", [-TOLERANCE_S - 1, TOLERANCE_S + 1])
def test_an_event_from_another_time_is_forged(drift_s: int) -> None:
    with pytest.raises(ForgedEvent):
        verify([SECRET], sign(SECRET, "evt_1", AT_S, BODY), BODY, AT_S + drift_s)


@pytest.mark.parametrize(
    "change",
    [
        {ID: "evt_2"},
        {ID: ""},
        {TIMESTAMP: str(AT_S + 1)},
        {TIMESTAMP: f"+{AT_S}"},
        {TIMESTAMP: "soon"},
        {TIMESTAMP: ""},
        {SIGNATURE: ""},
        {SIGNATURE: "v1,"},
        {SIGNATURE: "v1,é"},
    ],
)
def test_an_event_with_a_changed_header_is_forged(change: dict[str, str]) -> None:
    with pytest.raises(ForgedEvent):
        verify([SECRET], sign(SECRET, "evt_1", AT_S, BODY) | change, BODY, AT_S)


def test_an_event_with_another_body_is_forged() -> None:
    with pytest.raises(ForgedEvent):
        verify([SECRET], sign(SECRET, "evt_1", AT_S, BODY), BODY + b" ", AT_S)


def test_an_event_of_another_version_of_signatures_is_forged() -> None:
    headers = sign(SECRET, "evt_1", AT_S, BODY)
    headers[SIGNATURE] = headers[SIGNATURE].replace("v1,", "v2,")
    with pytest.raises(ForgedEvent):
        verify([SECRET], headers, BODY, AT_S)


def test_while_a_secret_is_replaced_both_are_believed() -> None:
    for secret in (SECRET, OTHER):
        assert verify([SECRET, OTHER], sign(secret, "evt_1", AT_S, BODY), BODY, AT_S)
    with pytest.raises(ForgedEvent):
        verify([OTHER], sign(SECRET, "evt_1", AT_S, BODY), BODY, AT_S)


def test_one_of_several_signatures_is_enough() -> None:
    headers = sign(SECRET, "evt_1", AT_S, BODY)
    headers[SIGNATURE] = f"{sign(OTHER, 'evt_1', AT_S, BODY)[SIGNATURE]} {headers[SIGNATURE]}"
    assert verify([SECRET], headers, BODY, AT_S)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", SECRET.removeprefix("whsec_")])
def test_a_secret_of_another_form_is_refused_with_what_would_be_right(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_ and base64 of 24 to 64 bytes"):
        key_of(secret)
