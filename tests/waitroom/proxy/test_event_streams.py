"""Streams through a waitroom: each event comes when it is sent, for as long as both ends want, and no longer."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.servers import PrivateRedis, free_port
from tests.waitroom.running import Waitroom

# As in a process of its own.
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])

ENDS_S = 60
EVENTS = [
    b": hello\n\n",
    b"a",
    b"data: " + b"x" * 100_000 + b"\n\n",
    *(b"id: %d\ndata: tick\n\n" % i for i in range(100)),
]
LAST_CHUNK = b"0\r\n\r\n"

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def as_it_is(data: bytes) -> bytes:
    return data


@asynccontextmanager
async def an_origin(port: int, answer: Answer) -> AsyncIterator[None]:
    """Reads the head of one request on each connection, and leaves the rest to `answer`."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", port):
        yield


@asynccontextmanager
async def a_visitor(port: int, head: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Sends the head of a request, whatever follows."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    writer.write(head)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection as a lost one does, by a reset (RFC 9293, section 3.5.2): not half of it, but all."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def asking(version: str = "1.1", method: str = "GET", fields: str = "") -> bytes:
    return f"{method} /events HTTP/{version}\r\nHost: a\r\nAccept: text/event-stream\r\n{fields}\r\n".encode()


@pytest.fixture
async def room(tmp_path: Path, redis: PrivateRedis) -> AsyncIterator[Waitroom]:
    """A waitroom that lets everybody in."""
    waitroom = Waitroom(tmp_path, redis.url, free_port())
    waitroom.set(mode="open")
    async with waitroom.serving():
        yield waitroom


@pytest.fixture
async def hasty_room(tmp_path: Path, redis: PrivateRedis) -> AsyncIterator[Waitroom]:
    """One whose every limit is three seconds."""
    waitroom = Waitroom(tmp_path, redis.url, free_port())
    waitroom.set(mode="open", origin={"response_s": 3, "stall_s": 3, "idle_s": 3})
    with waitroom.config.open("a") as config:
        config.write("[server.limits]\nhead_s = 3\nidle_s = 3\nbody_s = 3\nsend_s = 3\n")
    async with waitroom.serving():
        yield waitroom


@pytest.mark.parametrize(
    ("version", "fields", "sent", "come"),
    [
        ("1.1", b"Transfer-Encoding: chunked\r\n", chunk, chunk),
        ("1.1", b"Content-Length: %d\r\n" % sum(map(len, EVENTS)), as_it_is, as_it_is),
        ("1.0", b"Transfer-Encoding: chunked\r\n", chunk, as_it_is),
        ("1.0", b"Connection: close\r\n", as_it_is, as_it_is),
    ],
    ids=["chunked", "of a known length", "for a visitor of HTTP/1.0", "until the connection ends"],
)
async def test_each_event_comes_before_the_next_is_sent(
    room: Waitroom, version: str, fields: bytes, sent: Callable[[bytes], bytes], come: Callable[[bytes], bytes]
) -> None:
    """The origin waits until the visitor has told it, by another way, that the event is there."""
    has_come = asyncio.Semaphore(0)

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n%b\r\n" % fields)
        await has_come.acquire()
        for event in EVENTS:
            writer.write(sent(event))
            await has_come.acquire()

    async with (
        asyncio.timeout(ENDS_S),
        an_origin(room.origin_port, answer),
        a_visitor(room.port, asking(version)) as (reader, _),
    ):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Content-Type: text/event-stream\r\n" in head
        has_come.release()
        for event in EVENTS:
            expected = come(event)
            assert await reader.readexactly(len(expected)) == expected
            has_come.release()


async def test_each_piece_of_a_request_comes_before_the_next_is_sent(room: Waitroom) -> None:
    has_come = asyncio.Semaphore(0)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for event in EVENTS:
            expected = chunk(event)
            assert await reader.readexactly(len(expected)) == expected
            has_come.release()
        assert await reader.readexactly(len(LAST_CHUNK)) == LAST_CHUNK
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

    async with asyncio.timeout(ENDS_S), an_origin(room.origin_port, answer):
        head = asking(method="POST", fields="Transfer-Encoding: chunked\r\n")
        async with a_visitor(room.port, head) as (reader, writer):
            for event in EVENTS:
                writer.write(chunk(event))
                await has_come.acquire()
            writer.write(LAST_CHUNK)
            assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_stream_outlives_every_limit_as_long_as_something_comes(hasty_room: Waitroom) -> None:
    """What is limited is silence: this stream lasts longer than any limit, and any of its pauses is much shorter."""
    beats, beat_s = 20, 0.25

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for beat in range(beats):
            writer.write(chunk(b"%02d" % beat))
            await asyncio.sleep(beat_s)
        writer.write(LAST_CHUNK)

    async with (
        asyncio.timeout(ENDS_S),
        an_origin(hasty_room.origin_port, answer),
        a_visitor(hasty_room.port, asking()) as (reader, _),
    ):
        await reader.readuntil(b"\r\n\r\n")
        expected = b"".join(chunk(b"%02d" % beat) for beat in range(beats)) + LAST_CHUNK
        assert await reader.readexactly(len(expected)) == expected


@pytest.mark.parametrize("begun", [True, False], ids=["amid a stream", "before a response"])
async def test_a_visitor_who_breaks_off_ends_the_request_to_the_origin(room: Waitroom, *, begun: bool) -> None:
    """The origin writes nothing by which it could notice: its connection ends."""
    asked, gone = asyncio.Event(), asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if begun:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"one"))
        asked.set()
        with suppress(ConnectionError):
            assert await reader.read() == b""
        gone.set()

    async with (
        asyncio.timeout(ENDS_S),
        an_origin(room.origin_port, answer),
        a_visitor(room.port, asking()) as (reader, writer),
    ):
        await asked.wait()
        if begun:
            await reader.readuntil(chunk(b"one"))
        reset(writer)
        await gone.wait()


async def test_a_visitor_who_closes_ends_the_request_with_the_next_event(room: Waitroom) -> None:
    """Until something is sent, who has closed looks like who has said all."""
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        end = asyncio.create_task(reader.read())
        while not end.done():
            writer.write(chunk(b"tick"))
            await asyncio.wait([end], timeout=0.05)
        assert isinstance(end.exception(), ConnectionError) or end.result() == b""
        gone.set()

    async with asyncio.timeout(ENDS_S), an_origin(room.origin_port, answer):
        async with a_visitor(room.port, asking()) as (reader, _):
            await reader.readuntil(chunk(b"tick"))
        await gone.wait()


async def test_a_visitor_who_has_said_all_is_not_gone(room: Waitroom) -> None:
    """Half of the connection is closed (RFC 9112, section 9.6): the stream goes on."""
    has_said_all = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"one"))
        await has_said_all.wait()
        writer.write(chunk(b"two") + LAST_CHUNK)

    async with (
        asyncio.timeout(ENDS_S),
        an_origin(room.origin_port, answer),
        a_visitor(room.port, asking()) as (reader, writer),
    ):
        await reader.readuntil(chunk(b"one"))
        writer.write_eof()
        has_said_all.set()
        assert await reader.readuntil(LAST_CHUNK) == chunk(b"two") + LAST_CHUNK


async def test_a_stream_that_breaks_off_looks_broken_off(room: Waitroom) -> None:
    """RFC 9112, section 8: there is no last chunk that the origin did not send."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"one"))

    async with (
        asyncio.timeout(ENDS_S),
        an_origin(room.origin_port, answer),
        a_visitor(room.port, asking()) as (reader, _),
    ):
        await reader.readuntil(chunk(b"one"))
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
