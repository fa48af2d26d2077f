"""Who people are: sign-up and log-in. Checks what they write, and gives no password or hash out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.db import Database, inserted_id
from booking.errors import EmailTaken, Invalid, WrongCredentials
from booking.passwords import Passwords
from booking.tables import accounts

SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 200
_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f.]+(\.[^@\s\x00-\x1f.]+)+")
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{4,18}")
_NAME = re.compile(r"[^\x00-\x1f\x7f<>]{1,80}")


@dataclass(frozen=True, slots=True)
class Account:
    id: int
    email: str
    name: str


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    email: str
    password: str


@dataclass(frozen=True, slots=True, repr=False)
class SignUp:
    """A new account as asked for, checked."""

    email: str
    name: str
    phone: str | None
    password: str


def parse_sign_up(form: Mapping[str, str]) -> SignUp:
    """Raises Invalid, which names every fault."""
    faults: dict[str, str] = {}
    email = normalised_email(form.get("email", ""))
    if not _EMAIL.fullmatch(email) or len(email) > 254:
        faults["email"] = "Write your e-mail address, such as ada@example.org."
    name = parse_name(form, "name", faults)
    phone = form.get("phone", "").strip() or None
    if phone and not _PHONE.fullmatch(phone):
        faults["phone"] = "Write a phone number such as +82 2 1234 5678, or leave it empty."
    password = form.get("password", "")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        faults["password"] = f"A password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters."
    if form.get("password_again", password) != password:
        faults |= {"password_again": "The two passwords differ."}
    if faults:
        raise Invalid(faults)
    return SignUp(email, name, phone, password)


def parse_log_in(form: Mapping[str, str]) -> Credentials:
    return Credentials(normalised_email(form.get("email", "")), form.get("password", "")[: LONGEST_PASSWORD + 1])


def parse_name(form: Mapping[str, str], field: str, faults: dict[str, str]) -> str:
    """A person's name with single spaces."""
    name = " ".join(form.get(field, "").split())
    if not _NAME.fullmatch(name):
        faults[field] = "Write the full name, at most 80 characters."
    return name


def normalised_email(value: str) -> str:
    return value.strip().casefold()


async def sign_up(db: Database, passwords: Passwords, wish: SignUp, now_s: int) -> Account:
    """Raises EmailTaken."""
    return await db.write(_insert, wish, await passwords.hash(wish.password), now_s)


async def log_in(db: Database, passwords: Passwords, credentials: Credentials) -> Account:
    """Raises WrongCredentials, and does not say whether it was the e-mail or the password."""
    async with db.reading() as connection:
        query = select(accounts).where(accounts.c.email == credentials.email)
        row = (await connection.execute(query)).one_or_none()
    fits = await passwords.fits(credentials.password, row.password_hash if row else None)
    if row is None or not fits:
        raise WrongCredentials
    return Account(row.id, row.email, row.name)


async def _insert(connection: AsyncConnection, wish: SignUp, password_hash: str, now_s: int) -> Account:
    values = {"email": wish.email, "name": wish.name, "phone": wish.phone, "created_s": now_s}
    try:
        result = await connection.execute(insert(accounts).values(**values, password_hash=password_hash))
    except IntegrityError as exc:
        raise EmailTaken from exc
    return Account(inserted_id(result), wish.email, wish.name)
