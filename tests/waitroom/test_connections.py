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
from waitroom.connections import Connections
from waitroom.exchange import Exchange
from waitroom.listener import Peer
from waitroom.response import Response
from waitroom.wire.errors import RequestError
from waitroom.wire.limits import WireLimits

# Each loop has an order of its own for what is due, and for what is there to be read.
pytestmark = pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])

PATIENCE_S = 1
TURNS = 10
NOW_S = 100.0
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


class Greeter:
    """Answers all the same."""

    def handle(self, exchange: Exchange) -> None:
        exchange.answer(Response(200, (), b"hello"))

    def refuse(self, exchange: Exchange, error: RequestError) -> None:
        raise AssertionError(error)

    def finished(self, exchange: Exchange, now_s: float) -> None:
        pass


@pytest.mark.parametrize(("asks", "is_there"), [(True, [False, False]), (False, [True, False])])
async def test_a_process_that_ends_waits_longer_for_who_has_just_connected(*, asks: bool, is_there: list[bool]) -> None:
    """Whoever was answered may ask no more; but nobody connects to say nothing."""
    connections = Connections(Greeter(), WireLimits(), lambda: NOW_S)
    here, there = socket.socketpair()
    there.setblocking(False)
    loop = asyncio.get_running_loop()
    with there:
        connection = connections.protocol(Peer("192.0.2.1", is_tls=False))
        await loop.connect_accepted_socket(lambda: connection, here)
        if asks:
            await loop.sock_sendall(there, request())
            assert (await loop.sock_recv(there, 1000)).endswith(b"hello")
        connections.is_draining = True
        for after_s, stays in zip((2.0, 6.0), is_there, strict=True):
            connection.check(NOW_S + after_s)
            for _ in range(TURNS):  # a transport that was closed says so in one of the next turns
                await asyncio.sleep(0)
            assert (len(connections) == 1) == stays
