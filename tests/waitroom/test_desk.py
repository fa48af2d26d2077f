"""The desk of a room in Redis: what is set there holds everywhere, ends when it should, outlives losses, is audited."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.held_clock import HeldClock
from tests.waitroom.running import TIMEOUT_MS
from tests.waitroom.test_rooms import room
from waitroom.adaptive_terms import AdaptiveTerms
from waitroom.desk.in_force import InForce
from waitroom.desk.keepsake import Keepsake
from waitroom.desk.overrides import Adapted, Overrides
from waitroom.desk.pulse import Heard, Pulse
from waitroom.desk.room_desk import RoomDesk
from waitroom.desk.vitals import Vitals
from waitroom.errors import KnobError
from waitroom.rooms import Room, Rooms
from waitroom.store import Store
from waitroom.store_keys import desk_keys

SITE = room("site")


@pytest.fixture
async def store(redis: PrivateRedis) -> AsyncIterator[Store]:
    store = Store(redis.url, TIMEOUT_MS)
    yield store
    await store.close()


@pytest.fixture
async def clock(redis: PrivateRedis) -> AsyncIterator[HeldClock]:
    """A store whose Redis is told the time: it is an hour ahead of this process's own."""
    store = HeldClock(redis.url)
    store.now_ms = time.time_ns() // 1_000_000 + 3_600_000
    yield store
    await store.close()


@pytest.fixture
async def own_store(own_redis: PrivateRedis) -> AsyncIterator[Store]:
    """A store whose Redis may be killed."""
    store = Store(own_redis.url, TIMEOUT_MS)
    yield store
    await store.close()


@pytest.fixture
def desk(store: Store) -> RoomDesk:
    return RoomDesk(SITE, store)


class Process:
    """One of the processes that share a Redis, without what serves visitors."""

    def __init__(self, store: Store, folder: Path, name: str, *rooms: Room) -> None:
        self.vitals = Vitals()
        self.applied: list[Rooms] = []
        keepsake = Keepsake(folder / name)
        self.in_force = InForce(
            Rooms(rooms or (SITE,)), keepsake.recall(), lambda: time.time_ns() // 1_000_000 + self.ahead_ms
        )
        self.pulse = Pulse(store, self.in_force, keepsake, lambda _: self.vitals, self.applied.append)
        self.pulse.process = name

    ahead_ms = 0

    @property
    def cap(self) -> int:
        return self.room.limits.cap

    @property
    def room(self) -> Room:
        found = self.in_force.rooms.named("site")
        assert found
        return found


class Ear:
    """Hears what all pulses bring."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def wants(self, room: Room) -> bool:
        return room.name == "site"

    async def hear(self, room: Room, heard: Heard) -> None:
        del room
        self.heard.append(heard)


async def test_what_is_set_holds_in_every_process_with_its_next_pulse(
    store: Store, desk: RoomDesk, tmp_path: Path
) -> None:
    one, two = Process(store, tmp_path, "one"), Process(store, tmp_path, "two")
    await desk.turn({"cap": 7, "mode": "hold"}, who="alice", why="a test")
    for process in (one, two):
        await process.pulse.beat()
        assert (process.cap, process.room.limits.mode) == (7, "hold")
        assert process.applied[-1] is process.in_force.rooms
    assert one.room.limits == two.room.limits


async def test_clearing_gives_the_knob_back_to_the_configuration(store: Store, desk: RoomDesk, tmp_path: Path) -> None:
    process = Process(store, tmp_path, "one")
    await desk.turn({"cap": 7, "message": "Hello"}, who="alice", why="")
    await process.pulse.beat()
    await desk.turn({"cap": None}, who="bob", why="")
    await process.pulse.beat()
    assert (process.cap, process.room.message) == (SITE.limits.cap, "Hello")


async def test_an_override_ends_at_its_time_and_the_audit_log_says_so(clock: HeldClock, tmp_path: Path) -> None:
    """By Redis's clock, though by its own the process would keep it."""
    process, desk = Process(clock, tmp_path, "one"), RoomDesk(SITE, clock)
    end_ms = clock.now_ms + 400
    await desk.turn({"cap": 7}, until_ms=end_ms, who="alice", why="")
    clock.now_ms = end_ms - 1
    await process.pulse.beat()
    assert process.cap == 7
    clock.now_ms = end_ms
    await process.pulse.beat()
    assert process.cap == SITE.limits.cap
    _, after = await desk.read()
    assert after.holding(end_ms - 1) == {}
    assert [(entry.act, entry.knob, entry.before) for entry in await desk.audit()] == [
        ("ended", "cap", "7"),
        ("set", "cap", str(SITE.limits.cap)),
    ]


