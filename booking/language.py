"""The languages of pages and mails: their catalogues, read once, and how each spells days, times and money.

The code says everything in English. A catalogue (`catalogues/ko.po`) maps these sentences to another language, and
`python -m scripts.catalogues` brings it up to date. What a catalogue lacks is said in English.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from io import BytesIO
from pathlib import Path

from babel import Locale, dates, negotiate_locale, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from booking.sentences import Sentence, say

CATALOGUES = Path(__file__).with_name("catalogues")
# The locale whose customs each language follows. A new one is a line here and a catalogue.
LOCALES = {"en": "en_GB", "ko": "ko_KR"}
LANGUAGES = tuple(LOCALES)
SOURCE = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """One language. What takes a datetime spells it as that datetime's own zone has it."""

    code: str
    locale: Locale
    translations: NullTranslations

    @property
    def name(self) -> str:
        """What its speakers call it."""
        return self.locale.language_name or self.code

    def gettext(self, text: str) -> str:
        # The empty text is the key of a catalogue's own header.
        return self.translations.gettext(text) if text else ""

    def ngettext(self, one: str, many: str, count: int) -> str:
        return self.translations.ngettext(one, many, count)

    def tell(self, sentence: str) -> str:
        """A Sentence by its template and values, which are told, too, if they are words of ours; else as gettext."""
        if not isinstance(sentence, Sentence):
            return self.gettext(sentence)
        template = self.gettext(sentence.template)
        values = {name: self._value(value) for name, value in sentence.values.items()}
        return template % values if values else template

    def _value(self, value: object) -> object:
        # A state or a cabin is a word of ours; any other string is somebody's name.
        return self.tell(value) if isinstance(value, Sentence | StrEnum) else value

    def money(self, amount_minor: int, currency: str) -> str:
        """Minor units as `US$1,240.00` or `₩68,200`: ISO 4217 says how many digits stand behind the point."""
        digits = numbers.get_currency_precision(currency)
        return numbers.format_currency(Decimal(amount_minor).scaleb(-digits), currency, locale=self.locale)

    def number(self, number: int) -> str:
        return numbers.format_decimal(number, locale=self.locale)

    def day(self, moment: date) -> str:
        """`Fri 15 Jan`: a day of the coming weeks."""
        return dates.format_skeleton("MMMEd", moment, locale=self.locale)

    def date(self, moment: date) -> str:
        """`Fri, 15 Jan 2027`: a day that is looked up years later."""
        return dates.format_skeleton("yMMMEd", moment, locale=self.locale)

    def clock(self, moment: datetime) -> str:
        """`07:05`, as departure boards have it everywhere."""
        return f"{moment:%H:%M}"

    def zone(self, moment: datetime) -> str:
        """`Korean Standard Time`, with summer time where it is summer."""
        return dates.get_timezone_name(moment, locale=self.locale)

    def moment(self, moment: datetime) -> str:
        """`Fri, 15 Jan 2027 07:05 (Korean Standard Time)`: what a ticket says, which leaves no doubt."""
        return f"{self.date(moment)} {self.clock(moment)} ({self.zone(moment)})"

    def duration(self, minutes: int) -> str:
        hours, rest = divmod(minutes, 60)
        if not hours:
            return self.tell(say("%(minutes)d min", minutes=rest))
        return self.tell(say("%(hours)d h %(minutes)02d min", hours=hours, minutes=rest))


def load() -> dict[str, Language]:
    """All languages by their code. Reads the catalogues: once, at the start."""
    return {code: Language(code, Locale.parse(locale), _translations(code)) for code, locale in LOCALES.items()}


def choose(accept_language: str, wish: str | None) -> str:
    """The code of the language for someone: the one they chose, else the best by the header Accept-Language (RFC 9110,
    12.5.4), else English."""
    if wish in LANGUAGES:
        return wish
    accepted = sorted(_accepted(accept_language), key=lambda each: each[1], reverse=True)
    return negotiate_locale([tag for tag, quality in accepted if quality > 0], LANGUAGES, sep="-") or SOURCE


def _accepted(accept_language: str) -> Iterator[tuple[str, float]]:
    """Each language range with its quality. What is no quality counts as none: a header that a person sees no fault in
    is no reason to refuse a page."""
    for part in accept_language.split(","):
        tag, _, weight = part.partition(";")
        try:
            yield tag.strip(), float(weight.partition("=")[2] or 1)
        except ValueError:
            continue


def _translations(code: str) -> NullTranslations:
    if code == SOURCE:
        return NullTranslations()
    with (CATALOGUES / f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale=code, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
