"""What the line says of one number."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not called yet."""


@dataclass(frozen=True, slots=True)
class Called:
    """Holds a place inside until `lease_end_ms` (Redis's clock): reserved, or already claimed. `can_extend` says that
    it is reserved, and that the claim window may be extended, once."""

    lease_end_ms: int
    can_extend: bool = False


@dataclass(frozen=True, slots=True)
class Late:
    """Absent when the number was passed, and back: served before the rest; `rank` counts from 0."""

    rank: int


@dataclass(frozen=True, slots=True)
class Spent:
    """Was inside, and the lease has ended: the ticket gives no place any more."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """The place was taken away, and the number is refused until `until_ms` (Redis's clock)."""

    until_ms: int


@dataclass(frozen=True, slots=True)
class Moved:
    """The place is in another browser now: this ticket holds it no more. It was moved `moves` times."""

    moves: int


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The store is lost: nobody can say, and the place is kept."""


Standing = Waiting | Called | Late | Spent | Revoked | Moved | Unreachable


def from_reply(reply: Sequence[int]) -> list[Standing]:
    """Reads pairs of kind and value (see lua/_line.lua)."""
    return [_from_pair(kind, value) for kind, value in zip(reply[::2], reply[1::2], strict=True)]


def _from_pair(kind: int, value: int) -> Standing:
    match kind:
        case 0:
            return Waiting()
        case 1:
            return Called(value)
        case 2:
            return Late(value)
        case 3:
            return Spent()
        case 4:
            return Revoked(value)
        case 5:
            return Called(value, can_extend=True)
        case 6:
            return Moved(value)
        case _:
            raise ValueError(f"poll.lua, claim.lua and extend.lua answer no kind {kind}")
