"""Row 27: who is slow is waited for only so long. No test says how long: each ends when the connection does."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers import PrivateRedis, eventually
from tests.waitroom.proxy.ends import End
from tests.waitroom.proxy.probe import request
from tests.waitroom.proxy.scripted_origin import ScriptedOrigin
from tests.waitroom.proxy.stage import Stage, staged
from tests.waitroom.running import Waitroom

LIMITS = {"head_s": 1, "idle_s": 1, "body_s": 1, "send_s": 1, "body_bytes": 1000}
LARGE = 256 * 1024 * 1024


@pytest.fixture
async def hurried(tmp_path: Path, redis: PrivateRedis, scripted: ScriptedOrigin) -> AsyncIterator[Stage]:
    """A stage whose waitroom waits for a second at most."""
    waitroom = Waitroom(tmp_path, redis.url, scripted.port, server={"limits": LIMITS})
    waitroom.set(mode="open")
    async with staged(waitroom, scripted) as stage:
        yield stage


@pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX-D: 1\r\n"])
async def test_row_27_a_head_that_does_not_end_is_408(hurried: Stage, begun: bytes) -> None:
    assert (await hurried.ask(begun)).words == "408 closed"
    assert not hurried.origin.ends


async def test_row_27_who_says_nothing_is_closed(hurried: Stage) -> None:
    assert (await hurried.ask(b"")).words == "closed"


async def test_row_27_an_idle_connection_is_closed(hurried: Stage) -> None:
    assert (await hurried.ask(request(), methods=(b"GET", b"GET"))).words == "200 closed"


async def test_row_27_a_body_that_does_not_go_on_is_408(hurried: Stage) -> None:
    sent = request(b"/", b"Content-Length: 10\r\n", b"abc", method=b"POST")
    assert (await hurried.ask(sent, methods=(b"POST",))).words == "408 closed"
    assert not hurried.origin.requests


async def test_row_27_a_visitor_who_takes_nothing_is_closed(hurried: Stage) -> None:
    told: list[str] = []

    async def play(end: End) -> None:
        await end.message()
        await end.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        for _ in range(LARGE // 65_536):
            await end.send(bytes(65_536))
        await end.rest()
        told.append(end.ending)

    hurried.origin.play = play
    async with hurried.visitor() as end:
        await end.send(request())
        head = await end.head()
        await eventually(lambda: told)
        body = await end.rest()
    assert head.status == 200
    assert len(body) < LARGE


@pytest.mark.parametrize("size", [1000, 1001])
async def test_row_27_a_body_over_the_limit_is_413(hurried: Stage, size: int) -> None:
    sent = request(b"/", b"Content-Length: %d\r\n" % size, bytes(size), method=b"POST")
    assert (await hurried.ask(sent, methods=(b"POST",))).words == ("200 open" if size == 1000 else "413 closed")
