"""Polls that repeat themselves on one connection: each is told what holds now, of the ticket that it brings now."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers import PATIENCE_S, PrivateRedis
from tests.waitroom.running import Origin, Waitroom
from tests.waitroom.visitors import Come, Visitor, until_positions

PLACE = "/.waitroom/rooms/site/place"


@dataclass
class Connection:
    """One that is kept, however many visitors poll through it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def polls(self, cookies: str, target: str = PLACE, start: str = "GET {} HTTP/1.1", more: str = "") -> str:
        """Asks, and gives the head of the answer, its body left for `told`."""
        lines = [start.format(target), "Host: localhost", f"Cookie: {cookies}", *([more] if more else [])]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(PATIENCE_S):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def told(self, head: str) -> dict[str, Any]:
        """The place in an answer."""
        length = next(int(line[16:]) for line in head.split("\r\n") if line.startswith("Content-Length: "))
        async with asyncio.timeout(PATIENCE_S):
            place: dict[str, Any] = json.loads(await self.reader.readexactly(length))
        return place

    async def place(self, cookies: str, target: str = PLACE) -> dict[str, Any]:
        return await self.told(await self.polls(cookies, target))

    async def until(self, field: str, value: object, cookies: str, target: str = PLACE) -> None:
        """Polls until it is told so, always by the same bytes."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self.place(cookies, target))[field] != value:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def connected(waitroom: Waitroom) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", waitroom.port)
    yield Connection(reader, writer)
    writer.close()
    await writer.wait_closed()


@pytest.fixture
def waitroom(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> Waitroom:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(mode="hold")
    return waitroom


async def waiting(waitroom: Waitroom, come: Come, count: int) -> list[Visitor]:
    """So many, who stand in this order."""
    visitors = [await come(waitroom) for _ in range(count)]
    for one in visitors:
        assert (await one.get()).waits
    await until_positions(*visitors)
    return visitors


def cookies_of(one: Visitor) -> str:
    return "; ".join(f"{name}={value}" for name, value in one.cookies.items())


async def test_who_polls_again_is_told_of_those_who_have_gone(waitroom: Waitroom, come: Come) -> None:
    async with waitroom.serving(), connected(waitroom) as connection:
        first, second = await waiting(waitroom, come, 2)
        cookies = cookies_of(second)
        assert (await connection.place(cookies))["position"] == 2
        await first.leave()
        await connection.until("position", 1, cookies)


async def test_each_ticket_has_its_own_place_whoever_polled_before(waitroom: Waitroom, come: Come) -> None:
    """As behind a balancer, whose connections visitors share."""
    async with waitroom.serving(), connected(waitroom) as connection:
        cookies = [cookies_of(one) for one in await waiting(waitroom, come, 3)]
        for turn in (0, 0, 2, 1, 1, 2, 0):
            assert (await connection.place(cookies[turn]))["position"] == turn + 1


async def test_a_ticket_that_is_none_of_ours_gives_no_place(waitroom: Waitroom, come: Come) -> None:
    async with waitroom.serving(), connected(waitroom) as connection:
        (one,) = await waiting(waitroom, come, 1)
        ticket = one.cookies["wr-site"]
        forged = ticket[:-1] + ("A" if ticket[-1] != "A" else "B")
        for cookies, state in [(ticket, "waiting"), (forged, "none"), (ticket, "waiting"), ("", "none")]:
            assert (await connection.place(f"wr-site={cookies}"))["state"] == state


async def test_what_the_operator_says_comes_with_the_next_poll_in_the_language_asked_for(
    waitroom: Waitroom, come: Come
) -> None:
    """Whatever it has in it."""
    waitroom.set(mode="hold", message="100 % soon: -1 [-1] %d")
    async with waitroom.serving(), connected(waitroom) as connection:
        (one,) = await waiting(waitroom, come, 1)
        cookies = cookies_of(one)
        assert (await connection.place(cookies))["message"] == "100 % soon: -1 [-1] %d"
        waitroom.set(mode="hold", message={"en": "Later", "de": "Später"})
        await connection.until("message", "Later", cookies)
        assert (await connection.place(cookies, f"{PLACE}?language=de"))["message"] == "Später"
        assert (await connection.place(cookies, f"{PLACE}?language=fr"))["message"] == "Later"


async def test_who_is_called_meanwhile_is_told_by_the_next_poll(waitroom: Waitroom, come: Come) -> None:
    async with waitroom.serving(), connected(waitroom) as connection:
        (one,) = await waiting(waitroom, come, 1)
        cookies = cookies_of(one)
        assert (await connection.place(cookies))["paused"] == "hold"
        waitroom.set(mode="queue")
        await connection.until("state", "called", cookies)


async def test_who_may_not_poll_any_more_is_told_so_on_the_same_connection(waitroom: Waitroom, come: Come) -> None:
    async with waitroom.serving(), connected(waitroom) as connection:
        one, other = await waiting(waitroom, come, 2)
        assert (await connection.place(cookies_of(one)))["state"] == "waiting"
        await waitroom.ask("rooms/site/revoke", {"numbers": [one.number()]})
        await connection.until("state", "revoked", cookies_of(one))
        await connection.until("position", 1, cookies_of(other))


async def test_who_polls_only_sees_no_body_with_head(waitroom: Waitroom, come: Come) -> None:
    async with waitroom.serving(), connected(waitroom) as connection:
        (one,) = await waiting(waitroom, come, 1)
        for _ in range(2):
            head = await connection.polls(cookies_of(one), start="HEAD {} HTTP/1.1")
            assert head.startswith("HTTP/1.1 200 OK\r\n")
            assert "\r\nContent-Type: application/json" in head
        assert (await connection.place(cookies_of(one)))["position"] == 1


@pytest.mark.parametrize(
    ("start", "more", "says"),
    [
        ("GET {} HTTP/1.1", "Connection: close", "Connection: close"),
        ("GET {} HTTP/1.0", "", "Connection: close"),
        ("GET {} HTTP/1.0", "Connection: keep-alive", "Connection: keep-alive"),
    ],
)
async def test_the_connection_goes_on_as_was_asked(
    waitroom: Waitroom, come: Come, start: str, more: str, says: str
) -> None:
    async with waitroom.serving(), connected(waitroom) as connection:
        (one,) = await waiting(waitroom, come, 1)
        head = await connection.polls(cookies_of(one), start=start, more=more)
        assert f"\r\n{says}\r\n" in head
        assert (await connection.told(head))["position"] == 1
        async with asyncio.timeout(PATIENCE_S):
            if says.endswith("close"):
                assert await connection.reader.read() == b""
            else:
                assert (await connection.place(cookies_of(one)))["position"] == 1
