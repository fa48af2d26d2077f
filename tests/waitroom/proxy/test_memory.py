"""What a waitroom's process takes of memory: no more for a large body than for a small one, little for each visitor."""

import asyncio
import logging
import resource
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

import pytest

from tests.servers import PrivateRedis, free_port, wait_until
from tests.waitroom.proxy.bulk import LAST_CHUNK, Bulk, Origin, connect, read_body, read_head
from tests.waitroom.proxy.process import Process, serving
from tests.waitroom.running import Waitroom

log = logging.getLogger(__name__)

MEGABYTE = 2**20
GIGABYTE = 2**30
# Whatever passes: this is a twenty-fifth of the bodies.
MOST_GROWTH = 40 * MEGABYTE
STALLED = 10
IDLE_CONNECTIONS = 2_000
MOST_OF_A_CONNECTION = 16 * 1024
SMALL_BUFFER = 64 * 1024


@pytest.fixture
def waitroom(tmp_path: Path, redis: PrivateRedis) -> Waitroom:
    waitroom = Waitroom(tmp_path, redis.url, free_port())
    waitroom.set(mode="open")
    return waitroom


@pytest.fixture
async def process(waitroom: Waitroom) -> AsyncIterator[Process]:
    async with serving(waitroom) as process:
        await asyncio.to_thread(warm_up, waitroom)
        yield process


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many open files as the system lets this process have; what it starts has them too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard > IDLE_CONNECTIONS + 200, "too few open files are allowed"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def warm_up(waitroom: Waitroom) -> None:
    """A first request: what a process loads once is not what a body costs."""
    with Origin(waitroom.origin_port, answer_shortly), connect(waitroom.port) as visitor:
        ask(visitor)


def answer_shortly(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def ask(visitor: socket.socket, head: bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") -> int:
    """A request without a body; gives the length of the response's."""
    visitor.sendall(head)
    response = read_head(visitor)
    assert response.startswith(b"HTTP/1.1 200 "), response
    return read_body(visitor, response)


@contextmanager
def growing_little(process: Process) -> Iterator[None]:
    """The process has at no time in between much more memory than at first."""
    process.forget_peak()
    first = process.resident_bytes
    yield
    growth = process.peak_bytes - first
    log.info("grew by %.1f MB at most", growth / MEGABYTE)
    assert growth < MOST_GROWTH


def upload(waitroom: Waitroom, bulk: Bulk, *, chunked: bool) -> int:
    """A visitor sends it all; gives how much came to the origin."""
    came = 0

    def take(connection: socket.socket, head: bytes) -> None:
        nonlocal came
        came = read_body(connection, head)
        answer_shortly(connection, head)

    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % bulk.size
    with Origin(waitroom.origin_port, take), connect(waitroom.port) as visitor:
        visitor.sendall(b"POST /up HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % framing)
        bulk.send(visitor, chunked=chunked)
        assert read_head(visitor).startswith(b"HTTP/1.1 200 ")
    return came


def download(waitroom: Waitroom, bulk: Bulk, *, chunked: bool) -> int:
    """The origin sends it all; gives how much came to the visitor."""
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % bulk.size

    def give(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % framing)
        bulk.send(connection, chunked=chunked)

    with Origin(waitroom.origin_port, give), connect(waitroom.port) as visitor:
        return ask(visitor)


def download_stalled(waitroom: Waitroom, bulk: Bulk, process: Process) -> list[int]:
    """Visitors ask, and take nothing until the origin can't go on; gives how much came to each at last."""
    taken: list[int] = []

    def give(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % bulk.size)
        sent = bulk.send_until_stalled(connection)
        taken.append(sent)
        bulk.send_rest(connection, sent)

    with Origin(waitroom.origin_port, give), ExitStack() as stack:
        visitors = [stack.enter_context(connect(waitroom.port, receive_bytes=SMALL_BUFFER)) for _ in range(STALLED)]
        with growing_little(process):
            for visitor in visitors:
                visitor.sendall(b"GET /down HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: len(taken) == STALLED)
        assert max(taken) < bulk.size
        return [read_body(visitor, read_head(visitor)) for visitor in visitors]


def upload_stalled(waitroom: Waitroom, bulk: Bulk, process: Process) -> list[int]:
    """Visitors send, and the origin takes nothing until they can't go on; gives how much came to it at last."""
    may_read = Event()
    came: list[int] = []

    def take(connection: socket.socket, head: bytes) -> None:
        may_read.wait()
        came.append(read_body(connection, head))
        answer_shortly(connection, head)

    def send(visitor: socket.socket) -> int:
        visitor.sendall(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % bulk.size)
        return bulk.send_until_stalled(visitor)

    with Origin(waitroom.origin_port, take), ExitStack() as stack, ThreadPoolExecutor(STALLED) as threads:
        stack.callback(may_read.set)
        visitors = [stack.enter_context(connect(waitroom.port)) for _ in range(STALLED)]
        with growing_little(process):
            taken = list(threads.map(send, visitors))
        assert max(taken) < bulk.size
        may_read.set()
        list(threads.map(bulk.send_rest, visitors, taken))
        for visitor in visitors:
            assert read_head(visitor).startswith(b"HTTP/1.1 200 ")
    return came


@pytest.mark.parametrize("chunked", [False, True], ids=["of a known length", "chunked"])
@pytest.mark.parametrize("carry", [upload, download])
async def test_a_gigabyte_passes_through_little_memory(
    waitroom: Waitroom, process: Process, tmp_path: Path, carry: Callable[..., int], *, chunked: bool
) -> None:
    with growing_little(process):
        came = await asyncio.to_thread(carry, waitroom, Bulk(tmp_path, GIGABYTE), chunked=chunked)
    # Chunks may be cut anew on the way.
    frames = came - GIGABYTE
    assert frames == 0 if not chunked else len(LAST_CHUNK) < frames < GIGABYTE // 100


@pytest.mark.parametrize("carry", [upload_stalled, download_stalled])
async def test_who_takes_nothing_holds_the_sender_back(
    waitroom: Waitroom, process: Process, tmp_path: Path, carry: Callable[..., list[int]]
) -> None:
    """Row 22: what is not taken stays where it is, and all of it comes once it is taken."""
    bulk = Bulk(tmp_path, 100 * MEGABYTE)
    assert await asyncio.to_thread(carry, waitroom, bulk, process) == [bulk.size] * STALLED


def hold_idle_connections(waitroom: Waitroom, process: Process) -> float:
    """Many visitors have each asked once, and stay; gives the bytes that the process took for each."""
    with Origin(waitroom.origin_port, answer_shortly), ExitStack() as stack:
        first = process.resident_bytes
        visitors = [stack.enter_context(connect(waitroom.port)) for _ in range(IDLE_CONNECTIONS)]
        for visitor in visitors:
            ask(visitor)
        taken = (process.resident_bytes - first) / IDLE_CONNECTIONS
        for visitor in visitors:
            ask(visitor)
    return taken


@pytest.mark.usefixtures("many_files")
async def test_an_idle_connection_takes_little_memory(waitroom: Waitroom) -> None:
    async with serving(waitroom) as process:
        await asyncio.to_thread(warm_up, waitroom)
        taken = await asyncio.to_thread(hold_idle_connections, waitroom, process)
    log.info("%d bytes for each of %d idle connections", taken, IDLE_CONNECTIONS)
    assert taken < MOST_OF_A_CONNECTION
