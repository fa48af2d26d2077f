"""Connections that a crowd shares."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
import pytest

from scripts.benches.kept_connections import PAGE, KeptConnections, cookie_field, cookies_of, request_of
from tests.servers import eventually
from waitroom.wire.heads import request_head


@asynccontextmanager
async def serving(asked: Counter[int]) -> AsyncIterator[int]:
    """Answers with the target, and sets two cookies; counts the requests of each connection. /bye ends it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while (target := request_head(await reader.readuntil(b"\r\n\r\n")).target) != b"/bye":
                asked[id(writer)] += 1
                cookies = b"Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=x=y\r\n"
                writer.write(b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (cookies, len(target), target))
        writer.close()
        await writer.wait_closed()
        open_.discard(writer)

    open_: set[asyncio.StreamWriter] = set()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await eventually(lambda: not open_)


async def test_all_connections_are_asked_and_replies_keep_the_order_of_the_requests() -> None:
    asked: Counter[int] = Counter()
    async with serving(asked) as port:
        by = KeptConnections(port)
        await by.open(4)
        replies = await by.ask_all(request_of(i, f"/{i}") for i in range(40))
        by.close()
    assert [reply.body for reply in replies] == [b"/%d" % i for i in range(40)]
    assert (len(asked), asked.total()) == (4, 40)


async def test_whose_connection_is_lost_is_told() -> None:
    async with serving(Counter()) as port:
        by = KeptConnections(port)
        await by.open(1)
        with pytest.raises(click.ClickException, match="GET /bye"):
            await by.ask(request_of(1, "/bye"))
        by.close()


async def test_cookies_that_are_set_come_with_the_next_request() -> None:
    async with serving(Counter()) as port:
        by = KeptConnections(port)
        await by.open(1)
        cookies = cookies_of(await by.ask(request_of(1, "/")))
        by.close()
    head = request_head(request_of(1, "/next", cookie_field(cookies), method="POST", kind=PAGE))
    assert head.looked[b"cookie"] == [b"a=1; b=x=y"]
    assert (head.method, head.block.has_body) == (b"POST", True)
