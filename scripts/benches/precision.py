"""How exactly rate and cap are kept, and how much of them is used, by four processes and a crowd of which three in ten
vanish without a word.

Two rooms open at the same moment, to people who have gathered: in one the rate bounds how many come in, in the other
the cap. Visitors poll and come as they are told, by connections that spread over the four. What happened is read from
Redis's own append-only file, change by change, and held against what the visitors saw.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import click
from redis import Redis

from scripts.benches import append_only
from scripts.benches.kept_connections import PAGE, KeptConnections, cookie_field, cookies_of, request_of
from scripts.benches.overshoot import most_at_once, most_over_rate, shared
from scripts.benches.servers import Contenders
from scripts.benches.vanishing import Design, Member, Terms, crowd, played
from waitroom.ticket import number_in

VANISHING = 0.3
# People have waited so long already when a line opens. Who vanished in that time is absent from the start.
GATHERED_MS = 120_000
# From the start of the processes to the opening: until then everybody has joined, and polled.
OPENS_AFTER_S = 20
CONNECTIONS = 96
TIMEOUT_S = 60.0
CONFIG = """
version = 1
[server]
listen = ["127.0.0.1:{port}"]
workers = 4
state = "{folder}"
[admin]
listen = "127.0.0.1:{admin}"
[store]
url = "{redis}"
timeout_ms = 5000
[[rooms]]
name = "rate"
paths = ["/rate/*"]
origins = ["http://127.0.0.1:{origin}"]
opens_at = {opens_at}
{rate}
[[rooms]]
name = "cap"
paths = ["/cap/*"]
origins = ["http://127.0.0.1:{origin}"]
opens_at = {opens_at}
{cap}
"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A room and its crowd, of whom so many have joined; on average they are called `turn_ms` after the opening."""

    terms: Terms
    members: int
    turn_ms: float
    stay_ms: tuple[float, float]
    leaves: bool

    def lines(self) -> str:
        """In the configuration."""
        terms = self.terms
        return "\n".join([
            f"rate_per_minute = {terms.rate_per_minute}",
            f"burst = {terms.burst}",
            f"cap = {terms.cap}",
            f"claim_s = {terms.claim_ms // 1000}",
            f"presence_s = {terms.presence_ms // 1000}",
            f"session_s = {terms.session_ms // 1000}",
        ])  # fmt: skip

    def crowd(self, seed: int) -> list[Member]:
        return crowd(self.members, GATHERED_MS, self.turn_ms, VANISHING, self.stay_ms, seed)


BOUND_BY_RATE = Scenario(
    Terms(rate_per_minute=2_400, burst=41, cap=100_000, claim_ms=5_000, presence_ms=5_000, session_ms=60_000),
    members=2_700, turn_ms=17_000, stay_ms=(0, 0), leaves=False,
)  # fmt: skip
BOUND_BY_CAP = Scenario(
    Terms(rate_per_minute=60_000, burst=1_001, cap=300, claim_ms=5_000, presence_ms=5_000, session_ms=60_000),
    members=1_600, turn_ms=12_000, stay_ms=(10_000, 30_000), leaves=True,
)  # fmt: skip
SCENARIOS = {"rate": BOUND_BY_RATE, "cap": BOUND_BY_CAP}
OTHERS = {
    "a sorted set, called by a timer": Design(sees_ms=None, holds_ms=60_000),
    "the same with heartbeats and claim windows": Design(sees_ms=5_000, holds_ms=5_000),
    "a counter for each minute": Design(sees_ms=5_000, holds_ms=5_000, window_ms=60_000),
}


@dataclass(slots=True)
class Visit:
    """What a visitor saw, in ms since 1970; 0 where it did not come to that. It held the place from `in_ms` to
    `left_ms` for certain."""

    number: int = 0
    in_ms: float = 0
    left_ms: float = 0
    given_back_ms: float = 0


@dataclass(frozen=True, slots=True)
class Kept:
    """How a room's bounds were kept, and used. `over_rate` and `over_cap` are by how many calls, and visitors inside,
    they were exceeded at most in any interval (0 or less: they were not); `seen` is the most whom visitors saw to be
    inside at a time. Of what its bound allowed, `used` was used by who came, and `in_vain` by who did not. `vanished`
    is the share of those whose turn came, and who had vanished."""

    over_rate: float
    over_cap: int
    seen: int
    calls: int
    used: float
    in_vain: float
    vanished: float


