"""The open loop of the benchmarks: when it asks, what it makes of the answers, and that it hides nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from random import Random

import pytest
from aiohttp import web

from scripts.benches import open_loop
from scripts.benches.arrivals import by_chance, evenly, opening
from scripts.benches.machine import OTHERS
from scripts.benches.open_loop import Plan, Pool, Quantiles, at, get, load
from scripts.benches.raw_http import Reply, cut, joined

PAGE = get("/", "text/html")


@asynccontextmanager
async def answering(handler: Callable[[web.Request], object]) -> AsyncIterator[int]:
    """A server of one handler; its port."""
    runner = web.ServerRunner(web.Server(handler))  # type: ignore[arg-type]
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def plan(port: int, count: int, connections: int = 0) -> Plan:
    """So many within a tenth of a second."""
    return Plan(port, "/", "text/html", per_s=count * 10, seconds=0.1, connections=connections, moments="evenly")


@pytest.mark.parametrize(
    "moments",
    [
        evenly(50, 4),
        by_chance(50, 4, Random(1)),
        opening(200, 4, 0.3, 1, Random(1)),
    ],
    ids=["evenly", "by chance", "opening"],
)
def test_moments_ascend_and_lie_within_the_time(moments: list[float]) -> None:
    assert moments == sorted(moments)
    assert moments[0] >= 0
    assert moments[-1] < 4
    assert 150 < len(moments) < 250


def test_even_moments_are_equally_far_apart() -> None:
    assert {round(later - earlier, 9) for earlier, later in pairwise(evenly(8, 3))} == {0.125}


def test_moments_by_chance_are_a_poisson_process() -> None:
    """As many a second as asked for, and the gaps' deviation is their mean."""
    gaps = [later - earlier for earlier, later in pairwise(by_chance(100, 200, Random(2)))]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(0.01, rel=0.05)
    assert deviation == pytest.approx(mean, rel=0.05)


def test_a_seed_gives_the_same_crowd_again() -> None:
    assert opening(500, 10, 0.3, 2, Random(3)) == opening(500, 10, 0.3, 2, Random(3))
    assert opening(500, 10, 0.3, 2, Random(3)) != opening(500, 10, 0.3, 2, Random(4))


def test_the_rush_of_an_opening_comes_first() -> None:
    moments = opening(1_000, 100, 0.5, 10, Random(5))
    assert len(moments) == 1_000
    in_rush = sum(moment < 10 for moment in moments)
    assert 500 <= in_rush < 600
    assert sum(moment < 2.5 for moment in moments) > in_rush / 3


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Len", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", (200, b"abc")),
        (b"HTTP/1.1 200 OK\r\ncontent-length:3\r\n\r\nabc", (200, b"abc")),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", (304, b"")),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", None),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", (404, b"")),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", None),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", (200, b"abc")),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", None),
    ],
)
def test_a_reply_is_cut_where_it_ends(received: bytes, expected: tuple[int, bytes] | None) -> None:
    whole = cut(received)
    assert (whole and (whole[0], whole[2])) == expected


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    whole = cut(b"HTTP/1.0 200 OK\r\n\r\nabc", is_all=True)
    assert whole
    assert whole[2] == b"abc"


@pytest.mark.parametrize(
    ("chunks", "content"),
    [
        (b"", None),
        (b"2\r\nab\r\n", None),
        (b"2\r\nab\r\n0\r\n", None),
        (b"2;name=value\r\nab\r\nA\r\n0123456789\r\n0\r\n\r\n", b"ab0123456789"),
        (b"1\r\na\r\n0\r\nTrailer: x\r\n\r\n", b"a"),
    ],
)
def test_chunks_are_joined_once_all_are_there(chunks: bytes, content: bytes | None) -> None:
    assert joined(chunks) == content


