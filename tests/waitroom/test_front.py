"""What visitors get over HTTP: real requests, a real Redis, a real origin."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from tests.servers import PrivateRedis, free_port
from tests.waitroom.running import APP, PAGE, Origin, Waitroom, number_of, visitor


async def json_of(response: aiohttp.ClientResponse) -> dict[str, Any]:
    body: dict[str, Any] = await response.json(content_type=None)
    return body


async def fill(waitroom: Waitroom, stack: AsyncExitStack, count: int = 2) -> list[aiohttp.ClientSession]:
    """Lets visitors in until the room is full."""
    sessions = [await stack.enter_async_context(visitor()) for _ in range(count)]
    for session in sessions:
        async with session.get(waitroom.url, headers=PAGE) as response:
            assert response.headers["Via"]
    return sessions


async def test_with_no_line_a_visitor_passes_in_one_request(waitroom: Waitroom, origin: Origin) -> None:
    async with visitor() as session, session.get(f"{waitroom.url}/a?b=1", headers=PAGE) as response:
        assert (await json_of(response))["path"] == "/a?b=1"
        assert {cookie.key for cookie in session.cookie_jar} == {"wr-site", "wr-site.admission", "origin"}


async def test_the_origin_gets_an_admission_that_the_key_set_verifies(waitroom: Waitroom, origin: Origin) -> None:
    async with visitor() as session:
        async with session.get(waitroom.url, headers=PAGE):
            token = origin.requests[0].headers["X-Waitroom-Admission"]
        async with session.get(f"{waitroom.url}/.waitroom/jwks.json") as response:
            key = jwt.PyJWKSet.from_dict(await response.json()).keys[0]
        number = number_of(session)
    claims = jwt.decode(token, key, ["EdDSA"], audience="site", issuer="waitroom")
    assert (claims["room"], claims["num"]) == ("site", number)
    assert jwt.get_unverified_header(token)["typ"] == "admission+jwt"


async def test_the_origin_sees_nothing_of_our_cookies_and_no_forged_admission(
    waitroom: Waitroom, origin: Origin
) -> None:
    forged = {"X-Waitroom-Admission": "forged", "X-Forwarded-For": "6.6.6.6", **PAGE}
    async with visitor() as session:
        for _ in range(2):
            async with session.get(waitroom.url, headers=forged):
                pass
    fields = origin.requests[1].headers
    assert fields["Cookie"] == "origin=1"
    assert fields["X-Forwarded-For"] == "127.0.0.1"
    assert len(fields.getall("X-Waitroom-Admission")) == 1
    assert fields["X-Waitroom-Admission"] != "forged"


async def test_who_comes_to_a_full_room_waits_on_a_page(waitroom: Waitroom, origin: Origin) -> None:
    async with AsyncExitStack() as stack:
        await fill(waitroom, stack)
        session = await stack.enter_async_context(visitor())
        async with session.get(waitroom.url, headers=PAGE) as response:
            assert response.status == 200
            assert response.headers["Cache-Control"] == "private, no-store"
            assert "You are in line" in await response.text()
        assert len(origin.requests) == 2
        async with session.get(waitroom.place_url) as response:
            place = await json_of(response)
    assert (place["state"], place["position"], place["waiting"]) == ("waiting", 1, 1)


async def test_an_app_gets_its_place_as_json(waitroom: Waitroom) -> None:
    async with AsyncExitStack() as stack:
        await fill(waitroom, stack)
        session = await stack.enter_async_context(visitor())
        async with session.get(waitroom.url, headers=APP) as response:
            assert response.status == 429
            assert int(response.headers["Retry-After"]) > 0
            assert (await json_of(response))["position"] == 1


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("GET", {"Accept": "image/webp,*/*"}),
        ("POST", PAGE),
        ("HEAD", PAGE),
        ("GET", PAGE | {"Sec-Purpose": "prefetch"}),
    ],
)
async def test_what_is_no_page_view_takes_no_number(
    waitroom: Waitroom, origin: Origin, redis: PrivateRedis, method: str, fields: dict[str, str]
) -> None:
    async with visitor() as session, session.request(method, waitroom.url, headers=fields) as response:
        assert response.status == 429
        assert response.headers["Retry-After"]
        assert not list(session.cookie_jar)
    assert not origin.requests
    assert redis.client.hget("wr:{site}:state", "joined") in (None, b"0")


async def test_a_place_that_falls_free_is_the_next_visitors(waitroom: Waitroom) -> None:
    async with AsyncExitStack() as stack:
        inside = await fill(waitroom, stack)
        session = await stack.enter_async_context(visitor())
        async with session.get(waitroom.url, headers=PAGE):
            pass
        async with inside[0].post(f"{waitroom.url}/.waitroom/rooms/site/leave", headers=PAGE) as response:
            assert "You have left the line" in await response.text()
        state = "waiting"
        async with asyncio.timeout(60):
            while state == "waiting":
                async with session.get(waitroom.place_url) as response:
                    place = await json_of(response)
                    state = place["state"]
                await asyncio.sleep(place["poll_after_ms"] / 1000)
        assert state == "called"
        async with session.get(f"{waitroom.url}/in", headers=PAGE) as response:
            assert (await json_of(response))["path"] == "/in"
        async with session.get(waitroom.place_url) as response:
            assert (await json_of(response))["state"] == "inside"


async def test_who_left_does_not_come_back_with_the_old_cookies(waitroom: Waitroom, origin: Origin) -> None:
    async with AsyncExitStack() as stack:
        leaver, _ = await fill(waitroom, stack)
        kept = {cookie.key: cookie.value for cookie in leaver.cookie_jar}
        async with leaver.post(f"{waitroom.url}/.waitroom/rooms/site/leave"):
            pass
        await fill(waitroom, stack, 1)
        async with visitor(cookies=kept) as session, session.get(waitroom.url, headers=PAGE) as response:
            assert "You are in line" in await response.text()
    assert len(origin.requests) == 3


async def test_bodies_pass_both_ways(waitroom: Waitroom, origin: Origin) -> None:
    async with visitor() as session:
        async with session.get(waitroom.url, headers=PAGE):
            pass
        async with session.post(f"{waitroom.url}/form", data=b"x" * 300_000) as response:
            assert (await json_of(response))["body"] == "x" * 300_000


@pytest.mark.parametrize("raw", ["/%2e%2e/a%2Fb", "/a//b", "/a;b=1?c=%zz", "/%E4?%C3%A4"])
async def test_the_origin_sees_the_path_as_it_was_asked_for(waitroom: Waitroom, origin: Origin, raw: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", waitroom.port)
    writer.write(f"GET {raw} HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nConnection: close\r\n\r\n".encode())
    await reader.read()
    writer.close()
    await writer.wait_closed()
    assert origin.requests[0].raw_path == raw


async def test_behind_a_trusted_proxy_cookies_are_bound_to_the_host(waitroom: Waitroom) -> None:
    """Over HTTPS the cookies carry the __Host- prefix, which asks for Secure and Path=/."""
    connector = aiohttp.TCPConnector(local_addr=("127.0.0.9", 0))
    fields = PAGE | {"X-Forwarded-Proto": "https"}
    async with visitor(connector=connector) as session, session.get(waitroom.url, headers=fields) as response:
        ours = [text for text in response.headers.getall("Set-Cookie") if "wr-" in text]
    assert len(ours) == 2
    for text in ours:
        assert text.startswith("__Host-wr-site")
        assert {"HttpOnly", "Secure", "Path=/", "SameSite=Lax"} <= set(text.split("; "))


async def test_a_dead_origin_is_a_502_with_a_reference(waitroom: Waitroom, origin: Origin) -> None:
    waitroom.origin_port = free_port()
    waitroom.set(cap=2)
    async with visitor() as session:

        async def status() -> int:
            async with session.get(waitroom.url, headers=PAGE) as response:
                return response.status

        async with asyncio.timeout(60):
            while await status() != 502:
                await asyncio.sleep(0.05)
        async with session.get(waitroom.url, headers=PAGE) as response:
            assert "this reference" in await response.text()
        async with session.get(waitroom.url, headers=APP) as response:
            assert (await json_of(response))["code"] == "origin_failed"


@pytest.mark.parametrize(
    ("mode", "status", "text"),
    [("closed", 503, "Closed for now"), ("hold", 200, "paused the line"), ("open", 200, "path")],
)
async def test_each_mode_has_its_answer(waitroom: Waitroom, mode: str, status: int, text: str) -> None:
    waitroom.set(cap=2, mode=mode)
    async with visitor() as session, asyncio.timeout(60):
        while True:
            async with session.get(waitroom.url, headers=PAGE) as response:
                body = await response.text()
                if text in body and response.status == status:
                    return
            session.cookie_jar.clear()
            await asyncio.sleep(0.05)


async def test_in_an_open_room_the_origin_still_gets_an_admission(waitroom: Waitroom, origin: Origin) -> None:
    waitroom.set(mode="open")
    async with visitor() as session:
        async with asyncio.timeout(60):
            while (await waitroom.status())["rooms"][0]["mode"] != "open":
                await asyncio.sleep(0.05)
        async with session.post(waitroom.url):
            pass
    claims = jwt.decode(origin.requests[-1].headers["X-Waitroom-Admission"], options={"verify_signature": False})
    assert (claims["num"], claims["aud"]) == (0, "site")


async def test_an_admission_of_an_open_room_opens_no_queueing_one(
    waitroom: Waitroom, origin: Origin, redis: PrivateRedis
) -> None:
    """I6: whoever got hold of the origin's header can't enter with it."""
    waitroom.set(mode="open")
    async with visitor() as session, asyncio.timeout(60):
        while not origin.requests:
            async with session.post(waitroom.url):
                await asyncio.sleep(0.05)
    token = origin.requests[-1].headers["X-Waitroom-Admission"]
    waitroom.set(mode="queue")
    async with visitor(cookies={"wr-site.admission": token}) as session, asyncio.timeout(60):
        while (await waitroom.status())["rooms"][0]["mode"] != "queue":
            await asyncio.sleep(0.05)
        async with session.get(waitroom.url, headers=PAGE) as response:
            assert "You are in line" in await response.text()


async def test_probes_are_answered(waitroom: Waitroom) -> None:
    async with visitor() as session:
        for path in ("live", "ready"):
            async with asyncio.timeout(60):
                while (await session.head(f"{waitroom.url}/.waitroom/{path}")).status != 200:
                    await asyncio.sleep(0.05)
        async with session.get(f"{waitroom.url}/.waitroom/nothing", headers=PAGE) as response:
            assert response.status == 404
        async with session.get(f"{waitroom.url}/x/..%2f.waitroom/nothing", headers=PAGE) as response:
            assert response.status == 404


async def test_metrics_tell_what_redis_has(waitroom: Waitroom) -> None:
    async with AsyncExitStack() as stack:
        await fill(waitroom, stack)
        session = await stack.enter_async_context(visitor())

        async def exposed() -> str:
            async with session.get(f"http://127.0.0.1:{waitroom.admin_port}/metrics") as response:
                return await response.text()

        async with asyncio.timeout(60):
            while 'waitroom_inside{room="site"} 2.0' not in (text := await exposed()):
                await asyncio.sleep(0.05)
        assert 'waitroom_called_total{room="site"} 2.0' in text
        assert 'waitroom_requests_total{outcome="admit",room="site"} 2.0' in text


async def test_the_admin_listener_is_not_the_public_one(waitroom: Waitroom) -> None:
    async with visitor() as session, session.get(f"{waitroom.url}/metrics") as response:
        assert response.status == 429


async def test_activity_renews_the_lease(waitroom: Waitroom, redis: PrivateRedis) -> None:
    """The first admission of a visitor who never waited is short (claim_s); the first return makes it a session."""
    async with visitor() as session:
        async with session.get(waitroom.url, headers=PAGE):
            short = redis.client.zscore("wr:{site}:inside", str(number_of(session)))
        async with session.get(waitroom.url, headers=PAGE) as response:
            renewed = [text for text in response.headers.getall("Set-Cookie") if "admission" in text]
            long = redis.client.zscore("wr:{site}:inside", str(number_of(session)))
        async with session.get(waitroom.url, headers=PAGE) as response:
            assert all("admission" not in text for text in response.headers.getall("Set-Cookie"))
    assert renewed
    assert isinstance(short, float)
    assert isinstance(long, float)
    assert long - short > 500_000


async def test_a_response_that_breaks_off_does_not_look_complete(tmp_path: Path, redis: PrivateRedis) -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(broken, "127.0.0.1", 0)
    waitroom = Waitroom(tmp_path, redis.url, server.sockets[0].getsockname()[1])
    waitroom.set()
    async with server, waitroom.serving(), visitor() as session:
        with pytest.raises(aiohttp.ClientError):
            async with session.get(waitroom.url, headers=PAGE) as response:
                await response.read()


async def test_a_stream_arrives_event_by_event(tmp_path: Path, redis: PrivateRedis) -> None:
    """The second event is sent only when the first was seen by the visitor: a buffering proxy would hang here."""
    seen = asyncio.Event()

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n")
        await seen.wait()
        writer.write(b"data: 2\n\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(stream, "127.0.0.1", 0)
    waitroom = Waitroom(tmp_path, redis.url, server.sockets[0].getsockname()[1])
    waitroom.set()
    async with (
        server,
        waitroom.serving(),
        visitor() as session,
        asyncio.timeout(60),
        session.get(waitroom.url, headers=PAGE) as response,
    ):
        assert await response.content.readuntil(b"\n\n") == b"data: 1\n\n"
        seen.set()
        assert await response.content.read() == b"data: 2\n\n"


async def test_a_visitor_who_goes_takes_the_request_along(tmp_path: Path, redis: PrivateRedis) -> None:
    came, gone = asyncio.Event(), asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        came.set()
        while await reader.read(1024):
            pass
        gone.set()
        writer.close()

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    waitroom = Waitroom(tmp_path, redis.url, server.sockets[0].getsockname()[1])
    waitroom.set()
    async with server, waitroom.serving(), asyncio.timeout(60):
        _, writer = await asyncio.open_connection("127.0.0.1", waitroom.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n")
        await writer.drain()
        await came.wait()
        writer.close()
        await gone.wait()