class Crowd:
    """Lives the visitors of one room."""

    def __init__(self, room: str, scenario: Scenario, members: Sequence[Member], by: KeptConnections) -> None:
        self.visits = [Visit() for _ in members]
        self._room = room
        self._scenario = scenario
        self._members = members
        self._by = by
        self._cookies: list[dict[str, str]] = [{} for _ in members]
        self._chance = Random(len(members))

    async def join(self) -> None:
        """All, in their order."""
        for start in range(0, len(self._members), CONNECTIONS):
            indices = range(start, min(start + CONNECTIONS, len(self._members)))
            await asyncio.gather(*(self._look(index) for index in indices))
        for visit, cookies in zip(self.visits, self._cookies, strict=True):
            visit.number = number_in(cookies[f"wr-{self._room}"])

    async def live(self, opens_ms: float, until_ms: float) -> None:
        """From then on they poll, until they are in or gone."""
        async with asyncio.TaskGroup() as group:
            for index, member in enumerate(self._members):
                if opens_ms + member.gone_ms > now_ms():
                    group.create_task(self._live(index, opens_ms + member.gone_ms, until_ms))

    async def _live(self, index: int, gone_ms: float, until_ms: float) -> None:
        visit, ends_ms = self.visits[index], min(gone_ms, until_ms)
        await asyncio.sleep(self._chance.random())
        while now_ms() < ends_ms:
            place = await self._place(index)
            if place["state"] == "called" and now_ms() < gone_ms:
                await self._go_in(index)
                break
            await asyncio.sleep(max(0.0, min(int(place["poll_after_ms"]), ends_ms - now_ms())) / 1000)
        if visit.in_ms and self._scenario.leaves:
            await asyncio.sleep(max(0.0, min(self._members[index].stay_ms, until_ms - now_ms())) / 1000)
            await self._leave(index)

    async def _look(self, index: int) -> None:
        """At the page: what it sets is kept."""
        field = cookie_field(self._cookies[index])
        reply = await self._by.ask(request_of(index, f"/{self._room}/", field, kind=PAGE))
        if reply.status != 200:
            raise click.ClickException(f"room {self._room} answers {reply.status}: {reply.body.decode()}")
        self._cookies[index] |= cookies_of(reply)

    async def _place(self, index: int) -> dict[str, object]:
        field = cookie_field(self._cookies[index])
        reply = await self._by.ask(request_of(index, f"/.waitroom/rooms/{self._room}/place", field))
        place: dict[str, object] = json.loads(reply.body)
        return place

    async def _go_in(self, index: int) -> None:
        await self._look(index)
        if f"wr-{self._room}.admission" in self._cookies[index]:
            self.visits[index].in_ms = now_ms()

    async def _leave(self, index: int) -> None:
        visit, field = self.visits[index], cookie_field(self._cookies[index])
        visit.left_ms = now_ms()
        reply = await self._by.ask(request_of(index, f"/.waitroom/rooms/{self._room}/leave", field, method="POST"))
        if reply.status != 200:
            raise click.ClickException(f"who leaves room {self._room} is answered {reply.status}")
        visit.given_back_ms = now_ms()


def now_ms() -> float:
    """By the clock that Redis has, too."""
    return time.time() * 1000


