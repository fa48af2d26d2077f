"""One visitor of a rehearsal: comes by schedule, waits as the waiting page does, goes in, looks around, and leaves.
What it sees is noted in its row of the record."""

import asyncio
import json
import random
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from waitroom.cookies import ADMISSION
from waitroom.errors import MalformedTicketError
from waitroom.rehearsal.crowd import PATIENT, SPREAD, Crowd
from waitroom.rehearsal.record import FAILED, LEFT, NEVER, REFUSED, WAITS, WENT_IN, Record
from waitroom.rehearsal.site import Answer, AskError, Site
from waitroom.ticket import number_in

PAGE = b"Accept: text/html,application/xhtml+xml\r\nAccept-Encoding: gzip\r\nUser-Agent: waitroom-rehearsal\r\n"
POLL = b"Accept: application/json\r\nUser-Agent: waitroom-rehearsal\r\n"
# Who gets no answer to a page asks again so often, each time after twice as long (s).
TRIES = 5
RETRY_S = 1.0
LONGEST_RETRY_S = 30.0
# Who was not heard for this share of the presence window may have been passed over as absent.
SILENT = 0.8
# A place that is lost again and again: more than any lapse explains.
MOST_TURNS = 10


class Clock(Protocol):
    """Seconds since the beginning."""

    def __call__(self) -> float: ...


@dataclass(slots=True)
class Scene:
    """What all visitors of a rehearsal share. `page` is what they came for, `place` and `leave` are waitroom's paths
    for their line. `waiting`, `inside`, `entered` and `settled` (who waits no more, for whatever reason) count them as
    they see themselves."""

    site: Site
    crowd: Crowd
    record: Record
    page: str
    place: str
    leave: str
    now_s: Clock
    chance: random.Random
    presence_s: float
    waiting: int = 0
    inside: int = 0
    entered: int = 0
    settled: int = 0


class NotLetInError(Exception):
    """The visit is over before it went in."""