async def test_an_override_ends_while_redis_is_lost_too(
    own_store: Store, own_redis: PrivateRedis, tmp_path: Path
) -> None:
    process, desk = Process(own_store, tmp_path, "one"), RoomDesk(SITE, own_store)
    now_ms, _ = await desk.read()
    await desk.turn({"cap": 7}, until_ms=now_ms + 60_000, who="alice", why="")
    await process.pulse.beat()
    own_redis.kill()
    await process.pulse.beat()
    assert process.cap == 7
    process.ahead_ms = 61_000
    await process.pulse.beat()
    assert process.cap == SITE.limits.cap
    assert process.applied[-1] is process.in_force.rooms


async def test_a_redis_that_forgets_gets_the_overrides_back(
    store: Store, desk: RoomDesk, tmp_path: Path, redis: PrivateRedis
) -> None:
    one, two = Process(store, tmp_path, "one"), Process(store, tmp_path, "two")
    await desk.turn({"cap": 7}, who="alice", why="")
    await one.pulse.beat()
    redis.client.flushall()
    await two.pulse.beat()
    assert two.cap == SITE.limits.cap
    await one.pulse.beat()
    await two.pulse.beat()
    assert (one.cap, two.cap) == (7, 7)


async def test_what_was_set_after_a_loss_is_not_undone_by_those_who_remember(
    store: Store, desk: RoomDesk, tmp_path: Path, redis: PrivateRedis
) -> None:
    process = Process(store, tmp_path, "one")
    await desk.turn({"cap": 7, "mode": "hold"}, who="alice", why="")
    await process.pulse.beat()
    redis.client.flushall()
    await _is_later(desk, process.in_force.overrides("site").revision)
    await desk.turn({"cap": 9}, who="bob", why="")
    await process.pulse.beat()
    assert (process.cap, process.room.limits.mode) == (9, "hold")


async def _is_later(desk: RoomDesk, moment_ms: int) -> None:
    """Returns when Redis's clock is past a moment: a Redis that forgot all can't know what was set in this one."""
    async with asyncio.timeout(10):
        while (await desk.read())[0] <= moment_ms:
            await asyncio.sleep(0)


async def test_overrides_outlive_every_process_and_redis_at_once(
    store: Store, desk: RoomDesk, tmp_path: Path, redis: PrivateRedis
) -> None:
    await desk.turn({"cap": 7}, who="alice", why="")
    await Process(store, tmp_path, "one").pulse.beat()
    redis.client.flushall()
    again = Process(store, tmp_path, "one")
    assert again.cap == 7
    await again.pulse.beat()
    assert (await desk.read())[1].knobs["cap"].value == 7


async def test_a_new_configuration_stays_under_what_is_set(store: Store, desk: RoomDesk, tmp_path: Path) -> None:
    process = Process(store, tmp_path, "one")
    await desk.turn({"cap": 7}, who="alice", why="")
    await process.pulse.beat()
    newer = replace(SITE, limits=replace(SITE.limits, version=2, cap=500, claim_ms=20_000))
    process.pulse.configure(Rooms([newer]))
    assert (process.cap, process.room.limits.claim_ms, process.room.limits.version) == (7, 20_000, 2)
    await desk.turn({"cap": None}, who="alice", why="")
    await process.pulse.beat()
    assert process.cap == 500


async def test_knobs_that_do_not_fit_together_change_nothing(desk: RoomDesk) -> None:
    await desk.turn({"session_s": 900, "claim_s": 300}, who="alice", why="")
    with pytest.raises(KnobError, match="session_s = 200 should not be shorter than claim_s = 300"):
        await desk.turn({"session_s": 200, "cap": 3}, who="alice", why="")
    now_ms, overrides = await desk.read()
    assert {name: one.value for name, one in overrides.holding(now_ms).items()} == {"session_s": 900, "claim_s": 300}
    assert len(await desk.audit()) == 2


