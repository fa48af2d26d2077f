"""Where a probe plays: some proxy between visitors at the level of bytes and a scripted origin."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.waitroom.proxy.ends import End, Ended, connected
from tests.waitroom.proxy.messages import Message, Unclear
from tests.waitroom.proxy.scripted_origin import ScriptedOrigin
from tests.waitroom.running import Waitroom

READY = b"GET /.waitroom/ready HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a visitor's bytes: the answers, and how the connection ended."""

    answers: tuple[Message, ...]
    ending: str

    @property
    def words(self) -> str:
        """The status of each answer, and the ending: "200 400 closed"."""
        return " ".join([*(str(answer.head.status) for answer in self.answers), self.ending])

    @property
    def last(self) -> Message:
        return self.answers[-1]


@dataclass(frozen=True, slots=True)
class Stage:
    """A proxy at a port of this machine before an origin. `patience_s` is how long a probe waits for what never comes:
    long in tests, where it comes."""

    port: int
    origin: ScriptedOrigin
    patience_s: float = 60.0

    @asynccontextmanager
    async def visitor(self, source: str = "127.0.0.1") -> AsyncIterator[End]:
        async with connected(self.port, source) as end:
            yield end

    async def ask(self, *parts: bytes, methods: tuple[bytes, ...] = (b"GET",), source: str = "127.0.0.1") -> Seen:
        """Sends bytes on a connection of their own, and reads an answer for each of the `methods`, fewer if it ends."""
        async with self.visitor(source) as end:
            await end.send(*parts)
            return await self.see(end, *methods)

    async def see(self, end: End, *methods: bytes) -> Seen:
        """Reads a final answer for each of the methods, and the ones before it; then the close that was announced."""
        answers: list[Message] = []
        try:
            async with asyncio.timeout(self.patience_s):
                for method in methods:
                    answers.append(await end.message(method))
                    while answers[-1].head.status < 200:
                        answers.append(await end.message(method))
                if answers and says_close(answers[-1]):
                    await end.rest()
        except (Ended, Unclear) as exc:
            return Seen(tuple(answers), "unclear" if isinstance(exc, Unclear) else end.ending)
        except TimeoutError:
            return Seen(tuple(answers), "waits")
        return Seen(tuple(answers), end.ending or "open")


def says_close(answer: Message) -> bool:
    """Whether a response is the last on its connection (RFC 9112, section 9.3)."""
    options = b",".join(answer.head.all(b"connection")).lower()
    return b"close" in options or (answer.head.start.startswith(b"HTTP/1.0") and b"keep-alive" not in options)


@asynccontextmanager
async def staged(waitroom: Waitroom, origin: ScriptedOrigin) -> AsyncIterator[Stage]:
    """A stage of a waitroom that serves in this process, once it has reached its store."""
    async with waitroom.serving():
        stage = Stage(waitroom.port, origin)
        async with asyncio.timeout(stage.patience_s):
            while (await stage.ask(READY)).words != "200 open":
                await asyncio.sleep(0.01)
        yield stage
