"""How exactly rate and cap are kept, and how much of them is used, by four processes and a crowd of which three in ten
vanish without a word.

Two rooms open at the same moment, to people who have gathered: in one the rate bounds how many come in, in the other
the cap. Visitors poll and come as they are told, by connections that spread over the four. What happened is read from
Redis's own append-only file, change by change, and held against what the visitors saw.
"""

import asyncio
import json
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import click
import uvloop
from redis import Redis

from scripts.benches import append_only
from scripts.benches.findings import Bar, Chart, Finding, Spread, Table, Target
from scripts.benches.kept_connections import PAGE, KeptConnections, cookie_field, cookies_of, request_of
from scripts.benches.machine import machine, packages, told
from scripts.benches.overshoot import most_at_once, most_over_rate, shared
from scripts.benches.rounds import console, deliver, out_option, rounds_option, seconds_option
from scripts.benches.servers import Contenders
from scripts.benches.vanishing import Design, Member, Terms, crowd, played
from waitroom.embedded import find_server
from waitroom.ticket import number_in

VANISHING = 0.3
# People have waited so long already when a line opens. Who vanished in that time is absent from the start.
GATHERED_MS = 120_000
# From when all have joined to the opening: until then everybody has polled.
OPENS_AFTER_S = 8
CONNECTIONS = 96
FIRST_SEED = 1
# Whoever is answered so late may miss the claim window, whatever the line does.
TOO_LATE_S = 2.5
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
opens_at = 2100-01-01T00:00:00+00:00
{rate}
[[rooms]]
name = "cap"
paths = ["/cap/*"]
origins = ["http://127.0.0.1:{origin}"]
opens_at = 2100-01-01T00:00:00+00:00
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
    Terms(rate_per_minute=1_200, burst=21, cap=100_000, claim_ms=5_000, presence_ms=5_000, session_ms=60_000),
    members=1_400, turn_ms=17_000, stay_ms=(0, 0), leaves=False,
)  # fmt: skip
BOUND_BY_CAP = Scenario(
    Terms(rate_per_minute=60_000, burst=1_001, cap=150, claim_ms=5_000, presence_ms=5_000, session_ms=60_000),
    members=800, turn_ms=12_000, stay_ms=(10_000, 30_000), leaves=True,
)  # fmt: skip
SCENARIOS = {"rate": BOUND_BY_RATE, "cap": BOUND_BY_CAP}
OTHERS = {
    "a sorted set and a timer": Design(sees_ms=None, holds_ms=60_000),
    "with heartbeats and claim windows": Design(sees_ms=5_000, holds_ms=5_000),
    "with a counter for each minute": Design(sees_ms=5_000, holds_ms=5_000, window_ms=60_000),
}


@dataclass(slots=True)
class Visit:
    """What a visitor saw, in ms since 1970; 0 where it did not come to that. It had the place for certain from `in_ms`
    to `left_ms`, when it asked to leave."""

    number: int = 0
    in_ms: float = 0
    left_ms: float = 0


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
            if place["state"] == "called" and now_ms() < gone_ms and await self._goes_in(index):
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

    async def _place(self, index: int) -> dict[str, Any]:
        field = cookie_field(self._cookies[index])
        reply = await self._by.ask(request_of(index, f"/.waitroom/rooms/{self._room}/place", field))
        place: dict[str, Any] = json.loads(reply.body)
        return place

    async def _goes_in(self, index: int) -> bool:
        """Asks for the page; whether that is the origin's."""
        await self._look(index)
        if f"wr-{self._room}.admission" in self._cookies[index]:
            self.visits[index].in_ms = now_ms()
        return self.visits[index].in_ms > 0

    async def _leave(self, index: int) -> None:
        field = cookie_field(self._cookies[index])
        self.visits[index].left_ms = now_ms()
        reply = await self._by.ask(request_of(index, f"/.waitroom/rooms/{self._room}/leave", field, method="POST"))
        if reply.status != 200:
            raise click.ClickException(f"who leaves room {self._room} is answered {reply.status}")


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
        lines = {room: scenario.lines() for room, scenario in SCENARIOS.items()}
        server = contenders.configured(CONFIG, core=None, redis=url, origin=origin, **lines)
        by = KeptConnections(server.port)
        try:
            await by.open(CONNECTIONS)
            crowds = {room: Crowd(room, one, one.crowd(seed), by) for room, one in SCENARIOS.items()}
            for crowd_of in crowds.values():
                await crowd_of.join()
            by.longest_s = 0.0
            opens_s = opens(folder / "configured" / "waitroom.toml", OPENS_AFTER_S)
            # Who was called in the last moments that are looked at still has the time to come.
            until_ms = (opens_s + seconds) * 1000 + max(one.terms.claim_ms for one in SCENARIOS.values())
            async with asyncio.timeout(until_ms / 1000 - time.time() + TIMEOUT_S), asyncio.TaskGroup() as group:
                for crowd_of in crowds.values():
                    group.create_task(crowd_of.live(opens_s * 1000, until_ms))
        finally:
            by.close()
        if by.longest_s > TOO_LATE_S:
            late = f"visitors waited for up to {by.longest_s:.1f} s for an answer"
            raise click.ClickException(f"{late}: this machine is too busy to tell, leave it alone and try again")
        redis.ping()  # all that came before is written then
        told = list(append_only.commands(append_only.read(folder / "redis")))
        return {room: judged(room, told, crowd_of.visits, opens_s * 1000, seconds) for room, crowd_of in crowds.items()}


