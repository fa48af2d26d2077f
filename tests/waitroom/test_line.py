"""A line as one process drives it, on a real Redis: what Redis loses, it gets back, whoever notices the loss first."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.line_bench import LIMITS
from tests.waitroom.running import TIMEOUT_MS
from tests.waitroom.test_rooms import room as a_room
from waitroom.errors import StoreLostError
from waitroom.line import Joined, Knowledge, Line
from waitroom.lines import Lines
from waitroom.memory import Memory
from waitroom.standing import Moved, Revoked, Waiting
from waitroom.store import Store

UNTIL_MS = 4_000_000_000_000


@pytest.fixture
async def store(redis: PrivateRedis) -> AsyncIterator[Store]:
    store = Store(redis.url, TIMEOUT_MS)
    yield store
    await store.close()


@pytest.fixture
async def line(store: Store) -> Line:
    line = Line("site", replace(LIMITS, cap=1), store, is_new=True)
    await line.tick()
    return line


async def joined(line: Line) -> Joined:
    place = await line.join("")
    assert place
    return place


async def in_force(line: Line) -> tuple[int, int, int]:
    """One inside, one who waits, one revoked."""
    numbers = [(await joined(line)).number for _ in range(3)]
    inside, waiting, revoked = numbers
    await line.claim((inside, 0))
    await line.revoke(revoked, UNTIL_MS)
    line.poll(waiting)
    await line.tick()
    await line.tick()
    return inside, waiting, revoked


async def test_a_tick_ends_however_fast_a_crowd_polls(
    line: Line, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody always polls while Redis is told of those before."""
    await joined(line)
    run, waiting = store.run, (await joined(line)).number

    async def run_while_somebody_polls(transition: str, *arguments: Any) -> Any:
        line.poll(waiting)
        return await run(transition, *arguments)

    monkeypatch.setattr(store, "run", run_while_somebody_polls)
    async with asyncio.timeout(20):
        await line.tick()
        await line.tick()
    assert line.snapshot
    assert line.snapshot.waiting == 1


@pytest.mark.parametrize("first", ["tick", "look", "claim", "release", "join", "see"])
async def test_what_redis_has_lost_it_gets_back_whoever_notices_first(
    line: Line, redis: PrivateRedis, first: str
) -> None:
    """I1, I3: the lease, who is present, and who is refused."""
    inside, waiting, revoked = await in_force(line)
    redis.client.flushall()
    match first:
        case "look":
            assert await line.look(waiting) == Waiting()
        case "claim":
            assert await line.claim((waiting, 0)) == Waiting()
        case "release":
            await line.release(revoked)
        case "join":
            await line.join("")
        case "see":
            await line.see(None)
    await line.tick()
    assert redis.client.zrange("wr:{site}:inside", 0, -1) == [str(inside).encode()]
    assert redis.client.bitcount("wr:{site}:here") == 1
    assert line.snapshot
    assert line.snapshot.position(waiting) == 1
    assert isinstance(await line.look(revoked), Revoked)


@pytest.mark.parametrize("heard_first", ["release", "restore"])
async def test_a_place_that_is_given_back_while_leases_come_back_stays_free(
    line: Line, store: Store, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch, heard_first: str
) -> None:
    """Whichever of the two Redis hears of first."""
    inside, *_ = await in_force(line)
    redis.client.flushall()
    run = store.run

    async def run_while_the_visitor_leaves(transition: str, *arguments: Any) -> Any:
        if transition != "restore":
            return await run(transition, *arguments)
        monkeypatch.setattr(store, "run", run)
        if heard_first == "release":
            await line.release(inside)
        reply = await run(transition, *arguments)
        if heard_first == "restore":
            await line.release(inside)
        return reply

    monkeypatch.setattr(store, "run", run_while_the_visitor_leaves)
    await line.tick()
    assert not redis.client.exists("wr:{site}:inside")
    assert line.has_ended(inside)
    assert line.lease_end_ms(inside) == 0


async def test_what_could_not_be_given_back_is_given_back_with_the_next_tick(
    line: Line, store: Store, redis: PrivateRedis
) -> None:
    inside, *_ = await in_force(line)
    redis.client.flushall()
    await line.see(None)
    redis.freeze()
    with pytest.raises(StoreLostError):
        await line.tick()
    redis.thaw()
    await store.ping()
    await line.tick()
    assert redis.client.zrange("wr:{site}:inside", 0, -1) == [str(inside).encode()]


async def test_a_configuration_that_drops_lines_while_they_are_advanced_stops_no_tick(
    store: Store, tmp_path: Path
) -> None:
    room = a_room(paths=("/flights/{key}",), key_pattern=".+", most_lines=9)
    flights = replace(room, limits=replace(room.limits, idle_ms=3_600_000))
    lines = Lines(store, [flights], Memory(tmp_path), lambda: 0.0)
    for key in ("7", "8"):
        await lines.open(flights, key)
    await lines.tick()
    ticking = asyncio.create_task(lines.tick())
    await asyncio.sleep(0)
    lines.apply([a_room("other")])
    await ticking
    assert not list(lines.of_room(flights))


