"""A process that stood still: what came meanwhile is read before anybody is found to have been silent."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.proxy.ends import End
from tests.waitroom.proxy.probe import request
from tests.waitroom.proxy.scripted_origin import ScriptedOrigin, ok
from tests.waitroom.proxy.stage import Stage, staged
from tests.waitroom.running import Waitroom

# Each loop has an order of its own for what is due, and for what is there to be read.
pytestmark = pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])

PATIENCE_S = 1
# Beyond any patience, with the time between two looks at all connections.
STANDS_STILL_S = PATIENCE_S + 1


@pytest.fixture
async def stage(tmp_path: Path, redis: PrivateRedis) -> AsyncIterator[Stage]:
    limits = {"idle_s": PATIENCE_S, "head_s": PATIENCE_S, "body_s": PATIENCE_S, "send_s": PATIENCE_S}
    async with ScriptedOrigin().serving() as origin:
        waitroom = Waitroom(tmp_path, redis.url, origin.port, server={"limits": limits})
        waitroom.set(mode="open", origin={"response_s": PATIENCE_S, "stall_s": PATIENCE_S})
        async with staged(waitroom, origin) as stage:
            yield stage


async def says(end: End, data: bytes) -> None:
    """And then all of this process stands still, as it may while it reads from another connection."""
    loop, has_stood = asyncio.get_running_loop(), asyncio.Event()
    here, there = socket.socketpair()

    def stand_still() -> None:
        loop.remove_reader(here)
        os.write(end.socket.fileno(), data)
        time.sleep(STANDS_STILL_S)
        has_stood.set()

    with here, there:
        loop.add_reader(here, stand_still)
        there.send(b".")
        await has_stood.wait()


async def test_a_request_that_is_there_is_no_idle_connection(stage: Stage) -> None:
    async with stage.visitor() as end:
        await end.send(request(b"/1"))
        assert (await stage.see(end, b"GET")).words == "200 open"
        await says(end, request(b"/2"))
        assert (await stage.see(end, b"GET")).last.body == b"GET /2"


async def test_an_answer_that_is_there_is_no_silent_origin(stage: Stage) -> None:
    async def play(end: End) -> None:
        await end.message()
        await says(end, ok(b"here"))
        await end.rest()

    stage.origin.play = play
    assert (await stage.ask(request())).last.body == b"here"
