"""What an origin may do with the place of the visitor whom it answers: give it back, or take it away."""

import asyncio
import logging
from pathlib import Path

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.running import APP, PAGE, Origin, Waitroom
from tests.waitroom.visitors import PATIENCE_S, Come, Visitor

RELEASE, REVOKE = {"X-Waitroom-Command": "release"}, {"X-Waitroom-Command": "revoke"}
OURS = {"wr-site", "wr-site.admission"}


@pytest.fixture
def origin(origin: Origin) -> Origin:
    origin.says = {
        "/done": RELEASE,
        "/banned": REVOKE,
        "/odd": {"X-Waitroom-Command": "promote"},
        "/both": {"X-Waitroom-Command": "release, revoke"},
    }
    return origin


@pytest.fixture
def waitroom(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> Waitroom:
    """A waitroom with room for one."""
    waitroom = Waitroom(tmp_path / "one", redis.url, origin.port)
    waitroom.set(cap=1)
    return waitroom


def inside(redis: PrivateRedis) -> object:
    return redis.client.zrange("wr:{site}:inside", 0, -1)


@pytest.mark.parametrize("path", ["/done", "/banned", "/odd"])
async def test_a_command_never_reaches_the_visitor(waitroom: Waitroom, come: Come, path: str) -> None:
    async with waitroom.serving():
        got = await (await come(waitroom)).get(path)
    assert got.is_origins
    assert "X-Waitroom-Command" not in got.fields


@pytest.mark.parametrize("first", ["/done", "/"])
async def test_a_released_place_is_free_and_its_visitor_joins_anew(
    waitroom: Waitroom, redis: PrivateRedis, come: Come, first: str
) -> None:
    """Whether the place is released by the very request that was admitted, or later."""
    async with waitroom.serving():
        one, next_one = await come(waitroom), await come(waitroom)
        kept: dict[str, str] = {}
        if first == "/":
            await one.get("/")
            kept = one.cookies
        assert (await one.get("/done")).is_origins
        assert not OURS & set(one.cookies)
        assert not inside(redis)
        assert (await next_one.get()).is_origins
        assert (await one.get()).waits
        assert one.number() > next_one.number()
        if kept:
            again = await come(waitroom, kept)
            assert (await again.get()).waits
            assert again.number() > next_one.number()


async def test_the_revoked_are_refused_by_every_process_though_their_admission_is_still_valid(
    waitroom: Waitroom, redis: PrivateRedis, come: Come, tmp_path: Path
) -> None:
    other = waitroom.beside(tmp_path / "two")
    other.set(cap=1)
    async with waitroom.serving_before(other, redis):
        one, stranger = await come(waitroom), await come(waitroom)
        for _ in range(2):
            assert (await one.get("/", at=other)).is_origins
        token = one.cookies["wr-site.admission"]
        assert (await one.get("/banned")).is_origins
        assert "wr-site.admission" not in one.cookies
        assert not inside(redis)
        assert (await stranger.get()).is_origins
        one.session.cookie_jar.update_cookies({"wr-site.admission": token})
        for process in (waitroom, other):
            await eventually_refused(one, process)
            page, app = await one.get(at=process), await one.get("/", APP, at=process)
            assert (page.status, app.status, app.json["code"]) == (403, 403, "revoked")
            assert "Your place was taken away" in page.text
            assert (await one.place(at=process))["state"] == "revoked"


async def eventually_refused(one: Visitor, process: Waitroom) -> None:
    """The other process hears of it with its next tick: until then the visitor has an admission like any other."""
    async with asyncio.timeout(PATIENCE_S):
        while (await one.get(at=process)).is_origins:
            await asyncio.sleep(0.05)


async def test_who_was_revoked_while_the_lease_was_due_for_renewal_gets_no_new_number(
    waitroom: Waitroom, redis: PrivateRedis, come: Come, tmp_path: Path
) -> None:
    """The process that renews hears from Redis that the number is refused, before its own tick tells it."""
    other = waitroom.beside(tmp_path / "two")
    other.set(cap=1)
    async with waitroom.serving_before(other, redis):
        one = await come(waitroom)
        await one.get()  # the lease of a call, which every request renews
        kept = dict(one.cookies)
        await one.get("/banned")
        one = await come(waitroom, kept)
        assert (await one.get(at=other)).status == 403
        assert one.cookies["wr-site"] == kept["wr-site"]


async def test_a_visitor_can_command_nothing(
    waitroom: Waitroom, origin: Origin, redis: PrivateRedis, come: Come
) -> None:
    """Not even an origin that echoes what it gets sees the header."""
    async with waitroom.serving():
        one = await come(waitroom)
        for command in (RELEASE, REVOKE):
            assert (await one.get("/", PAGE | command)).is_origins
        assert all("X-Waitroom-Command" not in request.headers for request in origin.requests)
        assert inside(redis) == [str(one.number()).encode()]


@pytest.mark.parametrize("path", ["/odd", "/both"])
async def test_an_unknown_command_does_nothing(waitroom: Waitroom, redis: PrivateRedis, come: Come, path: str) -> None:
    async with waitroom.serving():
        one = await come(waitroom)
        assert (await one.get(path)).is_origins
        assert set(one.cookies) >= OURS
        assert inside(redis) == [str(one.number()).encode()]


@pytest.mark.parametrize("path", ["/done", "/banned"])
async def test_who_has_no_place_has_none_to_lose(
    waitroom: Waitroom, redis: PrivateRedis, come: Come, path: str
) -> None:
    """In an open room everybody has the number 0, and what a rule lets by has none at all."""
    waitroom.set(cap=1, bypass=["/done", "/banned"])
    async with waitroom.serving():
        one = await come(waitroom)
        await one.get()
        number = one.number()
        assert (await one.get(path)).is_origins
        assert one.number() == number
    waitroom.set(cap=1, mode="open")
    async with waitroom.serving():
        one = await come(waitroom)
        assert (await one.get(path)).is_origins
    assert inside(redis) == [str(number).encode()]
    assert redis.client.zcard("wr:{site}:revoked") == 0


async def test_without_a_store_a_command_is_logged_and_the_answer_arrives(
    tmp_path: Path, own_redis: PrivateRedis, origin: Origin, come: Come, caplog: pytest.LogCaptureFixture
) -> None:
    waitroom = Waitroom(tmp_path, own_redis.url, origin.port)
    waitroom.set(cap=1)
    async with waitroom.serving():
        one = await come(waitroom)
        for _ in range(2):
            await one.get()
        own_redis.kill()
        with caplog.at_level(logging.WARNING):
            for path in ("/done", "/banned"):
                assert (await one.get(path)).json["path"] == path
        assert set(one.cookies) >= OURS
    said = [record.getMessage() for record in caplog.records if "was not done" in record.getMessage()]
    assert [text.split(":")[1].split()[0] for text in said] == ["release", "revoke"]
    assert one.cookies["wr-site.admission"] not in caplog.text
