"""The sandbox bank as our gateway: speaks its API, and believes its webhooks by their signature."""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from booking import signatures
from booking.errors import ForgedEvent, GatewayUnavailable
from booking.gateway import Charge, Checkout, Event, Order, Outcome
from booking.sentences import say

TIMEOUT = ClientTimeout(total=10, connect=3)

OUTCOMES = {
    "open": Outcome.OPEN,
    "captured": Outcome.CAPTURED,
    "declined": Outcome.DECLINED,
    "closed": Outcome.DECLINED,
}
REASONS = {
    "card_declined": say("The bank declined the card."),
    "insufficient_funds": say("The card has insufficient funds."),
    "not_a_test_card": say("The sandbox takes its test cards only."),
}

log = logging.getLogger(__name__)


class SandboxGateway:
    """`url` is the bank's, for us and for browsers. The secret opens its API and signs its webhooks."""

    name = "sandbox"

    def __init__(self, session: ClientSession, url: str, secret: str, timeout: ClientTimeout = TIMEOUT) -> None:
        self.form_origins: tuple[str, ...] = (url,)
        self._session = session
        self._url = url
        self._secret = secret
        self._timeout = timeout

    async def open(self, order: Order) -> Checkout:
        made = await self._call("POST", "", asdict(order))
        return Checkout(made["id"], made["pay_url"])

    async def ask(self, gateway_id: str) -> Charge:
        return _charge(await self._call("GET", f"/{gateway_id}"))

    async def close(self, gateway_id: str) -> Charge:
        return _charge(await self._call("POST", f"/{gateway_id}/close"))

    async def refund(self, key: str, gateway_id: str, amount_minor: int, currency: str) -> None:
        wanted = {"key": key, "amount_minor": amount_minor, "currency": currency}
        await self._call("POST", f"/{gateway_id}/refunds", wanted)

    def event(self, headers: Mapping[str, str], body: bytes) -> Event | None:
        event_id = signatures.verify([self._secret], headers, body, time.time())
        try:
            return Event(event_id, str(json.loads(body)["data"]["payment"]))
        except (ValueError, KeyError, TypeError) as exc:
            raise ForgedEvent from exc

    async def _call(self, method: str, path: str, document: object = None) -> dict[str, Any]:
        url = f"{self._url}/v1/checkouts{path}"
        headers = {"Authorization": f"Bearer {self._secret}"}
        try:
            async with self._session.request(
                method, url, json=document, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                if response.status == HTTPStatus.OK:
                    answer: dict[str, Any] = await response.json()
                    return answer
                problem = f"{response.status} {await response.text()}"
        except (ClientError, TimeoutError, ValueError) as exc:
            log.warning("The bank does not answer %s %s: %r", method, url, exc)
            raise GatewayUnavailable from exc
        if problem.startswith("4"):
            log.error("The bank refused %s %s: %s. This is a fault of ours: please report it.", method, url, problem)
        else:
            log.warning("The bank cannot do %s %s: %s", method, url, problem)
        raise GatewayUnavailable


def _charge(answer: Mapping[str, Any]) -> Charge:
    return Charge(
        gateway_id=answer["id"],
        outcome=OUTCOMES[answer["state"]],
        amount_minor=answer["captured_minor"],
        currency=answer["currency"],
        reason=REASONS.get(answer["reason"], ""),
    )
