"""What we ask of a payment gateway, whichever it is.

A call may be lost on its way there or back. So each one carries our key, is safe to repeat, and can be asked about.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True, repr=False)
class Card:
    """What the payer typed, checked for form. Never stored, never logged."""

    number: str
    expires: str
    code: str

    def __repr__(self) -> str:
        return f"<Card ending in {self.number[-4:]}>"


class Outcome(StrEnum):
    CAPTURED = "captured"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Charge:
    """What the gateway says became of a key. `reason` is a sentence for the payer, empty where the money was taken."""

    key: str
    amount_minor: int
    currency: str
    outcome: Outcome
    reason: str = ""


class Gateway(Protocol):
    """Each method may raise GatewayUnavailable: then nobody knows whether it happened, and asking again is safe."""

    async def charge(self, key: str, amount_minor: int, currency: str, card: Card) -> Charge:
        """Charges the card once per key: a repetition gives the first answer, whatever it asks for."""

    async def resolve(self, key: str) -> Charge:
        """What became of a key. One that was never charged is closed for good: declined, now and later."""

    async def refund(self, key: str) -> None:
        """Gives back all that was charged under a key, once however often it is asked for."""
