"""The claim window, over HTTP: what the called are told of it, and how they get more of it."""

import asyncio
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.running import PAGE, Origin, Waitroom
from tests.waitroom.visitors import PATIENCE_S, Come, Visitor, until_state

# Longer than any of this takes.
CLAIM_MS = 300_000
WEEK_S = 604_800


@pytest.fixture
def waitroom(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> Waitroom:
    """A waitroom with room for one."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(cap=1, rate_per_minute=6000, claim_s=CLAIM_MS // 1000)
    return waitroom


async def called(waitroom: Waitroom, come: Come) -> Visitor:
    """A visitor whose turn has come, and who has not gone in yet."""
    before, one = await come(waitroom), await come(waitroom)
    await before.get()
    await one.get()
    await one.place()
    await before.leave()
    await until_state("called", one)
    return one


def lease_end_ms(redis: PrivateRedis, one: Visitor) -> int:
    return math.ceil(cast("float", redis.client.zscore("wr:{site}:inside", one.number())))


async def test_polls_tell_how_long_the_place_is_reserved_and_claim_nothing(
    waitroom: Waitroom, redis: PrivateRedis, come: Come
) -> None:
    async with waitroom.serving():
        one = await called(waitroom, come)
        end_ms = lease_end_ms(redis, one)
        first = await one.place()
        assert first["can_extend"]
        async with asyncio.timeout(PATIENCE_S):
            while (left_ms := (await one.place())["claim_in_ms"]) >= first["claim_in_ms"]:
                await asyncio.sleep(0.05)
        assert left_ms >= 0
        assert lease_end_ms(redis, one) == end_ms
        assert redis.client.hget("wr:{site}:state", "claimed") == b"0"


async def test_one_click_gives_another_claim_window_and_a_second_nothing_more(
    waitroom: Waitroom, redis: PrivateRedis, come: Come
) -> None:
    async with waitroom.serving():
        one = await called(waitroom, come)
        end_ms = lease_end_ms(redis, one)
        for _ in range(2):
            told = await one.extend()
            assert (told["state"], told["can_extend"]) == ("called", False)
            assert told["claim_in_ms"] > CLAIM_MS
            assert lease_end_ms(redis, one) == end_ms + CLAIM_MS
        assert (await one.place())["claim_in_ms"] > CLAIM_MS
        assert (await one.get("/in")).is_origins
        assert (await one.extend())["state"] == "inside"


async def test_who_asks_one_process_for_more_time_has_it_at_each(
    waitroom: Waitroom, redis: PrivateRedis, come: Come, tmp_path: Path
) -> None:
    other = waitroom.beside(tmp_path / "other")
    other.set(cap=1, rate_per_minute=6000, claim_s=CLAIM_MS // 1000)
    async with waitroom.serving_before(other, redis):
        one = await called(waitroom, come)
        assert (await one.extend(at=other))["claim_in_ms"] > CLAIM_MS
        assert not (await one.place())["can_extend"]


async def test_who_is_not_called_is_told_how_it_stands(waitroom: Waitroom, come: Come) -> None:
    async with waitroom.serving():
        inside, waiting, stranger = [await come(waitroom) for _ in range(3)]
        await inside.get()
        await waiting.get()
        told = await waiting.extend()
        assert (told["state"], told["claim_in_ms"], told["can_extend"]) == ("waiting", None, False)
        assert (await stranger.extend())["state"] == "none"


async def test_a_page_without_scripts_goes_on_after_it_has_asked(waitroom: Waitroom, come: Come) -> None:
    async with waitroom.serving():
        one = await called(waitroom, come)
        got = await one.ask("POST", "/.waitroom/rooms/site/extend", PAGE)
        assert (got.status, got.fields["Location"]) == (303, "/")
        assert not (await one.place())["can_extend"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_link_that_is_fetched_ahead_asks_for_no_more_time(waitroom: Waitroom, come: Come, method: str) -> None:
    async with waitroom.serving():
        one = await called(waitroom, come)
        got = await one.ask(method, "/.waitroom/rooms/site/extend", {})
        assert (got.status, got.fields["Allow"]) == (405, "POST")
        assert (await one.place())["can_extend"]


async def test_while_the_room_is_open_the_called_need_not_hurry(waitroom: Waitroom, come: Come) -> None:
    async with waitroom.serving():
        one = await called(waitroom, come)
        await waitroom.ask("rooms/site/knobs", {"set": {"mode": "open"}, "why": "test"})
        async with asyncio.timeout(PATIENCE_S):
            while (told := await one.place())["claim_in_ms"] is not None:
                await asyncio.sleep(0.05)
        assert (told["state"], told["can_extend"]) == ("called", False)


async def test_visitors_are_told_how_long_their_place_is_kept(waitroom: Waitroom, come: Come) -> None:
    async with waitroom.serving():
        inside, waiting, stranger = [await come(waitroom) for _ in range(3)]
        await inside.get()
        await waiting.get()
        assert (await waiting.place())["kept_until_ms"] == (int(waiting.ticket()[3]) + WEEK_S) * 1000
        assert (await stranger.place())["kept_until_ms"] is None


async def test_no_place_is_kept_longer_than_its_line(waitroom: Waitroom, come: Come) -> None:
    closes_at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    waitroom.set(cap=1, closes_at=closes_at)
    async with waitroom.serving():
        inside, waiting = await come(waitroom), await come(waitroom)
        await inside.get()
        await waiting.get()
        assert (await waiting.place())["kept_until_ms"] == closes_at.timestamp() * 1000


async def test_more_time_is_given_in_the_line_whose_key_is_named(waitroom: Waitroom, come: Come) -> None:
    waitroom.set(paths=["/flights/{key}"], cap=1, rate_per_minute=6000)
    async with waitroom.serving():
        before, one = await come(waitroom), await come(waitroom)
        await before.get("/flights/7")
        await one.get("/flights/7")
        await one.place(key="7")
        await before.leave(key="7")
        await until_state("called", one, key="7")
        assert (await one.extend(key="8"))["state"] == "none"
        assert (await one.place(key="7"))["can_extend"]
        told = await one.extend(key="7")
        assert (told["state"], told["can_extend"]) == ("called", False)
