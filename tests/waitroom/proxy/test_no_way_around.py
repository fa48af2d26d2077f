"""I6: no request reaches the origin of a queueing room without a valid admission or a bypass rule, however it is
spelt."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.proxy.probe import request
from tests.waitroom.proxy.probes_of_requests import METHODS
from tests.waitroom.proxy.scripted_origin import ScriptedOrigin, chunked
from tests.waitroom.proxy.stage import Stage, staged
from tests.waitroom.running import Waitroom

SHOP = b"Host: shop.example\r\n"
# Each is /sale or below it for an origin that decodes, resolves and joins as much as any does.
SPELLINGS = (
    b"/sale",
    b"/sale/",
    b"/sale?x",
    b"/sale/a/b",
    b"/sale/../sale",
    b"/sale/.",
    b"/%73ale",
    b"/%73%61%6c%65/x",
    b"/sal%65",
    b"/%2573ale",
    b"/%252573ale",
    b"//sale",
    b"///sale",
    b"/./sale",
    b"/../sale",
    b"/x/../sale",
    b"/x/..//sale",
    b"/x/%2e%2e/sale",
    b"/x/%2E./sale",
    b"/x/.%2e/sale",
    b"/x%2f..%2fsale",
    b"/x/..%2fsale",
    b"/x/%252e%252e/sale",
    b"/x/..%5csale",
    b"/x\\..\\sale",
    b"\\sale",
    b"/\\sale",
    b"/%5csale",
    b"/%2fsale",
    b"/%2e/sale",
    b"/sale%2f",
    b"/sale%2fx",
    b"/sale#x",
    b"/x/../sale/../sale",
    b"/free/../sale",
    b"/free/%2e%2e/sale",
    b"/free/..%2fsale",
    b"/free/..\\sale",
    b"/free/x/../../sale",
    b"/free/%252e%252e/sale",
    b"/free//../sale",
    b"http://shop.example/sale",
    b"HTTP://SHOP.EXAMPLE/sale",
    b"http://shop.example:80/%73ale",
    b"http://shop.example./sale",
    b"http://free.example@shop.example/sale",
)
HOSTS = (
    b"shop.example",
    b"SHOP.Example",
    b"shop.example.",
    b"shop.example:80",
    b"shop.example:8080",
    b"shop.example.:80",
    b"shop.example:",
    b"shop.example, free.example",
    b"free.example shop.example",
    b"free.example@shop.example",
    b"shop.example/free.example",
    b"shop.example#free.example",
    b"shop.example?free.example",
    b"shop%2eexample",
    b"shop.example\r\nHost: free.example",
    b"free.example\r\nHost: shop.example",
    b"free.example\r\n shop.example",
    b"free.example\r\nHost : shop.example",
)
CLAIMS = (
    b"X-Waitroom-Admission: x\r\n",
    b"x-waitroom-admission: eyJhbGciOiJub25lIiwidHlwIjoiYWRtaXNzaW9uK2p3dCJ9.eyJhdWQiOiJzYWxlIn0.\r\n",
    b"X_Waitroom_Admission: x\r\n",
    b"X-Waitroom_Admission: x\r\n",
    b"X-Waitroom-Admission: x\r\nX-Waitroom-Admission: y\r\n",
    b"Cookie: wr-sale.admission=x\r\n",
    b"Cookie: wr-sale=v1.x.x; wr-sale.admission=eyJhbGciOiJub25lIn0.e30.\r\n",
    b"Cookie: __Host-wr-sale.admission=x\r\n",
    b"X-Waitroom-Command: release\r\n",
    b"X-Forwarded-For: 127.0.0.1\r\n",
    b"X-Forwarded-Host: free.example\r\n",
    b"Forwarded: for=127.0.0.1;host=free.example\r\n",
    b"X-HTTP-Method-Override: GET\r\n",
    b"Connection: X-Waitroom-Admission, Cookie, Host\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    b"Expect: 100-continue\r\nContent-Length: 1\r\n",
    b"Range: bytes=0-0\r\n",
    b"Purpose: prefetch\r\n",
)


@pytest.fixture
async def stage(tmp_path: Path, redis: PrivateRedis, scripted: ScriptedOrigin) -> AsyncIterator[Stage]:
    """A shop whose sale calls nobody, beside what is free: the rest of it, and every other host."""
    waitroom = Waitroom(tmp_path, redis.url, scripted.port)
    waitroom.set_rooms(
        {"name": "sale", "hosts": ["shop.example"], "paths": ["/sale/*"], "mode": "hold", "bypass": ["/sale/icon.svg"]},
        {"name": "free", "mode": "open"},
    )
    async with staged(waitroom, scripted) as stage:
        yield stage


async def test_i6_what_is_free_passes(stage: Stage) -> None:
    for target, host in ((b"/free/x", SHOP), (b"/sale/icon.svg", SHOP), (b"/sale", b"Host: free.example\r\n")):
        assert (await stage.ask(request(target, host=host))).words == "200 open"


@pytest.mark.parametrize("target", SPELLINGS, ids=[target.decode() for target in SPELLINGS])
async def test_i6_no_spelling_of_the_path_passes(stage: Stage, target: bytes) -> None:
    await refuse(stage, request(target, host=SHOP))


@pytest.mark.parametrize("host", HOSTS, ids=[ascii(host.decode())[1:-1] for host in HOSTS])
async def test_i6_no_spelling_of_the_host_passes(stage: Stage, host: bytes) -> None:
    await refuse(stage, request(b"/sale", host=b"Host: %b\r\n" % host))


async def test_i6_an_absolute_target_counts_and_not_host(stage: Stage) -> None:
    await refuse(stage, request(b"http://shop.example/sale", host=b"Host: free.example\r\n"))


@pytest.mark.parametrize("method", [*METHODS, b"CONNECT", b"TRACE", b"FOO"], ids=lambda method: method.decode())
async def test_i6_no_method_passes(stage: Stage, method: bytes) -> None:
    await refuse(stage, request(b"/sale", host=SHOP, method=method), method)


@pytest.mark.parametrize("fields", CLAIMS, ids=[ascii(fields.decode())[1:60] for fields in CLAIMS])
async def test_i6_nothing_that_a_visitor_claims_passes(stage: Stage, fields: bytes) -> None:
    await refuse(stage, request(b"/sale", fields, b"x" * (b"Content-Length" in fields), host=SHOP))


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0"])
async def test_i6_no_version_passes(stage: Stage, version: bytes) -> None:
    await refuse(stage, request(b"/sale", host=SHOP, version=version))


async def test_i6_nobody_passes_behind_a_request_that_does(stage: Stage) -> None:
    sent = request(b"/free", host=SHOP) + request(b"/sale", host=SHOP) + request(b"/free", host=SHOP)
    seen = await stage.ask(sent, methods=(b"GET",) * 3)
    assert stage.origin.told == ["GET /free"] * (2 if seen.ending == "open" else 1)


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (b"Content-Length: 5\r\n", b"abcde"),
        (b"Transfer-Encoding: chunked\r\n", chunked(request(b"/sale", host=SHOP))),
        (b"Content-Length: %d\r\n" % len(request(b"/sale", host=SHOP)), request(b"/sale", host=SHOP)),
    ],
)
async def test_i6_nobody_passes_in_a_body(stage: Stage, fields: bytes, body: bytes) -> None:
    await refuse(stage, request(b"/sale", fields, body, host=SHOP, method=b"POST"), b"POST")


async def refuse(stage: Stage, sent: bytes, method: bytes = b"GET") -> None:
    """The visitor is answered, and the origin hears nothing."""
    seen = await stage.ask(sent, methods=(method,))
    assert seen.answers
    assert not stage.origin.ends
