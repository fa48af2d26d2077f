"""How an operator makes the pages look: by name, logo, colours and words in the configuration, each checked as it is
read."""

import re
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitroom import colours, logo, settings
from waitroom.errors import ConfigError
from waitroom.languages import Languages
from waitroom.look import CARD, CARD_DARK, Look
from waitroom.page_environment import ours
from waitroom.pages import Face, Pages
from waitroom.scenes import SCENES
from waitroom.sentences import sentences

LANGUAGES = Languages()
PAGES = Pages(LANGUAGES)
NONCE = "x7Qm2Lr9bT4kVw1pZs8e"
ROOM = 'version = 1\n[[rooms]]\nname = "site"\ntitle = "Summer sale"\norigins = []\n'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
SVG = b'<?xml version="1.0"?>\n<!-- ours -->\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
COLOURS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def read(page: str, folder: Path = Path(), room: str = "") -> settings.Settings:
    return settings.parse(f"{ROOM}{room}[rooms.page]\n{page}\n", str(folder / "waitroom.toml"))


def look(page: str, folder: Path = Path()) -> Look:
    return next(iter(read(page, folder).to_rooms(0))).look


def fault(page: str, folder: Path = Path(), room: str = "") -> tuple[str, str]:
    """Where the one fault of a table is, and what it says."""
    with pytest.raises(ConfigError) as caught:
        read(page, folder, room)
    (one,) = caught.value.faults
    return one.where, one.what


def shown(look: Look, scene: str = "waiting", language: str = "en") -> str:
    face = Face("Summer sale", LANGUAGES.of(language), look)
    return SCENES[scene].make(PAGES, face, NONCE).plain().decode()


# The header


def test_the_pages_bear_the_title_of_the_room_unless_the_organiser_has_a_name() -> None:
    assert "<header><bdi>Summer sale</bdi></header>" in shown(look(""))
    assert "<header><bdi>Ann &amp; Bob</bdi></header>" in shown(look('organiser = "Ann & Bob"'))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "png"),
        (b"\xff\xd8\xff\xe0" + bytes(9), "jpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "webp"),
        (SVG, "svg+xml"),
        (b"\xef\xbb\xbf <svg>", "svg+xml"),
    ],
)
def test_a_logo_is_shown_as_an_image_by_its_content(tmp_path: Path, content: bytes, kind: str) -> None:
    """Whatever its name says. As an image it runs no script."""
    (tmp_path / "logo.gif").write_bytes(content)
    found = re.search(
        r'<header><img src="data:image/([a-z+]+);base64,([^"]+)" alt="">', shown(look('logo = "logo.gif"', tmp_path))
    )
    assert found
    assert (found[1], b64decode(found[2])) == (kind, content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"GIF89a", "should be an image: SVG, PNG, WebP or JPEG"),
        (b"<html><svg>", "should be an image"),
        (b"", "should be an image"),
        (PNG + bytes(logo.MOST_BYTES), "should have at most 16,384 bytes"),
    ],
)
def test_what_is_no_logo_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "logo.png").write_bytes(content)
    where, what = fault('logo = "logo.png"', tmp_path)
    assert where == "rooms[1].page.logo"
    assert told in what


def test_a_logo_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert fault('logo = "nowhere.png"', tmp_path)[1] == "'nowhere.png': nowhere.png should be a file that is there"


# Colours


def test_a_colour_of_the_operator_has_black_or_white_on_it_in_both_schemes() -> None:
    page = shown(look('accent = "#036"\naccent_dark = "#FFD166"'))
    assert re.findall(r"--(accent|on-accent): (#\w+);", page) == [
        ("accent", "#003366"),
        ("on-accent", "#ffffff"),
        ("accent", "#ffd166"),
        ("on-accent", "#000000"),
    ]
    assert "fill='%23003366'" in page


def test_the_dark_page_has_the_colour_of_the_light_one_as_much_lighter_as_it_takes() -> None:
    dark = look('accent = "#003366"').accent_dark.colour
    assert 4.5 <= colours.contrast(dark, CARD_DARK) < 5
    assert look('accent = "#757575"').accent_dark.colour != "#757575"


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ('accent = "#ffd166"', "#ffffff, the ground of the light page, by 4.5:1, and does by 1.44:1; #8a7137 would do"),
        ('accent_dark = "#003366"', "#192023, the ground of the dark page, by 4.5:1, and does by 1.31:1; "),
        ('accent = "red"', 'should be a colour such as "#0f766e"'),
        ('accent = "#12345"', 'should be a colour such as "#0f766e"'),
        ('scheme = "grey"', "should be 'auto', 'light' or 'dark'"),
    ],
)
def test_a_colour_that_can_not_be_read_is_refused_with_what_is_needed(setting: str, told: str) -> None:
    where, what = fault(setting)
    assert where == f"rooms[1].page.{setting.split(maxsplit=1)[0]}"
    assert told in what


