"""Rows 14, 25, 26, 31 and 32: what is kept between visitors, and what becomes of them when an origin or we go."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers import PrivateRedis, eventually, free_port
from tests.waitroom.proxy.each import each
from tests.waitroom.proxy.ends import End
from tests.waitroom.proxy.probe import Probe, request
from tests.waitroom.proxy.scripted_origin import ScriptedOrigin, ok
from tests.waitroom.proxy.stage import Stage, staged
from tests.waitroom.running import Waitroom
from waitroom.app import running
from waitroom.config_file import ConfigFile

FOR_A_BROWSER = b"Accept: text/html\r\n"
FOR_AN_APP = b"Accept: application/json\r\n"


@asynccontextmanager
async def before(folder: Path, redis: PrivateRedis, scripted: ScriptedOrigin, **room: Any) -> AsyncIterator[Stage]:
    """A waitroom before an origin, with settings of the test's own."""
    waitroom = Waitroom(folder, redis.url, scripted.port)
    waitroom.set(mode="open", **room)
    async with staged(waitroom, scripted) as stage:
        yield stage


@each(14)
async def test_row_14_redirects_are_the_visitors(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


async def test_row_14_a_cookie_of_one_visitor_is_not_sent_for_another(stage: Stage) -> None:
    stage.origin.answers(ok(fields=b"Set-Cookie: session=first\r\n"))
    await stage.ask(request())
    await stage.ask(request())
    first, second = stage.origin.requests
    assert len(stage.origin.ends) == 1, "both went over one connection"
    assert not first.head.all(b"cookie")
    assert not second.head.all(b"cookie")


async def test_row_14_a_proxy_in_the_environment_is_not_ours(
    tmp_path: Path, redis: PrivateRedis, scripted: ScriptedOrigin, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with before(tmp_path, redis, scripted) as stage:
        assert (await stage.ask(request(b"/a"))).words == "200 open"
    assert scripted.told == ["GET /a"]


@each(25)
async def test_row_25_what_can_be_repeated_is_tried_once_more(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


@each(26)
async def test_row_26_an_origin_that_fails_is_answered_for(probe: Probe, stage: Stage) -> None:
    assert await probe.run(stage) == probe.ours


async def test_row_26_an_origin_that_is_not_there_is_502(tmp_path: Path, redis: PrivateRedis) -> None:
    async with before(tmp_path, redis, ScriptedOrigin()) as stage:
        seen = await stage.ask(request())
    assert seen.words == "502 open"


async def test_row_26_an_origin_that_does_not_answer_in_time_is_504(
    tmp_path: Path, redis: PrivateRedis, scripted: ScriptedOrigin
) -> None:
    async def silent(end: End) -> None:
        await end.rest()

    scripted.play = silent
    async with before(tmp_path, redis, scripted, origin={"response_s": 1}) as stage:
        assert (await stage.ask(request())).words == "504 open"
    assert len(scripted.ends) == 1, "a request that may be under way is not sent again"


async def test_row_26_with_no_healthy_origin_it_is_503(tmp_path: Path, redis: PrivateRedis) -> None:
    terms = {"health_path": "/up", "health_interval_s": 1, "health_timeout_s": 1, "health_fall": 1}
    async with before(tmp_path, redis, ScriptedOrigin(), origin=terms) as stage, asyncio.timeout(60):
        while (await stage.ask(request())).words != "503 open":
            await asyncio.sleep(0.05)


async def test_row_26_beyond_an_origins_connections_it_is_503(
    tmp_path: Path, redis: PrivateRedis, scripted: ScriptedOrigin
) -> None:
    async def never(end: End) -> None:
        await end.message()
        await end.rest()

    scripted.play = never
    async with before(tmp_path, redis, scripted, origin={"connections": 1}) as stage, stage.visitor() as first:
        await first.send(request())
        await eventually(lambda: scripted.ends)
        assert (await stage.ask(request())).words == "503 open"


async def test_row_26_a_browser_gets_a_page_and_an_app_json_with_the_requests_id(
    tmp_path: Path, redis: PrivateRedis
) -> None:
    async with before(tmp_path, redis, ScriptedOrigin()) as stage:
        page = (await stage.ask(request(b"/", FOR_A_BROWSER))).last
        problem = (await stage.ask(request(b"/", FOR_AN_APP))).last
    assert page.head.all(b"content-type") == [b"text/html; charset=utf-8"]
    assert b"<!doctype html>" in page.body.lower()
    assert problem.head.all(b"content-type")[0].startswith(b"application/problem+json")
    assert re.search(rb"reference: <code>[0-9a-f]{16}", page.body)
    assert re.search("Reference: [0-9a-f]{16}", json.loads(problem.body)["detail"])


async def test_row_31_an_origin_that_refuses_is_passed_over(
    tmp_path: Path, redis: PrivateRedis, scripted: ScriptedOrigin
) -> None:
    origins = [f"http://127.0.0.1:{port}" for port in (free_port(), scripted.port)]
    async with before(tmp_path, redis, scripted, origins=origins) as stage:
        seen = [(await stage.ask(request(b"/%d" % i))).words for i in range(20)]
    assert seen == ["200 open"] * 20
    assert scripted.told == [f"GET /{i}" for i in range(20)]


async def test_row_31_the_origin_with_fewer_requests_under_way_gets_the_next(
    tmp_path: Path, redis: PrivateRedis, scripted: ScriptedOrigin
) -> None:
    async def never(end: End) -> None:
        await end.message()
        await end.rest()

    scripted.play = never
    async with ScriptedOrigin().serving() as other:
        other.play = never
        origins = [f"http://127.0.0.1:{origin.port}" for origin in (scripted, other)]
        async with (
            before(tmp_path, redis, scripted, origins=origins) as stage,
            stage.visitor() as one,
            stage.visitor() as two,
        ):
            await one.send(request())
            await eventually(lambda: scripted.ends or other.ends)
            await two.send(request())
            await eventually(lambda: len(scripted.ends) == len(other.ends) == 1)


async def test_row_31_an_origin_may_be_a_unix_socket(tmp_path: Path, redis: PrivateRedis) -> None:
    path = tmp_path / "origin.sock"
    async with (
        ScriptedOrigin(path).serving() as origin,
        before(tmp_path / "waitroom", redis, origin, origins=[f"unix:{path}"]) as stage,
    ):
        assert (await stage.ask(request(b"/a"))).words == "200 open"
    assert origin.told == ["GET /a"]


async def test_row_32_a_request_in_flight_is_finished_and_nobody_new_is_let_in(
    tmp_path: Path, redis: PrivateRedis, scripted: ScriptedOrigin
) -> None:
    asked, answers = asyncio.Event(), asyncio.Event()

    async def play(end: End) -> None:
        await end.message()
        asked.set()
        await answers.wait()
        await end.send(ok(b"finished"))

    scripted.play = play
    waitroom = Waitroom(tmp_path, redis.url, scripted.port)
    waitroom.set(mode="open")
    stage = Stage(waitroom.port, scripted)
    async with running(ConfigFile(waitroom.config)) as fronts, stage.visitor() as end:
        await end.send(request())
        await asked.wait()
        draining = asyncio.create_task(fronts.drain(20))
        await eventually(lambda: not listens(waitroom.port))
        assert not draining.done()
        answers.set()
        seen = await stage.see(end, b"GET")
        await draining
    assert seen.words == "200 closed"
    assert seen.last.body == b"finished"


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
