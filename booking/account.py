"""An account, as far as others need to know it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """`language` is the code of the language that its mails are in."""

    id: int
    email: str
    name: str
    language: str
