"""WebSockets through a waitroom: what both ends see is what they see without it, frame by frame."""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection
from websockets.frames import CloseCode, Opcode
from websockets.http11 import Request, Response

from tests.servers import PrivateRedis, free_port
from tests.waitroom.proxy.recorded_websockets import ENDS_S, Connection, Said, Scenario, an_origin, play, visit
from tests.waitroom.running import PAGE, Waitroom, visitor

# As in a process of its own.
pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])

MEGABYTE = 2**20


@pytest.fixture
async def open_room(tmp_path: Path, redis: PrivateRedis) -> AsyncIterator[Waitroom]:
    """A waitroom that lets everybody in."""
    waitroom = Waitroom(tmp_path, redis.url, free_port())
    waitroom.set(mode="open")
    async with waitroom.serving():
        yield waitroom


async def echo(connection: ServerConnection) -> None:
    """Sends each message back as it came."""
    async for message in connection:
        await connection.send(message)


async def listen(connection: Connection) -> None:
    async for _ in connection:
        pass


async def talk(connection: ClientConnection) -> None:
    """Text, bytes, nothing, and what is no ASCII."""
    for message in ("hello", b"\x00\xff\r\n", "", b"", "Grüße, 世界 🌍", "x" * 70_000):
        await connection.send(message)
        assert await connection.recv() == message


async def send_at_once(connection: ClientConnection) -> None:
    """Many messages before the first answer."""
    messages = [f"{number}" * (number % 50) for number in range(500)]
    sending = asyncio.create_task(_send(connection, messages))
    assert [await connection.recv() for _ in messages] == messages
    await sending


async def _send(connection: Connection, messages: list[str]) -> None:
    for message in messages:
        await connection.send(message)


def noise(size: int) -> bytes:
    """Bytes that do not compress, always the same."""
    return random.Random(size).randbytes(size)


async def send_large(connection: ClientConnection, message: str | bytes) -> None:
    await connection.send(message)
    assert await connection.recv() == message


async def send_large_against_large(connection: Connection) -> None:
    """Both ends send while the other does."""
    message = noise(10 * MEGABYTE)
    sending = asyncio.create_task(connection.send(message))
    assert await connection.recv() == message
    await sending


async def send_fragments(connection: Connection) -> None:
    await connection.send([b"one", b"", b"two" * 30_000, b"three"])
    await connection.send(["some ", "text, ", "in pieces"])


async def send_fragments_both_ways(connection: ClientConnection) -> None:
    await send_fragments(connection)
    for message in (b"one" + b"two" * 30_000 + b"three", "some text, in pieces"):
        assert await connection.recv() == message


async def serve_fragments(connection: ServerConnection) -> None:
    await send_fragments(connection)
    await listen(connection)


async def ping(connection: Connection) -> None:
    """Each pong brings its ping's payload back; one that nobody asked for passes too."""
    for payload in (b"", b"\x00\x01\xff", b"p" * 125):
        await (await connection.ping(payload))
    await connection.pong(b"unasked")
    await connection.send("pinged")


async def ping_while_pinged(connection: ClientConnection) -> None:
    await ping(connection)
    assert await connection.recv() == "pinged"


async def serve_pings(connection: ServerConnection) -> None:
    assert await connection.recv() == "pinged"
    await ping(connection)
    await listen(connection)


async def ping_amid_a_message(connection: ClientConnection) -> None:
    """Control frames may come between the fragments of a message (RFC 6455, section 5.4)."""

    async def pieces() -> AsyncIterator[str]:
        yield "before "
        await (await connection.ping(b"amid"))
        yield "after"

    await connection.send(pieces())
    assert await connection.recv() == "before after"


async def close(connection: Connection, code: int, reason: str = "") -> None:
    await connection.close(code, reason)


async def close_without_a_code(connection: Connection) -> None:
    """A close frame without a body: the other end sees 1005."""
    connection.protocol.send_close()
    connection.send_data()
    await connection.wait_closed()


