"""Standard Webhooks (standardwebhooks.com): signs an event, and tells a true one from a forged or a stale one.

What is signed is the id, the second it was sent, and the body byte for byte. A secret is `whsec_` and base64 of the
key. While one is replaced by another, either may sign: what fits one of them is true.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence

from booking.errors import ForgedEvent

PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
# An older event is a replay, one from further ahead has a wrong clock.
TOLERANCE_S = 300

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


def key_of(secret: str) -> bytes:
    """The key that a secret spells. Raises ValueError, which says what a secret looks like."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(PREFIX) or len(key) not in KEY_BYTES:
        wanted = f"{PREFIX} and base64 of {KEY_BYTES.start} to {KEY_BYTES.stop - 1} bytes"
        raise ValueError(f'must be {wanted}, such as "{PREFIX}$(openssl rand -base64 32)" gives')
    return key


def sign(secret: str, event_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The three headers of an event that is sent at `at_s`."""
    return {ID: event_id, TIMESTAMP: str(at_s), SIGNATURE: _signature(key_of(secret), event_id, str(at_s), body)}


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now_s: float) -> str:
    """The id of an event that one of the secrets signed, in the last or the next five minutes. Raises ForgedEvent."""
    event_id, sent = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not event_id or not (sent.isascii() and sent.isdecimal()) or abs(now_s - int(sent)) > TOLERANCE_S:
        raise ForgedEvent
    wanted = [_signature(key_of(secret), event_id, sent, body).encode() for secret in secrets]
    given = headers.get(SIGNATURE, "").encode().split()
    if not any(hmac.compare_digest(one, other) for one in wanted for other in given):
        raise ForgedEvent
    return event_id


def _signature(key: bytes, event_id: str, sent: str, body: bytes) -> str:
    digest = hmac.digest(key, b".".join([event_id.encode(), sent.encode(), body]), "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"