@given(COLOURS, st.sampled_from([CARD, CARD_DARK]))
def test_for_any_colour_a_readable_one_is_found(colour: str, ground: str) -> None:
    assert colours.contrast(colours.readable_on(ground, colour), ground) >= colours.READABLE
    assert colours.contrast(colour, colours.text_on(colour)) >= colours.READABLE


@pytest.mark.parametrize(("one", "other", "contrast"), [("#000000", "#ffffff", 21), ("#777777", "#ffffff", 4.48)])
def test_contrast_is_that_of_wcag(one: str, other: str, contrast: float) -> None:
    assert round(colours.contrast(one, other), 2) == round(colours.contrast(other, one), 2) == contrast


def test_the_card_has_the_colours_that_accents_are_measured_on() -> None:
    assert f"--card: {CARD[:4]};" in ours()["light.css"]
    assert f"--card: {CARD_DARK};" in ours()["dark.css"]


@pytest.mark.parametrize(
    ("scheme", "grounds", "named"),
    [("auto", ["#f4f3ef", "#101517"], "light dark"), ("light", ["#f4f3ef"], "light"), ("dark", ["#101517"], "dark")],
)
def test_a_scheme_may_be_fixed(scheme: str, grounds: list[str], named: str) -> None:
    page = shown(look(f'scheme = "{scheme}"'))
    assert re.findall(r"--ground: (#\w+);", page) == grounds
    assert f"color-scheme: {named};" in page
    assert f'<meta name="color-scheme" content="{named}">' in page


# Words


def test_a_sentence_is_said_in_the_words_of_the_operator() -> None:
    own = look('texts = { "You are in line" = "Welcome <all>" }')
    assert "Welcome &lt;all&gt;</h1>" in shown(own)
    assert "You are in line" not in shown(own)
    assert "You have left the line" in shown(own, "left")


def test_a_sentence_may_be_said_in_other_words_in_one_language_only() -> None:
    own = look('texts = { "People waiting" = { en = "Friends before you" } }')
    assert "Friends before you" in shown(own)
    other = next(code for code in LANGUAGES.codes if code != "en")
    assert "Friends before you" not in shown(own, language=other)


def test_the_words_for_times_may_be_the_operators_too() -> None:
    own = look('texts = { "between %(low)s and %(time)s" = "%(low)s to %(time)s" }')
    assert '<dd id="wait">13 to 18 minutes</dd>' in shown(own)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ('{ "You are in the line" = "x" }', "it should be one of their sentences, for instance 'You are in line'"),
        ('{ "zzzzqqqq" = "x" }', "it should be one of their sentences"),
        ('{ "about %(time)s" = "soon" }', "'soon' should have %(time)s, and no other %, as 'about %(time)s' has"),
        ('{ "Try again" = "100 %" }', "'100 %' should have no placeholder, and no other %"),
        ('{ "Try again" = "%(x)s" }', "'%(x)s' should have no placeholder"),
        ('{ "Try again" = { xx = "a" } }', "'xx' is no language of the pages: it should be one of"),
        ('{ "Try again" = 5 }', "should be a text, or one for each language"),
        (f'{{ "Try again" = "{"x" * 501}" }}', "have at most 500 characters"),
    ],
)
def test_words_that_can_not_be_said_are_refused(texts: str, told: str) -> None:
    where, what = fault(f"texts = {texts}")
    assert where == "rooms[1].page.texts"
    assert told in what


def test_all_sentences_of_the_pages_can_be_said_in_other_words() -> None:
    assert {"You are in line", "Try again", "about %(time)s", "Opens %(time)s"} <= set(sentences())


# The message


def test_the_message_is_told_in_the_language_of_the_visitor() -> None:
    room = next(iter(read("", room='message = { en = "Hello", ko = "안녕" }\n').to_rooms(0)))
    assert (room.message, room.message_in("ko"), room.message_in("fr")) == ("Hello", "안녕", "Hello")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ('{ ko = "안녕" }', "message should have a text in the room's language, 'en', too"),
        ('{ en = "a", xx = "b" }', "'xx' is no language of the pages"),
        ("{ en = 5 }", "each text should be in quotes"),
        ("{}", "should be a text, or one for each language"),
        (f'"{"x" * 501}"', "at most 500 characters"),
    ],
)
def test_a_message_that_can_not_be_told_is_refused(message: str, told: str) -> None:
    assert told in fault("", room=f"message = {message}\n")[1]
