"""The shortcut past the line: what is said at once of a request is what would be said of it after asking."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.servers import PrivateRedis, eventually
from tests.waitroom.fields import block
from tests.waitroom.running import PAGE, TIMEOUT_MS, Waitroom
from waitroom import keys
from waitroom.admission import AdmissionSigner, AdmissionVerifier
from waitroom.answers import Answers
from waitroom.asking import read
from waitroom.config_file import ConfigFile
from waitroom.cookies import admission_cookie
from waitroom.draw import Draws
from waitroom.gate import Forward
from waitroom.headers import Client
from waitroom.judge import Carry, Judge, Say
from waitroom.languages import Languages
from waitroom.limits import Mode, OnStoreLoss
from waitroom.line import CLOCKS_MS
from waitroom.lines import Lines
from waitroom.memory import Memory
from waitroom.outlooks import Outlooks
from waitroom.pages import Pages
from waitroom.papers import Papers
from waitroom.reception import Reception
from waitroom.recognition import Recognition
from waitroom.robots import Resolver, Robots, SystemResolver
from waitroom.rooms import Room, Rooms
from waitroom.store import Store
from waitroom.ticket import TicketSigner
from waitroom.wire.cookies import cookie
from waitroom.wire.heads import Block

MODES: list[Mode] = ["auto", "queue", "hold", "open", "closed"]
ON_LOSS: list[OnStoreLoss] = ["hold", "open", "closed"]
ADMISSION = admission_cookie("site", "", secure=False)
# Around half of a session, and its end.
SHIFTS_S = [0, 100, 290, 305, 500, 610]


@dataclass
class Bench:
    """A judge, what it judges by, and its lines, over a Redis; `shift_s` is how far its clock is ahead of Redis's."""

    room: Room
    lines: Lines
    recognition: Recognition
    reception: Reception
    judge: Judge
    jars: list[dict[str, str]] = field(default_factory=lambda: [{}, {}, {}])  # of three visitors
    shift_s: float = 0.0
    shortcuts: int = 0

    async def set(self, **changes: Any) -> None:
        """Other limits, or another way to deal with a lost store, are in force."""
        on_loss = changes.pop("on_store_loss", self.room.on_store_loss)
        limits = replace(self.room.limits, version=self.room.limits.version + 1, **changes)
        self.room = replace(self.room, limits=limits, on_store_loss=on_loss)
        self.lines.apply([self.room])

    async def tick(self) -> None:
        line = await self.lines.open(self.room, "")
        assert line
        await line.see(None)

    async def ask(self, cookies: str, path: bytes = b"/") -> Carry | Say:
        """Asks in both ways, and makes sure that they agree."""
        route = Rooms([self.room]).route("shop", path)
        fields = [("Host", "shop"), ("Cookie", cookies), *PAGE.items()]
        asking = read("GET", path.decode(), block(fields), client=Client("127.0.0.1", "http", "shop"), request_id="")
        token = cookie(Block([], {b"cookie": [cookies.encode("latin-1")]}), route.admission_names[0])
        sure = self.recognition.recall(self.room, "", token)
        carry = self.judge.at_once(self.room, route, token)
        if sure:
            received = await self.reception.receive(self.room, self.judge.visit(self.room, "", asking))
            assert isinstance(received.decision, Forward)
            assert received.decision.admission
            assert (received.decision.admission.number, received.decision.renew) == (sure.number, False)
            self.shortcuts += 1
        verdict = await self.judge.judge(self.room, route, asking)
        if carry:
            assert isinstance(verdict, Carry)
            told = (verdict.outcome, verdict.token, verdict.number, list(verdict.cookies))
            assert told == (carry.outcome, carry.token, carry.number, [])
        return verdict

    async def come(self, visitor: int) -> None:
        """A visitor asks, and keeps what cookies are set."""
        verdict = await self.ask(self.cookies(visitor))
        for one in verdict.cookies:
            name, _, value = one.partition(";")[0].partition("=")
            self.jars[visitor][name] = value

    def cookies(self, visitor: int) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.jars[visitor].items())


@asynccontextmanager
async def benching(
    folder: Path, redis: PrivateRedis, shift_s: float = 0.0, resolver: Resolver | None = None
) -> AsyncIterator[Bench]:
    waitroom = Waitroom(folder, redis.url, 1)
    waitroom.set(cap=1000, rate_per_minute=600, bypass=["/free"], crawlers=["google"])
    config = ConfigFile(waitroom.config)
    room = next(iter(config.rooms))
    key_ring = keys.load(config.settings.keys.admission, config.settings.keys.ticket, folder / "state")
    store = Store(redis.url, TIMEOUT_MS)
    lines = Lines(store, [room], Memory(folder / "state"), time.monotonic, are_new=True)
    tickets = TicketSigner(key_ring.ticket)
    verifier = AdmissionVerifier({key.id: key.public for key in key_ring.admission}, "waitroom")
    bench: Bench

    def now_s() -> float:
        return time.time() + bench.shift_s

    draws = Draws(key_ring.lasting)
    recognition = Recognition(lines, tickets, verifier, draws, now_s)
    reception = Reception(lines, recognition, Outlooks(lines, draws), now_s, lambda room, seconds: None)
    papers = Papers(tickets, AdmissionSigner(key_ring.admission, "waitroom"), now_s)
    robots = Robots(resolver or SystemResolver())
    languages = Languages()
    answers = Answers(Pages(languages), languages)
    judge = Judge(recognition, reception, papers, answers, robots, key_ring.lasting)
    bench = Bench(room, lines, recognition, reception, judge, shift_s=shift_s)
    running = asyncio.create_task(lines.run())
    try:
        await bench.tick()
        for visitor in [0, 1, 2] * 2:  # called, and then inside for a session
            await bench.come(visitor)
        yield bench
    finally:
        running.cancel()
        await asyncio.wait([running])
        await store.close()


