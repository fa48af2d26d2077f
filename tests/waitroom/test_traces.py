"""Traces of what goes on to an origin: where they begin, whose word counts about them, and what they tell."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.collector import collecting
from tests.servers import PrivateRedis, eventually, free_port
from tests.waitroom.running import PAGE, Origin, Waitroom, origin, visitor

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TOLD = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "shop=1"}


@asynccontextmanager
async def stage(
    folder: Path, redis: PrivateRedis, *, trusted: bool = False, origins: list[str] | None = None
) -> AsyncIterator[tuple[Waitroom, Origin]]:
    """A waitroom that serves before an origin; `trusted` is whether who asks it is a proxy in front."""
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(origin())
        server = {"trusted_proxies": ["127.0.0.1"]} if trusted else {}
        waitroom = Waitroom(folder, redis.url, site.port, server=server)
        waitroom.set(**({"origins": origins} if origins else {}))
        await stack.enter_async_context(waitroom.serving())
        yield waitroom, site


async def ask(waitroom: Waitroom, path: str = "/", **fields: str) -> int:
    """Asks as a visitor who has come for the first time; gives the status."""
    async with visitor() as browser, browser.get(f"{waitroom.url}{path}", headers=PAGE | fields) as response:
        await response.read()
        return response.status


def told(site: Origin) -> tuple[str, str, bool]:
    """The trace and the span that the origin got with its last request, and whether they are recorded."""
    [traceparent] = site.requests[-1].headers.getall("traceparent")
    _, trace, span, flags = traceparent.split("-")
    return trace, span, bool(int(flags, 16) & 1)


async def test_a_request_has_a_span_and_in_it_one_of_the_origins_share(
    tmp_path: Path, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting(monkeypatch) as collector, stage(tmp_path, redis) as (waitroom, site):
        assert await ask(waitroom, "/flights?to=CJU") == 200
        whole = await collector.one("waitroom", "SERVER")
        share = await collector.one("waitroom", "CLIENT")
        told_origin = told(site)
    request_id = site.requests[-1].headers["X-Request-Id"]
    assert (whole.name, whole.parent, whole.links) == ("GET", "", [])
    assert whole.attributes["waitroom.request_id"] == request_id
    assert {name: whole.attributes[name] for name in ("url.path", "url.scheme", "server.address")} == {
        "url.path": "/flights",
        "url.scheme": "http",
        "server.address": "127.0.0.1",
    }
    assert whole.attributes["http.response.status_code"] == 200
    assert (whole.attributes["waitroom.room"], whole.attributes["waitroom.outcome"]) == ("site", "admit")
    assert (share.trace, share.parent) == (whole.trace, whole.id)
    assert share.attributes["url.full"] == f"http://127.0.0.1:{site.port}/flights"
    assert share.attributes["server.port"] == site.port
    assert whole.start_ns <= share.start_ns < share.end_ns <= whole.end_ns
    assert told_origin == (share.trace, share.id, True)


async def test_a_visitors_trace_is_linked_to_and_not_continued(
    tmp_path: Path, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting(monkeypatch) as collector, stage(tmp_path, redis) as (waitroom, site):
        await ask(waitroom, **TOLD)
        whole = await collector.one("waitroom", "SERVER")
    assert whole.trace != TRACE
    assert (whole.parent, whole.links) == ("", [(TRACE, SPAN)])
    assert told(site)[0] == whole.trace
    assert "tracestate" not in site.requests[-1].headers


async def test_the_trace_of_a_trusted_proxy_is_continued(
    tmp_path: Path, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting(monkeypatch) as collector, stage(tmp_path, redis, trusted=True) as (waitroom, site):
        await ask(waitroom, **TOLD)
        whole = await collector.one("waitroom", "SERVER")
        share = await collector.one("waitroom", "CLIENT")
    assert (whole.trace, whole.parent, whole.links) == (TRACE, SPAN, [])
    assert told(site) == (TRACE, share.id, True)
    assert site.requests[-1].headers["tracestate"] == "shop=1"


async def test_what_a_trusted_proxy_does_not_record_is_not_recorded(
    tmp_path: Path, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting(monkeypatch) as collector:
        async with stage(tmp_path, redis, trusted=True) as (waitroom, site):
            await ask(waitroom, traceparent=f"00-{TRACE}-{SPAN}-00")
        trace, _, is_recorded = told(site)
        assert (trace, is_recorded) == (TRACE, False)
        assert not collector.bodies


@pytest.mark.parametrize("traceparent", ["nonsense", f"00-{'0' * 32}-{SPAN}-01", f"ff-{TRACE}-{SPAN}-01", "é"])
async def test_a_trace_that_makes_no_sense_goes_no_further(
    tmp_path: Path, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch, traceparent: str
) -> None:
    async with collecting(monkeypatch) as collector, stage(tmp_path, redis, trusted=True) as (waitroom, site):
        assert await ask(waitroom, traceparent=traceparent, tracestate="shop=1") == 200
        whole = await collector.one("waitroom", "SERVER")
        assert (whole.parent, whole.links) == ("", [])
        assert told(site)[0] == whole.trace
        assert "tracestate" not in site.requests[-1].headers


async def test_who_samples_nothing_sends_nothing_and_no_visitor_can_change_that(
    tmp_path: Path, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"TRACES_SAMPLER": "parentbased_traceidratio", "TRACES_SAMPLER_ARG": "0"}
    async with collecting(monkeypatch, **variables) as collector:
        async with stage(tmp_path, redis) as (waitroom, site):
            await ask(waitroom, **TOLD)
        trace, _, is_recorded = told(site)
        assert (is_recorded, collector.bodies) == (False, [])
        assert trace != TRACE


async def test_an_origin_is_told_to_record_just_what_is_recorded_here(
    tmp_path: Path, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {"TRACES_SAMPLER": "traceidratio", "TRACES_SAMPLER_ARG": "0.5"}
    recorded: dict[str, bool] = {}
    async with collecting(monkeypatch, **variables) as collector, stage(tmp_path, redis) as (waitroom, site):
        async with visitor() as browser:
            for _ in range(40):
                async with browser.get(waitroom.url, headers=PAGE) as response:
                    await response.read()
                trace, _, is_recorded = told(site)
                recorded[trace] = is_recorded
        assert len(recorded) == 40
        told_so = {trace for trace, is_recorded in recorded.items() if is_recorded}
        assert 0 < len(told_so) < 40
        await eventually(lambda: len(collector.of("waitroom", "SERVER")) == len(told_so))
        assert {one.trace for one in collector.spans} == told_so


async def test_waiting_polls_and_what_waitroom_says_itself_have_no_trace(
    tmp_path: Path, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collecting(monkeypatch) as collector:
        async with stage(tmp_path, redis) as (waitroom, site):
            assert await ask(waitroom) == 200
            waitroom.set(mode="hold")
            async with asyncio.timeout(60), visitor() as browser:

                async def text_of(url: str) -> str:
                    async with browser.get(url, headers=PAGE) as response:
                        return await response.text()

                while (await waitroom.status())["rooms"][0]["mode"] != "hold":
                    await asyncio.sleep(0.05)
                while "You are in line" not in await text_of(waitroom.url):
                    browser.cookie_jar.clear()
                asked = len(site.requests)
                await eventually(lambda: len(collector.of("waitroom", "SERVER")) == asked)
                for path in ("", "/.waitroom/rooms/site/place", "/.waitroom/live", "/.waitroom/nothing"):
                    await text_of(f"{waitroom.url}{path}")
        assert len(collector.of("waitroom", "SERVER")) == asked


async def test_an_origin_that_fails_is_told_with_why(
    tmp_path: Path, redis: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    origins = [f"http://127.0.0.1:{free_port()}"]
    async with collecting(monkeypatch) as collector, stage(tmp_path, redis, origins=origins) as (waitroom, _):
        assert await ask(waitroom) == 502
        whole = await collector.one("waitroom", "SERVER")
        share = await collector.one("waitroom", "CLIENT")
    assert (whole.has_failed, whole.attributes["http.response.status_code"]) == (True, 502)
    assert (share.has_failed, share.attributes["error.type"]) == (True, "unreachable")
    assert share.events[0] == ("origin_failed", {"error.type": "unreachable"})
    assert "http.response.status_code" not in share.attributes


async def test_without_traces_those_of_others_pass_as_they_came(tmp_path: Path, redis: PrivateRedis) -> None:
    async with stage(tmp_path, redis) as (waitroom, site):
        await ask(waitroom, **TOLD)
    assert {name: site.requests[-1].headers[name] for name in TOLD} == TOLD


# redis-py imports what is for metrics by itself, where it is installed.
SERVES = """
import asyncio, sys
from pathlib import Path
from waitroom.app import running
from waitroom.config_file import ConfigFile

