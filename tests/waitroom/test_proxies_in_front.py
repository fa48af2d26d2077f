"""A waitroom behind another proxy, and before its site: real proxies, by the example configurations."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.proxies import Program, needs, proxy
from tests.servers import Authority, PrivateRedis, eventually, free_port
from tests.waitroom.running import PAGE, Origin, Waitroom, visitor

# Neither is the proxy's own, which is believed.
VISITOR = "127.0.0.5"
FORGED = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "elsewhere.example",
    "Forwarded": "for=203.0.113.7;host=elsewhere.example",
    "X-Waitroom-Admission": "forged",
}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@asynccontextmanager
async def behind_nginx(waitroom: Waitroom, authority: Authority, port: int) -> AsyncIterator[None]:
    """nginx ends TLS."""
    waitroom.server = {"trusted_proxies": ["127.0.0.1"]}
    waitroom.set(cap=1, status_s=30)
    changes = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "127.0.0.1:8080": f"127.0.0.1:{waitroom.port}",
        "/etc/nginx/tls.crt": authority.certificate,
        "/etc/nginx/tls.key": authority.key,
        "/var/cache/nginx-waitroom": waitroom.folder / "cache",
    }
    async with waitroom.serving(), proxy("nginx", waitroom.folder / "nginx", "nginx.conf", port, changes):
        yield


@asynccontextmanager
async def behind_haproxy(waitroom: Waitroom, authority: Authority, port: int) -> AsyncIterator[None]:
    """HAProxy passes TLS on, which waitroom ends."""
    set_behind_haproxy(waitroom, authority)
    async with waitroom.serving(), haproxy(waitroom, port):
        yield


def set_behind_haproxy(waitroom: Waitroom, authority: Authority) -> None:
    tls = {"listen": [f"127.0.0.1:{waitroom.port}"]}
    files = {"certificate": str(authority.certificate), "key": str(authority.key)}
    waitroom.server = {"listen": [], "tls": tls | files, "proxy_protocol": ["127.0.0.1"], "trusted_proxies": []}
    waitroom.set(cap=1)


def haproxy(waitroom: Waitroom, port: int, check_every: str = "2s") -> AbstractAsyncContextManager[None]:
    """Its checks may take as long as the time between them: on a busy machine a short one finds waitroom down."""
    changes = {
        "bind :443": f"bind 127.0.0.1:{port}",
        "bind :80\n": f"bind 127.0.0.1:{free_port()}\n",
        "127.0.0.1:8443": f"127.0.0.1:{waitroom.port}",
        "inter 2s": f"inter {check_every}",
    }
    return proxy("haproxy", waitroom.folder / "haproxy", "haproxy.cfg", port, changes)


Behind = Callable[[Waitroom, Authority, int], AbstractAsyncContextManager[None]]
PROXIES: dict[Program, Behind] = {"nginx": behind_nginx, "haproxy": behind_haproxy}


@pytest.fixture(params=[pytest.param(name, marks=needs(name)) for name in PROXIES])
async def port(
    request: pytest.FixtureRequest, tmp_path: Path, redis: PrivateRedis, origin: Origin, authority: Authority
) -> AsyncIterator[int]:
    """Where visitors come: a port of the proxy's, at which TLS is spoken."""
    waitroom = Waitroom(tmp_path / "waitroom", redis.url, origin.port)
    port = free_port()
    async with PROXIES[request.param](waitroom, authority, port):
        yield port


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def come(stack: AsyncExitStack, authority: Authority) -> aiohttp.ClientSession:
    tls = ssl.create_default_context(cafile=str(authority.ca))
    connector = aiohttp.TCPConnector(local_addr=(VISITOR, 0), ssl=tls)
    return await stack.enter_async_context(visitor(connector=connector))


async def test_the_site_is_told_who_asks_and_nothing_that_the_visitor_made_up(
    port: int, authority: Authority, stack: AsyncExitStack, origin: Origin
) -> None:
    one = await come(stack, authority)
    async with one.get(f"https://127.0.0.1:{port}/a?b=1", headers=PAGE | FORGED) as response:
        assert response.status == 200
    fields = origin.requests[-1].headers
    assert fields.getall("X-Forwarded-For") == [VISITOR]
    assert fields.getall("X-Forwarded-Proto") == ["https"]
    assert fields.getall("X-Forwarded-Host") == [f"127.0.0.1:{port}"]
    assert fields["Forwarded"].startswith(f"for={VISITOR};")
    assert fields.getall("X-Waitroom-Admission") != ["forged"]
    assert {cookie.key for cookie in one.cookie_jar} == {"__Host-wr-site", "__Host-wr-site.admission", "origin"}


async def test_who_comes_to_a_full_room_waits_and_asks_for_its_place(
    port: int, authority: Authority, stack: AsyncExitStack, origin: Origin
) -> None:
    inside, waiting = await come(stack, authority), await come(stack, authority)
    for one in (inside, waiting):
        async with one.get(f"https://127.0.0.1:{port}/", headers=PAGE) as response:
            text = await response.text()
    assert "You are in line" in text
    async with waiting.get(f"https://127.0.0.1:{port}/.waitroom/rooms/site/place") as response:
        assert (await response.json())["state"] == "waiting"
    assert len(origin.requests) == 1


async def test_a_large_body_passes_both_ways(
    port: int, authority: Authority, stack: AsyncExitStack, origin: Origin
) -> None:
    one = await come(stack, authority)
    async with one.get(f"https://127.0.0.1:{port}/", headers=PAGE):
        pass
    async with one.post(f"https://127.0.0.1:{port}/form", data=b"x" * 900_000) as response:
        assert (await response.json())["body"] == "x" * 900_000


@needs("nginx")
async def test_nginx_answers_a_crowd_that_reads_the_status_by_itself(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, authority: Authority, stack: AsyncExitStack
) -> None:
    """While waitroom has a newer one by the second; and each still asks for its own place."""
    waitroom = Waitroom(tmp_path / "waitroom", redis.url, origin.port)
    port = free_port()
    async with behind_nginx(waitroom, authority, port):
        one, other = await come(stack, authority), await come(stack, authority)
        own = f"https://127.0.0.1:{port}/.waitroom/rooms/site"
        for who in (one, other):
            async with who.get(f"https://127.0.0.1:{port}/", headers=PAGE) as response:
                assert response.status == 200
        first = await made_ms(one, f"{own}/status")
        while await made_ms(other, f"{waitroom.url}/.waitroom/rooms/site/status") == first:
            await asyncio.sleep(0.05)
        for query in ("", "?at=1", "?at=2"):
            assert await made_ms(other, f"{own}/status{query}") == first
        states = []
        for who in (one, other):
            async with who.get(f"{own}/number") as response:
                states.append((await response.json())["state"])
        assert states == ["inside", "waiting"]


async def made_ms(one: aiohttp.ClientSession, url: str) -> int:
    async with one.get(url) as response:
        assert "Set-Cookie" not in response.headers
        return int((await response.json())["made_ms"])


@needs("haproxy")
async def test_haproxy_finds_out_by_itself_whether_waitroom_is_ready(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, authority: Authority
) -> None:
    """Its checks speak TLS behind a PROXY header of their own, as all of its connections."""
    waitroom = Waitroom(tmp_path / "waitroom", redis.url, origin.port)
    set_behind_haproxy(waitroom, authority)
    log = waitroom.folder / "haproxy/log"
    async with haproxy(waitroom, free_port(), "500ms"):
        await eventually(lambda: "is DOWN" in log.read_text())
        async with waitroom.serving():
            await eventually(lambda: "is UP" in log.read_text())
