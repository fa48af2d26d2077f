"""Who is in a tunnel is inside as long as it is open, and a tunnel is open no longer than that (I1)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.servers import PrivateRedis, eventually, free_port
from tests.waitroom.running import Waitroom
from tests.waitroom.visitors import Come, Visitor

# Half of it is longer than this machine stands still.
SESSION_MS = 8_000
INSIDE = "wr:{site}:inside"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An origin that answers a page, or goes on with an echo."""
    while head := await reader.readuntil(b"\r\n\r\n"):
        if b"upgrade: echo" not in head.lower():
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage")
            continue
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        while data := await reader.read(1024):
            writer.write(data)
        break


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        await echo(reader, writer)
    await close(writer)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@pytest.fixture
async def site(tmp_path: Path, redis: PrivateRedis) -> AsyncIterator[Waitroom]:
    """A waitroom with a place for one, before an origin that echoes."""
    port = free_port()

    served: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(handle, "127.0.0.1", port)
    waitroom = Waitroom(tmp_path, redis.url, port)
    waitroom.set(cap=1)
    async with waitroom.serving(session_ms=SESSION_MS, claim_ms=SESSION_MS):
        yield waitroom
    server.close()
    await asyncio.gather(*served)


@asynccontextmanager
async def tunnel(one: Visitor) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    cookies = "; ".join(f"{name}={value}" for name, value in one.cookies.items())
    reader, writer = await asyncio.open_connection("127.0.0.1", one.waitroom.port)
    head = f"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\nCookie: {cookies}\r\n\r\n"
    try:
        writer.write(head.encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        yield reader, writer
    finally:
        await close(writer)


def lease_end_ms(redis: PrivateRedis, one: Visitor) -> float:
    return redis.client.zscore(INSIDE, str(one.number())) or 0


def now_ms(redis: PrivateRedis) -> float:
    seconds, micros = redis.client.time()
    return float(seconds * 1000 + micros / 1000)


async def test_an_open_tunnel_keeps_its_visitor_inside(site: Waitroom, redis: PrivateRedis, come: Come) -> None:
    """It is activity, though no request is made; another one waits all the time."""
    one, other = await come(site), await come(site)
    assert (await one.get()).is_origins
    first_ms = lease_end_ms(redis, one)
    async with tunnel(one) as (reader, writer):
        await eventually(lambda: now_ms(redis) > first_ms)
        assert (await other.get()).waits
        assert lease_end_ms(redis, one) > now_ms(redis)
        writer.write(b"still here")
        assert await reader.readexactly(10) == b"still here"
    await eventually(lambda: not lease_end_ms(redis, one))


async def test_a_tunnel_ends_with_its_visitors_place(site: Waitroom, redis: PrivateRedis, come: Come) -> None:
    one = await come(site)
    assert (await one.get()).is_origins
    async with tunnel(one) as (reader, _):
        async with asyncio.timeout(60):
            await one.leave()
            assert not redis.client.zcard(INSIDE)
            try:
                ended = await reader.read() == b""
            except ConnectionResetError:
                ended = True
        assert ended
