"""What a visitor asks to move its place to another browser: a receipt, what to do with a code, and the move itself.

Nothing moves by a GET, since links are looked at ahead of their readers; and nothing at the wish of another site, which
could take a visitor's place away by giving it one.
"""

from urllib.parse import urlsplit

from waitroom.answers import Answers
from waitroom.asking import Asking
from waitroom.errors import StoreLostError
from waitroom.headers import values
from waitroom.judge import Judge, Say
from waitroom.receipt import Made, NotNow, Taken, read_code
from waitroom.receipts import Receipts
from waitroom.reception import Reception
from waitroom.rooms import Room

HOLDING = ("early", "waiting", "called", "inside")
# Of the path that a place leads to: any browser asks for as much.
LONGEST_PATH = 2000


class Moving:
    """Answers under /.waitroom/rooms/{room}/receipt."""

    def __init__(self, receipts: Receipts, reception: Reception, judge: Judge, answers: Answers) -> None:
        self._receipts = receipts
        self._reception = reception
        self._judge = judge
        self._answers = answers

    async def answer(self, room: Room, key: str, code: str, here: str, asking: Asking) -> Say:
        """`code` is as it was sent, "" for none; `here` the path to which the place leads."""
        if room.identity:
            return self._refused(room, key, asking, NotNow("one_per_person"))
        if asking.method != "POST":
            return await self._asked(room, key, code, asking)
        if not is_own(asking, room.cors_origins):
            return self._refused(room, key, asking, NotNow("from_elsewhere"))
        try:
            if code:
                return await self._redeemed(room, key, code, asking)
            return await self._made(room, key, here, asking)
        except StoreLostError:
            return Say("refuse", self._answers.store_lost(room, asking))

    async def _asked(self, room: Room, key: str, text: str, asking: Asking) -> Say:
        """Whether the code is good is told to who redeems it, and counted then."""
        code = read_code(text)
        if text and not code:
            return self._refused(room, key, asking, NotNow("wrong_code"))
        place = await self._reception.place(room, self._judge.visit(room, key, asking))
        return Say("answer", self._answers.take(room, key, code, asking, has_place=place.state in HOLDING))

    async def _made(self, room: Room, key: str, here: str, asking: Asking) -> Say:
        path = here if here and len(here) <= LONGEST_PATH else "/"
        match await self._receipts.make(room, self._judge.visit(room, key, asking), path):
            case Made() as made:
                return Say("receipt", self._answers.receipt(room, key, made, asking))
            case NotNow() as not_now:
                return self._refused(room, key, asking, not_now)

    async def _redeemed(self, room: Room, key: str, text: str, asking: Asking) -> Say:
        code, visit = read_code(text), self._judge.visit(room, key, asking)
        if not code:
            return self._refused(room, key, asking, NotNow("wrong_code"))
        match await self._receipts.redeem(room, visit, code, asking.client.address):
            case Taken(ticket, here):
                cookies = self._judge.moved_cookies(room, key, asking, ticket)
                return Say("move", self._answers.taken(here, asking), cookies)
            case NotNow() as not_now:
                return self._refused(room, key, asking, not_now)

    def _refused(self, room: Room, key: str, asking: Asking, not_now: NotNow) -> Say:
        return Say("no_move", self._answers.not_moved(room, key, not_now, asking))


def is_own(asking: Asking, trusted: tuple[str, ...]) -> bool:
    """Whether a request comes from a page of this or a trusted origin, or from no page at all: by Fetch Metadata, and
    by Origin (RFC 6454) from browsers that lack it."""
    origins = values(asking.fields, "origin")
    if origins and all(origin in trusted for origin in origins):
        return True
    site = "".join(values(asking.fields, "sec-fetch-site"))
    if site:
        return site in ("same-origin", "none")
    return all(urlsplit(origin).netloc.lower() == asking.client.host.lower() for origin in origins)
