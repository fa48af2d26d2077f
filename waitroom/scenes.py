"""Every state of every page, as examples: what a look is tried with, and what operators are shown of it. Pure.

A scene has a name and a caption, and makes its page by given `Pages`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from waitroom.draw import Draw, commitment
from waitroom.pages import Face, Notice, Pages, Ways
from waitroom.place import DrawTold, Place
from waitroom.prepared import Filled
from waitroom.receipt import NotMoved, qr_code

HERE = "/flights?day=1"
RECEIPT_URL = "/.waitroom/rooms/site/receipt"
LEAVE_URL = "/.waitroom/rooms/site/leave"
WAYS = Ways("/.waitroom/rooms/site/place", "/.waitroom/rooms/site/extend", LEAVE_URL, RECEIPT_URL)
REFRESH_S = 17
OPENS_MS = 1_791_792_000_000
SEED = bytes(range(32))
SIZE = 10_000
ARRIVAL = 1_234
SEALED = DrawTold(commitment(SEED), SIZE, ARRIVAL)
DRAWN = replace(SEALED, seed=SEED.hex(), place=Draw(SEED, SIZE).place(ARRIVAL))
UNDRAWN = replace(SEALED, arrival=None)
LATE = replace(DRAWN, arrival=None, place=None)
KEPT_MS = OPENS_MS + 7 * 86_400_000
WAITING = Place(
    "waiting", poll_after_ms=5_000, position=1_204, waiting=5_310, wait_s=(13 * 60, 18 * 60), kept_until_ms=KEPT_MS
)
EARLY = Place(
    "early", poll_after_ms=5_000, waiting=5_310, opens_in_ms=754_000, opens_ms=OPENS_MS, kept_until_ms=KEPT_MS
)
CALLED = Place("called", poll_after_ms=1_000, claim_in_ms=48_000, can_extend=True, kept_until_ms=KEPT_MS)
CODE = "7K3M-Q9XD"
QR_CODE = qr_code("https://tickets.example/.waitroom/rooms/site/receipt/7K3MQ9XD")
MESSAGE = "Thank you for your patience. Tickets are sold until noon."

Make = Callable[[Pages, Face, str], Filled]


@dataclass(frozen=True, slots=True)
class Scene:
    """`make` takes the pages, whose face they have, and the nonce. `place` is what the page waits with, if it does, and
    `told` what it is told as it asks for news: another place, or "lost" where no answer comes."""

    caption: str
    make: Make
    place: Place | None = None
    told: Place | Literal["lost"] | None = None


def _waiting(caption: str, place: Place, told: Place | Literal["lost"] | None = None, *, is_new: bool = False) -> Scene:
    def make(pages: Pages, face: Face, nonce: str) -> Filled:
        return pages.waiting(place, face, WAYS, here=HERE, refresh_s=REFRESH_S, nonce=nonce, is_new=is_new)

    return Scene(caption, make, place, told)


def _closed(pages: Pages, face: Face, nonce: str, *, message: str = "") -> Filled:
    return pages.closed(face, message=message, here=HERE, nonce=nonce)


def _refused(pages: Pages, face: Face, nonce: str, *, is_full: bool) -> Filled:
    return pages.refused(face, retry_after_s=5, here=HERE, nonce=nonce, is_full=is_full)


def _failure(pages: Pages, face: Face, nonce: str, *, status: int) -> Filled:
    return pages.failure(status, face, request_id="7f3a-91c2", here=HERE, nonce=nonce)


def _notice(pages: Pages, face: Face, nonce: str, *, name: Notice, message: str = "") -> Filled:
    leave_url = LEAVE_URL if name == "moved" else ""
    return pages.notice(name, face, message=message, here=HERE, leave_url=leave_url, nonce=nonce)


def _receipt(pages: Pages, face: Face, nonce: str) -> Filled:
    return pages.receipt(face, code=CODE, qr_code=QR_CODE, minutes=10, nonce=nonce)


def _take(pages: Pages, face: Face, nonce: str, *, code: str = "", has_place: bool = False) -> Filled:
    return pages.take(face, code=code, take_url=RECEIPT_URL, key="summer", has_place=has_place, here=HERE, nonce=nonce)


def _not_moved(pages: Pages, face: Face, nonce: str, *, name: NotMoved) -> Filled:
    return pages.not_moved(name, face, take_url=RECEIPT_URL, nonce=nonce)


def _left(pages: Pages, face: Face, nonce: str) -> Filled:
    return pages.left(face, nonce=nonce)


SCENES: dict[str, Scene] = {
    "waiting": _waiting("Waiting", WAITING),
    "message": _waiting("With a word of the organiser", replace(WAITING, message=MESSAGE)),
    "begun": _waiting("The time is not known yet", replace(WAITING, wait_s=None)),
    "counted": _waiting("The position is not known yet", Place("waiting", poll_after_ms=1_000)),
    "blocked": _waiting("Cookies are blocked", WAITING, Place("none", poll_after_ms=5_000), is_new=True),
    "offline": _waiting("The connection is lost", WAITING, "lost"),
    "late": _waiting("Late", replace(WAITING, position=3, wait_s=(0, 60), is_late=True)),
    "called": _waiting("Called, while nobody looks", WAITING, CALLED),
    "going": _waiting("Called, and going in", CALLED),
    "hold": _waiting("On hold", replace(WAITING, wait_s=None, paused="hold")),
    "origin": _waiting("The site is down", replace(WAITING, wait_s=None, paused="origin")),
    "lost": _waiting("The store is lost", replace(WAITING, wait_s=None, paused="store_lost")),
    "early": _waiting("Early", EARLY),
    "early-draw": _waiting("Early, with a draw", replace(EARLY, draw=SEALED, message=MESSAGE)),
    "early-full": _waiting("Early, behind a draw that is full", replace(EARLY, draw=UNDRAWN)),
    "drawn": _waiting("After the draw", replace(WAITING, draw=DRAWN)),
    "undrawn": _waiting("After the draw, who came later", replace(WAITING, draw=LATE)),
    "closed": Scene("Closed", _closed),
    "closed-message": Scene("Closed, with a word of the organiser", partial(_closed, message=MESSAGE)),
    "refused": Scene("No place can be given", partial(_refused, is_full=False)),
    "full": Scene("Too many lines", partial(_refused, is_full=True)),
    "no-identity": Scene("Not signed in", partial(_notice, name="no_identity")),
    "revoked": Scene("Revoked", partial(_notice, name="revoked", message=MESSAGE)),
    "void": Scene("The line was started anew", partial(_notice, name="void")),
    "failure-502": Scene("The site does not answer", partial(_failure, status=502)),
    "failure-503": Scene("The site is busy", partial(_failure, status=503)),
    "failure-504": Scene("The site is slow", partial(_failure, status=504)),
    "left": Scene("Left", _left),
    "moved": Scene("Moved to another browser", partial(_notice, name="moved")),
    "receipt": Scene("A code for another device", _receipt),
    "take": Scene("Taking a place over", partial(_take, code=CODE)),
    "take-other": Scene("Taking one over, and giving one up", partial(_take, code=CODE, has_place=True)),
    "type-code": Scene("Typing a code", _take),
    "wrong-code": Scene("A wrong code", partial(_not_moved, name="wrong_code")),
    "locked": Scene("Too many wrong codes", partial(_not_moved, name="locked")),
    "used-up": Scene("A place that was used meanwhile", partial(_not_moved, name="used_up")),
    "no-place": Scene("No place to move", partial(_not_moved, name="no_place_to_move")),
    "one-per-person": Scene("A place of a person", partial(_not_moved, name="one_per_person")),
    "too-often": Scene("Too many codes", partial(_not_moved, name="too_often")),
    "too-many-receipts": Scene("Too many receipts", partial(_not_moved, name="too_many_receipts")),
    "from-elsewhere": Scene("Sent by another site", partial(_not_moved, name="from_elsewhere")),
}
