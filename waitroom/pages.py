"""The pages that visitors see of waitroom itself. Pure rendering: each is one answer, with style and script inside.

A template is rendered once for each shape of its page: the room's texts, and all that the template asks about. What
differs from visitor to visitor is a hole in the prepared text.
"""

import re
import secrets
from collections.abc import Hashable, Mapping
from functools import lru_cache, partial
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from waitroom import words
from waitroom.place import Place
from waitroom.prepared import Filled, Form, Hole, Prepared

Notice = Literal["no_identity", "revoked", "void"]
_PATH = re.compile(r"/(?:[^/\\\s]|\Z)")
MARK_BYTES = 8
# Each takes some 25 KB.
MOST_SHAPES = 256


class Pages:
    """Renders what visitors see. Every text it is given is shown as text, whatever it holds.

    `here` is the path and query that the visitor asked for. `nonce` is new for each answer, and the answer carries
    `content_security_policy(nonce)`.
    """

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("waitroom"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {name: partial(_formed, name) for name in FORMS}
        self._prepared = lru_cache(MOST_SHAPES)(self._prepare)

    def waiting(
        self, place: Place, *, room_title: str, place_url: str, leave_url: str, here: str, refresh_s: int, nonce: str
    ) -> Filled:
        """The place in line, or before an opening the time until then.

        It asks `place_url` for news; without JavaScript it reloads itself after `refresh_s`.
        """
        draw = place.draw
        fixed = {
            "room_title": room_title,
            "state": place.state,
            "paused": place.paused,
            "message": place.message,
            "has_draw": draw is not None,
        }
        values = {
            "position": place.position,
            "waiting": place.waiting,
            "wait_s": place.wait_s,
            "poll_after_ms": place.poll_after_ms,
            "opens_in_ms": place.opens_in_ms,
            "opens_ms": place.opens_ms,
            "arrival": draw and draw.arrival,
            "place": draw and draw.place,
            "size": draw and draw.size,
            "commitment": draw and draw.commitment,
            "seed": draw and draw.seed,
            "place_url": place_url,
            "leave_url": leave_url,
            "here": here,
            "refresh_s": refresh_s,
            "nonce": nonce,
        }
        return self._filled("waiting.html", fixed, values)

    def closed(self, *, room_title: str, message: str, nonce: str) -> Filled:
        """The refusal of a closed room, with the operator's message if there is one."""
        return self._filled("closed.html", {"room_title": room_title, "message": message}, {"nonce": nonce})

    def refused(self, *, room_title: str, retry_after_s: int, here: str, nonce: str, is_full: bool = False) -> Filled:
        """For a visitor who has no place and cannot be given one now, because the store is lost, or because the room is
        full of lines. It tries again by itself."""
        fixed = {"room_title": room_title, "retry_after_s": retry_after_s, "is_full": is_full}
        return self._filled("refused.html", fixed, {"here": here, "nonce": nonce})

    def failure(self, status: int, *, room_title: str, request_id: str, here: str, nonce: str) -> Filled:
        """For an admitted visitor whom the origin failed: `status` is 502, 503 or 504."""
        values = {"request_id": request_id, "here": here, "nonce": nonce}
        return self._filled("failure.html", {"room_title": room_title, "status": status}, values)

    def notice(self, name: Notice, *, room_title: str, message: str, here: str, nonce: str) -> Filled:
        """Why a visitor has no place, and what can be done about it."""
        fixed = {"room_title": room_title, "name": name, "message": message}
        return self._filled("notice.html", fixed, {"here": here, "nonce": nonce})

    def left(self, *, room_title: str, nonce: str) -> Filled:
        """For a visitor who has given the place up."""
        return self._filled("left.html", {"room_title": room_title}, {"nonce": nonce})

    def _filled(self, template: str, fixed: Mapping[str, Hashable], values: Mapping[str, object]) -> Filled:
        """A page whose shape is `fixed`, and of `values` whether there is something: templates ask no more of them. An
        empty value is part of the shape, and no hole."""
        shape = tuple([(name, value and True) for name, value in values.items()])
        return self._prepared(template, tuple(fixed.items()), shape).filled(values)

    def _prepare(
        self, template: str, fixed: tuple[tuple[str, Hashable], ...], shape: tuple[tuple[str, object], ...]
    ) -> Prepared:
        mark = secrets.token_hex(MARK_BYTES)
        holes = {name: Hole(mark, name) if kept is True else kept for name, kept in shape}
        text = self._environment.get_template(template).render(dict(fixed) | holes)
        return Prepared(text, mark, FORMS)


def content_security_policy(nonce: str) -> str:
    """What a page of ours may do: run its own style and script, ask us, and nothing else."""
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def local(here: str) -> str:
    """`here` as a link that stays on this site.

    A path that begins with two slashes would name a host (RFC 3986, section 4.2), and browsers read a backslash as a
    slash; behind a dot segment, which they remove, it is the same path again.
    """
    return here if _PATH.match(here) else f"/.{here}"


def _formed(form: str, value: Any) -> object:
    """A filter for templates: a hole remembers it, and a value takes it at once."""
    return Hole(value.mark, value.name, form) if isinstance(value, Hole) else FORMS[form](value)


FORMS: dict[str, Form] = {
    "plain": str,
    "number": words.number,
    "wait": words.wait,
    "countdown": words.countdown,
    "moment": words.moment,
    "local": local,
}
