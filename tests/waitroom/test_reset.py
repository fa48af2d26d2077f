"""A line that is begun anew: earlier tickets are void, and their owners are told so once, in words."""

from pathlib import Path

from tests.servers import PrivateRedis
from tests.waitroom.running import APP, TIMEOUT_MS, Origin, Waitroom
from tests.waitroom.visitors import Come, until_state
from waitroom.line import REDIS_CLOCK
from waitroom.store import Store


async def reset(redis: PrivateRedis, line: str = "site", epoch: int = 2) -> None:
    """As an operator's command does."""
    store = Store(redis.url, TIMEOUT_MS)
    assert await store.run("reset", line, [REDIS_CLOCK, epoch]) == epoch
    await store.close()


async def test_who_waited_is_told_once_and_joins_the_new_line(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(cap=1)
    async with waitroom.serving():
        inside, one, app, newcomer = [await come(waitroom) for _ in range(4)]
        for _ in range(2):
            assert (await inside.get()).is_origins
        for waiting in (one, app):
            assert (await waiting.get()).waits
            await waiting.place()
        numbers = [visitor.number() for visitor in (one, app)]
        await reset(redis)
        await until_state("none", one)
        assert (await newcomer.get()).waits
        told = await one.get()
        assert told.status == 409
        assert "The line was started anew" in told.text
        assert "wr-site" not in one.cookies
        refused = await app.get("/", APP)
        assert (refused.status, refused.json["code"]) == (409, "void")
        for visitor, number in zip((one, app), numbers, strict=True):
            assert (await visitor.get()).waits
            assert visitor.number() > newcomer.number() > number
            assert visitor.ticket()[1] == "2"
        assert (await inside.get("/still")).is_origins


async def test_who_was_called_and_did_not_come_is_told_so_too(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(cap=1, mode="queue", rate_per_minute=6000)
    async with waitroom.serving():
        one = await come(waitroom)
        await one.get()
        await until_state("called", one)
        await reset(redis)
        await until_state("none", one)
        assert (await one.get()).status == 409
    assert not origin.requests


async def test_one_flights_reset_is_no_others(tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(mode="queue", rate_per_minute=1, burst=2, paths=["/flights/{key}"])
    async with waitroom.serving():
        one = await come(waitroom)
        for flight in (7, 8):
            await one.get(f"/flights/{flight}")
        await reset(redis, "site/7")
        await until_state("none", one, key="7")
        assert (await one.get("/flights/7")).status == 409
        assert (await one.get("/flights/8")).status == 200
        assert {name for name in one.cookies if name.startswith("wr-")} == {"wr-site.8"}
