"""Newcomers: who brings nothing is given a place and its page on a shorter way, and gets what the long one gives."""

import asyncio
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.servers import PATIENCE_S, PrivateRedis
from tests.waitroom.running import APP, PAGE, Origin, Waitroom, payload_of, visitor
from tests.waitroom.visitors import Come, Got

CROWD = 150
GERMAN = {"Accept-Language": "de-DE,de;q=0.9"}
WAYS = {
    "page": PAGE,
    "page, in German": {**PAGE, **GERMAN},
    "page, as it is": {**PAGE, "Accept-Encoding": "identity"},
    "app": APP,
    "app of another site": {**APP, "Origin": "https://app.example"},
}
ROOMS: dict[str, dict[str, Any]] = {
    "held": {"mode": "hold"},
    "with a word": {"mode": "hold", "message": {"en": "Doors at <ten>", "de": "Einlass um <zehn>"}},
    "with a status": {"mode": "hold", "status_s": 5},
    "that queues": {"mode": "queue", "rate_per_minute": 1},
    "open to scripts": {"mode": "hold", "cors_origins": ["https://app.example"], "page_status": 503},
}
# What differs from visitor to visitor: what is random, and what hangs on the second in which one came.
OWN = re.compile(
    r"nonce-[\w-]+|nonce=\"[\w-]+\"|wr-site=[\w.-]+|poll[-_]after[-_]ms\"?[=:] ?\"?\d+|"
    r"kept[-_]until[-_]ms\"?[=:] ?\"?\d+|<time data-kept>[^<]*"
)
OWN_FIELDS = ("Date", "Content-Length", "Retry-After")


def common(got: Got) -> tuple[int, list[tuple[str, str]], str]:
    """What an answer has in common with those of all others who ask so."""
    fields = [(name, OWN.sub("#", value)) for name, value in got.fields.items() if name not in OWN_FIELDS]
    return got.status, sorted(fields), OWN.sub("#", got.text)


@pytest.mark.parametrize("room", ROOMS.values(), ids=ROOMS)
@pytest.mark.parametrize("fields", WAYS.values(), ids=WAYS)
async def test_they_get_what_others_get(
    tmp_path: Path, redis: PrivateRedis, come: Come, origin: Origin, room: dict[str, Any], fields: dict[str, str]
) -> None:
    """Who brings any cookie is judged on the long way."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(**room)
    async with waitroom.serving():
        await (await come(waitroom)).get()  # so that nobody is called at once
        short, long = await come(waitroom), await come(waitroom, {"seen": "before"})
        assert common(await short.get("/a?b=<1>", fields)) == common(await long.get("/a?b=<1>", fields))
        for one in (short, long):
            assert (await one.place())["state"] == "waiting"
        assert long.number() == short.number() + 1


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE"])
async def test_who_asks_otherwise_for_the_same_is_no_newcomer(
    tmp_path: Path, redis: PrivateRedis, come: Come, origin: Origin, method: str
) -> None:
    """Whatever else their requests have in common."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(mode="hold")
    async with waitroom.serving():
        for _ in range(3):
            assert (await (await come(waitroom)).get()).waits
        one = await come(waitroom)
        got = await one.ask(method, "/", PAGE)
        assert (got.status, one.cookies) == (429, {})


async def test_each_of_a_crowd_has_a_place_of_its_own_and_is_told_it(
    tmp_path: Path, redis: PrivateRedis, origin: Origin
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(mode="hold")

    async def comes() -> tuple[int, str, int]:
        """The number, the name and the position of who comes."""
        async with visitor() as session, session.get(waitroom.url, headers=PAGE) as response:
            text = await response.text()
            ticket = payload_of(response.cookies["wr-site"].value)
        told = re.search(r'data-position="(\d+)"', text)
        assert told
        return int(ticket[2]), ticket[4], int(told[1])

    async with waitroom.serving():
        came = await asyncio.gather(*(comes() for _ in range(CROWD)))
    taken = sorted(number for number, _, _ in came)
    assert taken == list(range(taken[0], taken[0] + CROWD))
    assert len({name for _, name, _ in came}) == CROWD
    # None of them is present yet but who asks.
    assert {position for _, _, position in came} == {1}


async def test_who_is_called_at_once_goes_in_by_the_one_number_that_was_given(
    waitroom: Waitroom, redis: PrivateRedis, come: Come, origin: Origin
) -> None:
    one, other = await come(waitroom), await come(waitroom)
    assert (await one.get("/in")).is_origins
    assert (await other.get("/in")).is_origins
    assert other.number() == one.number() + 1
    assert [request.raw_path for request in origin.requests] == ["/in", "/in"]


async def test_nobody_is_lost_while_the_store_is(
    tmp_path: Path, own_redis: PrivateRedis, come: Come, origin: Origin
) -> None:
    waitroom = Waitroom(tmp_path / "waitroom", own_redis.url, origin.port)
    waitroom.set(mode="hold")
    async with waitroom.serving():
        first = await come(waitroom)
        assert (await first.get()).waits
        own_redis.kill()
        got = await (await come(waitroom)).get()
        assert (got.status, got.fields["Retry-After"]) == (503, "5")
        own_redis.start()
        late = await come(waitroom)
        async with asyncio.timeout(PATIENCE_S):
            while not (await late.get()).waits:
                await asyncio.sleep(0.1)
        assert late.number() > first.number()


async def test_who_goes_away_before_the_answer_takes_nobody_along(
    tmp_path: Path, own_redis: PrivateRedis, come: Come, origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    waitroom = Waitroom(tmp_path / "waitroom", own_redis.url, origin.port)
    waitroom.set(mode="hold")
    async with waitroom.serving():
        first = await come(waitroom)
        await first.get()
        own_redis.freeze()
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", waitroom.port)) as gone:
                gone.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\nAccept: text/html\r\n\r\n")
        stays = [await come(waitroom) for _ in range(5)]
        asked = [asyncio.create_task(one.get()) for one in stays]
        await asyncio.sleep(0.2)  # all have come
        own_redis.thaw()
        assert all(got.waits for got in await asyncio.gather(*asked))
    assert {one.number() - first.number() for one in stays} <= set(range(1, 26))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