async def lived(seed: int, seconds: int) -> dict[str, Kept]:
    """Opens both rooms, and tells how each was kept in so many seconds from then on."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="waitroom-precision-")))
        contenders = stack.enter_context(Contenders(folder))
        url, origin = contenders.redis(), contenders.origin().port
        redis = stack.enter_context(Redis.from_url(url))
        redis.config_set("auto-aof-rewrite-percentage", 0)  # what was written stays as it was written
        opens_s = int(time.time()) + OPENS_AFTER_S
        opens_at = datetime.fromtimestamp(opens_s, UTC).isoformat()
        lines = {room: scenario.lines() for room, scenario in SCENARIOS.items()}
        server = contenders.configured(CONFIG, redis=url, origin=origin, opens_at=opens_at, **lines)
        by = KeptConnections(server.port)
        try:
            await by.open(CONNECTIONS)
            crowds = {room: Crowd(room, one, one.crowd(seed), by) for room, one in SCENARIOS.items()}
            for crowd_of in crowds.values():
                await crowd_of.join()
            # Who was called in the last moments that are looked at still has the time to come.
            until_ms = (opens_s + seconds) * 1000 + max(one.terms.claim_ms for one in SCENARIOS.values())
            if now_ms() > opens_s * 1000 - BOUND_BY_CAP.terms.presence_ms:
                raise click.ClickException(f"the crowd took too long to join: {OPENS_AFTER_S} s are too few here")
            async with asyncio.timeout(until_ms / 1000 - time.time() + TIMEOUT_S), asyncio.TaskGroup() as group:
                for crowd_of in crowds.values():
                    group.create_task(crowd_of.live(opens_s * 1000, until_ms))
        finally:
            by.close()
        redis.ping()  # all that came before is written then
        told = list(append_only.commands(append_only.read(folder / "redis")))
        return {room: judged(room, told, crowd_of.visits, opens_s * 1000, seconds) for room, crowd_of in crowds.items()}


def judged(room: str, told: Sequence[list[bytes]], visits: Sequence[Visit], opens_ms: float, seconds: float) -> Kept:
    """By what Redis wrote, and what visitors saw."""
    scenario = SCENARIOS[room]
    terms, story = scenario.terms, append_only.written(told, room, scenario.terms.claim_ms, scenario.terms.cap)
    ends_ms, by_number = opens_ms + seconds * 1000, {visit.number: visit for visit in visits}
    calls = [(by_number[number], at_ms) for number, at_ms in story.calls if at_ms <= ends_ms]
    came = [(visit, at_ms) for visit, at_ms in calls if visit.in_ms]
    vain = [at_ms for visit, at_ms in calls if not visit.in_ms]
    if scenario.leaves:
        starts_ms = ends_ms if story.full_ms is None else story.full_ms
        allowed = terms.cap * (ends_ms - starts_ms)
        used = shared(((at_ms, visit.given_back_ms) for visit, at_ms in came), starts_ms, ends_ms)
        in_vain = shared(((at_ms, at_ms + terms.claim_ms) for at_ms in vain), starts_ms, ends_ms)
    else:
        allowed = terms.burst + terms.rate_per_minute * seconds / 60
        used, in_vain = len(came), len(vain)
    numbers = sorted(by_number)
    passed = numbers.index(max(visit.number for visit, _ in calls)) + 1
    return Kept(
        over_rate=most_over_rate([at_ms for _, at_ms in story.calls], terms.rate_per_minute, terms.burst),
        over_cap=story.most_inside - terms.cap,
        seen=most_at_once((visit.in_ms, visit.left_ms) for visit in visits if visit.in_ms and visit.left_ms),
        calls=len(calls),
        used=used / allowed if allowed else 0.0,
        in_vain=in_vain / allowed if allowed else 0.0,
        vanished=1 - len(came) / passed,
    )


def others(room: str, seed: int, seconds: int) -> dict[str, Kept]:
    """What other designs make of the same crowd."""
    return {name: _played(SCENARIOS[room], design, seed, seconds) for name, design in OTHERS.items()}


def _played(scenario: Scenario, design: Design, seed: int, seconds: int) -> Kept:
    terms, members = scenario.terms, scenario.crowd(seed)
    calls, ends_ms = played(members, terms, design, seconds), seconds * 1000
    stays = [(call.from_ms, call.until_ms) for call in calls]
    if scenario.leaves:
        starts_ms = calls[min(terms.cap, len(calls)) - 1].from_ms
        allowed = terms.cap * (ends_ms - starts_ms)
        used = shared((stay for stay, call in zip(stays, calls, strict=True) if call.came), starts_ms, ends_ms)
        in_vain = shared((stay for stay, call in zip(stays, calls, strict=True) if not call.came), starts_ms, ends_ms)
    else:
        allowed = terms.burst + terms.rate_per_minute * seconds / 60
        used = sum(call.came for call in calls)
        in_vain = len(calls) - used
    most = most_at_once(stays)
    return Kept(
        over_rate=most_over_rate([call.from_ms for call in calls], terms.rate_per_minute, terms.burst),
        over_cap=most - terms.cap,
        seen=most,
        calls=len(calls),
        used=used / allowed,
        in_vain=in_vain / allowed,
        vanished=0.0,
    )
