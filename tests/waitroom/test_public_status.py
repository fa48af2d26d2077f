"""The public status as a running waitroom answers it: for caches to keep, the same for everybody, and true."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.servers import PATIENCE_S, PrivateRedis
from tests.waitroom.running import APP, Origin, Waitroom
from tests.waitroom.status_reader import read
from tests.waitroom.visitors import Come, Got, Visitor

STATUS = "/.waitroom/rooms/site/status"
NUMBER = "/.waitroom/rooms/site/number"
PLACE = "/.waitroom/rooms/site/place"
OTHERS = 12


@pytest.fixture
def waitroom(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> Waitroom:
    return Waitroom(tmp_path, redis.url, origin.port)


async def asked(waitroom: Waitroom, path: str = STATUS, method: str = "GET", **fields: str) -> Got:
    """What somebody is answered who brings no cookies."""
    async with aiohttp.ClientSession() as session, session.request(method, waitroom.url + path, headers=fields) as got:
        return Got(got.status, got.headers, await got.text())


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def serving(waitroom: Waitroom) -> AsyncIterator[None]:
    """Serves, and has seen its line."""

    async def is_seen() -> bool:
        return (await asked(waitroom)).status != 503

    async with waitroom.serving():
        await until(is_seen)
        yield


async def in_line(waitroom: Waitroom, come: Come, count: int = OTHERS) -> list[Visitor]:
    """So many who wait, all of them present."""
    visitors = [await come(waitroom) for _ in range(count)]
    for one in visitors:
        await one.get("/", APP)
        await one.get(NUMBER, {})

    async def are_seen() -> bool:
        status = (await asked(waitroom)).json
        return bool(status["waiting"] == count)

    await until(are_seen)
    return visitors


async def test_each_finds_the_place_that_the_line_tells(waitroom: Waitroom, come: Come) -> None:
    waitroom.set(mode="hold", status_s=5)
    async with serving(waitroom):
        visitors = await in_line(waitroom, come)
        status = (await asked(waitroom)).json
        for one in visitors:
            place = (await one.get(NUMBER, {})).json
            assert place["number"] == one.number()
            assert read(status, place["number"])[0] == place["position"]
            assert place["waiting"] == status["waiting"] == OTHERS


async def test_caches_may_keep_it_for_as_long_as_the_operator_says(waitroom: Waitroom) -> None:
    waitroom.set(status_s=7)
    async with serving(waitroom):
        got = await asked(waitroom)
        assert got.fields["Cache-Control"] == "public, max-age=7, stale-while-revalidate=7, stale-if-error=30"
        assert "Vary" not in got.fields
        assert "Set-Cookie" not in got.fields


async def test_who_has_it_already_is_told_that_nothing_has_changed(waitroom: Waitroom) -> None:
    waitroom.set(status_s=5)
    async with serving(waitroom):

        async def is_told_so() -> bool:
            """Within the second in which it is the same."""
            first = await asked(waitroom)
            again = await asked(waitroom, **{"If-None-Match": f'"other", W/{first.fields["ETag"]}'})
            if again.status == 200:
                return False
            assert (again.status, again.text) == (304, "")
            assert "Content-Length" not in again.fields
            assert again.fields["ETag"] == first.fields["ETag"]
            assert again.fields["Cache-Control"] == first.fields["Cache-Control"]
            return True

        await until(is_told_so)
        assert (await asked(waitroom, **{"If-None-Match": '"other"'})).status == 200


async def test_its_head_is_that_of_the_whole(waitroom: Waitroom) -> None:
    waitroom.set(status_s=5)
    async with serving(waitroom):
        head = await asked(waitroom, method="HEAD")
        assert (head.status, head.text) == (200, "")
        assert int(head.fields["Content-Length"]) > 0
        assert (await asked(waitroom, method="POST")).status == 405


async def test_cookies_change_nothing_in_it(waitroom: Waitroom, come: Come) -> None:
    """Nobody is told another's place, and nobody becomes present by it."""
    waitroom.set(mode="hold", status_s=5)
    async with serving(waitroom):
        (one, *_), absent = await in_line(waitroom, come, 3), await come(waitroom)
        await absent.get("/", APP)
        for who in (one, absent):
            got = await who.get(STATUS, {})
            assert "Set-Cookie" not in got.fields
            told = without_time(got.json)
            assert told == without_time((await asked(waitroom)).json)
            assert told["waiting"] == 3
            assert str(who.number()) not in json.dumps(told)


def without_time(status: dict[str, Any]) -> dict[str, Any]:
    return status | {"made_ms": None}


