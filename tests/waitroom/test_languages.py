"""Pages speak the visitor's language: the one chosen, else the best that the browser asks for, else the room's."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import NullTranslations

from scripts.catalogues import said_by_waitroom
from waitroom.languages import CATALOGUES, Language, Languages, thousands

LANGUAGES = Languages()
PROMISED = {"ko", "en", "ja", "zh", "es", "fr", "de", "ar"}
FILES = sorted(CATALOGUES.glob("*.po"))


@pytest.mark.parametrize(
    ("wish", "accept_language", "code"),
    [
        ("", "", "en"),
        ("", "ko", "ko"),
        ("", "ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"),
        ("", "en-GB,en;q=0.9,ko;q=0.8", "en"),
        ("", "tlh,ar-EG;q=0.5,de;q=0.6", "de"),
        ("", "de;q=0,fr", "fr"),
        ("", "DE-at", "de"),
        ("", "zh-CN", "zh"),
        ("", "tlh", "en"),
        ("", "*", "en"),
        ("", "de;q=much,fr;q=0.1", "fr"),
        ("", ";;,,q=,-", "en"),
        ("ja", "ko", "ja"),
        ("tlh", "ko", "ko"),
        ("../../etc/passwd", "", "en"),
    ],
)
def test_language_is_the_one_chosen_or_else_the_best_accepted(wish: str, accept_language: str, code: str) -> None:
    assert LANGUAGES.choose(wish, accept_language).code == code


def test_room_has_a_language_for_who_asks_for_none_that_there_is() -> None:
    assert LANGUAGES.choose("", "tlh", "ko").code == "ko"
    assert LANGUAGES.choose("", "en", "ko").code == "en"


def test_each_language_is_called_what_its_speakers_call_it() -> None:
    assert {("en", "English"), ("ko", "한국어"), ("ar", "العربية"), ("de", "Deutsch")} <= set(LANGUAGES.names())


@pytest.mark.parametrize("code", LANGUAGES.codes)
def test_numbers_are_written_as_the_unicode_consortium_has_them(code: str) -> None:
    language = LANGUAGES.of(code)
    for value in (0, 7, 999, 1_000, 12_345, 999_999, 1_000_000, 1_234_567_890, -1_234, 1.5, 1_234.5):
        assert language.number(value) == format_decimal(value, locale=language.locale)


def test_numbers_that_are_not_grouped_by_thousands_are_written_so_too() -> None:
    assert Language("hi", Locale("hi"), NullTranslations(), thousands(Locale("hi"))).number(1_234_567) == "12,34,567"


def test_promised_languages_are_there() -> None:
    assert set(LANGUAGES.codes) >= PROMISED


def test_arabic_is_written_from_right_to_left() -> None:
    assert [code for code in sorted(PROMISED) if LANGUAGES.of(code).direction == "rtl"] == ["ar"]


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("ko", "2026년 10월 12일 월요일 오전 8:00 UTC"),
        ("de", "Montag, 12. Oktober 2026, 08:00 UTC"),
        ("ar", "الاثنين، 12 أكتوبر 2026، 8:00 ص UTC"),
    ],
)
def test_moment_is_told_as_its_language_tells_it(code: str, text: str) -> None:
    assert LANGUAGES.of(code).moment(datetime(2026, 10, 12, 8, tzinfo=UTC)) == text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_catalogue_says_all_that_the_pages_say(path: Path) -> None:
    """After a change: python -m scripts.catalogues, then translate what is empty."""
    with path.open("rb") as file:
        catalogue = read_po(file, locale=Locale.parse(path.stem), abort_invalid=True)
    translated = {message.id: message.string for message in catalogue if message.id}
    assert set(translated) == {message.id for message in said_by_waitroom() if message.id}
    assert [text for text, translation in translated.items() if not translation] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_catalogue_names_what_its_sentences_name(path: Path) -> None:
    """A translation without the number, or with one too many, would fail when it is said."""
    with path.open("rb") as file:
        catalogue = read_po(file, locale=Locale.parse(path.stem))
    faults = [(message.id, list(message.check(catalogue))) for message in catalogue if message.id]
    assert [(text, wrong) for text, wrong in faults if wrong] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_translation_has_the_elements_of_its_sentence(path: Path) -> None:
    """They are the page's own, and its script looks for them."""
    said = LANGUAGES.of(path.stem.replace("_", "-")).say
    sentences = [str(message.id) for message in said_by_waitroom() if message.id]
    assert [text for text in sentences if re.findall("<.*?>", text) != re.findall("<.*?>", said(text))] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_sentence_quotes_is_called_so_on_the_page(path: Path) -> None:
    """Who is told to choose something must find it."""
    said = LANGUAGES.of(path.stem.replace("_", "-")).say
    quotes = [(str(message.id), re.findall("“(.*?)”", str(message.id))) for message in said_by_waitroom()]
    assert [text for text, quoted in quotes if any(said(each) not in said(text) for each in quoted)] == []
