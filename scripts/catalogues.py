"""Brings the catalogues of both packages up to date with the code: python -m scripts.catalogues

New sentences are added without a translation, and those that nobody says any more are dropped.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

import booking
import waitroom
from booking.airports import AIRPORTS
from booking.cabins import Cabin
from booking.fares import FARES
from booking.language import CATALOGUES as BOOKING
from booking.tables import BookingState
from waitroom import words
from waitroom.languages import CATALOGUES as WAITROOM

METHODS = [("templates/**.html", "jinja2"), ("templates/**.txt", "jinja2"), ("**.py", "python")]
# A template that cannot be read is an error, not a reason to leave out its sentences.
OPTIONS = {"templates/**": {"silent": "false", "trimmed": "true"}}
KEYWORDS = {"say": None, "_": None, "gettext": None, "ngettext": (1, 2)}


def said_by_booking() -> Catalog:
    """Everything that the booking backend says to people."""
    return _said("booking", Path(booking.__file__).parent, METHODS, _booking_words())


def said_by_waitroom() -> Catalog:
    """Everything that the pages of the waiting room say; its code has no sentences but those of the times."""
    return _said("waitroom", Path(waitroom.__file__).parent, METHODS[:1], words.SENTENCES.values())


def _said(project: str, sources: Path, methods: list[tuple[str, str]], more: Iterable[str]) -> Catalog:
    catalogue = Catalog(project=project, charset="utf-8", fuzzy=False)
    for _file, _line, message, _comments, context in extract_from_dir(sources, methods, OPTIONS, KEYWORDS):
        catalogue.add(message, context=context)
    for word in more:
        catalogue.add(word)
    return catalogue


def _booking_words() -> Iterator[str]:
    """What is shown to people out of tables, where no call names it."""
    for airport in AIRPORTS.values():
        yield from (airport.city, airport.name)
    yield from Cabin
    yield from FARES
    yield from BookingState


def main() -> None:
    for folder, said in ((BOOKING, said_by_booking()), (WAITROOM, said_by_waitroom())):
        for path in sorted(folder.glob("*.po")):
            with path.open("rb") as file:
                catalogue = read_po(file, locale=path.stem)
            catalogue.update(said, no_fuzzy_matching=True, update_creation_date=False)
            with path.open("wb") as file:
                # Without places in the code, and in order: a change touches the lines of its own sentence alone.
                write_po(file, catalogue, width=120, no_location=True, sort_output=True, ignore_obsolete=True)


if __name__ == "__main__":
    main()