@dataclass(slots=True)
class Visitor:
    """The one with the index `i` in crowd and record."""

    scene: Scene
    i: int
    _cookies: dict[bytes, bytes] = field(default_factory=dict)
    _gives_up_s: float = PATIENT

    async def live(self) -> None:
        """The whole visit."""
        scene, fates = self.scene, self.scene.record.fates
        fates.arrived_s[self.i] = scene.crowd.arrives_s[self.i]
        try:
            await self._come_in()
        except NotLetInError:
            return
        finally:
            scene.settled += 1
        fates.entered_s[self.i] = scene.now_s()
        fates.number[self.i] = fates.number[self.i] or self._number()
        fates.fate[self.i] = WENT_IN
        scene.inside += 1
        scene.entered += 1
        try:
            await self._look_around()
            if not scene.crowd.lapses[self.i]:
                await self._leave()
        finally:
            scene.inside -= 1

    async def _come_in(self) -> None:
        """Returns once the site itself has answered. Raises NotLetInError."""
        due_s = self.scene.crowd.arrives_s[self.i]
        for _ in range(MOST_TURNS):
            answer = await self._page_at_last(due_s)
            if answer.is_sites:
                self._note_site(due_s, answer)
                return
            if self._ticket() is None:
                raise self._refused(f"refused with {answer.status}")
            await self._wait()
            due_s = self.scene.now_s()
        raise self._refused("never let in, though called")

    async def _page_at_last(self, due_s: float) -> Answer:
        """The page, at the latest after some tries. Raises NotLetInError."""
        for i in range(TRIES):
            if i:
                await asyncio.sleep(RETRY_S * 2**i)
            try:
                answer = await self._ask(b"GET", self.scene.page, PAGE)
            except AskError as exc:
                self.scene.record.errors[exc.kind] += 1
                continue
            if answer.status < 500 or answer.is_sites:
                return answer
            self._note_error(f"answered {answer.status}")
        self.scene.record.fates.fate[self.i] = FAILED
        raise NotLetInError

    async def _wait(self) -> None:
        """Polls until called, or until the place is gone. Raises NotLetInError where it loses patience for good."""
        scene = self.scene
        scene.record.fates.fate[self.i] = WAITS
        scene.waiting += 1
        try:
            while (place := await self._place_at_last())["state"] in ("waiting", "early"):
                await self._be_patient(place["poll_after_ms"] / 1000)
        finally:
            scene.waiting -= 1
        if place["state"] in ("closed", "revoked"):
            raise self._refused(f"told that the place is {place['state']}")

    async def _place_at_last(self) -> dict[str, Any]:
        """Polls until there is an answer, each time after twice as long."""
        for i in count():
            try:
                return await self._place()
            except AskError as exc:
                self.scene.record.errors[f"poll: {exc.kind}"] += 1
            await asyncio.sleep(min(LONGEST_RETRY_S, RETRY_S * 2 ** min(i, 10)))
        raise AssertionError("a visitor has all the time in the world")

    async def _place(self) -> dict[str, Any]:
        self.scene.record.polls += 1
        sent_s = self.scene.now_s()
        answer = await self._ask(b"GET", self.scene.place, POLL)
        if answer.status != 200:
            raise AskError(f"answered {answer.status}")
        place: dict[str, Any] = json.loads(answer.body)
        if place["state"] in ("waiting", "early"):
            self._note_place(sent_s, place)
        return place

    async def _be_patient(self, seconds: float) -> None:
        """Sleeps until the next poll. Who gives up meanwhile goes away, and comes back later or never."""
        scene, fates = self.scene, self.scene.record.fates
        left_s = self._gives_up_s - scene.now_s()
        if left_s > seconds:
            await asyncio.sleep(seconds)
            return
        await asyncio.sleep(max(0.0, left_s))
        fates.fate[self.i] = LEFT
        fates.was_away[self.i] = 1
        away_s = scene.crowd.away_s[self.i]
        if away_s == PATIENT:
            raise NotLetInError
        scene.waiting -= 1
        try:
            await asyncio.sleep(away_s)
        finally:
            scene.waiting += 1
        fates.fate[self.i] = WAITS
        self._gives_up_s = PATIENT

    def _note_place(self, sent_s: float, place: dict[str, Any]) -> None:
        fates, i = self.scene.record.fates, self.i
        if place["paused"] == "store_lost":  # it may have been called already: nobody can say
            return
        if fates.waiting_s[i] != NEVER and self.scene.now_s() - fates.waiting_s[i] > SILENT * self.scene.presence_s:
            fates.was_away[i] = 1
        fates.waiting_s[i] = sent_s
        if fates.present_s[i] == NEVER:
            fates.present_s[i] = self.scene.now_s()
            fates.number[i] = self._number()
        if place["wait_s"] and fates.told_high_s[i] == NEVER:
            fates.told_low_s[i], fates.told_high_s[i] = place["wait_s"]
            told_s = sum(place["wait_s"]) / 2
            self._gives_up_s = fates.arrived_s[i] + self.scene.crowd.patience[i] * told_s

    async def _look_around(self) -> None:
        """Asks the site again and again until the stay is over, or the place is lost."""
        scene = self.scene
        until_s = scene.now_s() + scene.crowd.stay_s[self.i]
        due_s = scene.now_s()
        while True:
            due_s += scene.crowd.habits.think_s * scene.chance.uniform(*SPREAD)
            if due_s >= until_s:
                await asyncio.sleep(max(0.0, until_s - scene.now_s()))
                return
            await asyncio.sleep(max(0.0, due_s - scene.now_s()))
            try:
                answer = await self._ask(b"GET", scene.page, PAGE)
            except AskError as exc:
                self._note_error(exc.kind)
                continue
            self._note_site(due_s, answer)
            if not answer.is_sites and answer.status < 500:
                scene.record.errors["lost the place while inside"] += 1
                return

    async def _leave(self) -> None:
        try:
            await self._ask(b"POST", self.scene.leave, PAGE + b"Content-Length: 0\r\n")
        except AskError as exc:
            self._note_error(f"on leaving: {exc.kind}")

    def _note_site(self, due_s: float, answer: Answer) -> None:
        """A request to the site, timed from when it was due."""
        record, now_s = self.scene.record, self.scene.now_s()
        record.requests += 1
        if answer.status >= 500:
            self._note_error(f"answered {answer.status}")
        else:
            at_s, took_s = record.origin_s
            at_s.append(now_s)
            took_s.append(now_s - due_s)

    def _note_error(self, kind: str) -> None:
        self.scene.record.errors[f"site: {kind}"] += 1

    def _refused(self, kind: str) -> NotLetInError:
        self.scene.record.errors[kind] += 1
        self.scene.record.fates.fate[self.i] = REFUSED
        return NotLetInError()

    async def _ask(self, method: bytes, target: str, fields: bytes) -> Answer:
        if self._cookies:
            fields += b"Cookie: " + b"; ".join(map(b"=".join, self._cookies.items())) + b"\r\n"
        answer = await self.scene.site.ask(method, target, fields)
        for set_cookie in answer.set_cookies:
            self._keep(set_cookie)
        return answer

    def _keep(self, set_cookie: bytes) -> None:
        """As a browser would (RFC 6265), for a site of one host and one path."""
        pair, _, attributes = set_cookie.partition(b";")
        name, _, value = pair.partition(b"=")
        if b"max-age=0" in attributes.lower():
            self._cookies.pop(name, None)
        else:
            self._cookies[name] = value

    def _ticket(self) -> bytes | None:
        """The name of its cookie."""
        own = (b"wr-", b"__Host-wr-")
        named = (name for name in self._cookies if name.startswith(own) and not name.endswith(ADMISSION.encode()))
        return next(named, None)

    def _number(self) -> int:
        """That of the ticket; 0 where it tells none."""
        name = self._ticket()
        try:
            return number_in(self._cookies[name].decode()) if name else 0
        except MalformedTicketError:
            return 0
