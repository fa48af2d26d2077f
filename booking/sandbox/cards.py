"""Test cards: whether what was typed has the form of a card, and what becomes of each. No other card is ever taken.

Their numbers are the ones that payment providers give out for testing. What is wrong is told by name: the page says it
in the payer's language.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

# Per field that cannot be right, the name of what is wrong.
Faults = Mapping[str, str]

_EXPIRES = re.compile(r"(0[1-9]|1[0-2])\s*/\s*([0-9]{2})")
_CODE = re.compile(r"[0-9]{3,4}")


class Verdict(StrEnum):
    """What the bank says of a card."""

    PAYS = "pays"
    # Paid, but whoever paid never sees that: the connection is cut instead of an answer.
    PAYS_UNSEEN = "pays_unseen"
    DECLINED = "card_declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    NOT_A_TEST_CARD = "not_a_test_card"


VERDICTS = {
    "4242424242424242": Verdict.PAYS,
    "4000000000000002": Verdict.DECLINED,
    "4000000000009995": Verdict.INSUFFICIENT_FUNDS,
    "4000000000000119": Verdict.PAYS_UNSEEN,
}


@dataclass(frozen=True, slots=True)
class TypedCard:
    """A card as it was typed."""

    verdict: Verdict
    faults: Faults


def read(form: Mapping[str, str], now_s: float) -> TypedCard:
    """The card that a form spells."""
    number = re.sub(r"[ -]", "", form.get("card_number", ""))
    found = {
        "card_number": _fault_of_number(number),
        "card_expires": _fault_of_date(form.get("card_expires", "").strip(), now_s),
        "card_code": "" if _CODE.fullmatch(form.get("card_code", "").strip()) else "wrong_code",
    }
    faults = {field: fault for field, fault in found.items() if fault}
    return TypedCard(VERDICTS.get(number, Verdict.NOT_A_TEST_CARD), faults)


def _fault_of_number(number: str) -> str:
    has_form = number.isascii() and number.isdecimal() and 13 <= len(number) <= 19
    return "" if has_form and _checksum_fits(number) else "wrong_number"


def _checksum_fits(number: str) -> bool:
    """The check digit by Luhn's formula (ISO/IEC 7812-1)."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2])
    return (sum(int(digit) for digit in number[-1::-2]) + sum(doubled)) % 10 == 0


def _fault_of_date(text: str, now_s: float) -> str:
    """A card is good until the last day of its month."""
    expires = _EXPIRES.fullmatch(text)
    if expires is None:
        return "wrong_date"
    now = datetime.fromtimestamp(now_s, UTC)
    return "card_expired" if (2000 + int(expires[2]), int(expires[1])) < (now.year, now.month) else ""
