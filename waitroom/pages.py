"""The pages that visitors see of waitroom itself. Pure rendering: each is one answer, with style and script inside."""

import re
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from waitroom import words
from waitroom.place import Place

Notice = Literal["no_identity", "revoked", "void"]
_PATH = re.compile(r"/(?:[^/\\\s]|\Z)")


class Pages:
    """Renders what visitors see. Every text it is given is shown as text, whatever it holds.

    `here` is the path and query that the visitor asked for. `nonce` is new for each answer, and the answer carries
    `content_security_policy(nonce)`.
    """

    def __init__(self) -> None:
        environment = Environment(
            loader=PackageLoader("waitroom"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {
            "number": words.number,
            "wait": words.wait,
            "countdown": words.countdown,
            "moment": words.moment,
            "local": local,
        }
        self._waiting = environment.get_template("waiting.html")
        self._closed = environment.get_template("closed.html")
        self._refused = environment.get_template("refused.html")
        self._failure = environment.get_template("failure.html")
        self._left = environment.get_template("left.html")
        self._notice = environment.get_template("notice.html")

    def waiting(
        self, place: Place, *, room_title: str, place_url: str, leave_url: str, here: str, refresh_s: int, nonce: str
    ) -> str:
        """The place in line, or before an opening the time until then.

        It asks `place_url` for news; without JavaScript it reloads itself after `refresh_s`.
        """
        return self._waiting.render(
            place=place,
            room_title=room_title,
            place_url=place_url,
            leave_url=leave_url,
            here=here,
            refresh_s=refresh_s,
            nonce=nonce,
        )

    def closed(self, *, room_title: str, message: str, nonce: str) -> str:
        """The refusal of a closed room, with the operator's message if there is one."""
        return self._closed.render(room_title=room_title, message=message, nonce=nonce)

    def refused(self, *, room_title: str, retry_after_s: int, here: str, nonce: str, is_full: bool = False) -> str:
        """For a visitor who has no place and cannot be given one now, because the store is lost, or because the room is
        full of lines. It tries again by itself."""
        return self._refused.render(
            room_title=room_title, retry_after_s=retry_after_s, here=here, nonce=nonce, is_full=is_full
        )

    def failure(self, status: int, *, room_title: str, request_id: str, here: str, nonce: str) -> str:
        """For an admitted visitor whom the origin failed: `status` is 502, 503 or 504."""
        return self._failure.render(status=status, room_title=room_title, request_id=request_id, here=here, nonce=nonce)

    def notice(self, name: Notice, *, room_title: str, message: str, here: str, nonce: str) -> str:
        """Why a visitor has no place, and what can be done about it."""
        return self._notice.render(name=name, room_title=room_title, message=message, here=here, nonce=nonce)

    def left(self, *, room_title: str, nonce: str) -> str:
        """For a visitor who has given the place up."""
        return self._left.render(room_title=room_title, nonce=nonce)


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
