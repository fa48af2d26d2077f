"""The card form: checks that what was typed has the form of a card. Whether the card is good, the gateway knows."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from booking.gateway import Card

_EXPIRES = re.compile(r"(0[1-9]|1[0-2])\s*/\s*([0-9]{2})")
_CODE = re.compile(r"[0-9]{3,4}")


def parse_card(form: Mapping[str, str], faults: dict[str, str], now_s: int) -> Card:
    """The card that a form spells; what is wrong with it is added to `faults`."""
    number = re.sub(r"[ -]", "", form.get("card_number", ""))
    if not (number.isascii() and number.isdecimal() and 13 <= len(number) <= 19 and _checksum_fits(number)):
        faults["card_number"] = "Write the number as it stands on the card."
    expires = _EXPIRES.fullmatch(form.get("card_expires", "").strip())
    if expires is None:
        faults["card_expires"] = "Write month and year, such as 12/29."
    elif _is_over(int(expires[1]), 2000 + int(expires[2]), now_s):
        faults["card_expires"] = "This card has expired."
    code = form.get("card_code", "").strip()
    if not _CODE.fullmatch(code):
        faults["card_code"] = "Write the three or four digits from the back of the card."
    return Card(number, f"{expires[1]}/{expires[2]}" if expires else "", code)


def _checksum_fits(number: str) -> bool:
    """The check digit by Luhn's formula (ISO/IEC 7812-1)."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in number[-2::-2])
    return (sum(int(digit) for digit in number[-1::-2]) + sum(doubled)) % 10 == 0


def _is_over(month: int, year: int, now_s: int) -> bool:
    """A card is good until the last day of its month."""
    now = datetime.fromtimestamp(now_s, UTC)
    return (year, month) < (now.year, now.month)
