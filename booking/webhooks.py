"""Sends events to one receiver by POST, signed after Standard Webhooks (standardwebhooks.com)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus

from aiohttp import ClientError, ClientSession, ClientTimeout

from booking.outbox import Delivery
from booking.signatures import sign
from booking.worker import GiveUpError, TryLaterError

TIMEOUT = ClientTimeout(total=15)


class Receiver:
    """Whoever wants to know. `secret` (`whsec_…`) is shared with it, and by the signature it knows us."""

    def __init__(self, session: ClientSession, url: str, secret: str, now_s: Callable[[], int]) -> None:
        self._session = session
        self._url = url
        self._secret = secret
        self._now_s = now_s

    async def send(self, delivery: Delivery) -> None:
        """Returns once it has been taken (2xx). Raises GiveUpError where nobody wants it any more (410), and
        TryLaterError. A redirect is not followed: what is signed is for one receiver."""
        body = document(delivery)
        headers = sign(self._secret, event_id(delivery), self._now_s(), body) | {"Content-Type": "application/json"}
        post = self._session.post(self._url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False)
        try:
            async with post as response:
                status = response.status
        except (ClientError, TimeoutError) as exc:
            raise TryLaterError(f"the receiver of webhooks does not answer ({exc!r}): see BOOKING_WEBHOOK_URL") from exc
        if status == HTTPStatus.GONE:
            raise GiveUpError("the receiver of webhooks says 410 Gone: take it out of BOOKING_WEBHOOK_URL")
        if status not in range(200, 300):
            raise TryLaterError(f"the receiver of webhooks answered {status}")


def event_id(delivery: Delivery) -> str:
    """The same for each attempt, so that a receiver can tell a repetition. Without dots, which separate what is
    signed."""
    return delivery.key.replace(".", "-")


def document(delivery: Delivery) -> bytes:
    """The body: what happened, when, and the booking as it was then."""
    return json.dumps(
        {
            "id": event_id(delivery),
            "type": delivery.event,
            "timestamp": datetime.fromtimestamp(delivery.at_s, UTC).isoformat().replace("+00:00", "Z"),
            "data": delivery.payload,
        },
        separators=(",", ":"),
    ).encode()
