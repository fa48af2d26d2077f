"""One request of a visitor's is one trace, from waitroom to the statements of the site behind it; and traces neither
delay anybody nor tell what nobody may know.
"""

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from booking import schema
from booking.db import Database
from tests.booking.bench import HOUR_S, add_flight, departure
from tests.collector import collecting
from tests.servers import PrivateRedis, eventually, free_port
from tests.waitroom.running import APP, Waitroom, visitor
from tests.waitroom.serving import Served, serve

BOOKING = (sys.executable, "-c", "from booking.cli import main; main()", "serve")
END_S = 60
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@dataclass(frozen=True)
class Site:
    """Both, as they are deployed, and a flight to ask for."""

    url: str
    flight_id: int
    waitroom: Served


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[PrivateRedis]:
    redis = PrivateRedis(tmp_path)
    redis.start()
    yield redis
    redis.client.close()
    redis.kill()


@asynccontextmanager
async def site(folder: Path, redis: PrivateRedis) -> AsyncIterator[Site]:
    """`waitroom serve` before `booking serve`, with the environment of this process."""
    async with AsyncExitStack() as stack:
        waitroom = Waitroom(folder / "waitroom", redis.url, free_port())
        waitroom.set()
        flight_id = await _flight(f"sqlite+aiosqlite:///{folder / 'booking.db'}")
        served = await stack.enter_async_context(serve(waitroom))
        await stack.enter_async_context(_booking(folder, redis, waitroom))
        yield Site(waitroom.url, flight_id, served)


async def _flight(url: str) -> int:
    async with Database(url) as db:
        await schema.migrate(db)
        return await add_flight(db, departure(int(time.time()) + 48 * HOUR_S))


@asynccontextmanager
async def _booking(folder: Path, redis: PrivateRedis, waitroom: Waitroom) -> AsyncIterator[None]:
    environment = os.environ | {
        "BOOKING_LISTEN": f"127.0.0.1:{waitroom.origin_port}",
        "BOOKING_ADMIN_LISTEN": f"127.0.0.1:{free_port()}",
        "BOOKING_ADMISSION_KEYS": f"{waitroom.url}/.waitroom/jwks.json",
        "BOOKING_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'booking.db'}",
        "BOOKING_REDIS_URL": redis.url,
        "BOOKING_STATE_FOLDER": str(folder / "booking"),
    }
    with (folder / "booking.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*BOOKING, env=environment, stderr=log)
    try:
        await eventually(lambda: "Serving on" in (folder / "booking.log").read_text(), END_S)
        yield
    finally:
        process.terminate()
        async with asyncio.timeout(END_S):
            assert await process.wait() == 0


def seats_of(site: Site) -> str:
    return f"{site.url}/api/flights/{site.flight_id}/seats"


async def test_one_request_is_one_trace_down_to_the_statement(
    tmp_path: Path, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
    async with collecting(monkeypatch) as collector, site(tmp_path, redis) as both:
        async with visitor(headers=APP) as browser, browser.get(seats_of(both), headers=fields) as response:
            assert response.status == 200
        whole = await collector.one("waitroom", "SERVER")
        share = await collector.one("waitroom", "CLIENT")
        request = await collector.one("booking", "SERVER")
        cache = await collector.one("booking", "INTERNAL", "cache seat_map")
        await eventually(lambda: len(collector.within(cache)) == 3)
    assert whole.links == [(TRACE, SPAN)]
    assert [(one.service, one.parent) for one in (whole, share, request)] == [
        ("waitroom", ""),
        ("waitroom", whole.id),
        ("booking", share.id),
    ]
    assert {one.trace for one in collector.spans} == {whole.trace}
    assert request.name == "GET /api/flights/{flight_id}/seats"
    assert request.attributes["waitroom.request_id"] == whole.attributes["waitroom.request_id"]
    assert cache.parent == request.id
    asked, reading, kept = collector.within(cache)
    assert [asked.name, kept.name] == ["redis", "redis"]
    assert reading.attributes["booking.outcome"] == "done"
    statements = [one.attributes["db.query.text"] for one in collector.within(reading)]
    assert any(text.startswith("SELECT") and "FROM seats" in text for text in statements)
    for inner, outer in ((share, whole), (request, share), (cache, request), (reading, cache)):
        assert outer.start_ns <= inner.start_ns <= inner.end_ns <= outer.end_ns


async def test_no_trace_tells_what_a_visitor_is_known_by(
    tmp_path: Path, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = {name: secrets.token_hex(8) for name in ("query", "cookie", "authorization", "password", "name", "agent")}
    fields = {"Authorization": f"Bearer {secret['authorization']}", "User-Agent": secret["agent"]}
    account = {"email": f"{secret['name']}@example.org", "name": secret["name"], "password": secret["password"]}
    async with collecting(monkeypatch) as collector, site(tmp_path, redis) as both, visitor(headers=APP) as browser:
        browser.cookie_jar.update_cookies({"shop": secret["cookie"]})
        async with browser.get(seats_of(both), params={"token": secret["query"]}, headers=fields) as response:
            assert response.status == 200
        async with browser.post(f"{both.url}/api/accounts", json=account) as response:
            assert response.status == 201
        wish = {"seats": ["7D"], "passengers": [secret["name"]]}
        async with browser.post(f"{both.url}/api/flights/{both.flight_id}/holds", json=wish) as response:
            assert response.status == 201
            reference = (await response.json())["reference"]
        await eventually(lambda: len(collector.of("booking", "SERVER")) == 3)
        await eventually(lambda: collector.of("booking", "CONSUMER"))
        cookies = [cookie.value for cookie in browser.cookie_jar]
    assert {"wr-site", "wr-site.admission"} <= {cookie.key for cookie in browser.cookie_jar}
    sent = b"".join(collector.bodies)
    for told in (*secret.values(), *cookies, reference):
        assert told.encode() not in sent
        assert all(part.encode() not in sent for part in told.split(".") if len(part) > 8)


async def test_a_collector_that_never_answers_delays_nobody(
    tmp_path: Path, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a batch, and holds on to it: all are served meanwhile, and both processes end in peace."""
    variables = {"EXPORTER_OTLP_TIMEOUT": "600", "BSP_MAX_QUEUE_SIZE": "20", "BSP_MAX_EXPORT_BATCH_SIZE": "10"}
    async with collecting(monkeypatch, **variables) as collector:
        collector.answers.clear()
        async with site(tmp_path, redis) as both:
            async with visitor(headers=APP) as browser:
                assert [await _status(browser, both) for _ in range(200)] == [200] * 200
            await eventually(lambda: collector.bodies)
            both.waitroom.signal(signal.SIGTERM)
            assert await both.waitroom.ended() == 0
        assert not collector.spans


async def test_a_collector_that_is_not_there_delays_nobody(
    tmp_path: Path, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    async with site(tmp_path, redis) as both:
        async with visitor(headers=APP) as browser:
            assert [await _status(browser, both) for _ in range(50)] == [200] * 50
        both.waitroom.signal(signal.SIGTERM)
        assert await both.waitroom.ended() == 0


async def _status(browser: aiohttp.ClientSession, both: Site) -> int:
    async with browser.get(seats_of(both)) as response:
        await response.read()
        return response.status
