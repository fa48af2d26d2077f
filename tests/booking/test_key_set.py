"""The key set, fetched from a real server that counts."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from booking.errors import AdmissionKeysUnavailable
from booking.key_set import COOL_DOWN_S, COOL_DOWN_WITHOUT_KEYS_S, KeySet
from tests.booking.bench import Clock, Room


class Source:
    """Serves the keys of some rooms, and counts how often it was asked."""

    def __init__(self, *rooms: Room) -> None:
        self.rooms = list(rooms)
        self.status = 200
        self.asked = 0

    async def answer(self, _request: web.Request) -> web.Response:
        self.asked += 1
        return web.json_response({"keys": [room.jwk for room in self.rooms]}, status=self.status)


@pytest.fixture
def source(room: Room) -> Source:
    return Source(room)


@pytest.fixture
async def key_set(source: Source, clock: Clock) -> AsyncIterator[KeySet]:
    app = web.Application()
    app.router.add_get("/keys", source.answer)
    async with TestServer(app) as server, ClientSession() as session:
        yield KeySet(str(server.make_url("/keys")), session, clock)


async def test_a_hundred_who_ask_at_once_cost_one_fetch(key_set: KeySet, source: Source, room: Room) -> None:
    await asyncio.gather(*(key_set.refresh() for _ in range(100)))

    assert set(key_set.keys) == {room.kid}
    assert source.asked == 1


async def test_an_unknown_key_is_asked_for_once_in_ten_seconds(key_set: KeySet, source: Source, clock: Clock) -> None:
    await key_set.refresh()
    clock.pass_s(int(COOL_DOWN_S) - 1)
    await key_set.refresh()
    assert source.asked == 1

    clock.pass_s(1)
    await key_set.refresh()
    assert source.asked == 2


async def test_a_new_key_is_found_and_a_removed_one_forgotten(
    key_set: KeySet, source: Source, clock: Clock, tmp_path: Path
) -> None:
    await key_set.refresh()
    source.rooms = [Room(tmp_path, "room-2")]
    clock.pass_s(int(COOL_DOWN_S))
    await key_set.refresh()

    assert set(key_set.keys) == {"room-2"}


async def test_without_any_key_nobody_can_be_judged(key_set: KeySet, source: Source, clock: Clock) -> None:
    """And the source is asked again after a second, so that a site which starts before its room soon serves."""
    source.status = 500
    with pytest.raises(AdmissionKeysUnavailable):
        await key_set.refresh()

    source.status = 200
    clock.pass_s(int(COOL_DOWN_WITHOUT_KEYS_S))
    await key_set.refresh()
    assert key_set.keys


async def test_the_keys_held_survive_a_source_that_fails(
    key_set: KeySet, source: Source, clock: Clock, room: Room
) -> None:
    await key_set.refresh()
    source.status = 500
    clock.pass_s(int(COOL_DOWN_S))
    await key_set.refresh()

    assert set(key_set.keys) == {room.kid}


async def test_keys_may_come_from_a_file(room: Room, clock: Clock) -> None:
    async with ClientSession() as session:
        key_set = KeySet(str(room.key_file), session, clock)
        await key_set.refresh()
        assert set(key_set.keys) == {room.kid}


@pytest.mark.parametrize("content", ["", "[]", "{", json.dumps({"keys": [{"crv": "Ed25519", "x": "AA"}]})])
async def test_a_broken_file_leaves_no_key(room: Room, clock: Clock, content: str) -> None:
    room.key_file.write_text(content)
    async with ClientSession() as session:
        with pytest.raises(AdmissionKeysUnavailable):
            await KeySet(str(room.key_file), session, clock).refresh()