async def vanish(connection: Connection) -> None:
    """Goes without a close frame: the other end sees 1006."""
    connection.transport.abort()
    await connection.wait_closed()


async def reset(connection: Connection) -> None:
    """Goes as a lost connection does, by a reset."""
    end = connection.transport.get_extra_info("socket")
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await vanish(connection)


async def vanish_amid_a_message(connection: Connection) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"the beginning"
        await (await connection.ping(b"the beginning has come"))
        connection.transport.abort()
        yield b"of what never ends"

    await connection.send(pieces())


async def speak_first(connection: ServerConnection) -> None:
    """What the origin says at once follows its 101 closely."""
    await connection.send("welcome")
    await listen(connection)


async def be_greeted(connection: ClientConnection) -> None:
    assert await connection.recv() == "welcome"


async def break_the_protocol(connection: ClientConnection) -> None:
    """A frame with a reserved bit: the origin closes with 1002."""
    connection.transport.write(bytes((0xF0 | Opcode.TEXT, 0x80, 0, 0, 0, 0)))
    await connection.wait_closed()


async def nothing(_: Connection) -> None:
    """It ends at once."""


def refuse(connection: ServerConnection, _: Request) -> Response:
    response = connection.respond(403, "The origin does not want you.\n")
    response.headers["X-Origin"] = "refuses"
    return response


def say_more(_: ServerConnection, __: Request, response: Response) -> None:
    response.headers["X-Origin"] = "one"
    response.headers["X-Origin"] = "two"


PLAIN: dict[str, Any] = {"compression": None}
SCENARIOS = {
    "messages": Scenario(talk, echo),
    "messages, not compressed by the visitor": Scenario(talk, echo, visitor_options=PLAIN),
    "messages, not compressed by the origin": Scenario(talk, echo, origin_options=PLAIN),
    "many messages at once": Scenario(send_at_once, echo),
    "the second subprotocol": Scenario(
        talk,
        echo,
        visitor_options={"subprotocols": ["chat.v3", "chat.v2"]},
        origin_options={"subprotocols": ["chat.v2", "chat.v1"]},
    ),
    "no subprotocol in common": Scenario(
        talk, echo, visitor_options={"subprotocols": ["a"]}, origin_options={"subprotocols": ["b"]}
    ),
    "fields of the visitor's": Scenario(
        talk,
        echo,
        visitor_options={
            "origin": "https://app.example",
            "user_agent_header": "a visitor/1.0",
            "additional_headers": [("X-Extra", "1"), ("x-extra", "2"), ("Authorization", "Bearer secret")],
        },
    ),
    "fields of the origin's": Scenario(talk, echo, origin_options={"process_response": say_more}),
    "refused by the origin": Scenario(talk, echo, origin_options={"process_request": refuse}),
    "10 MB of bytes": Scenario(partial(send_large, message=noise(10 * MEGABYTE)), echo, visitor_options=PLAIN),
    "10 MB of text, compressed": Scenario(partial(send_large, message="0123456789" * MEGABYTE), echo),
    "10 MB against 10 MB": Scenario(
        send_large_against_large, send_large_against_large, visitor_options=PLAIN, origin_options=PLAIN
    ),
    "fragments": Scenario(send_fragments_both_ways, serve_fragments, visitor_options=PLAIN),
    "fragments, compressed": Scenario(send_fragments_both_ways, serve_fragments),
    "pings both ways": Scenario(ping_while_pinged, serve_pings),
    "a ping amid a message": Scenario(ping_amid_a_message, echo),
    "the origin speaks first": Scenario(be_greeted, speak_first),
    "the visitor closes": Scenario(partial(close, code=CloseCode.NORMAL_CLOSURE, reason="done"), listen),
    "the visitor closes with a code": Scenario(partial(close, code=4321, reason="dïfferent"), listen),
    "the visitor closes without a code": Scenario(close_without_a_code, listen),
    "the origin closes": Scenario(listen, partial(close, code=CloseCode.GOING_AWAY, reason="restart")),
    "the origin closes with a code": Scenario(listen, partial(close, code=3999, reason="r" * 123)),
    "the origin closes without a code": Scenario(listen, close_without_a_code),
    "both close at once": Scenario(nothing, nothing),
    "the visitor vanishes": Scenario(vanish, listen),
    "the visitor vanishes amid a message": Scenario(vanish_amid_a_message, listen),
    "the origin vanishes": Scenario(listen, vanish),
    "the origin vanishes amid a message": Scenario(listen, vanish_amid_a_message),
    "the visitor resets": Scenario(reset, listen),
    "the origin resets": Scenario(listen, reset),
    "the visitor breaks the protocol": Scenario(break_the_protocol, listen),
}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_both_ends_see_what_they_see_without_a_waitroom(open_room: Waitroom, name: str) -> None:
    scenario = SCENARIOS[name]
    direct = await play(scenario, open_room.origin_port, open_room.origin_port)
    through = await play(scenario, open_room.origin_port, open_room.port)
    assert through == direct


