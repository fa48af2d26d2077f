"""Two rooms of four processes that open at the same moment, and a crowd of which three in ten vanish without a word.

In one the rate bounds how many come in, in the other the cap. People have gathered before; they poll and come as they
are told, by connections that spread over the four.
"""

import asyncio
import json
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import click
from redis import Redis

from scripts.benches import append_only
from scripts.benches.kept_connections import PAGE, KeptConnections, cookie_field, cookies_of, request_of
from scripts.benches.servers import Contenders
from scripts.benches.vanishing import Member, Terms, crowd
from waitroom.ticket import number_in

VANISHING = 0.3
# People have waited so long already when a line opens. Who vanished in that time is absent from the start.
GATHERED_MS = 120_000
# From when all have joined to the opening: until then everybody has polled.
OPENS_AFTER_S = 8
CONNECTIONS = 96
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


@dataclass(slots=True)
class Visit:
    """What a visitor saw, in ms since 1970; 0 where it did not come to that. It had the place for certain from `in_ms`
    to `left_ms`, when it asked to leave."""

    number: int = 0
    in_ms: float = 0
    left_ms: float = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """When the rooms opened, in ms since 1970; all that Redis was told to write; and what the visitors of each saw."""

    opens_ms: float
    commands: Sequence[list[bytes]]
    visits: Mapping[str, Sequence[Visit]]


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


async def lived(seed: int, seconds: int) -> Seen:
    """Opens both rooms, and tells what there was to be seen for so many seconds from then on."""
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
        commands = list(append_only.commands(append_only.read(folder / "redis")))
        return Seen(opens_s * 1000, commands, {room: crowd_of.visits for room, crowd_of in crowds.items()})


def opens(config: Path, after_s: int) -> int:
    """Sets the opening of all rooms; the moment, in seconds since 1970."""
    at_s = int(time.time()) + after_s
    moment = datetime.fromtimestamp(at_s, UTC).isoformat()
    text = re.sub(r"^opens_at = .*$", f"opens_at = {moment}", config.read_text(), flags=re.MULTILINE)
    config.write_text(text.replace("version = 1", "version = 2"))
    return at_s