class Slow(RoomDesk):
    """Of an operator who is overtaken by another's act, once."""

    def __init__(self, store: Store, faster: Callable[[], Awaitable[object]]) -> None:
        super().__init__(SITE, store)
        self._faster = [faster]

    async def read(self) -> tuple[int, Overrides]:
        """What another changes a moment later."""
        seen = await super().read()
        await self._faster.pop()()
        return seen


async def test_of_two_operators_at_once_the_second_may_not_set_what_does_not_fit_the_firsts(
    store: Store, desk: RoomDesk
) -> None:
    """Each of the two would fit the configuration: a session of 10 minutes, and a minute to claim."""
    slow = Slow(store, lambda: desk.turn({"session_s": 100}, who="alice", why="quick"))
    with pytest.raises(KnobError, match="session_s"):
        await slow.turn({"claim_s": 200}, who="bob", why="slow phones")
    assert list((await desk.read())[1].knobs) == ["session_s"]
    assert [entry.who for entry in await desk.audit()] == ["alice"]


async def test_of_two_operators_at_once_both_have_what_fits(store: Store, desk: RoomDesk) -> None:
    slow = Slow(store, lambda: desk.turn({"cap": 7}, who="alice", why="full"))
    _, overrides = await slow.turn({"claim_s": 90}, who="bob", why="slow phones")
    assert {name: one.value for name, one in overrides.knobs.items()} == {"cap": 7, "claim_s": 90}
    assert [(entry.who, entry.knob) for entry in await desk.audit()] == [("bob", "claim_s"), ("alice", "cap")]


async def test_the_audit_log_says_who_what_from_to_and_why(desk: RoomDesk) -> None:
    before_ms, _ = await desk.read()
    await desk.turn({"rate_per_minute": 1_200}, until_ms=before_ms + 3_600_000, who="alice@desk", why="more seats")
    await desk.turn({"rate_per_minute": 60}, who="bob@desk", why="the origin is slow")
    await desk.turn({"rate_per_minute": None}, who="bob@desk", why="")
    cleared, second, first = await desk.audit()
    rate = str(SITE.limits.rate_per_minute)
    assert (first.who, first.act, first.knob, first.before, first.after, first.why, first.until_ms) == (
        ("alice@desk", "set", "rate_per_minute", rate, "1200", "more seats", before_ms + 3_600_000)
    )
    assert (second.who, second.before, second.after, second.until_ms) == ("bob@desk", "1200", "60", 0)
    assert (cleared.act, cleared.before, cleared.after) == ("clear", "60", rate)
    assert before_ms <= first.at_ms <= second.at_ms <= cleared.at_ms


async def test_a_process_writes_down_its_configuration_once_redis_is_there(
    own_store: Store, own_redis: PrivateRedis, tmp_path: Path
) -> None:
    process, desk = Process(own_store, tmp_path, "one"), RoomDesk(SITE, own_store)
    own_redis.kill()
    process.pulse.note("refused", before="3", why="rooms[1].cap: 0")
    await process.pulse.beat()
    own_redis.start()
    await own_store.ping()
    await process.pulse.beat()
    await process.pulse.beat()
    [entry] = await desk.audit()
    assert (entry.who, entry.act, entry.before, entry.why) == ("one", "refused", "3", "rooms[1].cap: 0")


async def test_everybody_hears_the_vitals_of_all_processes(store: Store, tmp_path: Path) -> None:
    one, two = Process(store, tmp_path, "one"), Process(store, tmp_path, "two")
    one.vitals, two.vitals = Vitals(requests=3, latency={4: 3}), Vitals(requests=5)
    ear = Ear()
    one.pulse.listeners.append(ear)
    await two.pulse.beat()
    await one.pulse.beat()
    [heard] = ear.heard
    assert {name: vitals for name, (_, vitals) in heard.vitals.items()} == {"one": one.vitals, "two": two.vitals}
    assert not heard.leads


