"""The seats and the fare that someone has chosen, as a form or a link spells them: `seat=7C:3&seat=7D:1&fare=flex`.

`7C:3` is the seat in the version that was seen. The sale goes by it: a seat that changed hands since is lost.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlencode

from booking.fares import DEFAULT_FARE

# Of the column in the database.
MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Choice:
    """Seats by their label, each with its version if that is known; not checked yet."""

    seats: Mapping[str, int | None]
    fare: str

    @classmethod
    def of(cls, fields: Iterable[tuple[str, object]]) -> Self:
        """Out of the items of a query or a form, in which a name may stand more than once."""
        told = [(name, value.strip()) for name, value in fields if isinstance(value, str)]
        spelled = [value.upper().partition(":") for name, value in told if name == "seat"]
        fares = [value for name, value in told if name == "fare"]
        seats = {label: _version(version) for label, _, version in spelled if label}
        return cls(seats, fares[-1] if fares else DEFAULT_FARE)

    def without(self, lost: Collection[str]) -> Self:
        return replace(self, seats={label: seen for label, seen in self.seats.items() if label not in lost})

    def query(self) -> str:
        """The query string that leads back to this choice. Versions are left out: who comes back sees the map anew."""
        return urlencode([*(("seat", label) for label in self.seats), ("fare", self.fare)])


def _version(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else None
