"""The site that a rehearsal asks: requests over connections that its visitors share, as those of a balancer's are.

It is reached as waitroom reaches an origin, by the same connections: what differs is who asks.
"""

import asyncio
import ipaddress
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiohappyeyeballs import AddrInfoType

from waitroom import addresses, origin_address
from waitroom.errors import OriginError, WaitroomError
from waitroom.origin import Origin
from waitroom.origin_connection import OriginConnection
from waitroom.origin_terms import OriginTerms
from waitroom.wire.bodies import Body, Pieces
from waitroom.wire.heads import ResponseHead

# More than these are asked for at once only if the site is slow, and then each waits its turn.
CONNECTIONS = 512
ANSWER_S = 30.0
TERMS = OriginTerms(connections=CONNECTIONS, idle_s=20.0, eject_after=1_000_000)


class NotOursError(WaitroomError):
    """A host that is not this machine, and that nobody has said to own."""

    def __init__(self, host: str, address: str) -> None:
        super().__init__(
            f"{host} is {address}, which is not this machine: a crowd there is an attack unless the site is yours. "
            "If it is, say --yes-this-is-my-site"
        )


class AskError(WaitroomError):
    """No answer to a request; `kind` says why, in a few words that many requests share."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: whether it `is_sites`, and not waitroom's own, by the Via that waitroom puts on what it forwards."""

    status: int
    set_cookies: Sequence[bytes]
    is_sites: bool
    body: bytes


class Site:
    """Asks one server, by its URL without a path. `bytes_in` and `bytes_out` count what came and went."""

    def __init__(self, url: str, found: Sequence[AddrInfoType]) -> None:
        async def known(host: str, port: int) -> Sequence[AddrInfoType]:
            del host, port
            return found

        self.url = url
        self.bytes_in = self.bytes_out = 0
        self._origin = Origin(url, TERMS, OriginConnection, time.monotonic, known)
        self._turns = asyncio.Semaphore(CONNECTIONS)

    async def ask(self, method: bytes, target: str, fields: bytes = b"") -> Answer:
        """Asks, with more header lines in `fields`. Raises AskError where no whole answer comes in time."""
        head = b"%b %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (method, target.encode(), self._origin.authority, fields)
        async with self._turns:
            try:
                async with asyncio.timeout(ANSWER_S):
                    return await self._asked(method, head)
            except TimeoutError as exc:
                raise AskError(f"no answer within {ANSWER_S:g} s") from exc
            except OriginError as exc:
                raise AskError(exc.fault) from exc

    def close(self) -> None:
        """Closes the connections."""
        self._origin.retire()

    async def _asked(self, method: bytes, head: bytes) -> Answer:
        """A kept connection that turns out to be closed tells nothing: a new one is asked once more, as browsers do."""
        kept = self._origin.take()
        if kept:
            try:
                return await self._over(kept, method, head)
            except AskError:
                if kept.has_answered:
                    raise
        return await self._over(await self._origin.connect(), method, head)

    async def _over(self, connection: OriginConnection, method: bytes, head: bytes) -> Answer:
        receiving = _Receiving()
        is_over = False
        try:
            self.bytes_out += len(head)
            connection.begin(receiving, method, head)
            answer = await receiving.answer
            self.bytes_in += receiving.size
            is_over = True
            return answer
        finally:
            self._origin.give_back(connection, reusable=connection.end() and is_over)


class _Receiving:
    """Takes one response; `size` is about what it took on the wire."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.size = 0
        self._head: ResponseHead | None = None
        self._content: list[bytes | memoryview] = []

    def begun(self, head: ResponseHead, body: Body | None, content: bytes, *, is_whole: bool) -> None:
        del body
        self._head = head
        self.size = sum(len(line) + 2 for _, line in head.fields) + 20
        self.more((content,), is_whole=is_whole)

    def more(self, pieces: Pieces, *, is_whole: bool) -> None:
        self._content += pieces
        self.size += sum(map(len, pieces))
        head = self._head
        if not is_whole or head is None or self.answer.done():
            return
        is_sites = any(name == b"via" for name, _ in head.fields)
        cookies = head.looked.get(b"set-cookie", ())
        self.answer.set_result(Answer(head.status, cookies, is_sites, b"".join(self._content)))

    def broken(self, why: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(AskError(why.replace("_", " ")))

    def switched(self, head: ResponseHead) -> None:
        del head
        self.broken("switched protocols")

    def informed(self, head: ResponseHead) -> None: ...
    def half_closed_by_origin(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def pause_upload(self) -> None: ...
    def resume_upload(self) -> None: ...


async def reach(url: str, *, anywhere: bool = False) -> Site:
    """The site at a URL. Raises NotOursError unless all of its addresses are this machine's, or it may be `anywhere`;
    OSError where its host is not known. Later look-ups can't lead elsewhere: there are none."""
    address = origin_address.parse(url)
    found = await addresses.resolve(address.host, address.port)
    for entry in found:
        ip = ipaddress.ip_address(entry[4][0])
        if not anywhere and not ip.is_loopback:
            raise NotOursError(address.host, str(ip))
    return Site(url, found)
