"""How the pages of a room look: the operator's name, logo, colours, words and templates, over ours. A value; pure.

It holds all that was read of files, so that nothing is read for a visitor.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from babel.support import NullTranslations

from waitroom.languages import Language

Scheme = Literal["auto", "light", "dark"]
# On which the accent is read; page.css has the same.
CARD, CARD_DARK = "#ffffff", "#192023"


@dataclass(frozen=True, slots=True)
class Accent:
    """A colour of buttons, links and marks, and the colour of what is written on it."""

    colour: str
    text: str

    @property
    def digits(self) -> str:
        """As it stands in an address, where # would begin a fragment."""
        return self.colour[1:]


# By one of the pages' sentences: what is said in its place in a language, by its code, or as "" in all.
Texts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Look:
    """`organiser` stands in the header, where empty the room's title; `logo` is a data: URI. `templates` are texts by
    the names of the files whose place they take, and `folder` is where they were read."""

    organiser: str = ""
    logo: str = ""
    accent: Accent = Accent("#0f766e", "#ffffff")
    accent_dark: Accent = Accent("#5cc8bd", "#06211e")
    scheme: Scheme = "auto"
    texts: Texts = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""

    def __hash__(self) -> int:
        """Of what is quickly told: each answer asks for it."""
        return hash((self.organiser, self.accent, self.scheme, len(self.logo), self.folder))

    def speaking(self, language: Language) -> Language:
        """A language that says the operator's words where there are some."""
        own = {text: said.get(language.code) or said.get("", "") for text, said in self.texts.items()}
        if not any(own.values()):
            return language
        return replace(language, translations=_Own(own, language))


class _Own(NullTranslations):
    """The operator's words, and what a language says of the rest."""

    def __init__(self, own: Mapping[str, str], language: Language) -> None:
        super().__init__()
        self._own = own
        self._language = language

    def gettext(self, message: str) -> str:
        return self._own.get(message) or self._language.say(message)


OURS = Look()
