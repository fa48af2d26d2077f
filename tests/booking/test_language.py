"""The site speaks the reader's language, and every catalogue says all that the code says."""

import re

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from jinja2 import DictLoader, Environment

from booking import speech
from booking.airports import AIRPORTS
from booking.language import CATALOGUES, LANGUAGES, SOURCE, Language, choose, load
from booking.sentences import say
from booking.tables import BookingState
from scripts.catalogues import said_by_booking

OTHERS = [code for code in LANGUAGES if code != SOURCE]
SPOKEN = load()
KOREAN, ENGLISH = SPOKEN["ko"], SPOKEN["en"]
# What a catalogue has for one message.
Text = str | tuple[str, ...] | list[str] | None
# Friday, 15 January 2027, 16:05 in Seoul.
MOMENT_S = 1_799_996_700


@pytest.fixture(scope="module", params=OTHERS)
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    with (CATALOGUES / f"{request.param}.po").open("rb") as file:
        return read_po(file, locale=request.param, abort_invalid=True)


def entries(catalogue: Catalog) -> list[Message]:
    """All but the header."""
    return [message for message in catalogue if message.id]


def forms(text: Text) -> list[str]:
    """A message, or each form of one with a plural."""
    return [text] if isinstance(text, str) else list(text or ("",))


def placeholders(text: Text) -> set[str]:
    return {name for form in forms(text) for name in re.findall(r"%\((\w+)\)", form)}


def test_each_language_has_a_catalogue_and_each_catalogue_a_language() -> None:
    assert {path.stem for path in CATALOGUES.glob("*.po")} == set(OTHERS)


def test_a_catalogue_has_what_the_code_says_and_nothing_else(catalogue: Catalog) -> None:
    """After a change: python -m scripts.catalogues, then translate what is empty."""
    ids = {message.id for message in entries(catalogue)}

    assert ids == {message.id for message in entries(said_by_booking())}
    assert not catalogue.obsolete


def test_a_catalogue_translates_everything(catalogue: Catalog) -> None:
    assert [message.id for message in entries(catalogue) if not all(forms(message.string))] == []
    assert [message.id for message in entries(catalogue) if message.fuzzy] == []


def test_a_translation_has_the_placeholders_of_its_sentence(catalogue: Catalog) -> None:
    wrong = [each.id for each in entries(catalogue) if placeholders(each.id) != placeholders(each.string)]

    assert wrong == []
    assert [message.id for message, _faults in catalogue.check()] == []


@pytest.mark.parametrize(
    ("accept_language", "wish", "code"),
    [
        ("", None, "en"),
        ("", "ko", "ko"),
        ("en", "ko", "ko"),
        ("ko", "xx", "ko"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8", None, "ko"),
        ("en;q=0.5, ko;q=0.7", None, "ko"),
        ("fr, ko;q=0.2", None, "ko"),
        ("fr, de;q=0.5", None, "en"),
        ("ko;q=0, en;q=0.1", None, "en"),
        ("*", None, "en"),
        ("ko;q=much, ;;, =", None, "en"),
    ],
)
def test_language_is_the_one_wished_else_the_one_most_accepted_else_english(
    accept_language: str, wish: str | None, code: str
) -> None:
    assert choose(accept_language, wish) == code


def test_a_sentence_is_told_with_its_values() -> None:
    sentence = say("Booking %(reference)s is %(state)s.", reference="London", state=BookingState.CANCELLED)

    assert KOREAN.tell(sentence) == "예약 London의 현재 상태: 취소됨."
    assert ENGLISH.tell(sentence) == "Booking London is cancelled."


def test_what_no_catalogue_has_is_said_as_it_is() -> None:
    assert KOREAN.tell("Halcyon Air") == "Halcyon Air"
    assert KOREAN.tell("") == ""


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            ENGLISH,
            ["Fri 15 Jan", "Fri, 15 Jan 2027", "16:05", "Korean Standard Time", "1 h 05 min", "50 min", "1,234"],
        ),
        (KOREAN, ["1월 15일 (금)", "2027년 1월 15일 (금)", "16:05", "대한민국 표준시", "1시간 5분", "50분", "1,234"]),
    ],
    ids=["en", "ko"],
)
def test_times_and_numbers_follow_the_language(language: Language, said: list[str]) -> None:
    moment = AIRPORTS["ICN"].local(MOMENT_S)

    assert said == [
        language.day(moment),
        language.date(moment),
        language.clock(moment),
        language.zone(moment),
        language.duration(65),
        language.duration(50),
        language.number(1_234),
    ]


@pytest.mark.parametrize("language", SPOKEN.values(), ids=SPOKEN)
def test_money_has_the_digits_of_its_currency(language: Language) -> None:
    assert language.money(124_000, "USD") == "US$1,240.00"
    assert language.money(68_200, "KRW") == "₩68,200"


def test_a_template_speaks_the_language_of_its_render_and_escapes_values_alone() -> None:
    pages = {
        "page": "{% import 'part' as part with context %}{{ part.seat(name) }} {{ 65 | duration }}",
        "part": "{% macro seat(name) %}{% trans number=name %}Flight {{ number }}{% endtrans %} {{ _('economy') }}"
        "{% endmacro %}",
    }
    environment = Environment(loader=DictLoader(pages), autoescape=True)
    speech.teach(environment)
    page = environment.get_template("page")

    assert page.render(language=KOREAN, name="<b>") == "Flight &lt;b&gt; 일반석 1시간 5분"
    assert page.render(language=ENGLISH, name="<b>") == "Flight &lt;b&gt; economy 1 h 05 min"
