"""Rooms with {key} in their paths: each flight has a line of its own, one only, and not too many of them."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import cast

import jwt
import pytest
from click.testing import CliRunner

from tests.servers import PrivateRedis, eventually
from tests.waitroom.running import APP, PAGE, TIMEOUT_MS, Origin, Waitroom
from tests.waitroom.test_rooms import room as a_room
from tests.waitroom.visitors import Come, Visitor
from waitroom.cli import main
from waitroom.line_metrics import LineCollector
from waitroom.lines import ACTIVE_S, Lines
from waitroom.memory import Memory
from waitroom.store import Store

FLIGHTS = {"paths": ["/flights/{key}/*"], "cap": 1}


@pytest.fixture
def waitroom(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> Waitroom:
    """A waitroom in which one may be inside each flight's line."""
    waitroom = Waitroom(tmp_path / "one", redis.url, origin.port)
    waitroom.set(**FLIGHTS)
    return waitroom


def lines_of(redis: PrivateRedis) -> list[bytes]:
    return cast("list[bytes]", redis.client.zrange("wr:{site}:lines", 0, -1))


async def exposed(waitroom: Waitroom, one: Visitor) -> str:
    async with one.session.get(f"http://127.0.0.1:{waitroom.admin_port}/metrics") as response:
        return await response.text()


async def test_each_flight_has_its_own_line_cookies_and_admission(
    waitroom: Waitroom, origin: Origin, come: Come
) -> None:
    async with waitroom.serving():
        one = await come(waitroom)
        for flight in ("7", "ke-8"):
            assert (await one.get(f"/flights/{flight}/seats")).is_origins
    ours = {name for name in one.cookies if name.startswith("wr-")}
    assert ours == {"wr-site.7", "wr-site.7.admission", "wr-site.ke-8", "wr-site.ke-8.admission"}
    tokens = [request.headers["X-Waitroom-Admission"] for request in origin.requests]
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens]
    assert [(one["room"], one["key"]) for one in claims] == [("site", "7"), ("site", "ke-8")]
    assert [claim["num"] for claim in claims] == [one.number("site.7"), one.number("site.ke-8")]


async def test_a_hot_flight_delays_no_other(waitroom: Waitroom, come: Come) -> None:
    async with waitroom.serving():
        crowd = [await come(waitroom) for _ in range(5)]
        got = [await one.get("/flights/7") for one in crowd]
        assert [one.waits for one in got] == [False, True, True, True, True]
        assert (await (await come(waitroom)).get("/flights/8")).is_origins


async def test_what_was_given_in_one_flights_line_counts_in_no_other(
    waitroom: Waitroom, origin: Origin, come: Come
) -> None:
    """I6: neither the admission nor the ticket, whatever cookie they are put into."""
    async with waitroom.serving():
        inside, other = await come(waitroom), await come(waitroom)
        await inside.get("/flights/7")
        await other.get("/flights/8")
        moved = {name.replace(".7", ".8"): value for name, value in inside.cookies.items()}
        thief = await come(waitroom, moved)
        assert (await thief.get("/flights/8")).waits
        assert thief.ticket("site.8")[0] == "site/8"
    assert len(origin.requests) == 2


async def test_an_admission_of_another_room_with_the_same_audience_counts_for_nothing(
    waitroom: Waitroom, origin: Origin, come: Come
) -> None:
    shared = {"audience": "shop", "mode": "queue"}
    waitroom.set_rooms(
        FLIGHTS | {"audience": "shop", "name": "flights"},
        shared | {"name": "hotels", "paths": ["/hotels/{key}"]},
        shared | {"name": "rest"},
    )
    async with waitroom.serving():
        inside = await come(waitroom)
        assert (await inside.get("/flights/7")).is_origins
        token = inside.cookies["wr-flights.7.admission"]
        thief = await come(waitroom, {"wr-hotels.7.admission": token, "wr-rest.admission": token})
        assert (await thief.get("/hotels/7")).waits
        assert (await thief.get("/")).waits
    assert len(origin.requests) == 1


