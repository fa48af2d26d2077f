"""The sentences of the pages, in English as the templates have them: what an operator may say in other words. Pure."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

from markupsafe import Markup, escape

from waitroom import words
from waitroom.page_environment import environment, ours

# An element within a sentence.
TAG = re.compile(r"</?[a-z][^<>]*>")
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
MOST_NEAR = 3


@lru_cache
def sentences() -> tuple[str, ...]:
    """All of them, in order."""
    found = (text for name in ours() if name.endswith(".html") for text in _of(name))
    return tuple(dict.fromkeys([*found, *words.SENTENCES.values()]))


def marked(said: str, sentence: str) -> Markup:
    """What is said of a sentence, as a part of a page: it has the tags that the sentence has, and all else is text."""
    escaped = str(escape(said))
    for tag in TAG.findall(sentence):
        escaped = escaped.replace(str(escape(tag)), tag)
    return Markup(escaped)  # noqa: S704 but for the tags of our own sentence


def check(sentence: str, own: Iterable[str]) -> None:
    """Whether each of `own` can be said in place of a sentence. Raises ValueError, with what would be right."""
    if sentence not in sentences():
        near = get_close_matches(sentence, sentences(), MOST_NEAR, cutoff=0.4)
        meant = f", for instance {' or '.join(map(repr, near))}" if near else ""
        raise ValueError(f"the pages say nothing like {sentence!r}: it should be one of their sentences{meant}")
    for text in own:
        _check_parts(sentence, text)


def _check_parts(sentence: str, text: str) -> None:
    """What a page fills in must be there to be filled in."""
    placeholders = sorted(set(PLACEHOLDER.findall(sentence)))
    if sorted(set(PLACEHOLDER.findall(text))) != placeholders or "%" in PLACEHOLDER.sub("", text).replace("%%", ""):
        told = ", ".join(f"%({name})s" for name in placeholders) or "no placeholder"
        raise ValueError(f"{text!r} should have {told}, and no other %, as {sentence!r} has")
    if tags := [tag for tag in TAG.findall(sentence) if tag not in text]:
        raise ValueError(f"{text!r} should have {' and '.join(tags)}, as {sentence!r} has")


def _of(name: str) -> list[str]:
    extracted = environment().extract_translations(ours()[name])  # type: ignore[attr-defined]  # the extension adds it
    # Of one with placeholders, what fills them comes with it.
    return [said if isinstance(said, str) else said[0] for _line, _function, said in extracted]