def test_fields_are_found_by_name() -> None:
    reply = Reply(200, b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nX-Set-Cookie: c=3", b"", 0, 0)
    assert reply.fields(b"set-cookie") == [b"a=1", b"b=2"]
    assert not reply.field(b"etag")


def test_quantiles_are_by_nearest_rank() -> None:
    assert Quantiles.of([number / 1000 for number in range(1, 1001)]) == Quantiles(500, 900, 990, 999, 1000)
    assert Quantiles.of([]) == Quantiles(0, 0, 0, 0, 0)


async def test_it_asks_at_its_moments_though_nothing_is_answered() -> None:
    """A closed loop would wait here for ever: the first answer comes after the last request."""
    asked, everybody = 0, asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked == 50:
            everybody.set()
        await everybody.wait()
        return web.Response(text="here")

    async with answering(handler) as port:
        seen = await load(plan(port, 50))
    assert (seen.asked, seen.answered, seen.failed, seen.unanswered) == (50, 50, 0, 0)
    assert seen.statuses == {"200": 50}


async def test_a_time_counts_from_when_it_should_have_been_asked() -> None:
    """Ten want the only connection at once, and each is answered after 50 ms: the last has waited for all of them."""

    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(0.05)
        return web.Response()

    async with answering(handler) as port:
        plan = Plan(port, "/", "text/html", per_s=10_000, seconds=0.001, connections=1, moments="evenly")
        seen = await load(plan)
    assert seen.answered == 10
    assert seen.whole.most >= 490


async def test_it_tells_how_late_it_was_itself() -> None:
    late = await at([0, 0.01, 0.02], lambda index, _: time.sleep(0.1) if index == 0 else None)
    assert late[1] >= 0.09
    assert late[2] >= 0.08


async def test_it_gives_up_what_is_never_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_loop, "PATIENCE_S", 0.1)
    stop = asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        await stop.wait()
        return web.Response()

    async with answering(handler) as port:
        seen = await load(plan(port, 5))
        stop.set()
    assert (seen.asked, seen.answered, seen.unanswered) == (5, 0, 5)


async def test_a_connection_that_breaks_is_told_and_replaced() -> None:
    """Every second request ends its connection without an answer."""
    asked = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked % 2:
            assert request.transport
            request.transport.abort()
        return web.Response()

    async with answering(handler) as port:
        seen = await load(plan(port, 20, connections=1))
    assert (seen.answered, seen.failed) == (10, 10)


async def test_nobody_there_is_told() -> None:
    async with answering(lambda _: web.Response()) as port:
        pass
    assert (await load(plan(port, 5))).failed == 5
    assert (await load(plan(port, 5, connections=1))).failed == 5


async def test_connections_are_kept_as_many_as_are_asked_for() -> None:
    peers = set()

    async def handler(request: web.Request) -> web.Response:
        assert request.transport
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response()

    async with answering(handler) as port:
        assert (await load(plan(port, 50, connections=3))).answered == 50
        assert len(peers) <= 3
        peers.clear()
        assert (await load(plan(port, 50))).answered == 50
        assert len(peers) == 50


async def test_addresses_are_asked_in_turn() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        assert request.transport
        asked.append(request.transport.get_extra_info("sockname")[0])
        return web.Response()

    runner = web.ServerRunner(web.Server(handler))  # type: ignore[arg-type]
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 0).start()
    pool, replies = (
        Pool([(f"127.0.0.{last}", runner.addresses[0][1]) for last in (1, 2)]),
        asyncio.Queue[Reply | None](),
    )
    for _ in range(4):
        pool.ask(PAGE, replies.put_nowait)
        await replies.get()
    await runner.cleanup()
    assert asked == ["127.0.0.1", "127.0.0.2"] * 2


async def test_a_process_of_its_own_does_the_same() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.headers.get("Cookie") == "who=me" else 403)

    async with answering(handler) as port:
        its_plan = Plan(port, "/", "text/html", per_s=100, seconds=0.5, cookies=["who=me"])
        seen = await asyncio.to_thread(open_loop.run, its_plan, OTHERS)
    assert seen.statuses == {"200": len(its_plan.starts_s())}
    assert seen.whole.most >= seen.first.p50 > 0