async def test_place_and_leave_are_of_the_line_whose_key_they_name(waitroom: Waitroom, come: Come) -> None:
    async with waitroom.serving():
        first, one = await come(waitroom), await come(waitroom)
        await first.get("/flights/7")
        page = await one.get("/flights/7")
        await one.get("/flights/8")
        assert "/.waitroom/rooms/site/place?key=7" in page.text
        assert "/.waitroom/rooms/site/leave?key=7" in page.text
        assert [(await one.place(key=key))["state"] for key in ("7", "8", "9")] == ["waiting", "inside", "none"]
        await one.leave(key="7")
        assert {name for name in one.cookies if name.startswith("wr-")} == {"wr-site.8", "wr-site.8.admission"}
        assert (await one.place(key="8"))["state"] == "inside"
        for address in ("place", "place?key=", "place?key=KE7", "place?key=7%2F8"):
            assert (await one.get(f"/.waitroom/rooms/site/{address}")).status == 404


@pytest.mark.parametrize(
    "spelling",
    [
        "/flights/7/",
        "//flights/7",
        "/flights//7",
        "/flights/%37",
        "/flights/%2537",
        "/%66lights/7",
        "/flights%2F7",
        "/x/../flights/7",
        "/Flights/7",
        "/x/%2e%2e/flights/7",
        "/flights/8/../7",
        "/flights/./7/seats",
        "/flights\\7",
        "/flights/7?key=8",
        "/flights/7#8",
        "/flights/7%2Fseats",
    ],
)
async def test_every_spelling_of_a_flight_lands_in_its_one_line(
    waitroom: Waitroom, redis: PrivateRedis, come: Come, spelling: str
) -> None:
    async with waitroom.serving():
        first, one = await come(waitroom), await come(waitroom)
        await first.get("/flights/7")
        assert (await one.get(spelling)).waits
        assert one.number("site.7") == first.number("site.7") + 1
    assert lines_of(redis) == [b"7"]


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("/flights", "no_room"),
        ("/flights/KE7", "no_line"),
        ("/flights/7;v=1", "no_line"),
        ("/flights/7%20", "no_line"),
        ("/flights/7%0A", "no_line"),
        ("/flights/7%00", "no_line"),
        ("/flights/7.", "no_line"),
        ("/flights/7%23", "no_line"),
        ("/flights/%D9%A7", "no_line"),
        ("/flights/%EF%BC%97", "no_line"),
        ("/flights/" + "7" * 65, "no_line"),
    ],
)
async def test_what_could_be_read_as_a_flight_is_refused_rather_than_given_a_line(
    waitroom: Waitroom, origin: Origin, redis: PrivateRedis, come: Come, spelling: str, code: str
) -> None:
    async with waitroom.serving():
        got = await (await come(waitroom)).get(spelling)
    assert (got.status, got.json["code"]) == (404, code)
    assert not lines_of(redis)
    assert not origin.requests


async def test_the_operator_says_what_a_key_is(waitroom: Waitroom, redis: PrivateRedis, come: Come) -> None:
    waitroom.set(**FLIGHTS, key_pattern="[A-Z]{2}[1-9][0-9]*")
    async with waitroom.serving():
        one = await come(waitroom)
        got = [(await one.get(f"/flights/{key}")).status for key in ("KE7", "ke7", "KE07", "KE7KE7")]
    assert got == [200, 404, 404, 404]
    assert lines_of(redis) == [b"KE7"]


async def test_all_processes_together_have_no_more_lines_than_the_room_may(
    waitroom: Waitroom, come: Come, tmp_path: Path
) -> None:
    other = waitroom.beside(tmp_path / "two")
    for process in (waitroom, other):
        process.set(**FLIGHTS, max_lines=2)
    async with waitroom.serving(), other.serving():
        one = await come(waitroom)
        assert (await one.get("/flights/1", at=waitroom)).is_origins
        assert (await one.get("/flights/2", at=other)).is_origins
        for process in (waitroom, other):
            page, app = await one.get("/flights/3", at=process), await one.get("/flights/3", APP, at=process)
            assert (page.status, app.status, app.json["code"]) == (503, 503, "too_many_lines")
            assert "as many lines are in use" in page.text
            assert page.fields["Retry-After"]
            assert [(await one.get(f"/flights/{key}", at=process)).is_origins for key in (1, 2)] == [True, True]


