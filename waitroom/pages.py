"""The pages that visitors see of waitroom itself. Pure rendering: each is one answer, with style and script inside.

A template is rendered once for each shape of its page: whose room it is, in which language, and all that the template
asks about. What differs from visitor to visitor is a hole in the prepared text.
"""

import logging
import secrets
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Literal

from jinja2 import Environment
from markupsafe import Markup

from waitroom import page_environment, sentences, words
from waitroom.languages import Language, Languages
from waitroom.look import OURS, Look
from waitroom.page_environment import FORMS
from waitroom.place import Place
from waitroom.prepared import Filled, Hole, Prepared, Sketch
from waitroom.receipt import NotMoved

log = logging.getLogger(__name__)

Notice = Literal["moved", "no_identity", "revoked", "void"]
MARK_BYTES = 8
# Each takes some 25 KB.
MOST_SHAPES = 512
# Those of rooms whose templates are an operator's.
MOST_ENVIRONMENTS = 64
# What differs between those who join a line one after the other.
OWN = ("position", "waiting", "wait_s", "poll_after_ms", "kept_until_ms", "nonce")
# Of a page by an operator's templates, in characters.
LONGEST_PAGE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Face:
    """How the pages show themselves to a visitor: whose room it is, in which language, and how they look."""

    room_title: str
    language: Language
    look: Look = OURS

    def __hash__(self) -> int:
        """Of what is quickly told: each answer asks for it."""
        return hash((self.room_title, self.language.code))


@dataclass(frozen=True, slots=True)
class Ways:
    """The addresses at which a visitor asks where the place is, asks for more time to take it, gives it up, and moves
    it to another browser: "" where places are not moved. Where the line has a public status, `number_url` takes the
    place of `place_url` for those who can read the one at `status_url`, which caches keep for `status_s`."""

    place_url: str
    extend_url: str
    leave_url: str
    receipt_url: str
    number_url: str = ""
    status_url: str = ""
    status_s: int = 0


class Pages:
    """Renders what visitors see. Every text it is given is shown as text, whatever it holds.

    `here` is the path and query that the visitor asked for. `nonce` is new for each answer, and the answer carries
    `content_security_policy(nonce)`.
    """

    def __init__(self, languages: Languages) -> None:
        self._languages = languages.names()
        self._environment = lru_cache(MOST_ENVIRONMENTS)(_environment)
        self._fails = lru_cache(MOST_ENVIRONMENTS)(_fails)
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
        fixed, values = _of_waiting(place, ways, here, refresh_s, nonce, is_new=is_new)
        return self._filled("waiting.html", face, fixed, values)

    def newcomers(self, place: Place, face: Face, ways: Ways, *, here: str, refresh_s: int) -> Sketch:
        """The page in line of those who were given a place just now, as `waiting` makes it, but for what is each one's
        own: `OWN` names it. `place` is that of any of them: all of these values must be something, or none of a wait's
        for all."""
        fixed, values = _of_waiting(place, ways, here, refresh_s, "-", is_new=True)
        return self._shape("waiting.html", face, fixed, values).sketch(values, OWN)

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
        return self._shape(template, face, fixed, values).filled(values)

    def _shape(
        self, template: str, face: Face, fixed: Mapping[str, Hashable], values: Mapping[str, object]
    ) -> Prepared:
        """What all pages have in common that differ by nothing but what fills them."""
        kept = tuple([value and True for value in values.values()])
        return self._prepared(template, face, tuple(fixed.items()), tuple(values), kept)

    def _prepare(
        self,
        template: str,
        face: Face,
        fixed: tuple[tuple[str, Hashable], ...],
        names: tuple[str, ...],
        kept: tuple[object, ...],
    ) -> Prepared:
        mark = secrets.token_hex(MARK_BYTES)
        holes = {name: Hole(mark, name) if value is True else value for name, value in zip(names, kept, strict=True)}
        text = self._text(template, face, dict(fixed) | holes)
        language = face.look.speaking(face.language)
        return Prepared(text, mark, {name: partial(form, language) for name, form in FORMS.items()})

    def _text(self, template: str, face: Face, values: Mapping[str, object]) -> str:
        """The text of a page. Templates of an operator were tried before; should they fail nonetheless, ours serve."""
        try:
            return self._rendered(template, face, values)
        except Exception as exc:
            if not face.look.templates:
                raise
            self._fails(face.look, template, repr(exc))
            return self._rendered(template, replace(face, look=replace(face.look, templates={})), values)

    def _rendered(self, template: str, face: Face, values: Mapping[str, object]) -> str:
        """The text of a page, with its values or their holes."""
        look = face.look
        language = look.speaking(face.language)
        pieces = (
            self._environment(look)
            .get_template(template)
            .generate(
                {
                    **values,
                    "room_title": face.room_title,
                    "organiser": look.organiser or face.room_title,
                    "logo": look.logo,
                    "accent": look.accent,
                    "accent_dark": look.accent_dark,
                    "scheme": look.scheme,
                    "language": language,
                    "languages": self._languages,
                    "spoken": words.spoken(language),
                    "gettext": _gettext(language),
                }
            )
        )
        return "".join(_bounded(pieces) if look.templates else pieces)


def _of_waiting(
    place: Place, ways: Ways, here: str, refresh_s: int, nonce: str, *, is_new: bool
) -> tuple[dict[str, Hashable], dict[str, object]]:
    """What the page in line is given: what makes its shape, and what fills it."""
    draw = place.draw
    fixed: dict[str, Hashable] = {
        "state": place.state,
        "paused": place.paused,
        "message": place.message,
        "is_late": place.is_late,
        "is_new": is_new,
        "has_draw": draw is not None,
    }
    values: dict[str, object] = {
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
        "number_url": ways.number_url,
        "status_url": ways.status_url,
        "status_s": ways.status_s,
        "here": here,
        "refresh_s": refresh_s,
        "nonce": nonce,
    }
    return fixed, values


def _environment(look: Look) -> Environment:
    """That in which the pages of a look are rendered."""
    if look.templates:
        return page_environment.sandbox(look.templates, look.folder)
    return page_environment.environment()


def _fails(look: Look, template: str, fault: str) -> None:
    log.error(
        "the page %s by the templates in %s can't be shown, ours is in its place: %s", template, look.folder, fault
    )


def _bounded(pieces: Iterable[str]) -> Iterator[str]:
    """Raises ValueError for a text that is too long, before it takes up memory."""
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > LONGEST_PAGE:
            raise ValueError(f"the page is too long: it should have at most {LONGEST_PAGE:,} characters")
        yield piece


def content_security_policy(nonce: str) -> str:
    """What a page of ours may do: run its own style and script, keep time beside it, ask us, and nothing else."""
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; worker-src blob:; img-src data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _gettext(language: Language) -> Callable[..., Markup]:
    """Says a sentence of a template, with what it names."""

    def gettext(text: str, **values: object) -> Markup:
        return sentences.marked(language.say(text), text) % values

    return gettext
