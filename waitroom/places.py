"""What a visitor asks of waitroom about the own place: where it stands, what is drawn, for more time, to leave, and to
move it elsewhere. All of a crowd asks this again and again: it is answered without Redis, from what is known here,
wherever that can be."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal
from urllib.parse import parse_qs, unquote

from waitroom.answers import JSON_FIELDS, Answers, problem, see_other
from waitroom.asking import Asking
from waitroom.cookies import admission_names, ticket_names
from waitroom.cors import shared
from waitroom.errors import StoreLostError
from waitroom.exchange import start_of
from waitroom.judge import Judge, Say
from waitroom.moving import Moving
from waitroom.outlooks import Outlooks
from waitroom.papers import Papers
from waitroom.place import Place
from waitroom.reception import Reception
from waitroom.response import Response
from waitroom.rooms import OWN_PREFIX, Room, Rooms
from waitroom.statuses import Statuses
from waitroom.ticket import Ticket
from waitroom.wire.cookies import cookie
from waitroom.wire.heads import RequestHead

PREFIX = f"{OWN_PREFIX}rooms/".encode()
METHODS = {
    "place": (b"GET", b"HEAD"),
    "number": (b"GET", b"HEAD"),
    "status": (b"GET", b"HEAD"),
    "draw": (b"GET", b"HEAD"),
    "extend": (b"POST",),
    "leave": (b"POST",),
    "receipt": (b"GET", b"HEAD", b"POST"),
}
MOST_QUESTIONS = 4096
NOT_READY_S = 5
POLLED = Response(200, JSON_FIELDS)
About = Literal["place", "number", "status", "draw", "extend", "leave", "receipt"]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about which line. The names of the cookies by which the visitor is known are those over plain HTTP,
    and over HTTPS. `code` is of a receipt, and `here` the path that the visitor came from; both as sent. `message` is
    what the operator says, in the language that is asked for."""

    room: Room
    key: str
    about: About
    ticket_names: tuple[bytes, bytes]
    admission_names: tuple[bytes, bytes]
    code: str = ""
    here: str = ""
    message: str = ""

    @property
    def target(self) -> bytes:
        """As it may be written down: whoever reads logs could be faster than who was given the code."""
        return PREFIX + f"{self.room.name}/{self.about}{'/-' if self.code else ''}".encode()

    def told(self, place: Place) -> Place:
        """The place, with what the operator says in the language that is asked for."""
        if place.message:
            place.message = self.message
        return place


class Poll:
    """A question for a place by who brings a ticket of ours, and no admission. It follows from the bytes of a request
    alone, and lives as long as the same come again and the same rooms are in force; what becomes of the ticket's place
    does not. `start` is that of each answer; with `is_numbered` it tells the number, too."""

    __slots__ = ("is_numbered", "key", "message", "room", "start", "ticket")

    def __init__(self, question: Question, ticket: Ticket, start: bytes) -> None:
        self.room = question.room
        self.key = question.key
        self.is_numbered = question.about == "number"
        self.message = question.message
        self.ticket = ticket
        self.start = start


@dataclass(frozen=True, slots=True)
class Told:
    """What anybody is told who asks so: what may be asked, or that it makes no sense. `room` is None where there is
    none of that name."""

    room: Room | None
    response: Response