async def test_a_line_that_was_not_used_for_its_idle_time_makes_room_for_another(
    waitroom: Waitroom, redis: PrivateRedis, come: Come
) -> None:
    waitroom.set(**FLIGHTS, max_lines=1)
    async with waitroom.serving(idle_ms=1500):
        one = await come(waitroom)
        assert (await one.get("/flights/1")).is_origins
        await eventually(lambda: not redis.client.exists("wr:{site/1}:state"))
        async with asyncio.timeout(60):
            while not (await one.get("/flights/3")).is_origins:
                await asyncio.sleep(0.1)
    assert lines_of(redis) == [b"3"]


@pytest.mark.parametrize(("mode", "status"), [("open", 200), ("closed", 503)])
async def test_where_nobody_waits_there_are_never_too_many_lines(
    waitroom: Waitroom, come: Come, mode: str, status: int
) -> None:
    waitroom.set(**FLIGHTS, max_lines=1, mode=mode)
    async with waitroom.serving():
        one = await come(waitroom)
        got = [await one.get(f"/flights/{flight}", APP) for flight in (1, 2)]
    assert [(one.status, one.json.get("code")) for one in got] == [
        (status, "room_closed" if status == 503 else None)
    ] * 2


@pytest.mark.parametrize(
    ("method", "target", "fields"),
    [
        ("GET", "/flights/3", {"Accept": "image/webp,*/*"}),
        ("POST", "/flights/3", PAGE),
        ("GET", "/flights/3", PAGE | {"Purpose": "prefetch"}),
        ("GET", "/flights/3/logo.png", PAGE),
        ("GET", "/.waitroom/rooms/site/place?key=3", APP),
        ("POST", "/.waitroom/rooms/site/leave?key=3", PAGE),
    ],
)
async def test_who_asks_for_no_place_begins_no_line(
    waitroom: Waitroom, redis: PrivateRedis, come: Come, method: str, target: str, fields: dict[str, str]
) -> None:
    """A line that anyone could begin with a stray request would take the place of somebody's."""
    waitroom.set(**FLIGHTS, bypass=["/flights/*.png"])
    async with waitroom.serving():
        one = await come(waitroom)
        await one.ask(method, target, fields)
        await one.get("/flights/4")
        await eventually(lambda: redis.client.exists("wr:{site/4}:state"))
    assert lines_of(redis) == [b"4"]
    assert redis.client.keys("wr:{site/3}*") == []


async def test_of_many_lines_a_visitor_keeps_the_last_eight_places(waitroom: Waitroom, come: Come) -> None:
    async with waitroom.serving():
        one = await come(waitroom)
        for flight in range(10):
            await one.get(f"/flights/{flight}")
        assert (await one.get("/flights/9/seats")).is_origins
        assert (await one.get("/flights/2/seats")).is_origins
    kept = {f"wr-site.{flight}" for flight in range(2, 10)}
    assert {name for name in one.cookies if name.startswith("wr-")} == kept | {f"{name}.admission" for name in kept}


async def test_status_tells_of_each_line(waitroom: Waitroom, come: Come) -> None:
    async with waitroom.serving():
        empty = (await waitroom.status())["rooms"]
        for flight in ("8", "7", "7"):
            one = await come(waitroom)
            await one.get(f"/flights/{flight}")
            await one.place(key=flight)

        async with asyncio.timeout(60):
            while [(row["key"], row["inside"], row["waiting"]) for row in (await waitroom.status())["rooms"]] != [
                ("7", 1, 1),
                ("8", 1, 0),
            ]:
                await asyncio.sleep(0.05)
        arguments = ["status", "--config", str(waitroom.config)]
        shown = (await asyncio.to_thread(CliRunner().invoke, main, arguments)).output
    assert [(row["room"], row["key"], row["inside"], row["cap"]) for row in empty] == [("site", "", None, 1)]
    assert "Key" in shown
    assert [line.split()[1::2][:2] for line in shown.splitlines() if "site" in line] == [["site", "7"], ["site", "8"]]


