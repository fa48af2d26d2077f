"""The settings of a room's pages: how they look, in which words they speak, and an operator's own templates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from waitroom import colours, languages, logo, sentences
from waitroom.beside import Beside
from waitroom.look import CARD, CARD_DARK, OURS, Accent, Look, Scheme
from waitroom.setting_types import Table

LONGEST_TEXT = 500
FOR_ALL = ""


@dataclass(frozen=True, slots=True)
class Logo:
    """A file, and what is in it as a data: URI."""

    file: str = ""
    uri: str = ""


@dataclass(frozen=True, slots=True)
class Templates:
    """A folder, and the texts in it by the names of their files."""

    folder: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)


Message = Mapping[str, str]


def _colour(ground: str, scheme: str) -> AfterValidator:
    def checked(value: str) -> str:
        colour = colours.parse(value)
        contrast = colours.contrast(colour, ground)
        if contrast < colours.READABLE:
            raise ValueError(
                f"should stand out from {ground}, the ground of the {scheme} page, by {colours.READABLE}:1, and does "
                f"by {contrast:.2f}:1; {colours.readable_on(ground, colour)} would do"
            )
        return colour

    return AfterValidator(checked)


def _spoken(given: object) -> dict[str, str]:
    """A text for everybody, under no code, or one for each language."""
    match given:
        case str():
            told = {FOR_ALL: given}
        case dict() if given:
            told = given
        case _:
            raise ValueError('should be a text, or one for each language, as in { en = "Hello", ko = "안녕하세요" }')
    for code, text in told.items():
        if code != FOR_ALL and code not in languages.codes():
            raise ValueError(
                f"{code!r} is no language of the pages: it should be one of {', '.join(languages.codes())}"
            )
        if not isinstance(text, str) or len(text) > LONGEST_TEXT:
            raise ValueError(f"each text should be in quotes, and have at most {LONGEST_TEXT} characters")
    return told


def _texts(given: object) -> dict[str, dict[str, str]]:
    if not isinstance(given, dict):
        raise ValueError('should be a table of the pages\' sentences, as in { "You are in line" = "Welcome" }')
    spoken = {str(sentence): _spoken(own) for sentence, own in given.items()}
    for sentence, own in spoken.items():
        sentences.check(sentence, own.values())
    return spoken


def _logo(given: object, info: ValidationInfo) -> Logo:
    name = _name(given)
    return Logo(name, logo.data_uri(_beside(info).content(name, logo.MOST_BYTES))) if name else Logo()


def _templates(given: object, info: ValidationInfo) -> Templates:
    name = _name(given).rstrip("/")
    return Templates(name, _beside(info).templates(name)) if name else Templates()


def _name(given: object) -> str:
    if not isinstance(given, str):
        raise ValueError("should be a path, in quotes")
    return given


def _beside(info: ValidationInfo) -> Beside:
    return info.context if isinstance(info.context, Beside) else Beside(Path())


_Text = Annotated[str, Field(max_length=LONGEST_TEXT)]
_SPOKEN = BeforeValidator(_spoken, json_schema_input_type=_Text | dict[str, _Text])
Words = Annotated[Any, _SPOKEN, Field(validate_default=True)]
Texts = Annotated[Any, BeforeValidator(_texts, json_schema_input_type=dict[str, _Text | dict[str, _Text]])]
LogoFile = Annotated[Logo, BeforeValidator(_logo, json_schema_input_type=str)]
TemplateFolder = Annotated[Templates, BeforeValidator(_templates, json_schema_input_type=str)]


class PageSettings(Table):
    """How the pages look to visitors; applied within a second, as are changes of its files."""

    organiser: Annotated[str, Field(max_length=100)] = ""
    """the name on top of the pages; empty: the room's title"""
    logo: LogoFile = Logo()
    """path of an image (SVG, PNG, WebP, JPEG) of at most 16 KiB, from this file's folder"""
    accent: Annotated[str, _colour(CARD, "light")] | None = None
    """the colour of buttons and links, readable on the light page: at least 4.5:1"""
    accent_dark: Annotated[str, _colour(CARD_DARK, "dark")] | None = None
    """the same for the dark page; default: `accent`, as much lighter as it takes"""
    scheme: Scheme = "auto"
    """auto (as the visitor's device has it) | light | dark"""
    texts: Texts = {}
    """sentences of the pages in other words: in quotes, or in { } with one for each language"""
    templates: TemplateFolder = Templates()
    """path of a folder with templates of yours, from this file's folder (docs/looks.md)"""

    def to_look(self) -> Look:
        """As a value for the rest of the program."""
        return Look(
            organiser=self.organiser,
            logo=self.logo.uri,
            accent=_accent(self.accent) if self.accent else OURS.accent,
            accent_dark=self._accent_dark(),
            scheme=self.scheme,
            texts=self.texts,
            templates=self.templates.texts,
            folder=self.templates.folder,
        )

    def _accent_dark(self) -> Accent:
        if self.accent_dark:
            return _accent(self.accent_dark)
        return _accent(colours.readable_on(CARD_DARK, self.accent)) if self.accent else OURS.accent_dark


def _accent(colour: str) -> Accent:
    return Accent(colour, colours.text_on(colour))