class Places:
    """Answers under /.waitroom/rooms/."""

    def __init__(
        self,
        reception: Reception,
        outlooks: Outlooks,
        judge: Judge,
        papers: Papers,
        answers: Answers,
        moving: Moving,
        statuses: Statuses,
    ) -> None:
        self._reception = reception
        self._outlooks = outlooks
        self._judge = judge
        self._papers = papers
        self._answers = answers
        self._moving = moving
        self._statuses = statuses
        # What a target under PREFIX asks: a crowd asks the same.
        self.read = lru_cache(MOST_QUESTIONS)(self._read)

    def poll(self, question: Question, head: RequestHead, *, secure: bool) -> Poll | None:
        """The poll that a question is, for who asks it so; None where it is another question, or more must be read."""
        room, block = question.room, head.block
        if question.about not in ("place", "number") or room.identity:
            return None
        if cookie(block, question.admission_names[secure]):
            return None
        ticket = self._reception.signed(cookie(block, question.ticket_names[secure]))
        return Poll(question, ticket, _start(room, head)) if ticket else None

    def at_once(self, poll: Poll) -> bytes | None:
        """The place of who waits, where it is known here; None where Redis must be asked."""
        told = self._reception.told_at_once(poll.room, poll.key, poll.ticket, poll.message)
        return self._numbered(poll.room, poll.key, told, poll.ticket, "") if told and poll.is_numbered else told

    def status(self, question: Question, head: RequestHead) -> Response | None:
        """The public status of a line, which is the same for all who ask; None where this process does not have it."""
        known = b",".join(head.looked.get(b"if-none-match", ())).decode("latin-1")
        return self._statuses.answer(question.room, question.key, question.message, known)

    async def answer(self, question: Question, asking: Asking) -> Say:
        """Answers, whatever it takes."""
        room, key = question.room, question.key
        match question.about:
            case "place":
                place = await self._reception.place(room, self._judge.visit(room, key, asking))
                return Say("poll", self._answers.place(question.told(place)))
            case "number":
                visit = self._judge.visit(room, key, asking)
                response = self._answers.place(question.told(await self._reception.place(room, visit)))
                ticket = self._reception.signed(visit.ticket)
                body = self._numbered(room, key, response.body, ticket, visit.identity)
                return Say("poll", response._replace(body=body))
            case "status":
                return Say("status", problem(503, "not_ready", "Not ready", "Nobody waits here now.", NOT_READY_S))
            case "draw":
                told = self._outlooks.draw(room, key)
                if told is None:
                    return Say("draw", problem(404, "no_draw", "No draw here", f"{room.title} draws no places."))
                return Say("draw", self._answers.draw(told))
            case "extend":
                return await self._extend(question, asking)
            case "leave":
                return await self._leave(question, asking)
            case "receipt":
                return await self._moving.answer(room, key, question.code, question.here, asking)

    def _read(self, rooms: Rooms, method: bytes, target: bytes) -> Question | Told:
        path, _, query = target.partition(b"?")
        name, _, what = path[len(PREFIX) :].decode("latin-1").partition("/")
        name = unquote(name)
        about, _, code = what.partition("/")
        asked = {field: texts[0] for field, texts in parse_qs(query.decode("latin-1")).items()} if query else {}
        key = asked.get("key", "")
        room = rooms.named(name)
        if room is None:
            return Told(None, problem(404, "no_room", "No such room", f"There is no room {name!r}."))
        if not room.has_key(key):
            return Told(room, problem(404, "no_line", "No such line", f"Room {name!r} has no line of key {key!r}."))
        match about:
            case "number" | "status" if not room.status_s:
                return Told(room, problem(404, "no_status", "No status here", f"Room {name!r} has no public status."))
            case "place" | "number" | "status" | "draw" | "extend" | "leave" | "receipt" if about in ("receipt", what):
                if method in METHODS[about]:
                    names = ticket_names(room.name, key), admission_names(room.name, key)
                    code, language = unquote(code) or asked.get("code", ""), asked.get("language", "")
                    return Question(room, key, about, *names, code, asked.get("here", ""), room.message_in(language))
                return Told(room, _methods_told(method, b", ".join(METHODS[about]).decode()))
            case _:
                detail = f"Waitroom has nothing at {path.decode('latin-1')}."
                return Told(room, problem(404, "not_found", "Not found", detail))

    def _numbered(self, room: Room, key: str, place: bytes, ticket: Ticket | None, identity: str) -> bytes:
        """The place with what it takes to work it out from the status from now on."""
        number = self._reception.told_number(room, key, ticket, identity) if ticket else None
        return self._statuses.clue(room, key, number).beside(place)

    async def _extend(self, question: Question, asking: Asking) -> Say:
        room = question.room
        try:
            place = await self._reception.extend(room, self._judge.visit(room, question.key, asking))
        except StoreLostError:
            return self._store_lost(room, asking)
        return Say("extend", self._answers.extended(question.told(place), asking))

    async def _leave(self, question: Question, asking: Asking) -> Say:
        """Who has left nothing but the ticket of a place that was moved is led back to where it was, to join anew."""
        room, key = question.room, question.key
        try:
            await self._reception.release(room, self._judge.visit(room, key, asking))
        except StoreLostError:
            return self._store_lost(room, asking)
        cookies = self._papers.removed(room, key, secure=asking.client.is_secure)
        if question.here and asking.kind == "page":
            return Say("leave", see_other(question.here), cookies)
        return Say("leave", self._answers.left(room, asking), cookies)

    def _store_lost(self, room: Room, asking: Asking) -> Say:
        """The page that says so comes back by itself, with a GET: not to what only a POST may ask."""
        return Say("refuse", self._answers.store_lost(room, replace(asking, target="/")))


def _start(room: Room, head: RequestHead) -> bytes:
    """How the answer to a poll begins."""
    return start_of(*shared(POLLED, room.cors_origins, head)[:2])


def _methods_told(method: bytes, allowed: str) -> Response:
    """What methods there are: to who asks for that, and to who has used another."""
    told = Response(204, ()) if method == b"OPTIONS" else problem(405, "bad_method", "Not so", f"Ask with {allowed}.")
    return told.with_fields([("Allow", allowed)])