steps = st.one_of(
    st.tuples(st.just("mode"), st.sampled_from(MODES)),
    st.tuples(st.just("shift"), st.sampled_from(SHIFTS_S)),
    st.tuples(st.just("release"), st.integers(0, 2)),
    st.tuples(st.just("revoke"), st.integers(0, 2)),
    *[st.tuples(st.just("ask"), st.integers(0, 2))] * 4,
    st.tuples(st.just("mix"), st.lists(st.sampled_from(["0", "1", "2", "; ", ";", " ", "\xa0", "x"]), max_size=6)),
    st.tuples(st.just("free"), st.integers(0, 2)),
)


async def take(bench: Bench, act: str, what: Any) -> None:
    """One step of a story."""
    match act:
        case "mode":
            await bench.set(mode=what)
            await bench.tick()
        case "shift":
            bench.shift_s = what
        case "release" | "revoke":
            if number := numbers(bench)[what]:
                do = bench.reception.release_number if act == "release" else bench.reception.revoke_number
                await do(bench.room, "", number)
                await bench.come(what)
        case "ask":
            await bench.come(what)
        case "mix":
            await bench.ask("".join(bench.cookies(int(part)) if part.isdigit() else part for part in what))
        case _:
            await bench.ask(bench.cookies(what), b"/free")


def numbers(bench: Bench) -> list[int]:
    """Of the admissions in the cookies, 0 for none."""
    known = (bench.recognition._known.get(("site", jar.get(ADMISSION, ""))) for jar in bench.jars)
    return [one.number if one else 0 for one in known]


def test_what_is_said_at_once_is_what_asking_would_have_said(tmp_path: Path, redis: PrivateRedis) -> None:
    """I6, whatever the mode, the time and the fate of the lease."""
    shortcuts = 0

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(steps, min_size=3, max_size=12))
    def agrees(story: list[tuple[str, Any]]) -> None:
        async def tell() -> int:
            redis.client.flushall()
            async with benching(tmp_path, redis) as bench:
                for visitor in [0, 1, 2] * 2:  # verified, and then known
                    await bench.come(visitor)
                assert bench.shortcuts == 3
                for act, what in story:
                    await take(bench, act, what)
                return bench.shortcuts

        nonlocal shortcuts
        shortcuts += asyncio.run(tell())

    agrees()
    assert shortcuts > 200  # they were taken in the stories, too


@pytest.mark.parametrize("act", ["release", "revoke"])
async def test_whose_place_is_gone_goes_on_no_more(tmp_path: Path, redis: PrivateRedis, act: str) -> None:
    """Not even by an admission whose lease is beyond doubt, since it was issued well after the line began."""
    redis.client.flushall()
    async with benching(tmp_path, redis, shift_s=2 * CLOCKS_MS / 1000) as bench:
        for visitor in range(3):
            await bench.come(visitor)
        token, number = bench.jars[0][ADMISSION], numbers(bench)[0]
        assert bench.recognition.recall(bench.room, "", token)
        do = bench.reception.release_number if act == "release" else bench.reception.revoke_number
        await do(bench.room, "", number)
        assert bench.recognition.recall(bench.room, "", token) is None
        await bench.come(0)
        assert all(bench.recognition.recall(bench.room, "", bench.jars[other][ADMISSION]) for other in (1, 2))


@pytest.mark.parametrize("on_loss", ON_LOSS)
async def test_it_is_so_while_the_store_is_lost(tmp_path: Path, own_redis: PrivateRedis, on_loss: OnStoreLoss) -> None:
    async with benching(tmp_path, own_redis) as bench:
        for visitor in range(3):
            await bench.come(visitor)
        own_redis.kill()
        line = await bench.lines.open(bench.room, "")
        await eventually(lambda: line is not None and bench.lines.is_lost(line))
        await bench.set(on_store_loss=on_loss)
        before = bench.shortcuts
        for shift_s in SHIFTS_S:
            bench.shift_s = shift_s
            for visitor in range(3):
                await bench.ask(bench.cookies(visitor))
        assert (bench.shortcuts > before) == (on_loss != "closed")
