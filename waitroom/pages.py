"""The pages that visitors see of waitroom itself. Pure rendering: each is one answer, with style and script inside.

A template is rendered once for each shape of its page: whose room it is, in which language, and all that the template
asks about. What differs from visitor to visitor is a hole in the prepared text.
"""

import re
import secrets
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from waitroom import words
from waitroom.languages import Language, Languages
from waitroom.place import Place
from waitroom.prepared import Filled, Hole, Prepared
from waitroom.receipt import NotMoved

Notice = Literal["moved", "no_identity", "revoked", "void"]
_PATH = re.compile(r"/(?:[^/\\\s]|\Z)")
_UNREAD = re.compile(r"^\s*(?://.*)?\n?", re.MULTILINE)
MARK_BYTES = 8
# Each takes some 25 KB.
MOST_SHAPES = 512


@dataclass(frozen=True, slots=True)
class Face:
    """How the pages show themselves to a visitor: whose room it is, and in which language."""

    room_title: str
    language: Language


@dataclass(frozen=True, slots=True)
class Ways:
    """The addresses at which a visitor asks where the place is, asks for more time to take it, gives it up, and moves
    it to another browser: "" where places are not moved."""

    place_url: str
    extend_url: str
    leave_url: str
    receipt_url: str


class Pages:
    """Renders what visitors see. Every text it is given is shown as text, whatever it holds.

    `here` is the path and query that the visitor asked for. `nonce` is new for each answer, and the answer carries
    `content_security_policy(nonce)`.
    """

    def __init__(self, languages: Languages) -> None:
        self._languages = languages.names()
        self._environment = Environment(
            loader=PackageLoader("waitroom"),
            extensions=["jinja2.ext.i18n"],
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # Sentences are looked for as they are written in one line.
        self._environment.policies["ext.i18n.trimmed"] = True
        self._environment.newstyle_gettext = True  # type: ignore[attr-defined]
        self._environment.filters |= {name: _filter(name) for name in FORMS}
        self._environment.filters["lean"] = lean
        self._prepared = lru_cache(MOST_SHAPES)(self._prepare)

    def waiting(
        self,
        place: Place,
        face: Face,
        ways: Ways,
        *,
        here: str,
        refresh_s: int,
        nonce: str,
        is_new: bool = False,
    ) -> Filled:
        """The place in line, or before an opening the time until then.

        It asks for news of the place; without JavaScript it reloads itself after `refresh_s`. `is_new` says that the
        visitor is given the place with this page: where that can't be told even now, cookies are blocked.
        """
        draw = place.draw
        fixed = {
            "state": place.state,
            "paused": place.paused,
            "message": place.message,
            "is_late": place.is_late,
            "is_new": is_new,
            "has_draw": draw is not None,
        }
        values = {
            "position": place.position,
            "waiting": place.waiting,
            "wait_s": place.wait_s,
            "poll_after_ms": place.poll_after_ms,
            "opens_in_ms": place.opens_in_ms,
            "opens_ms": place.opens_ms,
            "kept_until_ms": place.kept_until_ms,
            "arrival": draw and draw.arrival,
            "place": draw and draw.place,
            "size": draw and draw.size,
            "commitment": draw and draw.commitment,
            "seed": draw and draw.seed,
            "place_url": ways.place_url,
            "extend_url": ways.extend_url,
            "leave_url": ways.leave_url,
            "receipt_url": ways.receipt_url,
            "here": here,
            "refresh_s": refresh_s,
            "nonce": nonce,
        }
        return self._filled("waiting.html", face, fixed, values)

    def closed(self, face: Face, *, message: str, here: str, nonce: str) -> Filled:
        """The refusal of a closed room, with the operator's message if there is one."""
        return self._filled("closed.html", face, {"message": message}, {"here": here, "nonce": nonce})

    def refused(self, face: Face, *, retry_after_s: int, here: str, nonce: str, is_full: bool = False) -> Filled:
        """For a visitor who has no place and cannot be given one now, because the store is lost, or because the room is
        full of lines. It tries again by itself."""
        fixed = {"retry_after_s": retry_after_s, "is_full": is_full}
        return self._filled("refused.html", face, fixed, {"here": here, "nonce": nonce})

    def failure(self, status: int, face: Face, *, request_id: str, here: str, nonce: str) -> Filled:
        """For an admitted visitor whom the origin failed: `status` is 502, 503 or 504."""
        values = {"request_id": request_id, "here": here, "nonce": nonce}
        return self._filled("failure.html", face, {"status": status}, values)

    def notice(self, name: Notice, face: Face, *, message: str, here: str, nonce: str, leave_url: str = "") -> Filled:
        """Why a visitor has no place, and what can be done about it. `leave_url` is where one gives up a ticket that is
        good no more, and leads back here."""
        fixed = {"name": name, "message": message}
        return self._filled("notice.html", face, fixed, {"here": here, "leave_url": leave_url, "nonce": nonce})

    def receipt(self, face: Face, *, code: str, qr_code: str, minutes: int, nonce: str) -> Filled:
        """The code by which another browser takes the place over, within so many minutes; `qr_code` is its SVG."""
        values = {"code": code, "qr_code": qr_code, "minutes": minutes, "here": "", "nonce": nonce}
        return self._filled("receipt.html", face, {}, values)

    def take(self, face: Face, *, code: str, take_url: str, key: str, has_place: bool, here: str, nonce: str) -> Filled:
        """Asks whether a place is to be taken over here; without a code, for the code. `has_place` says that this gives
        up another one."""
        values = {"code": code, "take_url": take_url, "key": key, "here": here, "nonce": nonce}
        return self._filled("take.html", face, {"has_place": has_place}, values)

    def not_moved(self, name: NotMoved, face: Face, *, take_url: str, nonce: str) -> Filled:
        """Why there is no code, or why no place was moved; at `take_url` another code can be typed."""
        values = {"take_url": take_url, "here": "", "nonce": nonce}
        return self._filled("not_moved.html", face, {"name": name}, values)

    def left(self, face: Face, *, nonce: str) -> Filled:
        """For a visitor who has given the place up."""
        return self._filled("left.html", face, {}, {"here": "", "nonce": nonce})

    def _filled(self, template: str, face: Face, fixed: Mapping[str, Hashable], values: Mapping[str, object]) -> Filled:
        """A page whose shape is `fixed`, and of `values` whether there is something: templates ask no more of them. An
        empty value is part of the shape, and no hole."""
        shape = tuple([(name, value and True) for name, value in values.items()])
        return self._prepared(template, face, tuple(fixed.items()), shape).filled(values)

    def _prepare(
        self, template: str, face: Face, fixed: tuple[tuple[str, Hashable], ...], shape: tuple[tuple[str, object], ...]
    ) -> Prepared:
        mark = secrets.token_hex(MARK_BYTES)
        holes = {name: Hole(mark, name) if kept is True else kept for name, kept in shape}
        text = self._rendered(template, face, dict(fixed) | holes)
        return Prepared(text, mark, {name: partial(form, face.language) for name, form in FORMS.items()})

    def _rendered(self, template: str, face: Face, values: Mapping[str, object]) -> str:
        """The text of a page, with its values or their holes."""
        language = face.language
        return self._environment.get_template(template).render(
            {
                **values,
                "room_title": face.room_title,
                "language": language,
                "languages": self._languages,
                "spoken": words.spoken(language),
                "gettext": _gettext(language),
            }
        )


def content_security_policy(nonce: str) -> str:
    """What a page of ours may do: run its own style and script, keep time beside it, ask us, and nothing else."""
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; worker-src blob:; img-src data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def local(here: str) -> str:
    """`here` as a link that stays on this site.

    A path that begins with two slashes would name a host (RFC 3986, section 4.2), and browsers read a backslash as a
    slash; behind a dot segment, which they remove, it is the same path again.
    """
    return here if _PATH.match(here) else f"/.{here}"


def lean(script: Markup) -> Markup:
    """A script of ours without what a browser does not read: lines of comment, and the white space that lines begin
    with. None of it may stand in a text of several lines."""
    return Markup(_UNREAD.sub("", script))  # noqa: S704


def _gettext(language: Language) -> Callable[..., Markup]:
    """Says a sentence of a template, with what it names: escaped, as all that is not the template's own."""

    def gettext(text: str, **values: object) -> Markup:
        return Markup(language.say(text)) % values  # noqa: S704

    return gettext


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
    "drawing": lambda _, svg: Markup(svg),  # noqa: S704
}
