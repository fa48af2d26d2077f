"""What waitroom itself says to a visitor: as a page for a browser, as JSON for an app, and never to be stored."""

import math
import secrets
from typing import Any

from aiohttp import web

from waitroom.asking import Asking
from waitroom.pages import Notice, Pages, content_security_policy
from waitroom.place import DrawTold, Place
from waitroom.rooms import Room

NO_STORE = "private, no-store"
NONCE_BYTES = 16
# Who was given a number just now shows itself soon, with or without JavaScript.
FIRST_REFRESH_S = 2
STORE_RETRY_S = 5
NO_PLACE_RETRY_S = 10
FULL_RETRY_S = 30
NOTICES: dict[Notice, tuple[int, str, str]] = {
    "no_identity": (
        403,
        "You are not signed in",
        "Each person gets one place in this line. Sign in to the site, then ask again.",
    ),
    "revoked": (
        403,
        "Your place was taken away",
        "The organiser or the site has withdrawn it. Asking again does not bring it back.",
    ),
    "void": (
        409,
        "The line was started anew",
        "No place in the old line counts any more. Ask again, without the old ticket, to join the new one.",
    ),
}
FAILURES = {502: "The site is not answering", 503: "The site is busy", 504: "The site took too long to answer"}


class Answers:
    """Builds responses. Status and code of each refusal stand here and nowhere else."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def waiting(self, room: Room, key: str, place: Place, asking: Asking, *, is_new: bool) -> web.Response:
        """The waiting answer: the page, or for an app the place with 429."""
        after_s = math.ceil(place.poll_after_ms / 1000)
        if asking.kind != "page":
            return _json(place.to_json(), 429, after_s)
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        query = f"?key={key}" if key else ""
        text = self._pages.waiting(
            place,
            room_title=room.title,
            place_url=f"/.waitroom/rooms/{room.name}/place{query}",
            leave_url=f"/.waitroom/rooms/{room.name}/leave{query}",
            here=asking.target,
            refresh_s=FIRST_REFRESH_S if is_new else after_s,
            nonce=nonce,
        )
        return _page(text, room.page_status, nonce)

    def place(self, place: Place) -> web.Response:
        """The answer to a poll."""
        return _json(place.to_json(), 200)

    def draw(self, told: DrawTold) -> web.Response:
        """What everybody may know of a draw."""
        return _json({"commitment": told.commitment, "size": told.size, "seed": told.seed}, 200)

    def closed(self, room: Room, asking: Asking) -> web.Response:
        if asking.kind != "page":
            return problem(503, "room_closed", f"{room.title} is closed", room.message)
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        return _page(self._pages.closed(room_title=room.title, message=room.message, nonce=nonce), 503, nonce)

    def store_lost(self, room: Room, asking: Asking) -> web.Response:
        """For who has no ticket yet while no number can be given."""
        if asking.kind != "page":
            return problem(503, "store_lost", "No place can be given just now", "Ask again later.", STORE_RETRY_S)
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        text = self._pages.refused(room_title=room.title, retry_after_s=STORE_RETRY_S, here=asking.target, nonce=nonce)
        return _page(text, 503, nonce, STORE_RETRY_S)

    def full(self, room: Room, asking: Asking) -> web.Response:
        """For who asks for a line while the room has all the lines that it may have."""
        if asking.kind != "page":
            detail = "This has a line of its own, and as many lines are in use as the site can keep. Ask again later."
            return problem(503, "too_many_lines", "Too many lines are in use", detail, FULL_RETRY_S)
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        text = self._pages.refused(
            room_title=room.title, retry_after_s=FULL_RETRY_S, here=asking.target, nonce=nonce, is_full=True
        )
        return _page(text, 503, nonce, FULL_RETRY_S)

    def no_identity(self, room: Room, asking: Asking) -> web.Response:
        """For who is not signed in, where places are given to persons."""
        return self._notice("no_identity", room, asking)

    def revoked(self, room: Room, asking: Asking) -> web.Response:
        """For who has lost the place by an act of the operator's or the origin's."""
        return self._notice("revoked", room, asking)

    def void(self, room: Room, asking: Asking) -> web.Response:
        """For who comes with a ticket of a line that was begun anew since."""
        return self._notice("void", room, asking)

    def _notice(self, name: Notice, room: Room, asking: Asking) -> web.Response:
        status, title, detail = NOTICES[name]
        if asking.kind != "page":
            return problem(status, name, title, detail)
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        text = self._pages.notice(name, room_title=room.title, message=room.message, here=asking.target, nonce=nonce)
        return _page(text, status, nonce)

    def no_place(self) -> web.Response:
        """For a request that is neither admitted nor able to wait: an image, a script, a POST."""
        detail = "This needs a place inside. Ask for a page first (a GET that accepts text/html or application/json)."
        return problem(429, "no_place", "You are not inside", detail, NO_PLACE_RETRY_S)

    def failure(self, room: Room, status: int, asking: Asking) -> web.Response:
        """The origin gave nothing to pass on."""
        if asking.kind != "page":
            return problem(status, "origin_failed", FAILURES[status], f"Reference: {asking.request_id}")
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        text = self._pages.failure(
            status, room_title=room.title, request_id=asking.request_id, here=asking.target, nonce=nonce
        )
        return _page(text, status, nonce)

    def left(self, room: Room, asking: Asking) -> web.Response:
        """The visitor has given the place back."""
        if asking.kind != "page":
            return _json({"state": "none"}, 200)
        nonce = secrets.token_urlsafe(NONCE_BYTES)
        return _page(self._pages.left(room_title=room.title, nonce=nonce), 200, nonce)


def problem(status: int, code: str, title: str, detail: str = "", retry_after_s: int | None = None) -> web.Response:
    """An error for programs (RFC 9457)."""
    body = {"status": status, "code": code, "title": title, "detail": detail}
    response = _json(body, status, retry_after_s)
    response.content_type = "application/problem+json"
    return response


def _json(body: dict[str, Any], status: int, retry_after_s: int | None = None) -> web.Response:
    response = web.json_response(body, status=status, headers={"Cache-Control": NO_STORE})
    return _with_retry(response, retry_after_s)


def _page(text: str, status: int, nonce: str, retry_after_s: int | None = None) -> web.Response:
    fields = {
        "Cache-Control": NO_STORE,
        "Content-Security-Policy": content_security_policy(nonce),
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    response = web.Response(text=text, status=status, content_type="text/html", headers=fields)
    response.enable_compression()
    return _with_retry(response, retry_after_s)


def _with_retry(response: web.Response, retry_after_s: int | None) -> web.Response:
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response
