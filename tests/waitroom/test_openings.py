"""Rooms that open and close at a time: early comers wait for it, by lot if there is a draw, and nobody knows more."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.running import APP, Origin, Waitroom, visitor
from tests.waitroom.visitors import PATIENCE_S, Come, Visitor, until_state
from waitroom.draw import Draw
from waitroom.limits import NUMBERS_PER_MS

# Who comes early to a draw in an empty Redis gets an arrival after half of this.
PRESENCE_MS = 1_000
DRAWN = 6
# Until an opening or a close that a test moves as soon as it has seen all that comes before: and then until it comes.
LATER_S, SOON_S = 3_600, 0.5


@pytest.fixture
def waitroom(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> Waitroom:
    return Waitroom(tmp_path, redis.url, origin.port)


def after(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def let_in_one_by_one(visitors: list[Visitor]) -> list[Visitor]:
    """Lets whoever is called go in and leave, until all were inside; gives them in that order."""
    inside: list[Visitor] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(inside) < len(visitors):
            for one in [one for one in visitors if one not in inside]:
                if (await one.place())["state"] == "called":
                    assert (await one.get("/in")).is_origins
                    inside.append(one)
                    await one.leave()
            await asyncio.sleep(0.05)
    return inside


async def arrived(waitroom: Waitroom, come: Come) -> Visitor:
    """A visitor who came early, and was given an arrival."""
    one = await come(waitroom)
    async with asyncio.timeout(PATIENCE_S):
        while "wr-site" not in one.cookies:
            await one.get("/", APP)
            await asyncio.sleep(0.05)
    await one.place()
    return one


async def test_before_an_opening_nobody_is_let_in_and_then_all_are_as_they_came(
    waitroom: Waitroom, origin: Origin, come: Come
) -> None:
    room = {"cap": 1, "rate_per_minute": 6000}
    waitroom.set(**room, opens_at=after(LATER_S))
    async with waitroom.serving():
        visitors = [await come(waitroom) for _ in range(3)]
        for one in visitors:
            await one.get()
        early = await until_state("early", *visitors)
        assert all(place["position"] is None and place["opens_in_ms"] > 0 for place in early)
        assert not origin.requests
        numbers = [one.number() for one in visitors]
        assert numbers == sorted(numbers)
        waitroom.set(**room, opens_at=after(SOON_S))
        assert await let_in_one_by_one(visitors) == visitors


async def draw_for_everybody(waitroom: Waitroom) -> dict[str, Any]:
    async with visitor() as session, session.get(f"{waitroom.url}/.waitroom/rooms/site/draw") as response:
        told: dict[str, Any] = await response.json()
        return told


async def test_a_room_that_draws_no_places_says_so(waitroom: Waitroom) -> None:
    waitroom.set()
    async with (
        waitroom.serving(),
        visitor() as session,
        session.get(f"{waitroom.url}/.waitroom/rooms/site/draw") as response,
    ):
        assert (response.status, (await response.json())["code"]) == (404, "no_draw")


async def test_a_draw_decides_who_is_called_first_and_nobody_can_know_it_before_the_opening(
    waitroom: Waitroom, origin: Origin, come: Come
) -> None:
    # Time enough for all that comes before, also for a machine that stands still meanwhile.
    opens_at = after(8)
    waitroom.set(cap=1, rate_per_minute=6000, opens_at=opens_at, draw="sale", draw_size=1000)
    async with waitroom.serving(presence_ms=PRESENCE_MS):
        visitors = [await arrived(waitroom, come) for _ in range(DRAWN)]
        tickets = [one.ticket() for one in visitors]
        assert [ticket[2] for ticket in tickets] == [f"{arrival}@sale" for arrival in range(DRAWN)]
        got = [await one.get("/", APP) for one in visitors]
        early = await until_state("early", *visitors)
        before = await draw_for_everybody(waitroom)
        async with asyncio.timeout(PATIENCE_S):
            while (await visitors[0].place())["state"] == "early":
                for one in visitors[1:]:
                    await one.place()
                await asyncio.sleep(0.1)
        late = await come(waitroom)
        assert (await late.get()).waits
        told = (await late.place())["draw"]
        drawn = Draw(bytes.fromhex(told["seed"]), told["size"])
        after_it = await draw_for_everybody(waitroom)
        turns = await let_in_one_by_one([late, *visitors])

    assert before == {"commitment": told["commitment"], "size": 1000, "seed": None}
    assert after_it == before | {"seed": told["seed"]}
    assert hashlib.sha256(drawn.seed).hexdigest() == told["commitment"]
    by_lot = sorted(range(DRAWN), key=drawn.place)
    assert by_lot != list(range(DRAWN)), "a draw that leaves all as they came proves nothing: change its name"
    assert turns == [*(visitors[arrival] for arrival in by_lot), late]
    for arrival, place in enumerate(early):
        number = round(opens_at.timestamp() * 1000) * NUMBERS_PER_MS + drawn.place(arrival)
        assert place["position"] is None
        draw = {"commitment": told["commitment"], "size": 1000, "arrival": arrival, "seed": None, "place": None}
        assert place["draw"] == draw
        answer = got[arrival].text + str(got[arrival].fields) + str(place) + str(tickets[arrival])
        assert str(number) not in answer
        assert drawn.seed.hex() not in answer


async def test_a_draw_that_is_moved_to_an_earlier_time_is_the_same_draw(
    waitroom: Waitroom, origin: Origin, come: Come
) -> None:
    """I3: nobody waits behind the numbers that the same visitors would have had at the opening as it was set before."""
    room = {"cap": 1, "rate_per_minute": 6000, "draw": "sale", "draw_size": 1000}
    waitroom.set(**room, opens_at=after(LATER_S))
    async with waitroom.serving(presence_ms=PRESENCE_MS):
        visitors = [await arrived(waitroom, come) for _ in range(DRAWN)]
        await until_state("early", *visitors)
        waitroom.set(**room, opens_at=after(SOON_S))
        await until_state("waiting", *visitors)
        late = await come(waitroom)
        assert (await late.get()).waits
        told = (await late.place())["draw"]
        turns = await let_in_one_by_one([late, *visitors])
    drawn = Draw(bytes.fromhex(told["seed"]), told["size"])
    assert turns == [*(visitors[arrival] for arrival in sorted(range(DRAWN), key=drawn.place)), late]


async def test_after_the_opening_the_lot_of_each_is_told_and_the_ticket_stays(
    waitroom: Waitroom, origin: Origin, come: Come
) -> None:
    room = {"cap": 1, "mode": "hold", "draw": "sale", "draw_size": 1000}
    waitroom.set(**room, opens_at=after(LATER_S))
    async with waitroom.serving(presence_ms=PRESENCE_MS):
        visitors = [await arrived(waitroom, come) for _ in range(3)]
        tickets = [one.cookies["wr-site"] for one in visitors]
        waitroom.set(**room, opens_at=after(SOON_S))
        places = await until_state("waiting", *visitors)
        assert [place["draw"]["arrival"] for place in places] == [0, 1, 2]
        drawn = Draw(bytes.fromhex(places[0]["draw"]["seed"]), 1000)
        lots = [place["draw"]["place"] for place in places]
        assert lots == [drawn.place(arrival) for arrival in range(3)]
        assert [place["position"] for place in places] == [sorted(lots).index(lot) + 1 for lot in lots]
        for one in visitors:
            await one.get()
        assert [one.cookies["wr-site"] for one in visitors] == tickets


async def test_after_the_close_those_inside_go_on_and_the_others_read_that_it_is_closed(
    waitroom: Waitroom, origin: Origin, come: Come
) -> None:
    room = {"cap": 1, "message": "Come back tomorrow"}
    waitroom.set(**room, closes_at=after(LATER_S))
    async with waitroom.serving():
        inside, waiting, newcomer = [await come(waitroom) for _ in range(3)]
        await inside.get()
        assert (await waiting.get()).waits
        waitroom.set(**room, closes_at=after(SOON_S))
        await until_state("closed", waiting)
        assert (await inside.get("/still")).json["path"] == "/still"
        for one in (waiting, newcomer):
            page, app = await one.get(), await one.get("/", APP)
            assert (page.status, app.status, app.json["code"]) == (503, 503, "room_closed")
            assert "Come back tomorrow" in page.text
        assert "wr-site" not in newcomer.cookies
        await inside.leave()
        assert (await inside.get("/", APP)).json["code"] == "room_closed"


async def test_who_was_called_before_the_close_still_comes_in(waitroom: Waitroom, origin: Origin, come: Come) -> None:
    room = {"cap": 2, "mode": "queue"}
    waitroom.set(**room, closes_at=after(LATER_S))
    async with waitroom.serving():
        called, waiting, other = [await come(waitroom) for _ in range(3)]
        for one in (called, other, waiting):
            await one.get()
            await one.place()
        await until_state("called", called)
        waitroom.set(**room, closes_at=after(SOON_S))
        await until_state("closed", waiting)
        assert (await called.get("/in")).is_origins


async def test_the_first_to_ask_for_a_flight_reads_that_it_is_not_open_yet(
    waitroom: Waitroom, redis: PrivateRedis, come: Come
) -> None:
    """No process has seen a line that nobody asked for: it is looked at before anything is told of it."""
    waitroom.set(paths=["/flights/{key}"], opens_at=after(60))
    async with waitroom.serving():
        got = await (await come(waitroom)).get("/flights/7", APP)
    assert (got.json["state"], got.json["position"]) == ("early", None)
    waitroom.set(paths=["/flights/{key}"], closes_at=after(-60))
    async with waitroom.serving():
        got = await (await come(waitroom)).get("/flights/8", APP)
        assert got.json["code"] == "room_closed"
    assert redis.client.hget("wr:{site/8}:state", "joined") == b"0"
