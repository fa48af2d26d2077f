"""Requests that repeat themselves, to the byte, on one connection: what is remembered of them shows nowhere."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.proxy.probe import request
from tests.waitroom.proxy.scripted_origin import ScriptedOrigin
from tests.waitroom.proxy.stage import Stage, staged
from tests.waitroom.running import Waitroom
from tests.waitroom.wire.in_memory import Host, visiting
from waitroom.front_connection import REPEATED_BYTES
from waitroom.response import Response

TRUSTED = "127.0.0.9"


@pytest.fixture
def waitroom(tmp_path: Path, redis: PrivateRedis, scripted: ScriptedOrigin) -> Waitroom:
    waitroom = Waitroom(tmp_path, redis.url, scripted.port)
    waitroom.set(mode="open")
    return waitroom


@pytest.fixture
async def stage(waitroom: Waitroom, scripted: ScriptedOrigin) -> AsyncIterator[Stage]:
    async with staged(waitroom, scripted) as stage:
        yield stage


async def test_each_gets_an_answer_and_an_id_of_its_own(stage: Stage) -> None:
    async with stage.visitor() as visitor:
        for _ in range(3):
            await visitor.send(request(b"/page"))
            assert (await stage.see(visitor, b"GET")).words == "200 open"
    assert stage.origin.told == ["GET /page"] * 3
    assert len({request.head.all(b"x-request-id")[0] for request in stage.origin.requests}) == 3


async def test_visitors_who_share_the_connection_of_a_trusted_proxy_are_told_apart(stage: Stage) -> None:
    asked = [(b"6.6.6.6", b"a-request"), (b"6.6.6.6", b"a-request"), (b"7.7.7.7", b"b-request")]
    async with stage.visitor(TRUSTED) as proxy:
        for told in asked:
            await proxy.send(request(b"/", b"X-Forwarded-For: %b\r\nX-Request-Id: %b\r\n" % told))
            assert (await stage.see(proxy, b"GET")).words == "200 open"
    heads = [request.head for request in stage.origin.requests]
    assert [(*head.all(b"x-forwarded-for"), *head.all(b"x-request-id")) for head in heads] == asked


async def test_the_rooms_in_force_answer(waitroom: Waitroom, stage: Stage) -> None:
    async with stage.visitor() as visitor:

        async def asks() -> str:
            await visitor.send(request(b"/page"))
            return (await stage.see(visitor, b"GET")).words

        assert await asks() == "200 open"
        waitroom.set(mode="open", paths=["/elsewhere/*"])
        async with asyncio.timeout(stage.patience_s):
            while await asks() != "404 open":
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("parts", [[b""], [b"GET / HTTP/1.1\r\nHo", b"st: a\r\n\r\n"]])
async def test_they_are_read_as_they_come(parts: list[bytes]) -> None:
    """Whole, in pieces, and two at once."""
    host = Host(answer=Response(204, ()))
    visitor = visiting(host)
    for part in (request(), request(), *parts, request() + request(), request()):
        visitor.come(part)
    assert len(host.exchanges) == 5 + (len(parts) - 1)


async def test_bodies_are_never_taken_for_repeated() -> None:
    host = Host(answer=Response(204, ()))
    visitor = visiting(host)
    upload = request(b"/", b"Content-Length: 3\r\n", b"abc", method=b"POST")
    for _ in range(3):
        visitor.come(upload)
    assert [exchange.bytes_in for exchange in host.exchanges] == [3, 3, 3]


@pytest.mark.parametrize("change", [b"1", b"2"])
async def test_another_cookie_is_another_request(change: bytes) -> None:
    host = Host(answer=Response(204, ()))
    visitor = visiting(host)
    visitor.come(request(b"/", b"Cookie: wr-site=1\r\n"))
    visitor.come(request(b"/", b"Cookie: wr-site=%b\r\n" % change))
    assert host.exchanges[1].head.looked[b"cookie"] == [b"wr-site=" + change]


@pytest.mark.parametrize(("size", "is_kept"), [(100, True), (REPEATED_BYTES, False)])
async def test_what_is_kept_of_them_is_bounded(size: int, *, is_kept: bool) -> None:
    host = Host(answer=Response(204, ()))
    visitor = visiting(host)
    for _ in range(2):
        visitor.come(request(b"/", b"X-Large: %b\r\n" % (b"x" * size)))
    first, second = host.exchanges
    assert (first.head is second.head) == is_kept