def opens(config: Path, after_s: int) -> int:
    """Sets the opening of all rooms; the moment, in seconds since 1970."""
    at_s = int(time.time()) + after_s
    moment = datetime.fromtimestamp(at_s, UTC).isoformat()
    text = re.sub(r"^opens_at = .*$", f"opens_at = {moment}", config.read_text(), flags=re.MULTILINE)
    config.write_text(text.replace("version = 1", "version = 2"))
    return at_s


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
        used = shared(((at_ms, visit.left_ms) for visit, at_ms in came), starts_ms, ends_ms)
        in_vain = shared(((at_ms, at_ms + terms.claim_ms) for at_ms in vain), starts_ms, ends_ms)
    else:
        # What the bucket holds at the end is not lost.
        last_ms = max(at_ms for _, at_ms in calls)
        allowed = terms.burst + terms.rate_per_minute * (last_ms - opens_ms) / 60_000
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
        allowed = terms.burst + terms.rate_per_minute * calls[-1].from_ms / 60_000
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


def found(rounds: Sequence[Mapping[str, Kept]], seconds: int, took_s: float) -> Finding:
    """As it is published."""
    played_by = {room: others(room, FIRST_SEED, seconds) for room in SCENARIOS}
    used = {room: Spread.of([one[room].used * 100 for one in rounds]) for room in SCENARIOS}
    over = max(max(0.0, kept.over_rate, kept.over_cap) for one in rounds for kept in one.values())
    return Finding(
        name="precision",
        question="Are rate and cap kept to the last call, and how much of them is used?",
        command="scripts/bench precision",
        setting=SETTING.format(seconds=seconds, rate=BOUND_BY_RATE, cap=BOUND_BY_CAP),
        machine=machine(),
        versions={**packages("uvloop", "redis"), "Redis": told([find_server(), "--version"])},
        took_s=took_s,
        tables=[
            Table(
                "Four processes, three in ten vanish",
                ("bound by", "calls", "most over, in any interval", "used (%)", "least to most", "called in vain (%)"),
                [_row(room, [one[room] for one in rounds]) for room in SCENARIOS],
            ),
            Table(
                "The same crowd before other designs, played without a network",
                ("design", "rate: used (%)", "rate: over (calls)", "cap: used (%)"),
                [
                    ("waitroom, measured", f"{used['rate'].median:.1f}", f"{over:.0f}", f"{used['cap'].median:.1f}"),
                    *(_other(name, played_by["rate"][name], played_by["cap"][name]) for name in OTHERS),
                ],
            ),
        ],
        charts=[
            Chart(
                "Of what the rate allows, used by who came",
                "%",
                [
                    Bar("waitroom", used["rate"]),
                    *(
                        Bar(name, Spread.of([played_by["rate"][name].used * 100]))
                        for name, design in OTHERS.items()
                        if not design.window_ms
                    ),
                ],
            )
        ],
        targets=[
            Target("exceeded in any interval, of all rounds", "at most", 0.0, over, "calls or visitors"),
            Target("of what the rate allows, used", "at least", 97.0, used["rate"].median, "%"),
            Target("of what the cap allows, used", "at least", 97.0, used["cap"].median, "%"),
        ],
        remarks=REMARKS,
        runs={
            "waitroom": [{room: asdict(kept) for room, kept in one.items()} for one in rounds],
            "others": {
                room: {name: asdict(kept) for name, kept in by_name.items()} for room, by_name in played_by.items()
            },
        },
    )


