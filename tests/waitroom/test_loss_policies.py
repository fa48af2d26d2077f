"""What a room wants while its store is lost: to let some in all the same, or nobody at all. `hold`, the default, is in
test_store_loss.py."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from tests.servers import PrivateRedis, eventually
from tests.waitroom.running import APP, PAGE, Origin, Waitroom
from tests.waitroom.visitors import Come
from waitroom.loans import LOAN_S, Loans


@pytest.fixture
def waitroom(tmp_path: Path, own_redis: PrivateRedis, origin: Origin) -> Waitroom:
    return Waitroom(tmp_path / "one", own_redis.url, origin.port)


async def until_lost(*processes: Waitroom, lost: bool = True) -> None:
    async with asyncio.timeout(20):
        for process in processes:
            while (await process.status())["store_lost"] != lost:
                await asyncio.sleep(0.05)


def test_loans_are_bounded_by_room_and_each_ends() -> None:
    loans = Loans()
    for second in range(2):
        assert loans.are_left("site", 2, second)
        loans.take("site", second)
    assert not loans.are_left("site", 2, LOAN_S - 1)
    assert loans.are_left("other", 1, LOAN_S - 1)
    assert loans.are_left("site", 2, LOAN_S)
    loans.take("site", LOAN_S)
    assert not loans.are_left("site", 2, LOAN_S)


async def test_an_open_loss_lets_so_many_in_and_the_others_keep_their_places(
    waitroom: Waitroom, own_redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    waitroom.set(cap=1, on_store_loss="open", loss_cap=2)
    async with waitroom.serving():
        inside, waiting, *newcomers = [await come(waitroom) for _ in range(5)]
        for _ in range(2):
            await inside.get()
        assert (await waiting.get()).waits
        own_redis.kill()
        await until_lost(waitroom)
        assert (await waiting.get("/image", {"Accept": "image/*"})).status == 429
        assert [(await one.get()).is_origins for one in newcomers] == [True, True, False]
        assert [(await one.get("/again")).is_origins for one in (inside, *newcomers)] == [True, True, True, False]
        assert (await newcomers[0].ask("POST", "/form", PAGE)).is_origins
        kept = await waiting.get()
        assert kept.status == 200
        assert "Your place is kept" in kept.text
        refused = await newcomers[2].get("/", APP)
        assert (refused.status, refused.json["code"]) == (503, "store_lost")
        keys = jwt.PyJWKSet.from_dict((await inside.get("/.waitroom/jwks.json")).json).keys
    token = newcomers[0].cookies["wr-site.admission"]
    claims = jwt.decode(token, keys[0], ["EdDSA"], audience="site", issuer="waitroom")
    assert claims["num"] == 0
    assert claims["exp"] <= time.time() + LOAN_S
    assert token in [request.headers["X-Waitroom-Admission"] for request in origin.requests]


async def test_each_process_lends_its_own_and_honours_the_others(
    waitroom: Waitroom, own_redis: PrivateRedis, origin: Origin, come: Come, tmp_path: Path
) -> None:
    other = waitroom.beside(tmp_path / "two")
    for process in (waitroom, other):
        process.set(cap=1, on_store_loss="open", loss_cap=1)
    async with waitroom.serving(), other.serving():
        own_redis.kill()
        await until_lost(waitroom, other)
        visitors = [await come(waitroom) for _ in range(3)]
        processes = (waitroom, other, waitroom)
        got = [(await one.get(at=at)).is_origins for one, at in zip(visitors, processes, strict=True)]
        assert got == [True, True, False]
        assert (await visitors[0].get(at=other)).is_origins
        assert (await visitors[1].get(at=waitroom)).is_origins
        assert (await visitors[2].get(at=other)).status == 503


async def test_when_redis_is_back_a_loan_lasts_to_its_end_and_nobody_is_lent_another(
    waitroom: Waitroom, own_redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    waitroom.set(cap=1, on_store_loss="open", loss_cap=9)
    async with waitroom.serving():
        inside, borrower, newcomer = [await come(waitroom) for _ in range(3)]
        for _ in range(2):
            await inside.get()
        own_redis.kill()
        await until_lost(waitroom)
        assert (await borrower.get()).is_origins
        token = borrower.cookies["wr-site.admission"]
        own_redis.start()
        await until_lost(waitroom, lost=False)
        assert (await borrower.get("/still")).is_origins
        assert borrower.cookies["wr-site.admission"] == token
        assert (await newcomer.get()).waits
        assert (await inside.get("/still")).is_origins


async def test_what_an_open_room_gave_everybody_is_no_loan(
    waitroom: Waitroom, own_redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    waitroom.set(mode="open")
    async with waitroom.serving():
        await (await come(waitroom)).get()
    token = origin.requests[0].headers["X-Waitroom-Admission"]
    waitroom.set(on_store_loss="open", loss_cap=1)
    async with waitroom.serving():
        own_redis.kill()
        await until_lost(waitroom)
        assert (await (await come(waitroom)).get()).is_origins
        assert (await (await come(waitroom, {"wr-site.admission": token})).get()).status == 503


async def test_nothing_is_lent_before_the_opening(
    waitroom: Waitroom, own_redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    """And at the opening it is, though Redis is not there to say that it is time."""
    waitroom.set(on_store_loss="open", opens_at=datetime.now(UTC) + timedelta(seconds=3))
    async with waitroom.serving():
        one = await come(waitroom)
        await eventually(lambda: own_redis.client.exists("wr:{site}:state"))
        while (await waitroom.status())["rooms"][0]["inside"] is None:
            await asyncio.sleep(0.05)
        own_redis.kill()
        await until_lost(waitroom)
        assert (await one.get()).status == 503
        async with asyncio.timeout(10):
            while not (await one.get()).is_origins:
                await asyncio.sleep(0.1)


async def test_a_closed_loss_refuses_all_and_keeps_their_places(
    waitroom: Waitroom, own_redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    waitroom.set(cap=1, on_store_loss="closed", bypass=["/healthz"])
    async with waitroom.serving():
        inside, *waiting = [await come(waitroom) for _ in range(3)]
        for one in (inside, inside, *waiting):
            await one.get()
            await one.place()
        own_redis.kill()
        await until_lost(waitroom)
        before = len(origin.requests)
        for one in (inside, *waiting, await come(waitroom)):
            page, app, post = await one.get(), await one.get("/", APP), await one.ask("POST", "/", APP)
            assert [got.status for got in (page, app, post)] == [503, 503, 503]
            assert app.json["code"] == "store_lost"
            assert "tries again by itself" in page.text
        assert len(origin.requests) == before
        assert (await inside.get("/healthz")).is_origins
        own_redis.start()
        await until_lost(waitroom, lost=False)
        assert (await inside.get()).is_origins
        async with asyncio.timeout(20):
            while [(await one.place())["position"] for one in waiting] != [1, 2]:
                await asyncio.sleep(0.1)
