"""Row 29, by each kind of listener: the origin and the access log are told of the visitor as it came to us."""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Authority, PrivateRedis, eventually, free_port
from tests.waitroom.proxy.ends import End
from tests.waitroom.proxy.messages import Message
from tests.waitroom.proxy.probe import request
from tests.waitroom.proxy.scripted_origin import ScriptedOrigin
from tests.waitroom.proxy.stage import READY
from tests.waitroom.running import Waitroom
from tests.waitroom.serving import serve
from tests.waitroom.test_proxy_protocol import version_1, version_2

PAGE = request(b"/a", b"Accept: text/html\r\n")


class Behind:
    """A waitroom in processes of its own, its listeners set up by `server`; visitors come by TLS if there is any."""

    def __init__(self, folder: Path, redis: PrivateRedis, origin: ScriptedOrigin, **server: Any) -> None:
        self.log = folder / "access.log"
        self.waitroom = Waitroom(folder, redis.url, origin.port, server={"access_log": str(self.log), **server})
        self.waitroom.set(cap=2)
        self._port = self.waitroom.port
        self._tls: ssl.SSLContext | None = None

    def by_tls(self, port: int, authority: Authority) -> None:
        self._port, self._tls = port, ssl.create_default_context(cafile=str(authority.ca))

    async def ask(self, said: bytes, header: bytes = b"") -> Message:
        """The answer to a request, behind a header in the clear."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(header)
        if self._tls:
            await writer.start_tls(self._tls, server_hostname="localhost")
        end = End(reader, writer)
        try:
            async with asyncio.timeout(60):
                await end.send(said)
                return await end.message(b"GET")
        finally:
            end.abandon()

    async def ready(self, header: bytes = b"") -> None:
        async with asyncio.timeout(60):
            while (await self.ask(READY, header)).head.status != 200:
                await asyncio.sleep(0.02)

    async def logged(self) -> dict[str, Any]:
        """The entry of the page, once it is written."""
        await eventually(lambda: self.log.exists() and '"/a"' in self.log.read_text())
        line = next(line for line in self.log.read_text().splitlines() if '"/a"' in line)
        entry: dict[str, Any] = json.loads(line)
        return entry


def told(origin: ScriptedOrigin) -> list[bytes]:
    """Address and scheme of who asked, as the origin was told."""
    (page,) = origin.requests
    return page.head.all(b"x-forwarded-for") + page.head.all(b"x-forwarded-proto")


@pytest.mark.parametrize("header", [version_1("192.0.2.7", 5), version_2("2001:db8::7", 5)], ids=["1", "2"])
async def test_row_29_a_balancer_tells_who_came_by_the_proxy_protocol(
    tmp_path: Path, redis: PrivateRedis, scripted: ScriptedOrigin, header: bytes
) -> None:
    address = "2001:db8::7" if b"PROXY" not in header else "192.0.2.7"
    behind = Behind(tmp_path, redis, scripted, proxy_protocol=["127.0.0.1"])
    async with serve(behind.waitroom):
        await behind.ready(header)
        assert (await behind.ask(PAGE, header)).head.status == 200
        assert told(scripted) == [address.encode(), b"http"]
        assert (await behind.logged())["client"] == address


@pytest.mark.parametrize("header", [b"", version_1("192.0.2.7", 5)], ids=["directly", "by a balancer"])
async def test_row_29_who_comes_by_tls_is_told_as_such_and_gets_cookies_for_tls_alone(
    tmp_path: Path, redis: PrivateRedis, scripted: ScriptedOrigin, header: bytes
) -> None:
    authority, port = Authority(tmp_path / "authority"), free_port()
    tls = {"listen": [f"127.0.0.1:{port}"], "certificate": str(authority.certificate), "key": str(authority.key)}
    behind = Behind(tmp_path, redis, scripted, proxy_protocol=["127.0.0.1"] if header else [], tls=tls)
    behind.by_tls(port, authority)
    async with serve(behind.waitroom):
        await behind.ready(header)
        page = await behind.ask(PAGE, header)
        client = "192.0.2.7" if header else "127.0.0.1"
        assert told(scripted) == [client.encode(), b"https"]
        entry = await behind.logged()
    assert (entry["client"], entry["scheme"]) == (client, "https")
    cookies = page.head.all(b"set-cookie")
    assert cookies
    assert all(cookie.startswith(b"__Host-wr-") and b"; Secure" in cookie for cookie in cookies)