def _row(room: str, kept: Sequence[Kept]) -> Sequence[str]:
    used, in_vain = (Spread.of([getattr(one, name) * 100 for one in kept]) for name in ("used", "in_vain"))
    over = max(max(0.0, one.over_rate, one.over_cap) for one in kept)
    calls = sum(one.calls for one in kept)
    shares = f"{used.median:.1f}", f"{used.least:.1f} to {used.most:.1f}", f"{in_vain.median:.1f}"
    return f"the {room}", f"{calls:,}", f"{over:.0f}", *shares


def _other(name: str, rate: Kept, cap: Kept) -> Sequence[str]:
    over = max(0.0, rate.over_rate)
    if over:  # what it uses beyond what was allowed is no merit
        return name, "-", f"{over:,.0f}", "-"
    return name, f"{rate.used * 100:.1f}", f"{over:,.0f}", f"{cap.used * 100:.1f}"


SETTING = """\
`waitroom serve` with four workers, a Redis of its own, and two rooms that open at the same moment. In the first
{rate.members:,} people wait, and {rate.terms.rate_per_minute:,} a minute may come in; in the second {cap.members:,},
and at most {cap.terms.cap:,} may be inside, who stay for 10 to 30 seconds and leave. `presence_s` and `claim_s` are
as short as they can be set, 5 seconds, so that a wait is many presence windows long. When the rooms open the crowd
has waited for two minutes; at any moment each is as likely to vanish without a word as at any other, so likely that
three in ten have by their turn. Who vanished in the first two minutes is absent from the start; the others poll when
they are told to, each time before another of the four, and come when they are called. Rooms are looked at for
{seconds} seconds from the opening.

Each change of who is inside is read from Redis's append-only file, in its order: a call is a lease that was not there
before. Every interval between two calls is held against `burst + rate * time`, and the number inside against the cap
after each change. Used are the calls whose visitor came, of `burst + rate * time` up to the last call; and of `cap *
time`, from when the room was full, the places of those who came, from the call until they asked to leave."""
REMARKS = [
    "What is not used was called in vain: a bit of presence lasts for the rest of its window and the whole of the "
    "next, so that who vanishes is called for 1 to 2 windows more. It costs what vanishes in that time: the longer "
    "people wait, in presence windows, the less. After two windows of waiting it would be far more than here.",
    "A rate is not raised to make up for those who do not come: what was called in vain is lost, since nobody knows "
    "beforehand that it was, and the bound on calls is to hold in every interval.",
    "Here a line with heartbeats in a sorted set does better by a percent: it knows the second in which each was "
    "last heard of, for some hundred times the memory. It was also spared the network, and four processes.",
    "The cap leaves a place empty from when it is given back to the next step of the line, an eighth of a second on "
    "average: the longer visitors stay, the less it is.",
    "Visitors need a machine that lets them run: where it is so busy that they come late, less is used.",
]


@click.command(help=__doc__)
@rounds_option()
@seconds_option(30)
@out_option
def command(rounds: int, seconds: int, out: Path) -> None:
    begun_s = time.monotonic()
    kept = []
    with console.status("") as status:
        for number in range(rounds):
            status.update(f"round {number + 1} of {rounds}: both rooms open")
            kept.append(uvloop.run(lived(FIRST_SEED + number, seconds)))
    deliver(found(kept, seconds, time.monotonic() - begun_s), out)
