"""What people write about themselves: put in order, and every fault named at once."""

from collections.abc import Callable

import pytest

from booking.account_forms import (
    parse_log_in,
    parse_new_language,
    parse_new_name,
    parse_password_change,
    parse_sign_up,
)
from booking.errors import Invalid
from booking.sentences import Sentence
from tests.booking.bench import PASSWORD

GOOD = {"email": "Ada@Example.org ", "name": " Ada  Lovelace", "password": PASSWORD, "phone": "+82 2 1234 5678"}


def faults_of(parse: Callable[[dict[str, str]], object], form: dict[str, str]) -> set[str]:
    with pytest.raises(Invalid) as error:
        parse(form)
    assert all(isinstance(fault, Sentence) for fault in error.value.faults.values()), "it can be said in any language"
    return set(error.value.faults)


def test_what_is_typed_is_put_in_order() -> None:
    wish = parse_sign_up(GOOD)
    assert (wish.email, wish.name, wish.phone) == ("ada@example.org", "Ada Lovelace", "+82 2 1234 5678")


def test_mails_are_english_unless_another_language_is_asked_for() -> None:
    assert parse_sign_up(GOOD).language == "en"
    assert parse_sign_up(GOOD | {"language": "ko"}).language == "ko"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"email": "ada"}, "email"),
        ({"email": "ada@localhost"}, "email"),
        ({"email": "a" * 250 + "@example.org"}, "email"),
        ({"email": "a b@example.org"}, "email"),
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "<b>"}, "name"),
        ({"password": "123456789"}, "password"),
        ({"password": "x" * 201}, "password"),
        ({"password_again": "another password"}, "password_again"),
        ({"phone": "call me"}, "phone"),
        ({"language": "xx"}, "language"),
        ({"language": ""}, "language"),
    ],
)
def test_every_field_is_checked(change: dict[str, str], fault: str) -> None:
    assert faults_of(parse_sign_up, GOOD | change) == {fault}


def test_all_faults_of_a_sign_up_are_named_at_once() -> None:
    form = {"phone": "x", "language": "xx", "password_again": "y"}
    assert faults_of(parse_sign_up, form) == {"email", "name", "phone", "language", "password", "password_again"}


def test_all_faults_of_a_new_password_are_named_at_once() -> None:
    form = {"old_password": "", "password": "short", "password_again": "shorter"}
    assert faults_of(parse_password_change, form) == {"old_password", "password", "password_again"}


def test_a_new_name_and_a_new_language_are_checked_as_at_sign_up() -> None:
    assert (parse_new_name({"name": " Ada  King "}), parse_new_language({"language": "ko"})) == ("Ada King", "ko")
    assert faults_of(parse_new_name, {}) == {"name"}
    assert faults_of(parse_new_language, {"language": "EN"}) == {"language"}


def test_a_password_that_is_too_long_is_not_cut_to_one_that_fits() -> None:
    assert len(parse_log_in({"email": "a", "password": "x" * 9_999}).password) == 201


def test_no_form_shows_its_password() -> None:
    change = parse_password_change({"old_password": PASSWORD, "password": PASSWORD + "2"})
    for form in (parse_sign_up(GOOD), parse_log_in(GOOD), change):
        assert PASSWORD not in repr(form)
