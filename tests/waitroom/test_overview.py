"""What operators see of many lines and several processes: sums of all, whichever process has them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.servers import PrivateRedis, eventually
from tests.waitroom.running import Origin, Waitroom
from tests.waitroom.visitors import Come, until_state
from waitroom.admin.screen import sparkline
from waitroom.admin.watched_vitals import WAITS_MS, WatchedVitals
from waitroom.desk.vitals import Vitals

FLIGHTS = {"paths": ["/flights/{key}/*"], "cap": 1}


async def until(ask: Callable[[], Awaitable[dict[str, Any]]], **figures: object) -> dict[str, Any]:
    """Asks for a room until these of its figures are so."""
    async with asyncio.timeout(60):
        while True:
            room = await ask()
            if figures.items() <= room.items():
                return room
            await asyncio.sleep(0.1)


async def test_a_room_with_keys_is_the_sum_of_its_lines_in_all_processes(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    """Each process sees also the lines whose visitors only the other has met; the fullest come first."""
    first = Waitroom(tmp_path / "first", redis.url, origin.port)
    second = first.beside(tmp_path / "second")
    for process in (first, second):
        process.set(**FLIGHTS)
    async with first.serving():
        await eventually((tmp_path / "first" / "state" / "ticket.secret").exists)
        async with second.serving():
            for process, flight, count in ((first, "ha1", 2), (second, "ha2", 4)):
                for _ in range(count):
                    one = await come(process)
                    await one.get(f"/flights/{flight}/seats")
                    await one.place(key=flight)
            for process in (first, second):
                room = await until(lambda process=process: process.ask("rooms/site"), inside=2, waiting=4)  # type: ignore[misc]
                assert [(line["key"], line["inside"], line["waiting"]) for line in room["lines"]] == [
                    ("ha2", 1, 3),
                    ("ha1", 1, 1),
                ]
                assert (room["line_count"], room["joined"], room["called"]) == (2, 6, 2)


async def test_what_was_counted_of_an_origin_and_of_waits_is_told(waitroom: Waitroom, come: Come) -> None:
    """By the pulse, while somebody looks."""
    first, second, third = [await come(waitroom) for _ in range(3)]
    for one in (first, second, third):
        await one.get()
    await third.place()

    async def room() -> dict[str, Any]:
        for one in (first, second):
            await one.get()
        told: dict[str, Any] = await waitroom.ask("rooms/site")
        return told | {"is_measured": told["origin"]["p95_ms"] is not None}

    await waitroom.ask("rooms")
    told = (await until(room, is_measured=True, inside=2, waiting=1))["origin"]
    assert told["requests_per_second"] > 0
    assert 0 < told["p50_ms"] <= told["p95_ms"]
    assert (told["up"], told["of"], told["error_share"]) == (1, 1, 0.0)
    await first.leave()
    await until_state("called", third)
    await third.get()

    async def waited() -> dict[str, Any]:
        told: dict[str, Any] = await waitroom.ask("rooms/site")
        return {"is_measured": told["wait_s"]["p50"] is not None, "wait_s": told["wait_s"]}

    assert (await until(waited, is_measured=True))["wait_s"]["p90"] > 0


def test_vitals_are_compared_over_the_last_minutes_alone() -> None:
    vitals = WatchedVitals()
    assert vitals.origin().error_share is None
    for minute in range(10):
        vitals.note(minute * 60_000, {"a": (minute, Vitals(requests=100 * minute, errors=minute * minute))})
    assert (vitals.origin().requests, vitals.origin().errors) == (100, 81 - 64)
    assert vitals.waits().seconds == WAITS_MS / 1000
    assert vitals.seen_ms == {"a": 9}


def test_looks_that_follow_each_other_at_once_take_one_place() -> None:
    vitals = WatchedVitals()
    for now_ms in range(0, 10_000, 100):
        vitals.note(now_ms, {"a": (now_ms, Vitals(requests=now_ms))})
    assert len(vitals._looks) <= 12
    assert vitals.origin().requests == 9_900


def test_a_sparkline_goes_from_nothing_to_the_highest() -> None:
    assert sparkline([0, 5, 10]) == "▁▅█"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([]) == ""
