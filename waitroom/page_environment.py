"""The environments in which pages are rendered: of our own templates, which are trusted, and of an operator's, which
may do nothing but show what they are given. Pure.

An operator's file takes the place of ours of its name; ours stays there as `waitroom/…`.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from jinja2 import BaseLoader, DictLoader, Environment, StrictUndefined, TemplateNotFound, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from waitroom import words
from waitroom.languages import Language
from waitroom.local_path import local
from waitroom.prepared import Hole

OURS = "waitroom/"
_UNREAD = re.compile(r"^\s*(?://.*)?\n?", re.MULTILINE)


@lru_cache
def ours() -> dict[str, str]:
    """The texts of our templates, by name."""
    folder = resources.files("waitroom") / "templates"
    return {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.is_file()}


@lru_cache
def environment() -> Environment:
    """That of our own templates."""
    return _equipped(Environment, DictLoader(ours()))


def sandbox(templates: Mapping[str, str], folder: str) -> Environment:
    """That of an operator's templates over ours. `folder` names where they are, in faults."""
    return _equipped(ImmutableSandboxedEnvironment, _Over(templates, folder))


def sources(templates: Mapping[str, str]) -> dict[str, str]:
    """All templates that there are with those of an operator, by the names under which they are found."""
    return ours() | {f"{OURS}{name}": text for name, text in ours().items()} | dict(templates)


def file_name(folder: str, name: str) -> str:
    """How a template of an operator is named to the operator."""
    return f"{folder}/{name}"


class _Over(BaseLoader):
    def __init__(self, templates: Mapping[str, str], folder: str) -> None:
        self._sources = sources(templates)
        self._own = {name: file_name(folder, name) for name in templates}

    def get_source(self, _environment: Environment, template: str) -> tuple[str, str | None, None]:
        try:
            return self._sources[template], self._own.get(template), None
        except KeyError:
            raise TemplateNotFound(template) from None


def _equipped(kind: type[Environment], loader: BaseLoader) -> Environment:
    made = kind(
        loader=loader,
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Sentences are looked for as they are written in one line.
    made.policies["ext.i18n.trimmed"] = True
    made.newstyle_gettext = True  # type: ignore[attr-defined]  # the extension adds it
    made.filters |= {name: _filter(name) for name in FORMS}
    made.filters["lean"] = lean
    return made


def lean(script: Markup) -> Markup:
    """A script of ours without what a browser does not read: lines of comment, and the white space that lines begin
    with. None of it may stand in a text of several lines."""
    return Markup(_UNREAD.sub("", script))  # noqa: S704 only takes away, of a script of ours


def _filter(form: str) -> Callable[[Context, Any], object]:
    """A filter for templates: a hole remembers it, and a value takes it at once."""

    @pass_context
    def formed(context: Context, value: Any) -> object:
        if isinstance(value, Hole):
            return Hole(value.mark, value.name, form)
        return FORMS[form](context["language"], value)

    return formed


FORMS: dict[str, Callable[[Language, Any], object]] = {
    "plain": lambda _, value: str(value),
    "number": words.number,
    "wait": words.wait,
    "countdown": words.countdown,
    "moment": words.moment,
    "local": lambda _, here: local(here),
    "drawing": lambda _, svg: Markup(svg),  # noqa: S704 the QR code, drawn by us
}