async def test_metrics_sum_up_the_lines_of_a_room(waitroom: Waitroom, come: Come) -> None:
    async with waitroom.serving():
        one = await come(waitroom)
        for flight in (7, 8):
            await one.get(f"/flights/{flight}")
        async with asyncio.timeout(60):
            while 'waitroom_inside{room="site"} 2.0' not in (text := await exposed(waitroom, one)):
                await asyncio.sleep(0.05)
    assert 'waitroom_joined_total{room="site"} 2.0' in text
    assert 'waitroom_cap{room="site"} 1.0' in text
    assert text.count("waitroom_waiting{") == 1


async def test_what_was_counted_does_not_fall_when_a_line_is_forgotten(redis: PrivateRedis, tmp_path: Path) -> None:
    """And what came before the first look counts, too."""
    now_s = 1_000.0
    room = a_room(paths=("/flights/{key}",), key_pattern=".+", most_lines=9)
    flights = replace(room, limits=replace(room.limits, idle_ms=600_000))
    store = Store(redis.url, TIMEOUT_MS)
    lines = Lines(store, [flights], Memory(tmp_path), lambda: now_s, are_new=True)
    collector = LineCollector(lines, lambda: [flights])

    def told() -> tuple[float, float]:
        """Lines, and who has joined in them."""
        values = {sample.name: sample.value for family in collector.collect() for sample in family.samples}
        return values["waitroom_lines"], values["waitroom_joined_total"]

    await lines.tick()
    for key in ("7", "8"):
        line = await lines.open(flights, key)
        assert line
        await line.join("")
    # What a line has counted is looked up again by a tick, once the last one is old enough.
    async with asyncio.timeout(60):
        while told() != (2, 2):
            await lines.tick()
    now_s += 601
    await lines.tick()
    assert told() == (0, 2)
    await store.close()


async def test_a_line_that_nobody_asks_for_and_in_which_nobody_waits_costs_no_command(
    redis: PrivateRedis, tmp_path: Path
) -> None:
    """And its next visitor finds it as it is by then: one was called meanwhile, by another process."""
    now_s = 1_000.0
    room = a_room(paths=("/flights/{key}",), key_pattern=".+", most_lines=9)
    flights = replace(room, limits=replace(room.limits, idle_ms=3_600_000))
    store, other = Store(redis.url, TIMEOUT_MS), Store(redis.url, TIMEOUT_MS)
    lines = Lines(store, [flights], Memory(tmp_path / "a"), lambda: now_s, are_new=True)
    elsewhere = Lines(other, [flights], Memory(tmp_path / "b"), lambda: now_s, are_new=True)

    async def commands_of_a_tick() -> int:
        before = cast("dict[str, int]", redis.client.info("stats"))["total_commands_processed"]
        await lines.tick()
        return cast("dict[str, int]", redis.client.info("stats"))["total_commands_processed"] - before - 1

    await lines.tick()
    asked = await lines.open(flights, "7")
    assert asked
    assert await commands_of_a_tick() > 0
    now_s += ACTIVE_S
    assert await commands_of_a_tick() == 0
    waiting = await elsewhere.open(flights, "7")
    assert waiting
    joined = await waiting.join("")
    assert joined
    await elsewhere.tick()
    assert await commands_of_a_tick() == 0
    assert asked.snapshot
    assert asked.snapshot.joined == 0
    await lines.open(flights, "7")
    assert (asked.snapshot.joined, asked.snapshot.inside) == (1, 1)
    assert await commands_of_a_tick() > 0
    await store.close()
    await other.close()