async def test_one_process_leads_and_another_once_it_is_gone(
    store: Store, tmp_path: Path, redis: PrivateRedis, desk: RoomDesk
) -> None:
    adaptive = replace(SITE, adaptive=AdaptiveTerms(rate_min=10, target_ms=400))
    one, two = (Process(store, tmp_path, name, adaptive) for name in ("one", "two"))
    ears = Ear(), Ear()
    one.pulse.listeners.append(ears[0])
    two.pulse.listeners.append(ears[1])

    leader = desk_keys("site")[4]
    async with asyncio.timeout(60):
        await one.pulse.beat()
        # A machine may stand still for longer than a leader is waited for: its time does not run out here.
        while not redis.client.persist(leader):
            await one.pulse.beat()
    await two.pulse.beat()
    assert [ear.heard[-1].leads for ear in ears] == [True, False]
    await desk.adapt("two", Adapted(60, "steady", "no leader", 0))
    assert (await desk.read())[1].adapted is None
    await desk.adapt("one", Adapted(60, "steady", "p95 is over the target", 0, 30))
    adapted = (await desk.read())[1].adapted
    assert adapted
    assert (adapted.rate_per_minute, adapted.reason, adapted.threshold_per_minute) == (60, "p95 is over the target", 30)
    await two.pulse.beat()
    assert two.room.limits.rate_per_minute == 60
    redis.client.delete(leader)  # as it is when its time is over
    await two.pulse.beat()
    assert ears[1].heard[-1].leads
    assert (await desk.audit())[0].why == "p95 is over the target"


async def test_a_sample_of_the_figures_is_kept_once_for_each_slot_of_time(desk: RoomDesk) -> None:
    ages_ms = 10**13  # it is the first still, and will be for some more years
    assert await desk.sample(ages_ms, 5, {"inside": 1})
    assert not await desk.sample(ages_ms, 5, {"inside": 2})
    assert [figures for _, figures in await desk.history(10)] == [{"inside": 1}]


async def test_only_the_newest_samples_are_kept(desk: RoomDesk) -> None:
    for number in range(8):
        async with asyncio.timeout(10):
            while not await desk.sample(1, 5, {"number": number}):
                await asyncio.sleep(0.001)
    history = await desk.history(100)
    assert [figures["number"] for _, figures in history] == [3, 4, 5, 6, 7]
    assert [slot for slot, _ in history] == sorted(slot for slot, _ in history)


async def test_a_record_that_nobody_can_read_stops_nothing(
    store: Store, tmp_path: Path, redis: PrivateRedis, caplog: pytest.LogCaptureFixture
) -> None:
    redis.client.set(desk_keys("site")[0], json.dumps({"revision": 1, "knobs": {"cap": {"what": 1}}}))
    process = Process(store, tmp_path, "one")
    await process.pulse.beat()
    assert process.cap == SITE.limits.cap
    assert "can't be read" in caplog.text


@pytest.mark.parametrize("text", ["{", "[]", '{"site": 7}', '{"site": "[]"}'])
def test_a_keepsake_that_can_not_be_read_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "desk.json").write_text(text)
    assert Keepsake(tmp_path).recall() == {}


def test_a_keepsake_that_can_not_be_written_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").write_text("no folder")
    keepsake = Keepsake(tmp_path / "state")
    keepsake.keep({})
    keepsake.keep({})
    assert caplog.text.count("can't be written") == 1


async def test_the_log_of_a_process_has_each_act(
    store: Store, desk: RoomDesk, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever becomes of the audit log in Redis. A burst that goes with the rate is no act."""
    caplog.set_level("INFO", logger="waitroom.desk")
    process = Process(store, tmp_path, "one")
    await desk.turn({"rate_per_minute": 7}, who="alice", why="a test")
    await process.pulse.beat()
    await desk.turn({"cap": 9}, who="bob", why="")
    await process.pulse.beat()
    told = [record.getMessage() for record in caplog.records if record.name == "waitroom.desk.in_force"]
    limits = SITE.limits
    assert told == [
        f"room 'site': rate_per_minute was {limits.rate_per_minute}, is 7 by alice (a test)",
        f"room 'site': cap was {limits.cap}, is 9 by bob (no reason given)",
    ]
