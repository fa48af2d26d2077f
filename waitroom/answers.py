"""What waitroom itself says to a visitor: as a page for a browser, as JSON for an app, and never to be stored. Pure."""

import json
import math
import secrets
import string
from functools import lru_cache
from urllib.parse import quote, urlencode

from waitroom.asking import Asking
from waitroom.cookies import LANGUAGE_COOKIE
from waitroom.languages import Languages
from waitroom.local_path import local
from waitroom.pages import Face, Notice, Pages, Ways, content_security_policy
from waitroom.place import DrawTold, Pause, Place
from waitroom.prepared import Filled, Sketch
from waitroom.receipt import VALID_S, Made, NotMoved, NotNow, qr_code, shown
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
GZIP = ("Content-Encoding", "gzip")
LANGUAGE = LANGUAGE_COOKIE.encode()
NONCE_BYTES = 16
# Refusals differ by room only, and are written once for each.
MOST_REFUSALS = 256
# Languages, each with gzip and without.
MOST_FACES = 64
# Of places: a crowd comes by a few.
MOST_ADDRESSES = 256
# Of a page of newcomers: a line is paused, and goes on, and an operator says another thing now and then.
MOST_SKETCHES = 8
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
    "moved": (
        409,
        "Your place is in another browser now",
        "It was moved there by a receipt. Ask again, without the old ticket, to join the line anew.",
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
NOT_MOVED: dict[NotMoved, tuple[int, str, str]] = {
    "from_elsewhere": (403, "Not from another site", "Only a page of this site can ask for this."),
    "locked": (429, "Too many codes were wrong", "No code can be redeemed just now. No place is lost by that."),
    "no_place_to_move": (409, "There is no place to move", "Only who waits, and is not inside, can move the place."),
    "one_per_person": (409, "Places belong to persons here", "Sign in on the other device, and the place is there."),
    "too_many_receipts": (503, "No code can be made just now", "The place is kept where it is. Ask again later."),
    "too_often": (429, "Too many codes were made", "The last one is good until it expires. Ask again later."),
    "used_up": (410, "This place can't be moved any more", "Its visitor has gone in or left, or it was taken away."),
    "wrong_code": (404, "This code does not work", "It is mistyped, used, or older than ten minutes."),
}
FAILURES = {502: "The site is not answering", 503: "The site is busy", 504: "The site took too long to answer"}


class Terms:
    """How a request is answered by a place: as what, in which language, with which addresses; the same for all who ask
    so. `sketches` are pages of newcomers by what they say of the line."""

    __slots__ = ("asking", "face", "here", "is_page", "message", "room", "sketches", "ways")

    def __init__(self, room: Room, face: Face, ways: Ways, asking: Asking) -> None:
        self.room = room
        self.face = face
        self.ways = ways
        self.asking = asking
        self.here = asking.target
        self.is_page = asking.kind == "page"
        self.message = room.message_in(face.language.code)
        self.sketches: dict[tuple[Pause | None, str, bool], Sketch] = {}


class Answers:
    """Builds responses. Status and code of each refusal stand here and nowhere else."""

    def __init__(self, pages: Pages, languages: Languages) -> None:
        self._pages = pages
        self._languages = languages
        self._refusal = lru_cache(MOST_REFUSALS)(problem)
        self._faces: dict[tuple[str, str], tuple[Room, Face]] = {}

    def terms(self, room: Room, key: str, asking: Asking) -> "Terms":
        """How such a request is answered by a place in a line."""
        face = self._face(room, asking)
        ways = Ways(
            place_url=_own(room.name, "place", key=key, language=_language(room, face)),
            extend_url=_own(room.name, "extend", key=key, language=_language(room, face)),
            leave_url=_own(room.name, "leave", key=key),
            receipt_url="" if room.identity else _own(room.name, "receipt", key=key, here=asking.target),
            number_url=_own(room.name, "number", key=key, language=_language(room, face)) if room.status_s else "",
            status_url=_own(room.name, "status", key=key, language=_language(room, face)) if room.status_s else "",
            status_s=room.status_s,
        )
        return Terms(room, face, ways, asking)

    def waiting(self, room: Room, key: str, place: Place, asking: Asking, *, is_new: bool) -> Response:
        """The waiting answer: the page, or for an app the place with 429, and where to ask for it from now on
        (Content-Location: RFC 9110, section 8.7)."""
        terms, after_s = self.terms(room, key, asking), math.ceil(place.poll_after_ms / 1000)
        if place.message:
            place.message = terms.message
        if not terms.is_page:
            return _place_told(place, terms, after_s)
        nonce, refresh_s = _nonce(), FIRST_REFRESH_S if is_new else after_s
        page = self._pages.waiting(
            place, terms.face, terms.ways, here=terms.here, refresh_s=refresh_s, nonce=nonce, is_new=is_new
        )
        return _page(page, terms.face, room.page_status, nonce, asking)

    def newcomer(self, place: Place, terms: "Terms", nonce: str) -> Response:
        """The waiting answer to who was given a place just now, and knows it. `nonce` is new, too."""
        if place.message:
            place.message = terms.message
        if not terms.is_page:
            return _place_told(place, terms, math.ceil(place.poll_after_ms / 1000))
        shape = place.paused, place.message, place.wait_s is None
        sketch = terms.sketches.get(shape)
        if sketch is None:
            if len(terms.sketches) >= MOST_SKETCHES:
                terms.sketches.clear()
            sketch = terms.sketches[shape] = self._pages.newcomers(
                place, terms.face, terms.ways, here=terms.here, refresh_s=FIRST_REFRESH_S
            )
        own = place.position, place.waiting, place.wait_s, place.poll_after_ms, place.kept_until_ms, nonce
        return _page(sketch.filled(own), terms.face, terms.room.page_status, nonce, terms.asking)

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
        page = self._pages.closed(face, message=room.message_in(face.language.code), here=asking.target, nonce=nonce)
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
        return self._notice("no_identity", room, "", asking)

    def revoked(self, room: Room, asking: Asking) -> Response:
        """For who has lost the place by an act of the operator's or the origin's."""
        return self._notice("revoked", room, "", asking)

    def void(self, room: Room, asking: Asking) -> Response:
        """For who comes with a ticket of a line that was begun anew since."""
        return self._notice("void", room, "", asking)

    def moved(self, room: Room, key: str, asking: Asking) -> Response:
        """For who comes with a ticket whose place was moved to another browser."""
        return self._notice("moved", room, _own(room.name, "leave", key=key, here=asking.target), asking)

    def _notice(self, name: Notice, room: Room, leave_url: str, asking: Asking) -> Response:
        status, title, detail = NOTICES[name]
        if asking.kind != "page":
            return self._refusal(status, name, title, detail)
        face, nonce = self._face(room, asking), _nonce()
        page = self._pages.notice(
            name,
            face,
            message=room.message_in(face.language.code),
            here=asking.target,
            leave_url=leave_url,
            nonce=nonce,
        )
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

    def receipt(self, room: Room, key: str, made: Made, asking: Asking) -> Response:
        """The code by which another browser takes a place over."""
        url = f"{asking.client.scheme}://{asking.client.host}{_own(room.name, f'receipt/{made.code}', key=key)}"
        code = shown(made.code)
        if asking.kind != "page":
            return _json({"code": code, "url": url, "expires_ms": made.expires_ms})
        face, nonce = self._face(room, asking), _nonce()
        page = self._pages.receipt(face, code=code, qr_code=qr_code(url), minutes=VALID_S // 60, nonce=nonce)
        return _page(page, face, 200, nonce, asking)

    def take(self, room: Room, key: str, code: str, asking: Asking, *, has_place: bool) -> Response:
        """Asks whether the place of a code, or "" for one that is yet to be typed, is to be taken over here."""
        if asking.kind != "page":
            return _json({"code": shown(code) if code else None, "has_place": has_place})
        face, nonce = self._face(room, asking), _nonce()
        page = self._pages.take(
            face,
            code=shown(code) if code else "",
            take_url=_own(room.name, f"receipt/{code}", key=key) if code else _own(room.name, "receipt"),
            key=key,
            has_place=has_place,
            here="" if code else asking.target,  # the switch of languages would tell a code to the access log
            nonce=nonce,
        )
        return _page(page, face, 200, nonce, asking)

    def taken(self, here: str, asking: Asking) -> Response:
        """The place is here from now on: leads to where its visitor was; an app is told, too."""
        return see_other(here) if asking.kind == "page" else _json({"here": here})

    def not_moved(self, room: Room, key: str, not_now: NotNow, asking: Asking) -> Response:
        """There is no code, or no place was moved."""
        status, title, detail = NOT_MOVED[not_now.fault]
        if asking.kind != "page":
            return problem(status, not_now.fault, title, detail, not_now.retry_after_s)
        face, nonce = self._face(room, asking), _nonce()
        page = self._pages.not_moved(not_now.fault, face, take_url=_own(room.name, "receipt", key=key), nonce=nonce)
        retry = [] if not_now.retry_after_s is None else [_retry_after(not_now.retry_after_s)]
        return _page(page, face, status, nonce, asking).with_fields(retry)

    def _face(self, room: Room, asking: Asking) -> Face:
        language = self._languages.choose(asking.cookie(LANGUAGE), asking.manner.languages, room.language)
        known = self._faces.get((room.name, language.code))
        if known is None or known[0] is not room:
            known = self._faces[room.name, language.code] = room, Face(room.title, language, room.look)
        return known[1]


def see_other(here: str) -> Response:
    """Leads to a path of this site. What is no character of an address, a line break say, would end the field."""
    return Response(303, (("Location", quote(local(here), safe=string.punctuation)), NO_STORE))


@lru_cache(MOST_ADDRESSES)
def _own(room: str, about: str, **asked: str) -> str:
    """The address of something about the own place."""
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"/.waitroom/rooms/{room}/{about}{'?' if query else ''}{query}"


def problem(status: int, code: str, title: str, detail: str = "", retry_after_s: int | None = None) -> Response:
    """An error for programs (RFC 9457)."""
    body = {"status": status, "code": code, "title": title, "detail": detail}
    retry = () if retry_after_s is None else (_retry_after(retry_after_s),)
    return Response(status, (*PROBLEM_FIELDS, *retry), json.dumps(body).encode())


def _json(body: dict[str, object]) -> Response:
    return Response(200, JSON_FIELDS, json.dumps(body).encode())


def _language(room: Room, face: Face) -> str:
    """In which language a page asks for its place: that of the page, where the operator has a word in it."""
    return face.language.code if face.language.code in room.messages else ""


def _place_told(place: Place, terms: Terms, after_s: int) -> Response:
    """The waiting answer for an app."""
    fields = (*JSON_FIELDS, _retry_after(after_s), ("Content-Location", terms.ways.place_url))
    return Response(429, fields, place.to_json().encode())


def _page(page: Filled, face: Face, status: int, nonce: str, asking: Asking) -> Response:
    own = (("Content-Security-Policy", content_security_policy(nonce)),)
    if asking.manner.accepts_gzip:
        return Response(status, _page_fields(face.language.code, GZIP), page.gzipped(), own)
    return Response(status, _page_fields(face.language.code), page.plain(), own)


@lru_cache(MOST_FACES)
def _page_fields(language: str, *more: Field) -> tuple[Field, ...]:
    return (*PAGE_FIELDS, ("Content-Language", language), *more)


def _nonce() -> str:
    return secrets.token_urlsafe(NONCE_BYTES)


def _retry_after(after_s: int) -> Field:
    return "Retry-After", str(after_s)
