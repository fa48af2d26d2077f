"""The languages of the pages: their catalogues, read when first needed, and how each writes numbers and times.

The pages say everything in English. A catalogue (`catalogues/ko.po`) maps these sentences to another language, and is
all that a new one needs; `python -m scripts.catalogues` brings it up to date. What it lacks is said in English.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel import Locale, dates, negotiate_locale, numbers, units
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

CATALOGUES = Path(__file__).with_name("catalogues")
SOURCE = "en"
# Browsers of one language all send the same Accept-Language.
MOST_WISHES = 1024


@dataclass(frozen=True, slots=True)
class Language:
    """One language, by its code (BCP 47: `ko`, `pt-BR`). `thousands` is what stands between each three digits of a
    number, None where more than that makes the difference to English."""

    code: str
    locale: Locale
    translations: NullTranslations
    thousands: str | None = None

    def __hash__(self) -> int:
        return hash(self.code)

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`."""
        return self.locale.text_direction

    @property
    def tag(self) -> str:
        """By which a browser writes numbers and times as they are written here: in the digits of all our languages."""
        return f"{self.code}-u-nu-latn"

    def say(self, text: str) -> str:
        """A sentence of the pages in this language."""
        return self.translations.gettext(text)

    def number(self, value: float) -> str:
        if self.thousands is not None and isinstance(value, int) and value >= 0:  # a crowd is told little else
            return f"{value:,}".replace(",", self.thousands)
        return numbers.format_decimal(value, locale=self.locale)

    def unit(self, value: float, name: str) -> str:
        """Like `18 minutes`; `name` is `minute`, `hour` or `day`."""
        # CLDR leaves out a long form that is like the short one, and Babel does not look there.
        long, short = (
            units.format_unit(value, f"duration-{name}", form, locale=self.locale) for form in ("long", "short")
        )
        return short if "duration-" in long else long

    def moment(self, at: datetime) -> str:
        """Like `Monday, October 12, 2026, 8:00 AM UTC`: in the datetime's own zone."""
        day = dates.format_date(at, "full", locale=self.locale)
        # The halves of the day by their wide names, as browsers write them: CLDR's short ones in Korean are English.
        clock = self.locale.time_formats["medium" if at.second else "short"].pattern.replace("a", "aaaa", 1)
        time = dates.format_time(at, clock, locale=self.locale)
        both = self.locale.datetime_formats["medium"].replace("{1}", day).replace("{0}", time)
        return f"{both} {at.tzname()}"


@lru_cache
def codes() -> tuple[str, ...]:
    """Of all languages that there is a catalogue of, and of English."""
    return tuple(sorted([SOURCE, *(path.stem.replace("_", "-") for path in CATALOGUES.glob("*.po"))]))


class Languages:
    """All of them, each read when somebody first asks for it."""

    def __init__(self) -> None:
        self.codes = codes()
        self.of = lru_cache(_read)
        self._preferred = lru_cache(MOST_WISHES)(self._negotiated)

    def names(self) -> list[tuple[str, str]]:
        """Each code, and what those who speak the language call it."""
        return [(code, Locale.parse(code, sep="-").language_name or code) for code in self.codes]

    def choose(self, wish: str, accept_language: str, otherwise: str = SOURCE) -> Language:
        """For a visitor: the language that was chosen by its code, else the best by the field Accept-Language (RFC
        9110, section 12.5.4), else the code `otherwise`."""
        return self.of(wish if wish in self.codes else self._preferred(accept_language) or otherwise)

    def _negotiated(self, accept_language: str) -> str | None:
        weights: dict[str, float] = {}
        for item in accept_language.split(","):
            tag, _, parameter = item.partition(";")
            weights[tag.strip()] = _weight(parameter.strip())
        accepted = sorted([tag for tag, weight in weights.items() if weight > 0], key=lambda tag: -weights[tag])
        found = negotiate_locale(accepted, self.codes, sep="-") or ""
        # Case tells nothing in a tag (RFC 5646, section 2.1.1), and Babel gives back what was asked for.
        return next((code for code in self.codes if code.lower() == found.lower()), None)


def _read(code: str) -> Language:
    locale = Locale.parse(code, sep="-")
    if code == SOURCE:
        return Language(code, locale, NullTranslations(), thousands(locale))
    with (CATALOGUES / f"{code.replace('-', '_')}.po").open("rb") as file:
        catalogue = read_po(file, locale=locale, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Language(code, locale, Translations(compiled), thousands(locale))


def thousands(locale: Locale) -> str | None:
    """What stands between each three digits, where that is all the difference to English."""
    separator = numbers.get_group_symbol(locale)
    is_like_english = numbers.format_decimal(1_234_567_890, locale=locale) == "1,234,567,890".replace(",", separator)
    return separator if is_like_english else None


def _weight(parameter: str) -> float:
    """A weight that can't be read counts as none."""
    try:
        return float(parameter.removeprefix("q=") or 1)
    except ValueError:
        return 0.0
