"""Four processes, each with a copy of the file, which is changed one after the other while a crowd waits: one run, seen
in Redis from without, and judged afterwards.

Version 2 raises the rate tenfold. It reaches the four one after the other, each two seconds after the one before has
it; one of them gets a version 3 with a fault instead. Then version 4 comes to all.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import cast

import aiohttp
import pytest

from tests.servers import PATIENCE_S, PrivateRedis, eventually
from tests.waitroom.running import PAGE, TIMEOUT_MS, Waitroom, origin
from tests.waitroom.serving import Served, serve
from waitroom import settings
from waitroom.desk.room_desk import Entry, RoomDesk
from waitroom.keys import make_pair
from waitroom.store import Store
from waitroom.store_keys import line_keys

PROCESSES = 4
VISITORS = 360
STEP_S = 2
STATE, *_ = line_keys("site")
# In the order in which the state has them: version, rate, burst, cap, claim, presence and session (ms).
FIELDS = ("version", "rate", "burst", "cap", "claim_ms", "presence_ms", "session_ms", "called", "refilled_ms")
LIMITS = {"mode": "queue", "cap": 5_000, "claim_s": 60, "presence_s": 20, "session_s": 600}
CHANGES = {
    1: LIMITS | {"rate_per_minute": 60, "burst": 2},
    2: LIMITS | {"rate_per_minute": 600, "burst": 11, "cap": 4_000, "claim_s": 50, "session_s": 500},
    4: LIMITS | {"rate_per_minute": 300, "burst": 6, "cap": 3_000, "claim_s": 40, "session_s": 400},
}
BAD = LIMITS | {"rate_per_minute": 6_000, "burst": 200, "cap": 0}


@dataclass(frozen=True, slots=True)
class Sample:
    """The line at a time: the setting in force, and how many were called so far."""

    setting: tuple[int, ...]
    called: int
    at_ms: int

    @property
    def version(self) -> int:
        return self.setting[0]

    def calls_in(self, ms: int) -> float:
        """How many calls the rate allows in a time."""
        return self.setting[1] * ms / 60_000

    @property
    def burst(self) -> int:
        return self.setting[2]


def expected(version: int) -> tuple[int, ...]:
    """What a sample says of a setting."""
    room = cast("dict[str, int]", CHANGES[version])
    seconds = (room[name] * 1000 for name in ("claim_s", "presence_s", "session_s"))
    return (version, room["rate_per_minute"], room["burst"], room["cap"], *seconds)


@dataclass
class Story:
    """What happened: the samples in their order, by the clock of Redis, and what each process said."""

    samples: list[Sample] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    waited: int = 0
    audit: dict[int, list[Entry]] = field(default_factory=dict)

    def __repr__(self) -> str:
        paces = {
            version: (samples[-1].called - samples[0].called) * 60_000 / (samples[-1].at_ms - samples[0].at_ms)
            for version in CHANGES
            if (samples := self.of(version)) and samples[-1].at_ms > samples[0].at_ms
        }
        told = ", ".join(f"{version}: {pace:.0f} a minute" for version, pace in paces.items())
        return f"<Story samples={len(self.samples)} versions={self.versions} measured {told} waited={self.waited}>"

    @property
    def versions(self) -> list[int]:
        """Those that were in force one after the other."""
        return [setting[0] for setting, _ in groupby(self.samples, key=lambda sample: sample.setting)]

    def of(self, version: int) -> list[Sample]:
        return [sample for sample in self.samples if sample.version == version]


def most_beyond(samples: Sequence[Sample]) -> float:
    """The most calls in any interval beyond what the rates allowed in it, I2: at most the burst. Where two samples have
    two settings, the higher rate is taken for all of the time between them."""
    beyond = least = most = 0.0
    for before, sample in pairwise(samples):
        elapsed_ms = sample.at_ms - before.at_ms
        beyond += sample.called - before.called - max(before.calls_in(elapsed_ms), sample.calls_in(elapsed_ms))
        most = max(most, beyond - least)
        least = min(least, beyond)
    return most


def fewest(samples: Sequence[Sample]) -> float:
    """How many must have been called of a crowd that waits all the time: what the rate allows, but for what a machine
    that halts all four for longer than a burst lasts takes away."""
    allowed = sum(min(before.calls_in(after.at_ms - before.at_ms), before.burst) for before, after in pairwise(samples))
    return allowed - samples[0].burst


class Sampler:
    def __init__(self, redis: PrivateRedis, story: Story) -> None:
        self._redis = redis.client
        self._story = story

    async def run(self) -> None:
        while True:
            values = self._redis.hmget(STATE, FIELDS)
            *setting, called, at_ms = (int(value) for value in cast("list[bytes]", values))
            self._story.samples.append(Sample(tuple(setting), called, at_ms))
            await asyncio.sleep(0.01)


class Crowd:
    """Visitors who wait at all four processes, and ask as often as they are told to, until they are called."""

    def __init__(self, rooms: Sequence[Waitroom], redis: PrivateRedis) -> None:
        self._rooms = rooms
        self._redis = redis.client
        self.waiting: set[int] = set()
        self._waited: set[int] = set()

    @asynccontextmanager
    async def come(self) -> AsyncIterator[None]:
        """Entered when nearly all have waited, and one is called: a line that nobody remembers rests for a while."""
        connector = aiohttp.TCPConnector(limit=40)
        async with connector:
            visits = [asyncio.create_task(self._visit(i, connector)) for i in range(VISITORS)]
            try:
                await eventually(lambda: len(self._waited) > VISITORS * 0.95)
                await eventually(lambda: int(self._redis.hget(STATE, "called") or 0))
                yield
            finally:
                for visit in visits:
                    visit.cancel()
                await asyncio.gather(*visits, return_exceptions=True)

    async def _visit(self, i: int, connector: aiohttp.TCPConnector) -> None:
        room = self._rooms[i % len(self._rooms)]
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(connector=connector, connector_owner=False, cookie_jar=jar) as session:
            async with session.get(room.url, headers=PAGE):
                pass
            while True:
                async with session.get(room.place_url) as response:
                    place = await response.json()
                if place["state"] != "waiting":
                    break
                self.waiting.add(i)
                self._waited.add(i)
                await asyncio.sleep(place["poll_after_ms"] / 1000)
            self.waiting.discard(i)


def write(room: Waitroom, version: int, setting: dict[str, object]) -> None:
    """At once: a file that is read half would be refused, and be noted as such."""
    draft = replace(room, folder=room.folder / "draft", version=version - 1, state=room.folder / "state")
    room.folder.mkdir(exist_ok=True)
    draft.set(**setting)
    draft.config.rename(room.config)


async def told(redis: PrivateRedis, folder: Path) -> Story:
    story = Story()
    admission, ticket = make_pair(folder / "keys")
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(origin())
        keys = {"admission": [str(admission)], "ticket": [str(ticket)]}
        rooms = [Waitroom(folder / str(i), redis.url, site.port, keys=keys) for i in range(PROCESSES)]
        for room in rooms:
            write(room, 1, CHANGES[1])
        served = [await stack.enter_async_context(serve(room)) for room in rooms]
        crowd = Crowd(rooms, redis)
        await stack.enter_async_context(crowd.come())
        desk = await stack.enter_async_context(desk_of(rooms[0], redis))
        sampling = asyncio.create_task(Sampler(redis, story).run())
        await changed(rooms, desk)
        story.waited = len(crowd.waiting)
        sampling.cancel()
        story.logs = [one.log.read_text() for one in served]
        story.faults = await refusals(rooms, served)
        story.audit = audit(await desk.audit(), served)
    return story


@asynccontextmanager
async def desk_of(room: Waitroom, redis: PrivateRedis) -> AsyncIterator[RoomDesk]:
    (site,) = settings.load(room.config)[0].to_rooms(edited_ms=0)
    store = Store(redis.url, TIMEOUT_MS)
    try:
        yield RoomDesk(site, store)
    finally:
        await store.close()


def audit(entries: Sequence[Entry], served: Sequence[Served]) -> dict[int, list[Entry]]:
    """What each process wrote down, in its order."""
    names = {f"{socket.gethostname()}:{worker}": i for i, one in enumerate(served) for worker in one.workers}
    assert {entry.who for entry in entries} == set(names)
    return {i: [entry for entry in reversed(entries) if entry.who == name] for name, i in names.items()}


async def changed(rooms: Sequence[Waitroom], desk: RoomDesk) -> None:
    """The change, as it is rolled out: each process has it before it comes to the next."""
    for i, room in enumerate(rooms):
        await asyncio.sleep(STEP_S)
        if i == 2:
            write(room, 3, BAD)
            await has_faults(room)
        else:
            write(room, 2, CHANGES[2])
        await told_of(desk, PROCESSES + i + 1)
    await asyncio.sleep(STEP_S)
    for room in rooms:
        write(room, 4, CHANGES[4])
        await asyncio.sleep(0.5)
    await told_of(desk, 3 * PROCESSES)
    await asyncio.sleep(STEP_S)


async def told_of(desk: RoomDesk, acts: int) -> None:
    """Returns when the processes have written down so many."""
    async with asyncio.timeout(PATIENCE_S):
        while len(await desk.audit()) < acts:
            await asyncio.sleep(0.05)


async def has_faults(room: Waitroom) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not (await room.status())["config_faults"]:
            await asyncio.sleep(0.05)


async def refusals(rooms: Sequence[Waitroom], served: Sequence[Served]) -> list[str]:
    """The faults that are left at the end."""
    assert all(one.process.returncode is None for one in served)
    return [fault for room in rooms for fault in (await room.status())["config_faults"]]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("rolling")
    redis = PrivateRedis(folder / "redis")
    redis.start()
    try:
        return asyncio.run(told(redis, folder))
    finally:
        redis.close()


def test_one_setting_is_in_force_at_a_time_and_never_a_mix(story: Story) -> None:
    assert {sample.setting for sample in story.samples} == {expected(version) for version in CHANGES}


def test_each_version_takes_effect_once_as_soon_as_the_first_has_it(story: Story) -> None:
    """Those that have the old file for longer never bring it back."""
    assert story.versions == [1, 2, 4]


def test_a_bad_version_never_takes_effect_and_is_named_by_the_process_that_got_it(story: Story) -> None:
    assert ["rooms[1].cap: 0: should be greater than or equal to 1" in log for log in story.logs] == [
        i == 2 for i in range(PROCESSES)
    ]
    assert story.faults == []


def test_the_calls_never_exceed_the_bound_of_the_rate_in_force(story: Story) -> None:
    """I2, in any interval, over all changes."""
    assert most_beyond(story.samples) <= max(sample.burst for sample in story.samples)
    for version in CHANGES:
        samples = story.of(version)
        assert most_beyond(samples) <= samples[0].burst


def test_the_calls_follow_the_rate_in_force(story: Story) -> None:
    """Somebody waits at all times, and the cap is far."""
    assert story.waited
    for version in CHANGES:
        samples = story.of(version)
        assert samples[-1].called - samples[0].called >= fewest(samples)


def test_the_audit_log_tells_which_process_had_which_version_when_and_why_one_was_refused(story: Story) -> None:
    good = [("config", "", "1"), ("config", "1", "2"), ("config", "2", "4")]
    bad = [("config", "", "1"), ("refused", "1", ""), ("config", "1", "4")]
    acts = {i: [(entry.act, entry.before, entry.after) for entry in entries] for i, entries in story.audit.items()}
    assert acts == {0: good, 1: good, 2: bad, 3: good}
    assert "rooms[1].cap: 0: should be greater than or equal to 1" in story.audit[2][1].why
    changes_ms = [entries[1].at_ms for entries in story.audit.values()]
    assert changes_ms == sorted(changes_ms)


def test_the_judge_knows_calls_beyond_the_bound_and_calls_that_are_missing() -> None:
    """Sixty a minute with a burst of two: three at once are too many, and none in ten seconds too few."""
    setting = (1, 60, 2, 10, 1, 1, 1)
    samples = [Sample(setting, 0, 0), Sample(setting, 3, 0), Sample(setting, 3, 10_000)]
    assert most_beyond(samples) == 3
    steps = [Sample(setting, 0, ms) for ms in range(0, 10_001, 250)]
    assert fewest(steps) == 8
