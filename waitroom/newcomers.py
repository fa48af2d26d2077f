"""Newcomers: who asks for a line for the first time, and brings nothing. Of a stampede that is nearly everybody.

What becomes of such a request follows from the line alone, and most who come are given a number behind others. All that
the line gives a number at once are answered together, in one turn of the event loop and without a task for each; where
it is otherwise, the request goes the way of all others, with the number that was given.
"""

import asyncio
import logging
import os
import random
from collections.abc import Callable
from typing import Protocol

from waitroom.answers import Answers, Terms
from waitroom.asking import manner_of
from waitroom.asking import read as read_asking
from waitroom.cookies import ticket_cookie
from waitroom.exchange import Asker, Exchange
from waitroom.judge import Say
from waitroom.line import Joined, Line
from waitroom.lines import Lines
from waitroom.outlooks import Outlooks
from waitroom.papers import Papers
from waitroom.place import Outlook
from waitroom.rooms import Room, Route
from waitroom.ticket import VISITOR_BYTES, Ticket, url_safe

log = logging.getLogger(__name__)

# The target, the kind of answer, whether as gzip, and in which languages.
Kind = tuple[bytes, str, bool, str]

# Browsers ask in a few ways.
MOST_KINDS = 1024
# So many are worked out before they are sent: what the caches hold of their pages.
BATCH = 64
# Random text for each: a visitor's id, and behind it a nonce, both without padding.
NONCE_BYTES = 18
VISITOR_CHARS = VISITOR_BYTES * 4 // 3


class Newcomer:
    """A request of one who brings no cookie, as all of its kind make it; `cookie` is the name of the ticket's."""

    __slots__ = ("cookie", "key", "room", "route", "secure", "terms")

    def __init__(self, room: Room, key: str, route: Route, terms: Terms, *, secure: bool) -> None:
        self.room = room
        self.key = key
        self.route = route
        self.terms = terms
        self.secure = secure
        self.cookie = ticket_cookie(room.name, key, secure=secure)


class Hall(Protocol):
    """Where newcomers stand: says to them what they are told, and has those judged of whom there is more to find out:
    anew, or by the place that they were given."""

    def say_in(self, room: Room | None, exchange: Exchange, say: Say) -> None: ...
    def judge(self, exchange: Exchange, newcomer: Newcomer, joined: Joined | None) -> None: ...
    def break_down(self, exchange: Exchange) -> None: ...


class Arrival:
    """A newcomer who waits for a number. `text` is random, and `say` the answer once it is worked out."""

    __slots__ = ("exchange", "hall", "joined", "line", "newcomer", "newcomers", "say", "text")

    def __init__(self, newcomers: "Newcomers", line: Line, exchange: Exchange, newcomer: Newcomer, hall: Hall) -> None:
        self.newcomers = newcomers
        self.line = line
        self.exchange = exchange
        self.newcomer = newcomer
        self.hall = hall
        self.joined: Joined | None = None
        self.text = ""
        self.say: Say | None = None

    def take(self, result: Joined | None) -> None:
        self.joined = result
        self.newcomers.given(self)

    def fail(self, error: Exception) -> None:  # who judges anew meets it again
        if not self.exchange.is_over:
            self.hall.judge(self.exchange, self.newcomer, None)


