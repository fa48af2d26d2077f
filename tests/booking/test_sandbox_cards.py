"""The bank's card form: what has the form of a card, and what becomes of it."""

from datetime import UTC, datetime

import pytest

from booking.sandbox.cards import Verdict, read

NOW_S = datetime(2027, 1, 15, tzinfo=UTC).timestamp()
FORM = {"card_number": "4242 4242 4242 4242", "card_expires": "12/29", "card_code": "123"}


def faults(**changes: str) -> dict[str, str]:
    return dict(read({**FORM, **changes}, NOW_S).faults)


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        ("4242 4242 4242 4242", Verdict.PAYS),
        ("4242-4242-4242-4242", Verdict.PAYS),
        ("4000000000000002", Verdict.DECLINED),
        ("4000000000009995", Verdict.INSUFFICIENT_FUNDS),
        ("4000000000000119", Verdict.PAYS_UNSEEN),
        ("5555555555554444", Verdict.NOT_A_TEST_CARD),
    ],
)
def test_each_test_card_has_its_fate_and_no_other_pays(number: str, verdict: Verdict) -> None:
    card = read({**FORM, "card_number": number}, NOW_S)
    assert (card.verdict, card.faults) == (verdict, {})


@pytest.mark.parametrize("number", ["", "4242", "4242424242424241", "4242424242424242x", "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", "0" * 20])
def test_a_number_that_no_card_can_have_is_a_fault(number: str) -> None:
    assert faults(card_number=number) == {"card_number": "wrong_number"}


@pytest.mark.parametrize("expires", ["", "13/29", "00/29", "1/29", "12/2029", "12-29"])
def test_a_date_that_no_card_can_have_is_a_fault(expires: str) -> None:
    assert faults(card_expires=expires) == {"card_expires": "wrong_date"}


@pytest.mark.parametrize(("expires", "fault"), [("12/26", "card_expired"), ("01/27", ""), (" 02 / 27 ", "")])
def test_a_card_is_good_until_the_last_day_of_its_month(expires: str, fault: str) -> None:
    assert faults(card_expires=expires) == ({"card_expires": fault} if fault else {})


@pytest.mark.parametrize("code", ["", "12", "12345", "abc"])
def test_a_code_has_three_or_four_digits(code: str) -> None:
    assert faults(card_code=code) == {"card_code": "wrong_code"}


def test_all_faults_are_named_at_once() -> None:
    assert set(read({}, NOW_S).faults) == set(FORM)