async def main():
    async with running(ConfigFile(Path(sys.argv[1]))):
        print([name for name in sys.modules if name.startswith(("opentelemetry.sdk.trace", "opentelemetry.exporter"))])

asyncio.run(main())
"""
# What Python does where a distribution is missing.
WITHOUT = "import sys; sys.modules['opentelemetry'] = None\n"


def serve_once(folder: Path, redis: PrivateRedis, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    waitroom = Waitroom(folder, redis.url, free_port())
    waitroom.set()
    command = [sys.executable, "-c", code, str(waitroom.config)]
    environment = os.environ | variables
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)


def test_nothing_of_opentelemetry_is_imported_unless_asked_for(tmp_path: Path, redis: PrivateRedis) -> None:
    assert serve_once(tmp_path, redis, SERVES).stdout == "[]\n"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
)
def test_a_collector_that_is_not_to_be_used_costs_nothing(
    tmp_path: Path, redis: PrivateRedis, variable: str, value: str
) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", variable: value}
    assert serve_once(tmp_path, redis, SERVES, **variables).stdout == "[]\n"


def test_a_missing_extra_is_told_and_waitroom_serves(tmp_path: Path, redis: PrivateRedis) -> None:
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    served = serve_once(tmp_path, redis, WITHOUT + SERVES, **endpoint)
    assert "pip install waitroom[traces]" in served.stderr
    assert served.stdout == "[]\n"