@pytest.mark.parametrize("name", ["the visitor vanishes amid a message", "the origin vanishes amid a message"])
async def test_who_vanishes_without_a_goodbye_leaves_1006(name: str) -> None:
    """The scenarios do what they are called: the comparison with them would prove nothing otherwise."""
    port = free_port()
    direct = await play(SCENARIOS[name], port, port)
    ends = {"visitor": direct.visitor[-1], "origin": direct.origin[-1]}
    other = "origin" if "the visitor" in name else "visitor"
    assert ends[other] == ("closed", 1006, "")


async def test_many_at_once_each_get_their_own_messages(open_room: Waitroom) -> None:
    said: dict[str, Said] = {}

    async def talk_of_oneself(who: int, connection: ClientConnection) -> None:
        for turn in range(5):
            await connection.send(f"{who} {turn}")
            assert await connection.recv() == f"{who} {turn}"

    scenario = Scenario(talk, echo)
    async with (
        asyncio.timeout(ENDS_S),
        an_origin(open_room.origin_port, scenario, lambda request: said.setdefault(request.path, [])) as ended,
    ):
        async with asyncio.TaskGroup() as visits:
            for who in range(200):
                one = Scenario(partial(talk_of_oneself, who), echo)
                visits.create_task(visit(open_room.port, one, [], f"/{who}"))
        for _ in range(200):
            await ended.acquire()
    assert said.keys() == {f"/{who}" for who in range(200)}
    assert all(end[-1] == ("closed", 1000, "") for end in said.values())


async def test_only_who_is_admitted_gets_a_websocket(tmp_path: Path, redis: PrivateRedis) -> None:
    """I6: whoever is not gets a refusal, of which the origin sees nothing."""
    waitroom = Waitroom(tmp_path, redis.url, free_port())
    waitroom.set(cap=1)
    asked: list[str] = []
    outside: Said = []
    inside: Said = []

    def answer_pages(connection: ServerConnection, request: Request) -> Response | None:
        asked.append(request.path)
        return connection.respond(200, "a page\n") if request.path == "/page" else None

    origin = Scenario(talk, echo, origin_options={"process_request": answer_pages})
    async with an_origin(waitroom.origin_port, origin, lambda _: []), waitroom.serving():
        async with visitor() as session:
            async with session.get(f"{waitroom.url}/page", headers=PAGE) as response:
                assert await response.text() == "a page\n"
            cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in session.cookie_jar)
        await visit(waitroom.port, origin, outside)
        assert asked == ["/page"]
        admitted = Scenario(talk, echo, visitor_options={"additional_headers": {"Cookie": cookies}})
        await visit(waitroom.port, admitted, inside)
    assert [what[:2] for what in outside] == [("response", 429)]
    assert inside[-1] == ("closed", 1000, "")
    assert len(asked) == 2
