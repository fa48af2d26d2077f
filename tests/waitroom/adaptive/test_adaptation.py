"""Who decides, and what becomes of it: of several processes one, from what all of them count."""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.held_clock import HeldClock
from tests.waitroom.running import TIMEOUT_MS
from tests.waitroom.test_rooms import room
from waitroom.adaptive.adaptation import Adaptation
from waitroom.adaptive_terms import AdaptiveTerms
from waitroom.desk.overrides import Adapted
from waitroom.desk.pulse import Heard
from waitroom.desk.room_desk import RoomDesk
from waitroom.desk.vitals import LATENCY_S, Vitals
from waitroom.lines import Lines
from waitroom.memory import Memory
from waitroom.store import Store

FIXED = room("site")
SITE = replace(FIXED, adaptive=AdaptiveTerms(rate_min=10, target_ms=400, settle_s=30))
CEILING = SITE.limits.rate_per_minute
SECOND_S = next(index for index, bound in enumerate(LATENCY_S) if bound >= 1.0)


@pytest.fixture
async def store(redis: PrivateRedis) -> AsyncIterator[HeldClock]:
    """The time that passes between two pulses is that which the test says."""
    store = HeldClock(redis.url)
    yield store
    await store.close()


@pytest.fixture
def desk(store: Store) -> RoomDesk:
    return RoomDesk(SITE, store)


@pytest.fixture
def adaptation(store: Store, tmp_path: Path) -> Adaptation:
    return Adaptation("one", Lines(store, [SITE], Memory(tmp_path), time.monotonic), store)


async def tell(
    desk: RoomDesk, adaptation: Adaptation, vitals: Mapping[str, Vitals], later_s: float, *, leads: bool = True
) -> None:
    """A pulse that brings these vitals, so much later than now."""
    now_ms, overrides = await desk.read()
    now_ms += round(later_s * 1000)
    told = {process: (now_ms, one) for process, one in vitals.items()}
    await adaptation.hear(SITE, Heard(now_ms, overrides, leads, told))


async def adapted(desk: RoomDesk) -> Adapted | None:
    _, overrides = await desk.read()
    return overrides.adapted


async def see(desk: RoomDesk, adaptation: Adaptation, *processes: str, from_s: float = 1.0) -> None:
    """Ten pulses, half a second apart, in which each of the processes has one request a pulse that takes a second."""
    for pulse in range(10):
        vitals = Vitals(requests=pulse, up=1, of=1, latency={SECOND_S: pulse})
        await tell(desk, adaptation, dict.fromkeys(processes, vitals), from_s + pulse / 2)


def test_only_rooms_that_ask_for_it_are_listened_to(adaptation: Adaptation) -> None:
    assert adaptation.wants(SITE)
    assert not adaptation.wants(FIXED)


async def test_the_one_that_leads_begins_at_the_minimum(desk: RoomDesk, adaptation: Adaptation) -> None:
    await tell(desk, adaptation, {}, 0, leads=False)
    assert await adapted(desk) is None
    await tell(desk, adaptation, {}, 0)
    begun = await adapted(desk)
    assert begun
    assert (begun.rate_per_minute, begun.state) == (10, "starting")


async def test_a_decision_goes_by_what_all_processes_have_counted_and_is_written_down(
    desk: RoomDesk, adaptation: Adaptation, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten requests are the fewest that say something: neither of the two has seen as many."""
    caplog.set_level("INFO")
    await desk.adapt("one", Adapted(CEILING, "steady", "a test", 0, CEILING))
    await see(desk, adaptation, "one", "two")
    cut = await adapted(desk)
    assert cut
    assert (cut.rate_per_minute, cut.state) == (CEILING // 2, "settling")
    assert "over the target of 400 ms" in cut.reason
    entry = (await desk.audit())[0]
    assert (entry.act, entry.who, entry.knob, entry.why) == ("adapted", "one", "rate_per_minute", cut.reason)
    assert (entry.before, entry.after) == (str(CEILING), str(CEILING // 2))
    assert f"room 'site': {cut.reason}" in caplog.messages


async def test_another_process_goes_on_from_the_record(
    desk: RoomDesk, store: Store, tmp_path: Path, adaptation: Adaptation
) -> None:
    """It knows the threshold, and when the last change was, and waits until it has seen enough by itself."""
    await desk.adapt("two", Adapted(30, "settling", "a test", 0, 60))
    before = await adapted(desk)
    await tell(desk, adaptation, {"one": Vitals(up=1, of=1)}, 1)
    await tell(desk, adaptation, {"one": Vitals(requests=20, up=1, of=1, latency={0: 20})}, 4.5)
    assert await adapted(desk) == before
    await tell(desk, adaptation, {"one": Vitals(requests=40, up=1, of=1, latency={0: 40})}, 7)
    after = await adapted(desk)
    assert after
    assert (after.rate_per_minute, after.state, after.threshold_per_minute) == (60, "steady", 60)


async def test_who_leads_no_longer_forgets_what_it_has_seen(desk: RoomDesk, adaptation: Adaptation) -> None:
    """When it leads again, what lies between was not seen by it."""
    await desk.adapt("one", Adapted(CEILING, "steady", "a test", 0, CEILING))
    before = await adapted(desk)
    await tell(desk, adaptation, {"one": Vitals(up=1, of=1)}, 1)
    await tell(desk, adaptation, {}, 3, leads=False)
    await tell(desk, adaptation, {"one": Vitals(requests=50, up=1, of=1, latency={SECOND_S: 50})}, 7)
    assert await adapted(desk) == before


async def test_the_operators_override_is_the_ceiling(desk: RoomDesk, adaptation: Adaptation) -> None:
    await desk.adapt("one", Adapted(CEILING, "steady", "a test", 0, CEILING))
    await desk.turn({"rate_per_minute": 20}, who="alice", why="")
    await tell(desk, adaptation, {}, 1)
    lowered = await adapted(desk)
    assert lowered
    assert lowered.rate_per_minute == 20


@pytest.mark.parametrize("mode", ["hold", "open", "closed"])
async def test_where_nobody_is_called_by_a_rate_nothing_is_decided(
    desk: RoomDesk, adaptation: Adaptation, mode: str
) -> None:
    await desk.turn({"mode": mode}, who="alice", why="")
    await tell(desk, adaptation, {}, 1)
    assert await adapted(desk) is None


async def test_what_a_dead_process_had_under_way_is_no_queue(desk: RoomDesk, adaptation: Adaptation) -> None:
    """It is still in the record for a while, as it was when it was last heard of."""
    await desk.adapt("one", Adapted(CEILING, "steady", "a test", 0, CEILING))
    before = await adapted(desk)
    now_ms, overrides = await desk.read()
    for pulse in range(20):
        told = {
            "one": (now_ms + 500 * pulse, Vitals(requests=10 * pulse, up=1, of=1, latency={0: 10 * pulse})),
            "dead": (now_ms - 5_000, Vitals(busy=50, up=1, of=1)),
        }
        await adaptation.hear(SITE, Heard(now_ms + 500 * pulse, overrides, True, told))
    assert await adapted(desk) == before


async def test_a_lost_store_is_left_to_the_pulse(own_redis: PrivateRedis, tmp_path: Path) -> None:
    store = Store(own_redis.url, TIMEOUT_MS)
    adaptation = Adaptation("one", Lines(store, [SITE], Memory(tmp_path / "state"), time.monotonic), store)
    now_ms, overrides = await RoomDesk(SITE, store).read()
    own_redis.kill()
    await adaptation.hear(SITE, Heard(now_ms, overrides, leads=True))
    assert store.lost
    await store.close()
