"""Connections that a crowd shares: kept open, asked in turn, so that behind a port that several processes share a
visitor meets all of them. Requests are as browsers write them."""

import asyncio
import ssl
from collections.abc import Iterable
from typing import TypeVar

import click

from scripts.benches.raw_http import Connection, Reply

HOST = "127.0.0.1"
# Opened at a time: a listener's backlog is not endless.
AT_ONCE = 32
# Some of the browsers that come.
BROWSERS = tuple(
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
    for system in ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "Linux; Android 10; K")
    for version in (138, 139, 140, 141)
)
# What a browser says when it goes to a page, and when a script of the page asks.
PAGE = """\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r
Upgrade-Insecure-Requests: 1\r
Sec-Fetch-Mode: navigate\r
Sec-Fetch-Dest: document\r
"""
SCRIPT = """\
Accept: application/json\r
Sec-Fetch-Mode: cors\r
Sec-Fetch-Dest: empty\r
"""
REQUEST = """\
{method} {target} HTTP/1.1\r
Host: tickets.example\r
Connection: keep-alive\r
sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"\r
sec-ch-ua-mobile: ?0\r
User-Agent: {browser}\r
{kind}Sec-Fetch-Site: same-origin\r
Referer: https://tickets.example/events/summer-night\r
Accept-Encoding: gzip, deflate, br, zstd\r
Accept-Language: en-GB,en;q=0.9,ko;q=0.8\r
{cookies}\r
"""
Item = TypeVar("Item")


class KeptConnections:
    """So many to one port; with a `context` over TLS. `longest_s` is the longest that an answer took, with the wait for
    a free connection."""

    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self.longest_s = 0.0
        self._port = port
        self._context = context
        self._open: list[Connection] = []
        self._idle: asyncio.Queue[Connection] = asyncio.Queue()

    async def open(self, count: int) -> None:
        """So many more. Raises ClickException."""
        loop = asyncio.get_running_loop()
        for start in range(0, count, AT_ONCE):
            opening = (
                loop.create_connection(Connection, HOST, self._port, ssl=self._context)
                for _ in range(min(AT_ONCE, count - start))
            )
            try:
                opened = await asyncio.gather(*opening)
            except OSError as exc:
                raise click.ClickException(
                    f"port {self._port} takes no {len(self._open):,} connections: {exc}"
                ) from exc
            for _, connection in opened:
                self._open.append(connection)
                self._idle.put_nowait(connection)

    async def ask(self, request: bytes) -> Reply:
        """By the connection that was asked the longest time ago. Raises ClickException where it was lost."""
        loop = asyncio.get_running_loop()
        begun_s, connection = loop.time(), await self._idle.get()
        answered: asyncio.Future[Reply | None] = loop.create_future()
        connection.ask(request, lambda reply: None if answered.cancelled() else answered.set_result(reply))
        reply = await answered
        if reply is None:
            raise click.ClickException(f"port {self._port} broke off an answer to {request.splitlines()[0].decode()}")
        self._idle.put_nowait(connection)
        self.longest_s = max(self.longest_s, loop.time() - begun_s)
        return reply

    async def ask_all(self, requests: Iterable[bytes]) -> list[Reply]:
        """Each connection takes the next as soon as it is free; the replies are in the order of the requests."""
        rest = enumerate(requests)
        replies: dict[int, Reply] = {}

        async def take() -> None:
            for index, request in rest:
                replies[index] = await self.ask(request)

        async with asyncio.TaskGroup() as group:
            for _ in self._open:
                group.create_task(take())
        return [replies[index] for index in sorted(replies)]

    def close(self) -> None:
        for connection in self._open:
            connection.close()


def request_of(visitor: int, target: str, cookies: str = "", *, method: str = "GET", kind: str = SCRIPT) -> bytes:
    """Of about 700 bytes with a ticket. The same visitor always has the same browser."""
    browser = BROWSERS[visitor % len(BROWSERS)]
    field = f"Cookie: {cookies}\r\n" if cookies else ""
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    return REQUEST.format(method=method, target=target, browser=browser, kind=kind, cookies=f"{length}{field}").encode()


def cookies_of(reply: Reply) -> dict[str, str]:
    """Those that a reply sets."""
    pairs = (field.partition(b";")[0].decode().partition("=") for field in reply.fields(b"set-cookie"))
    return {name: value for name, _, value in pairs}


def cookie_field(cookies: dict[str, str]) -> str:
    """As the next request brings them."""
    return "; ".join(f"{name}={value}" for name, value in cookies.items())
