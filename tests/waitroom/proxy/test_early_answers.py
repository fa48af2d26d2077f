"""Row 21, to the instant: the origin answers an upload and closes, and its next part comes before anybody has read the
answer."""

import asyncio
import select
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.servers import PrivateRedis, eventually
from tests.waitroom.proxy.ends import End
from tests.waitroom.proxy.probe import request
from tests.waitroom.proxy.probes_of_streams import CONTINUE, MB, REFUSAL, UPLOAD
from tests.waitroom.proxy.scripted_origin import ScriptedOrigin, ok
from tests.waitroom.proxy.stage import staged
from tests.waitroom.running import Waitroom

# Each loop writes at a moment of its own.
pytestmark = pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])

HEAD = request(b"/", b"Content-Length: %d\r\n" % UPLOAD, method=b"POST")
LARGE = REFUSAL.replace(b"Content-Length: 2\r\n\r\nno", b"Content-Length: 100000\r\n\r\n") + bytes(100_000)


class Site:
    """An origin of one connection, whose every step the test takes."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    async def asked(self) -> None:
        """The head of a request has come, and the first part of its body."""
        await asyncio.to_thread(self._accept)

    async def begins(self) -> None:
        """The next part has come, and nobody reads it."""
        await eventually(lambda: select.select([self._connection], [], [], 0)[0])

    def says(self, answer: bytes) -> None:
        """Before anybody else gets a turn."""
        self._connection.sendall(answer)

    async def takes(self, size: int) -> None:
        await asyncio.to_thread(self._take, size)

    def close(self) -> None:
        self._connection.close()
        self._listening.close()

    def _accept(self) -> None:
        self._listening.settimeout(60)
        self._connection, _ = self._listening.accept()
        self._connection.settimeout(60)
        got = b""
        while not got.endswith(b"first"):
            got += self._connection.recv(1)

    def _take(self, size: int) -> None:
        while size > 0:
            got = len(self._connection.recv(MB))
            assert got, "the upload ended"
            size -= got


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@asynccontextmanager
async def uploading(folder: Path, redis: PrivateRedis, site: Site) -> AsyncIterator[socket.socket]:
    """A visitor whose upload the origin has begun to read."""
    waitroom = Waitroom(folder, redis.url, site.port)
    waitroom.set(mode="open")
    async with staged(waitroom, ScriptedOrigin()):
        with socket.create_connection(("127.0.0.1", waitroom.port)) as visitor:
            visitor.sendall(HEAD + b"first")
            await site.asked()
            visitor.sendall(b"second")
            await site.begins()
            yield visitor


@asynccontextmanager
async def reading(visitor: socket.socket) -> AsyncIterator[End]:
    """The visitor goes on in the loop's turns."""
    visitor.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=visitor)
    end = End(reader, writer)
    try:
        yield end
    finally:
        end.abandon()
        await asyncio.sleep(0)


async def upload(end: End) -> None:
    left = UPLOAD - len(b"first" + b"second" + b"third")
    while left:
        await end.send(bytes(min(left, MB)))
        left -= min(left, MB)


@pytest.mark.parametrize("answer", [REFUSAL, LARGE], ids=["small", "large"])
async def test_row_21_an_answer_is_heard_though_the_next_write_fails(
    tmp_path: Path, redis: PrivateRedis, site: Site, answer: bytes
) -> None:
    async with uploading(tmp_path, redis, site) as visitor:
        visitor.sendall(b"third")
        site.says(answer)
        site.close()
        async with reading(visitor) as end, asyncio.timeout(60):
            sending = asyncio.create_task(upload(end))
            heard = await end.message(b"POST")
            sending.cancel()
            await asyncio.wait([sending])
    assert (heard.head.status, heard.whole) == (413, True)


async def test_row_21_an_upload_goes_on_behind_an_interim_response(
    tmp_path: Path, redis: PrivateRedis, site: Site
) -> None:
    async with uploading(tmp_path, redis, site) as visitor:
        visitor.sendall(b"third")
        site.says(CONTINUE)
        async with reading(visitor) as end, asyncio.timeout(60):
            sending = asyncio.create_task(upload(end))
            await site.takes(UPLOAD - len(b"first"))
            site.says(ok(b"all of it"))
            interim, heard = await end.message(b"POST"), await end.message(b"POST")
            await sending
    assert (interim.head.status, heard.head.status, heard.body) == (100, 200, b"all of it")
