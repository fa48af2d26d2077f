"""What we ask of a payment gateway, whichever it is: a page where people pay, what became of it, and money back.

No card comes near us: people type it on the gateway's own page. A call may be lost on its way there or back. So each
one carries a key of ours, is safe to repeat, and can be asked about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be paid. `key` is our idempotency key; people come back to `return_url` (absolute)."""

    key: str
    reference: str
    amount_minor: int
    currency: str
    return_url: str
    email: str
    language: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """An order that the gateway knows: what it calls it, and where one pays (absolute, or a path of our site)."""

    gateway_id: str
    pay_url: str


class Outcome(StrEnum):
    """OPEN may still become one of the others, which are final."""

    OPEN = "open"
    CAPTURED = "captured"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Charge:
    """What became of a checkout. `amount_minor` is what was taken; `reason` is for the payer, of a declined one."""

    gateway_id: str
    outcome: Outcome
    amount_minor: int = 0
    currency: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """What a gateway tells us unasked: that something about a payment may have changed. `id` is the same for each copy
    of one event; `payment_key` is ours. What changed is asked, so that order and age do not matter."""

    id: str
    payment_key: str


class Gateway(Protocol):
    """Each coroutine may raise GatewayUnavailable: then nobody knows whether it happened, and asking again is safe."""

    name: str
    # Where its pages come from, if not from here: browsers are told that our forms may lead there.
    form_origins: tuple[str, ...]

    async def open(self, order: Order) -> Checkout:
        """Makes a checkout, once per key: a repetition gives the same one."""

    async def ask(self, gateway_id: str) -> Charge:
        """What became of a checkout."""

    async def close(self, gateway_id: str) -> Charge:
        """Ends a checkout that nobody has paid: from then on nobody can. One that was paid stays so."""

    async def refund(self, key: str, gateway_id: str, amount_minor: int, currency: str) -> None:
        """Gives back a part of what was taken, once per key of a refund."""

    def event(self, headers: Mapping[str, str], body: bytes) -> Event | None:
        """What a webhook says, its signature verified over the bytes as they came; None if it is about nothing that
        matters here. Raises ForgedEvent."""
