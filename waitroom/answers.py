"""What waitroom itself says to a visitor: as a page for a browser, as JSON for an app, and never to be stored. Pure."""

import json
import math
import secrets
from functools import lru_cache

from waitroom.asking import Asking
from waitroom.cookies import LANGUAGE_COOKIE
from waitroom.headers import cookie, values
from waitroom.languages import Languages
from waitroom.pages import Face, Notice, Pages, content_security_policy
from waitroom.place import DrawTold, Place
from waitroom.prepared import Filled
from waitroom.response import Field, Response
from waitroom.rooms import Room

NO_STORE = ("Cache-Control", "private, no-store")
# What stands here for a while must not stand for the site in a search engine.
NO_INDEX = ("X-Robots-Tag", "noindex")
JSON_FIELDS = (("Content-Type", "application/json; charset=utf-8"), NO_STORE, NO_INDEX)
PROBLEM_FIELDS = (("Content-Type", "application/problem+json; charset=utf-8"), NO_STORE, NO_INDEX)
PAGE_FIELDS = (
    ("Content-Type", "text/html; charset=utf-8"),
    NO_STORE,
    NO_INDEX,
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("Vary", "Accept-Encoding, Accept-Language, Cookie"),
)
NONCE_BYTES = 16
# Refusals differ by room only, and are written once for each.
MOST_REFUSALS = 256
# Who was given a number just now shows itself soon, with or without JavaScript.
FIRST_REFRESH_S = 2
STORE_RETRY_S = 5
NO_PLACE_RETRY_S = 10
FULL_RETRY_S = 30
ROBOT_RETRY_S = 600
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

    def __init__(self, pages: Pages, languages: Languages) -> None:
        self._pages = pages
        self._languages = languages
        self._refusal = lru_cache(MOST_REFUSALS)(problem)

    def waiting(self, room: Room, key: str, place: Place, asking: Asking, *, is_new: bool) -> Response:
        """The waiting answer: the page, or for an app the place with 429, and where to ask for it from now on
        (Content-Location: RFC 9110, section 8.7)."""
        after_s = math.ceil(place.poll_after_ms / 1000)
        query = f"?key={key}" if key else ""
        if asking.kind != "page":
            where = "Content-Location", f"/.waitroom/rooms/{room.name}/place{query}"
            return Response(429, (*JSON_FIELDS, _retry_after(after_s), where), place.to_json().encode())
        face, nonce = self._face(room, asking), _nonce()
        page = self._pages.waiting(
            place,
            face,
            place_url=f"/.waitroom/rooms/{room.name}/place{query}",
            leave_url=f"/.waitroom/rooms/{room.name}/leave{query}",
            here=asking.target,
            refresh_s=FIRST_REFRESH_S if is_new else after_s,
            nonce=nonce,
        )
        return _page(page, face, room.page_status, nonce, asking)

    def place(self, place: Place) -> Response:
        """The answer to a poll."""
        return Response(200, JSON_FIELDS, place.to_json().encode())

    def extended(self, place: Place, asking: Asking) -> Response:
        """The place of who asked for more time. A page that runs no script goes in by itself, and has no use for it."""
        return Response(303, (("Location", "/"), NO_STORE)) if asking.kind == "page" else self.place(place)

    def draw(self, told: DrawTold) -> Response:
        """What everybody may know of a draw."""
        return _json({"commitment": told.commitment, "size": told.size, "seed": told.seed})

    def closed(self, room: Room, asking: Asking) -> Response:
        if asking.kind != "page":
            return self._refusal(503, "room_closed", f"{room.title} is closed", room.message)
        face, nonce = self._face(room, asking), _nonce()
        page = self._pages.closed(face, message=room.message, here=asking.target, nonce=nonce)
        return _page(page, face, 503, nonce, asking)

    def store_lost(self, room: Room, asking: Asking) -> Response:
        """For who has no ticket yet while no number can be given."""
        if asking.kind != "page":
            return self._refusal(503, "store_lost", "No place can be given just now", "Ask again later.", STORE_RETRY_S)
        face, nonce = self._face(room, asking), _nonce()
        page = self._pages.refused(face, retry_after_s=STORE_RETRY_S, here=asking.target, nonce=nonce)
        return _page(page, face, 503, nonce, asking).with_fields([_retry_after(STORE_RETRY_S)])

    def full(self, room: Room, asking: Asking) -> Response:
        """For who asks for a line while the room has all the lines that it may have."""
        if asking.kind != "page":
            detail = "This has a line of its own, and as many lines are in use as the site can keep. Ask again later."
            return self._refusal(503, "too_many_lines", "Too many lines are in use", detail, FULL_RETRY_S)
        face, nonce = self._face(room, asking), _nonce()
        page = self._pages.refused(face, retry_after_s=FULL_RETRY_S, here=asking.target, nonce=nonce, is_full=True)
        return _page(page, face, 503, nonce, asking).with_fields([_retry_after(FULL_RETRY_S)])

    def no_identity(self, room: Room, asking: Asking) -> Response:
        """For who is not signed in, where places are given to persons."""
        return self._notice("no_identity", room, asking)

    def revoked(self, room: Room, asking: Asking) -> Response:
        """For who has lost the place by an act of the operator's or the origin's."""
        return self._notice("revoked", room, asking)

    def void(self, room: Room, asking: Asking) -> Response:
        """For who comes with a ticket of a line that was begun anew since."""
        return self._notice("void", room, asking)

    def _notice(self, name: Notice, room: Room, asking: Asking) -> Response:
        status, title, detail = NOTICES[name]
        if asking.kind != "page":
            return self._refusal(status, name, title, detail)
        face, nonce = self._face(room, asking), _nonce()
        page = self._pages.notice(name, face, message=room.message, here=asking.target, nonce=nonce)
        return _page(page, face, status, nonce, asking)

    def no_place(self) -> Response:
        """For a request that is neither admitted nor able to wait: an image, a script, a POST."""
        detail = "This needs a place inside. Ask for a page first (a GET that accepts text/html or application/json)."
        return self._refusal(429, "no_place", "You are not inside", detail, NO_PLACE_RETRY_S)

    def robot(self, room: Room) -> Response:
        """For who says that it is a robot of a search engine, and is not let by. Engines take 503 for a pause, and keep
        what they know of the site."""
        detail = "A robot of a search engine gets no place in line. Ask again later."
        return self._refusal(503, "robot", f"{room.title} lets no robot in now", detail, ROBOT_RETRY_S)

    def failure(self, room: Room, status: int, asking: Asking) -> Response:
        """The origin gave nothing to pass on: `status` is 502, 503 or 504."""
        if asking.kind != "page":
            return problem(status, "origin_failed", FAILURES[status], f"Reference: {asking.request_id}")
        face, nonce = self._face(room, asking), _nonce()
        page = self._pages.failure(status, face, request_id=asking.request_id, here=asking.target, nonce=nonce)
        return _page(page, face, status, nonce, asking)

    def left(self, room: Room, asking: Asking) -> Response:
        """The visitor has given the place back."""
        if asking.kind != "page":
            return _json({"state": "none"})
        face, nonce = self._face(room, asking), _nonce()
        return _page(self._pages.left(face, nonce=nonce), face, 200, nonce, asking)

    def _face(self, room: Room, asking: Asking) -> Face:
        accepted = ",".join(values(asking.fields, "accept-language"))
        language = self._languages.choose(cookie(asking.fields, LANGUAGE_COOKIE), accepted, room.language)
        return Face(room.title, language)


def problem(status: int, code: str, title: str, detail: str = "", retry_after_s: int | None = None) -> Response:
    """An error for programs (RFC 9457)."""
    body = {"status": status, "code": code, "title": title, "detail": detail}
    retry = () if retry_after_s is None else (_retry_after(retry_after_s),)
    return Response(status, (*PROBLEM_FIELDS, *retry), json.dumps(body).encode())


def _json(body: dict[str, object]) -> Response:
    return Response(200, JSON_FIELDS, json.dumps(body).encode())


def _page(page: Filled, face: Face, status: int, nonce: str, asking: Asking) -> Response:
    policy = ("Content-Security-Policy", content_security_policy(nonce))
    fields = (*PAGE_FIELDS, ("Content-Language", face.language.code), policy)
    if asking.accepts_gzip:
        return Response(status, (*fields, ("Content-Encoding", "gzip")), page.gzipped())
    return Response(status, fields, page.plain())


def _nonce() -> str:
    return secrets.token_urlsafe(NONCE_BYTES)


def _retry_after(after_s: int) -> Field:
    return "Retry-After", str(after_s)
