"""A line between a site and its database that can be cut in the moment of a COMMIT, before or after that arrives."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path

# What opens a packet of a client: three bytes of length, one that counts, and the command (MySQL's client protocol).
HEADER = 4
QUERY = b"\x03"
COMMIT = QUERY + b"COMMIT"


class Cut(Enum):
    """Where the COMMIT is when the line is cut: either way, who sent it gets no answer."""

    BEFORE = "the database never gets it"
    AFTER = "the database has carried it out"


class Line:
    """`cut_at` has the line cut once: at the next COMMIT of a transaction that has sent a statement beginning so.
    `sent` has all that clients have sent by now, packet by packet."""

    def __init__(self, server: Path) -> None:
        self.sent: list[bytes] = []
        self._server = server
        self._own = tempfile.TemporaryDirectory(prefix="line-")
        self.socket = Path(self._own.name) / "s"
        self._planned: tuple[bytes, Cut] | None = None
        self._passing: set[asyncio.Task[None]] = set()

    def cut_at(self, statement: str, cut: Cut) -> None:
        self._planned = (QUERY + statement.encode(), cut)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        with self._own:
            server = await asyncio.start_unix_server(self._accept, self.socket)
            try:
                yield
            finally:
                server.close()
                for task in self._passing:
                    task.cancel()
                await asyncio.gather(*self._passing, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass_on(reader, writer))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _pass_on(self, from_site: asyncio.StreamReader, to_site: asyncio.StreamWriter) -> None:
        """Ends with either side, or with the cut."""
        with contextlib.closing(to_site):
            from_server, to_server = await asyncio.open_unix_connection(self._server)
            with contextlib.closing(to_server):
                is_deaf = asyncio.Event()
                requests = asyncio.create_task(self._requests(from_site, to_server, is_deaf))
                answers = asyncio.create_task(_answers(from_server, to_site, is_deaf))
                try:
                    await asyncio.wait([requests, answers], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    requests.cancel()
                    answers.cancel()
        await asyncio.gather(requests, answers, return_exceptions=True)
        await asyncio.gather(to_site.wait_closed(), to_server.wait_closed(), return_exceptions=True)

    async def _requests(
        self, from_site: asyncio.StreamReader, to_server: asyncio.StreamWriter, is_deaf: asyncio.Event
    ) -> None:
        statements: list[bytes] = []
        while True:
            header = await from_site.readexactly(HEADER)
            body = await from_site.readexactly(int.from_bytes(header[:3], "little"))
            statements.append(body)
            self.sent.append(body)
            if body == COMMIT:
                cut = self._cut_of(statements)
                statements.clear()
                if cut is Cut.BEFORE:
                    return
                if cut is Cut.AFTER:
                    is_deaf.set()
            to_server.write(header + body)
            await to_server.drain()

    def _cut_of(self, statements: list[bytes]) -> Cut | None:
        """Whether the line is to be cut at the COMMIT of these."""
        if self._planned is None or not any(statement.startswith(self._planned[0]) for statement in statements):
            return None
        _, cut = self._planned
        self._planned = None
        return cut


async def _answers(from_server: asyncio.StreamReader, to_site: asyncio.StreamWriter, is_deaf: asyncio.Event) -> None:
    while data := await from_server.read(2**16):
        if is_deaf.is_set():
            return
        to_site.write(data)
        await to_site.drain()
