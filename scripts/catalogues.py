"""Brings booking/catalogues/*.po up to date with the code: python -m scripts.catalogues

New sentences are added without a translation, and those that nobody says any more are dropped.
"""

from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

import booking
from booking.airports import AIRPORTS
from booking.cabins import Cabin
from booking.fares import FARES
from booking.language import CATALOGUES
from booking.tables import BookingState

SOURCES = Path(booking.__file__).parent
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2"), ("templates/**.txt", "jinja2")]
# A template that cannot be read is an error, not a reason to leave out its sentences.
OPTIONS = {"templates/**": {"silent": "false", "trimmed": "true"}}
KEYWORDS = {"say": None, "_": None, "gettext": None, "ngettext": (1, 2)}


def said() -> Catalog:
    """Everything that the code says to people."""
    catalogue = Catalog(project="booking", charset="utf-8", fuzzy=False)
    for _file, _line, message, _comments, context in extract_from_dir(SOURCES, METHODS, OPTIONS, KEYWORDS):
        catalogue.add(message, context=context)
    for word in data_words():
        catalogue.add(word)
    return catalogue


def data_words() -> Iterator[str]:
    """What is shown to people out of tables, where no call names it."""
    for airport in AIRPORTS.values():
        yield from (airport.city, airport.name)
    yield from Cabin
    yield from FARES
    yield from BookingState


def main() -> None:
    for path in sorted(CATALOGUES.glob("*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=path.stem)
        catalogue.update(said(), no_fuzzy_matching=True, update_creation_date=False)
        with path.open("wb") as file:
            # Without places in the code, and in order, so that a change touches the lines of its own sentence alone.
            write_po(file, catalogue, width=120, no_location=True, sort_output=True, ignore_obsolete=True)


if __name__ == "__main__":
    main()
