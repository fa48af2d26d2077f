"""The aircraft and their cabins: which seats there are, and where each lies on the map.

A row has the columns 1 2 3, the aisle 4, and 5 6 7. Business is 2-2 with wider seats, economy 3-3.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

AISLE_COLUMN = 4


class Cabin(StrEnum):
    BUSINESS = "business"
    ECONOMY = "economy"


# Letter and map column of each seat in a row. Business leaves out the middle seats' letters, as airlines do.
PLACES = {
    Cabin.BUSINESS: (("A", 2), ("C", 3), ("D", 5), ("F", 6)),
    Cabin.ECONOMY: (("A", 1), ("B", 2), ("C", 3), ("D", 5), ("E", 6), ("F", 7)),
}


@dataclass(frozen=True, slots=True)
class Place:
    """One seat of an aircraft, before anyone sits on it."""

    label: str
    cabin: Cabin
    map_row: int
    map_column: int


@dataclass(frozen=True, slots=True)
class Aircraft:
    name: str
    business_rows: int
    economy_rows: int

    def places(self) -> Iterator[Place]:
        """All seats from the nose to the tail."""
        for row in range(1, self.business_rows + self.economy_rows + 1):
            cabin = Cabin.BUSINESS if row <= self.business_rows else Cabin.ECONOMY
            for letter, column in PLACES[cabin]:
                yield Place(f"{row}{letter}", cabin, row, column)


SHORT_HAUL = Aircraft("Airbus A220", business_rows=2, economy_rows=12)
MEDIUM_HAUL = Aircraft("Airbus A321neo", business_rows=3, economy_rows=14)
LONG_HAUL = Aircraft("Airbus A321XLR", business_rows=6, economy_rows=12)