class Newcomers:
    """Meets newcomers. `now_s` is this process's clock, in seconds since 1970."""

    def __init__(
        self, lines: Lines, outlooks: Outlooks, papers: Papers, answers: Answers, now_s: Callable[[], float]
    ) -> None:
        self._lines = lines
        self._outlooks = outlooks
        self._papers = papers
        self._answers = answers
        self._now_s = now_s
        self._kinds: dict[Kind, Newcomer] = {}
        self._given: list[Arrival] = []

    def read(self, exchange: Exchange, route: Route, asker: Asker) -> Newcomer | None:
        """The newcomer behind a request; None where it brings something, or can't be given a place so."""
        head, room = exchange.head, route.room
        if room is None or route.key is None or room.identity or head.method != b"GET" or b"cookie" in head.looked:
            return None
        manner = manner_of(head.block)
        if not manner.joins or manner.engine:
            return None
        kind = head.target, manner.kind, manner.accepts_gzip, manner.languages
        known = self._kinds.get(kind)
        if known and known.route is route and known.secure == asker.is_secure:
            return known
        if len(self._kinds) >= MOST_KINDS:
            self._kinds.clear()
        target = exchange.target.raw.decode("latin-1")
        asking = read_asking("GET", target, head.block, client=asker.client, request_id="")
        terms = self._answers.terms(room, route.key, asking)
        newcomer = self._kinds[kind] = Newcomer(room, route.key, route, terms, secure=asker.is_secure)
        return newcomer

    def meet(self, exchange: Exchange, newcomer: Newcomer, hall: Hall) -> bool:
        """Has the newcomer given a number, and told so; False where more is to be found out before that."""
        line = self._lines.awake(newcomer.room, newcomer.key)
        if line is None or self._lines.is_lost(line) or not self._outlooks.of(newcomer.room, line).can_tell:
            return False
        line.join.ask("", Arrival(self, line, exchange, newcomer, hall))
        return True

    def given(self, arrival: Arrival) -> None:
        """One of several has its number: they are answered behind each other, once all have theirs."""
        if not self._given:
            asyncio.get_running_loop().call_soon(self._answer)
        self._given.append(arrival)

    def _answer(self) -> None:
        given, self._given = self._given, []
        for start in range(0, len(given), BATCH):
            self._answer_batch(given[start : start + BATCH])

    def _answer_batch(self, given: list[Arrival]) -> None:
        """Works all answers out, and then sends them: each of the two goes faster by itself."""
        size = VISITOR_BYTES + NONCE_BYTES
        random_bytes = os.urandom(size * len(given))
        for at, arrival in enumerate(given):
            arrival.text = url_safe(random_bytes[at * size : (at + 1) * size]).decode()
            _do(self._work_out, arrival)
        for arrival in given:
            _do(_send, arrival)

    def _work_out(self, arrival: Arrival) -> None:
        """What is said to who has a place behind others; anybody else is judged first."""
        joined, line, newcomer = arrival.joined, arrival.line, arrival.newcomer
        outlook = self._outlooks.of(newcomer.room, line)
        if joined is None or not _waits(joined, line, outlook):
            arrival.hall.judge(arrival.exchange, newcomer, joined)
            return
        now_s, text = int(self._now_s()), arrival.text
        place = outlook.newcomer(joined.number, now_s, random.random())
        ticket = Ticket(line.name, joined.epoch, joined.number, now_s, text[:VISITOR_CHARS])
        response = self._answers.newcomer(place, newcomer.terms, text[VISITOR_CHARS:])
        cookie = self._papers.ticket_in(newcomer.cookie, ticket, secure=newcomer.secure)
        arrival.say = Say("wait", response, [cookie])


def _send(arrival: Arrival) -> None:
    if arrival.say:
        arrival.hall.say_in(arrival.newcomer.room, arrival.exchange, arrival.say)


def _do(step: Callable[[Arrival], None], arrival: Arrival) -> None:
    """One step for one of a batch: who has gone meanwhile needs none, and a fault keeps nobody else from the answer."""
    if arrival.exchange.is_over:
        return
    try:
        step(arrival)
    except Exception:
        log.exception("a request could not be answered (request %s)", arrival.exchange.request_id.decode())
        arrival.hall.break_down(arrival.exchange)


def _waits(joined: Joined, line: Line, outlook: Outlook) -> bool:
    """Whether a place is one behind others, and that can be told."""
    is_behind = joined.is_new and joined.arrival is None and joined.lease_end_ms is None
    return is_behind and outlook.can_tell and line.standing(joined.number) is not None