async def test_scripts_of_other_origins_read_it_where_the_room_says_so(waitroom: Waitroom) -> None:
    waitroom.set(status_s=5, cors_origins=["https://app.example.com"])
    async with serving(waitroom):
        got = await asked(waitroom, Origin="https://app.example.com")
        assert got.fields["Access-Control-Allow-Origin"] == "https://app.example.com"
        assert got.fields["Vary"] == "Origin"
        assert "Access-Control-Allow-Origin" not in (await asked(waitroom, Origin="https://other.example")).fields


async def test_a_room_has_none_unless_the_operator_wants_it(waitroom: Waitroom, come: Come) -> None:
    waitroom.set(mode="hold")
    async with serving(waitroom):
        one = await come(waitroom)
        assert "status-url" not in (await one.get("/", {"Accept": "text/html"})).text
        for path in (STATUS, NUMBER):
            got = await one.get(path, {})
            assert (got.status, got.json["code"]) == (404, "no_status")
            assert got.fields["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("draw", [{"draw": "sale", "draw_size": 1_000}, {}], ids=["draw", "no draw"])
async def test_before_the_opening_it_tells_nothing_of_numbers(
    waitroom: Waitroom, come: Come, draw: dict[str, Any]
) -> None:
    waitroom.set(opens_at=datetime.now(UTC) + timedelta(hours=1), status_s=5, **draw)
    async with serving(waitroom):
        one = await come(waitroom)
        await one.get("/", APP)
        place = (await one.get(NUMBER, {})).json
        assert (place["state"], place["number"], place["ask_after_ms"]) == ("early", None, None)

        async def is_seen() -> bool:
            return bool((await asked(waitroom)).json["waiting"])

        await until(is_seen)
        status = (await asked(waitroom)).json
        assert (status["state"], status["head"], status["steps"], status["pace"]) == ("early", 0, [], None)
        assert status["opens_ms"] == place["opens_ms"]


async def test_after_a_draw_the_number_is_the_one_that_was_drawn(waitroom: Waitroom, come: Come) -> None:
    opens_at = datetime.now(UTC) + timedelta(seconds=2)
    waitroom.set(opens_at=opens_at, status_s=5, draw="sale", draw_size=1_000, rate_per_minute=1, burst=2, cap=1)
    async with serving(waitroom):
        visitors = [await come(waitroom) for _ in range(OTHERS)]
        for one in visitors:
            await one.get("/", APP)

        async def drawn() -> list[dict[str, Any]]:
            places = [(await one.get(NUMBER, {})).json for one in visitors]
            return [place for place in places if place["number"]]

        async def are_drawn() -> bool:
            """All but the one who was called."""
            return bool(len(await drawn()) == OTHERS - 1 == (await asked(waitroom)).json["waiting"])

        await until(are_drawn)
        status = (await asked(waitroom)).json
        for place in await drawn():
            assert read(status, place["number"])[0] == place["position"]


async def test_who_was_called_is_told_no_number(waitroom: Waitroom, come: Come) -> None:
    waitroom.set(status_s=5, cap=1)
    async with serving(waitroom):
        inside, one = await come(waitroom), await come(waitroom)
        await inside.get("/", APP)
        await one.get("/", APP)
        number = (await one.get(NUMBER, {})).json["number"]
        await inside.ask("POST", PLACE.replace("place", "leave"), APP)

        async def is_called() -> bool:
            return bool((await one.get(NUMBER, {})).json["state"] == "called")

        await until(is_called)
        assert (await one.get(NUMBER, {})).json["number"] is None

        async def is_passed() -> bool:
            return bool((await asked(waitroom)).json["head"] >= number)

        await until(is_passed)


async def test_persons_are_told_theirs_too(waitroom: Waitroom, come: Come) -> None:
    waitroom.set_rooms({"mode": "hold", "status_s": 5, "identity": {"cookie": "id"}})
    async with serving(waitroom):
        one = await come(waitroom)
        await one.get("/", APP | {"Cookie": "id=ada"})
        assert (await one.get(NUMBER, APP)).json["number"] == one.number()


async def test_each_language_has_the_operators_word_in_it(waitroom: Waitroom) -> None:
    waitroom.set(status_s=5, message={"en": "Hello", "ko": "안녕하세요"})
    async with serving(waitroom):
        for query, message in (("", "Hello"), ("?language=ko", "안녕하세요"), ("?language=fr", "Hello")):
            assert (await asked(waitroom, STATUS + query)).json["message"] == message
