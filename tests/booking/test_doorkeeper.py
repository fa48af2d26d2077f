"""The doorkeeper with a real source of keys: a change of keys keeps nobody out, whoever else comes meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from booking.admission import Judge
from booking.doorkeeper import Doorkeeper
from booking.errors import AdmissionRefused
from booking.key_set import COOL_DOWN_S, KeySet
from tests.booking.bench import Clock, Room
from tests.booking.test_key_set import Source

VISITORS = 40


@pytest.fixture
def source(room: Room) -> Source:
    return Source(room)


@pytest.fixture
async def doorkeeper(source: Source, clock: Clock) -> AsyncIterator[Doorkeeper]:
    app = web.Application()
    app.router.add_get("/keys", source.answer)
    async with TestServer(app) as server, ClientSession() as session:
        yield Doorkeeper(Judge("site", "waitroom"), KeySet(str(server.make_url("/keys")), session, clock))


async def test_new_keys_keep_nobody_out(
    doorkeeper: Doorkeeper, source: Source, room: Room, clock: Clock, tmp_path: Path
) -> None:
    """A key is published for as long as the source is left alone before it signs. Visitors come all the time, and
    strangers with keys that they made up, so that the source was asked at the worst moment."""
    new, stranger = Room(tmp_path / "new", "room-2"), Room(tmp_path / "stranger", "made-up")
    signs, is_over, admitted = room, False, 0

    async def visit() -> None:
        nonlocal admitted
        while not is_over:
            await doorkeeper.admit(signs.admission(), clock())
            admitted += 1
            await asyncio.sleep(0)

    async def intrude() -> None:
        while not is_over:
            with pytest.raises(AdmissionRefused):
                await doorkeeper.admit(stranger.admission(), clock())
            await asyncio.sleep(0)

    async def go_on() -> None:
        seen = admitted
        while admitted < seen + VISITORS:
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as crowd:
        for _ in range(VISITORS):
            crowd.create_task(visit())
        crowd.create_task(intrude())
        await go_on()
        source.rooms = [room, new]
        for _ in range(int(COOL_DOWN_S)):
            await go_on()
            clock.pass_s(1)
        signs = new
        await go_on()
        source.rooms = [new]
        clock.pass_s(int(COOL_DOWN_S))
        await go_on()
        is_over = True

    assert source.asked <= 3


async def test_a_token_is_judged_once_and_refused_when_it_ends(
    doorkeeper: Doorkeeper, source: Source, room: Room, clock: Clock
) -> None:
    """Even where its key is gone by then: whoever is inside stays so until the lease ends."""
    token = room.admission(exp=clock.now_s + 60)
    admission = await doorkeeper.admit(token, clock())
    source.rooms = []
    clock.pass_s(int(COOL_DOWN_S))

    assert await doorkeeper.admit(token, clock()) is admission
    with pytest.raises(AdmissionRefused) as refusal:
        await doorkeeper.admit(token, clock() + 60)
    assert refusal.value.code == "admission_expired"
