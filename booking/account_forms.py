"""What people write about themselves, checked: each parse function names every fault at once. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from booking.errors import Invalid
from booking.language import LANGUAGES, SOURCE
from booking.sentences import say

SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 200
LONGEST_EMAIL = 254
_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f.]+(\.[^@\s\x00-\x1f.]+)+")
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{4,18}")
_NAME = re.compile(r"[^\x00-\x1f\x7f<>]{1,80}")

Form = Mapping[str, str]
Faults = dict[str, str]


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    email: str
    password: str


@dataclass(frozen=True, slots=True, repr=False)
class SignUp:
    """A new account as asked for."""

    email: str
    name: str
    phone: str | None
    language: str
    password: str


@dataclass(frozen=True, slots=True, repr=False)
class PasswordChange:
    old: str
    new: str


def parse_sign_up(form: Form) -> SignUp:
    """Fields email, name, password; and, where they are there, phone, language, password_again. Raises Invalid."""
    faults: Faults = {}
    wish = SignUp(
        _email(form, faults),
        parse_name(form, "name", faults),
        _phone(form, faults),
        _language(form, faults),
        _new_password(form, faults),
    )
    _require_none(faults)
    return wish


def parse_log_in(form: Form) -> Credentials:
    """Fields email and password. Nothing is wrong with them but that they may not fit."""
    return Credentials(_normalised_email(form), _given_password(form, "password"))


def parse_password_change(form: Form) -> PasswordChange:
    """Fields old_password, password and, where it is there, password_again. Raises Invalid."""
    faults: Faults = {}
    change = PasswordChange(_given_password(form, "old_password"), _new_password(form, faults))
    if not change.old:
        faults["old_password"] = say("Write the password that you have now.")
    _require_none(faults)
    return change


def parse_new_name(form: Form) -> str:
    """Field name. Raises Invalid."""
    faults: Faults = {}
    name = parse_name(form, "name", faults)
    _require_none(faults)
    return name


def parse_new_language(form: Form) -> str:
    """Field language, the code of one. Raises Invalid."""
    faults: Faults = {}
    language = _language(form, faults)
    _require_none(faults)
    return language


def parse_name(form: Form, field: str, faults: Faults) -> str:
    """A person's name with single spaces; `faults` gets what is wrong with it."""
    name = " ".join(form.get(field, "").split())
    if not _NAME.fullmatch(name):
        faults[field] = say("Write the full name, at most 80 characters.")
    return name


def _email(form: Form, faults: Faults) -> str:
    email = _normalised_email(form)
    if not _EMAIL.fullmatch(email) or len(email) > LONGEST_EMAIL:
        faults["email"] = say("Write your e-mail address, such as ada@example.org.")
    return email


def _normalised_email(form: Form) -> str:
    return form.get("email", "").strip().casefold()


def _phone(form: Form, faults: Faults) -> str | None:
    phone = form.get("phone", "").strip() or None
    if phone and not _PHONE.fullmatch(phone):
        faults["phone"] = say("Write a phone number such as +82 2 1234 5678, or leave it empty.")
    return phone


def _language(form: Form, faults: Faults) -> str:
    language = form.get("language", SOURCE)
    if language not in LANGUAGES:
        faults["language"] = say("Choose one of these languages: %(codes)s.", codes=", ".join(LANGUAGES))
    return language


def _new_password(form: Form, faults: Faults) -> str:
    password = form.get("password", "")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        faults["password"] = say(
            "A password has %(least)d to %(most)d characters.", least=SHORTEST_PASSWORD, most=LONGEST_PASSWORD
        )
    if form.get("password_again", password) != password:
        faults["password_again"] = say("The two passwords differ.")
    return password


def _given_password(form: Form, field: str) -> str:
    """Cut so that hashing it takes no longer than that of any password, and that a cut one never fits."""
    return form.get(field, "")[: LONGEST_PASSWORD + 1]


def _require_none(faults: Faults) -> None:
    if faults:
        raise Invalid(faults)
