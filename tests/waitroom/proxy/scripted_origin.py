"""An origin that plays a script, and keeps the exact bytes that it got on each connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.servers import free_port
from tests.waitroom.proxy.ends import End, Ended
from tests.waitroom.proxy.messages import Message, Unclear

DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
Play = Callable[[End], Awaitable[None]]


class ScriptedOrigin:
    """`requests` are those that came whole, in order; `unclear` is what a strict reader could not read."""

    def __init__(self, path: Path | None = None) -> None:
        """Listens at a port of its own, or at the socket of that path."""
        self.port = free_port()
        self._path = path
        self.ends: list[End] = []
        self.requests: list[Message] = []
        self.unclear: list[str] = []
        self.play: Play = self.echo
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def told(self) -> list[str]:
        """What the requests asked for, each in one line: method, target and content."""
        return [told(request).decode("latin-1") for request in self.requests]

    async def request(self, end: End) -> Message:
        """The next whole request on a connection. Raises Ended, and Unclear."""
        message = await end.message()
        if not message.whole:
            raise Ended(message.body)
        self.requests.append(message)
        return message

    async def echo(self, end: End) -> None:
        """Answers each request with what it asked for."""
        while True:
            await end.send(ok(told(await self.request(end))))

    def answers(self, *answers: bytes, close: bool = False) -> None:
        """Lets each connection answer its requests with these, one after the other, and then echo, or close."""

        async def play(end: End) -> None:
            for answer in answers:
                await self.request(end)
                await end.send(answer)
            if not close:
                await self.echo(end)

        self.play = play

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["ScriptedOrigin"]:
        server = await self._listen()
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for end in self.ends:
                end.abandon()
            await asyncio.sleep(0)  # so that their transports are gone, too

    async def _listen(self) -> asyncio.Server:
        if self._path:
            return await asyncio.start_unix_server(self._connected, self._path)
        return await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        end = End(reader, writer)
        self.ends.append(end)
        try:
            await self.play(end)
        except Unclear as exc:
            self.unclear.append(str(exc))
        except (Ended, asyncio.CancelledError):
            pass
        finally:
            end.close()
            self._tasks.discard(task)


def told(request: Message) -> bytes:
    """What a request asked for: method, target and content."""
    return b" ".join([request.head.method, request.head.target, request.body]).rstrip()


def ok(body: bytes = b"ok", fields: bytes = b"") -> bytes:
    """A response with a length, and fields that each end with CRLF."""
    return b"HTTP/1.1 200 OK\r\n" + DATE + fields + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(*chunks: bytes, trailers: bytes = b"") -> bytes:
    """Content in chunks, with its end."""
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + trailers + b"\r\n"