async def test_a_request_that_outlives_its_room_stops_no_tick(store: Store, tmp_path: Path) -> None:
    flights, before = a_room(paths=("/flights/{key}",), key_pattern=".+", most_lines=9), a_room("hotels")
    lines = Lines(store, [flights, before], Memory(tmp_path), lambda: 1e6)
    lines.apply([a_room("other")])
    await lines.open(flights, "7")
    await lines.open(before, "")
    await lines.tick()
    assert not [*lines.of_room(flights), *lines.of_room(before)]


async def test_probes_hear_that_redis_was_reached_though_no_line_is_there_yet(store: Store, tmp_path: Path) -> None:
    lines = Lines(store, [a_room(paths=("/flights/{key}",), key_pattern=".+")], Memory(tmp_path), lambda: 0.0)
    assert not lines.all_seen
    await lines.tick()
    assert lines.all_seen


async def test_of_the_lines_that_an_earlier_process_had_those_are_forgotten_that_nobody_asks_for(
    store: Store, tmp_path: Path
) -> None:
    """The memory would grow with every flight there ever was. A room without keys has one line, which is kept."""
    now_s = 0.0
    flights = a_room(paths=("/flights/{key}",), key_pattern=".+", most_lines=9)
    rooms = [replace(flights, limits=replace(flights.limits, idle_ms=60_000)), a_room("hotels")]
    Memory(tmp_path).keep({name: Knowledge(1, 9, 8) for name in ("site/7", "site/8", "hotels", "gone", "gone/7")})
    lines = Lines(store, rooms, Memory(tmp_path), lambda: now_s)
    now_s += 59
    await lines.open(rooms[0], "8")
    await lines.tick()
    assert set(Memory(tmp_path).recall()) == {"site/7", "site/8", "hotels", "gone"}
    now_s += 2
    await lines.tick()
    assert set(Memory(tmp_path).recall()) == {"site/8", "hotels", "gone"}
    now_s += 60
    await lines.tick()
    now_s += 1
    await lines.tick()
    assert set(Memory(tmp_path).recall()) == {"hotels", "gone"}


async def test_who_was_let_in_before_the_first_tick_is_inside_after_a_loss(redis: PrivateRedis) -> None:
    """I1: a process that has just begun knows of those who joined by it."""
    store = Store(redis.url, TIMEOUT_MS)
    line = Line("young", LIMITS, store, is_new=True)
    joined = await line.join("")
    assert joined
    assert joined.lease_end_ms
    await line.see(None)
    redis.client.flushall()
    await line.tick()
    await line.tick()
    assert redis.client.zrange("wr:{young}:inside", 0, -1) == [str(joined.number).encode()]
    await store.close()


async def moved(line: Line, number: int) -> None:
    """Moves a place to another browser."""
    assert (await line.receipt(number, 0, "code", 600_000, ""))[0] == 0
    assert (await line.move("code", "somebody", None))[:2] == (0, 1)


async def test_a_process_that_was_away_for_long_learns_of_all_moves(line: Line, store: Store) -> None:
    """What the snapshot has no room for, it asks for."""
    other = Line("site", line.limits, store)
    await other.tick()
    waiting = [(await joined(line)).number for _ in range(2)][1]
    await moved(line, waiting)
    for number in range(300):
        await line.revoke(waiting + 1 + number, UNTIL_MS)
    assert other.moved(waiting, 0) is None
    await other.tick()
    assert other.moved(waiting, 0) == Moved(1)


async def test_a_ticket_that_was_moved_teaches_redis(line: Line, store: Store, redis: PrivateRedis) -> None:
    waiting = [(await joined(line)).number for _ in range(2)][1]
    assert line.moved(waiting, 1) is None
    assert line.moved(waiting, 0) == Moved(1)
    await line.tick()
    assert redis.client.hgetall("wr:{site}:moved") == {str(waiting).encode(): b"1"}
    assert await line.claim((waiting, 0)) == Moved(1)


async def test_what_is_remembered_of_moves_has_bounds(
    line: Line, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Redis has dropped, since those places are used up, the process drops, too."""
    monkeypatch.setattr("waitroom.line.MOST_MOVES", 2)
    waiting = [(await joined(line)).number for _ in range(2)][1]
    for number in range(waiting, waiting + 3):
        line.note_moves(number, 1)
    await line.tick()
    assert [line.moved(number, 0) for number in range(waiting, waiting + 3)] == [None, None, None]


async def test_a_reset_lets_every_process_forget_moves(line: Line, store: Store) -> None:
    waiting = [(await joined(line)).number for _ in range(2)][1]
    await moved(line, waiting)
    await line.tick()
    assert line.moved(waiting, 0) == Moved(1)
    await store.run("reset", "site", ["", 2])
    await line.tick()
    assert line.moved(waiting, 0) is None
