"""The admin API: who gets through its door, what its acts do to a waitroom that runs, and that it is what its contract
says."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from pydantic import TypeAdapter

from tests.servers import PrivateRedis, eventually, free_port
from tests.waitroom.running import PAGE, Waitroom, number_of, visitor
from waitroom import admin_tokens
from waitroom.admin import shapes
from waitroom.admin.broadcast import MOST_LISTENERS
from waitroom.admin.contract import ENDPOINTS, Endpoint, document

READER, OPERATOR = admin_tokens.made(), admin_tokens.made()
TOKENS = f"""
[[admin.tokens]]
name = "rita"
role = "reader"
sha256 = "{admin_tokens.digest(READER).hex()}"
[[admin.tokens]]
name = "otto"
role = "operator"
sha256 = "{admin_tokens.digest(OPERATOR).hex()}"
"""
BODIES: dict[str, dict[str, Any]] = {
    "knobs": {"set": {"rate_per_minute": 900}, "for_s": 3600, "why": "the sale is on"},
    "clear": {},
    "release": {"numbers": [7]},
    "revoke": {"numbers": [7], "for_s": 60},
    "reset": {},
}


@pytest.fixture
async def desk(waitroom: Waitroom) -> Waitroom:
    """A waitroom that knows a reader and an operator, and whose line has begun."""
    waitroom.config.write_text(waitroom.config.read_text() + TOKENS)
    await until(lambda: answers(waitroom, READER))
    async with visitor() as one:
        await one.get(waitroom.url, headers=PAGE)
    return waitroom


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():
            await asyncio.sleep(0.05)


async def answers(waitroom: Waitroom, token: str) -> bool:
    return (await ask(waitroom, "GET", "/api/me", token))[0] == 200


async def ask(
    waitroom: Waitroom, method: str, path: str, token: str | None = None, body: Any = None, **fields: str
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """The status, the JSON and the header fields of an answer; a stream's JSON is empty."""
    fields |= {} if token is None else {"Authorization": f"Bearer {token}"}
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession(waitroom.desk_url) as session,
        session.request(method, path, data=data, headers=fields) as response,
    ):
        told = {} if response.content_type == "text/event-stream" else json.loads(await response.read())
        return response.status, told, dict(response.headers)


def path_of(endpoint: Endpoint) -> str:
    return endpoint.path.replace("{room}", "site")


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
async def test_the_door_lets_in_whom_it_should(desk: Waitroom, endpoint: Endpoint) -> None:
    """Each operation by nobody, by a stranger, by a reader and by an operator."""
    acts, body = endpoint.method == "POST", BODIES.get(endpoint.name)
    got = {
        who: await ask(desk, endpoint.method, path_of(endpoint), token, body)
        for who, token in {"nobody": None, "stranger": admin_tokens.made(), "rita": READER, "otto": OPERATOR}.items()
    }
    statuses = {who: status for who, (status, _, _) in got.items()}
    assert statuses == {"nobody": 401, "stranger": 401, "rita": 403 if acts else 200, "otto": 200}
    codes = {who: told.get("code") for who, (status, told, _) in got.items() if status != 200}
    assert codes == {"nobody": "no_token", "stranger": "unknown_token"} | ({"rita": "not_an_operator"} if acts else {})
    for status, told, fields in got.values():
        assert fields["Cache-Control"] == "no-store"
        assert ("WWW-Authenticate" in fields) == (status in {401, 403})
        assert status == 200 or told["remedy"]


@pytest.mark.parametrize(
    "given",
    ["Basic {}", "Bearer", "Bearer  ", "{}", "Bearer {}x", "Bearer x{}", "Bearer {} x", "Bearer \N{SNOWMAN}"],
)
async def test_what_is_no_good_token_is_refused(desk: Waitroom, given: str) -> None:
    assert (await ask(desk, "GET", "/api/rooms", None, Authorization=given.format(OPERATOR)))[0] == 401


@pytest.mark.parametrize("path", ["/api/nothing", "/api/", "/api/rooms/site/", "/%61pi/rooms", "/api//rooms"])
async def test_nothing_behind_the_door_is_told_to_a_stranger(desk: Waitroom, path: str) -> None:
    """Not even whether it is there."""
    assert (await ask(desk, "GET", path))[0] == 401


async def test_probes_and_metrics_need_no_token(desk: Waitroom) -> None:
    async with aiohttp.ClientSession(desk.desk_url) as session:
        for path, told in {"/healthz": "live", "/readyz": "ready", "/metrics": "waitroom_inside"}.items():
            async with session.get(path) as response:
                assert (response.status, told in await response.text()) == (200, True)


async def test_this_machines_own_token_is_for_its_user_alone(desk: Waitroom) -> None:
    assert (desk.folder / "state" / "admin.token").stat().st_mode & 0o777 == 0o600
    assert await desk.ask("me") == {"name": "local", "role": "operator"}


async def test_a_token_that_is_taken_out_of_the_file_is_not_known_any_more(desk: Waitroom) -> None:
    """Without a restart; what it listened to ends."""
    fields = {"Authorization": f"Bearer {READER}"}
    async with (
        aiohttp.ClientSession(desk.desk_url, headers=fields) as session,
        session.get("/api/stream") as response,
    ):
        told = events(response)
        await anext(told)
        desk.config.write_text(desk.config.read_text().replace(TOKENS, ""))

        async def is_refused() -> bool:
            return not await answers(desk, READER)

        await until(is_refused)
        async with asyncio.timeout(60):
            async for _ in told:
                pass


async def test_a_knob_that_is_turned_is_in_force_shown_and_written_down(desk: Waitroom, redis: PrivateRedis) -> None:
    before_s, _ = redis.client.time()
    status, told, _ = await ask(desk, "POST", "/api/rooms/site/knobs", OPERATOR, BODIES["knobs"])
    after_s, _ = redis.client.time()
    assert status == 200
    (override,) = told["overrides"]
    assert (override["knob"], override["value"], override["who"]) == ("rate_per_minute", 900, "otto@127.0.0.1")
    assert before_s + 3_600 <= override["until_ms"] / 1000 < after_s + 3_601
    await eventually(lambda: redis.client.hget("wr:{site}:state", "rate") == b"900")
    room = await desk.ask("rooms/site")
    assert (room["limits"]["rate_per_minute"], room["config"]["rate_per_minute"]) == (900, 600)
    assert room["overrides"] == told["overrides"]
    (entry,) = [entry for entry in await desk.ask("audit?room=site") if entry["act"] == "set"]
    assert {name: entry[name] for name in ("who", "act", "knob", "before", "after", "why")} == {
        "who": "otto@127.0.0.1", "act": "set", "knob": "rate_per_minute", "before": "600", "after": "900",
        "why": "the sale is on",
    }  # fmt: skip


async def test_overrides_are_cleared_by_one_act(desk: Waitroom, redis: PrivateRedis) -> None:
    await desk.ask("rooms/site/knobs", {"set": {"cap": 9, "mode": "hold", "message": "Soon."}})
    await eventually(lambda: redis.client.hmget("wr:{site}:state", "cap", "mode") == [b"9", b"hold"])
    assert len((await desk.ask("rooms/site/clear", {"knobs": ["cap"], "why": "back"}))["overrides"]) == 2
    assert (await desk.ask("rooms/site/clear", {"why": "all"}))["overrides"] == []
    await eventually(lambda: redis.client.hmget("wr:{site}:state", "cap", "mode") == [b"2", b"auto"])


async def test_release_and_revoke_end_a_visit(desk: Waitroom, redis: PrivateRedis) -> None:
    async with visitor() as one:
        await one.get(desk.url, headers=PAGE)
        number = number_of(one)
    assert await desk.ask("rooms/site/release", {"numbers": [number, 1], "why": "asked for it"}) == {"held": 1}
    assert redis.client.zscore("wr:{site}:inside", str(number)) is None
    assert await desk.ask("rooms/site/revoke", {"numbers": [number]}) == {"held": 0}
    assert redis.client.zscore("wr:{site}:revoked", str(number))
    acts = [entry["act"] for entry in await desk.ask("audit") if entry["who"] == "local@127.0.0.1"]
    assert acts == ["revoke", "release"]
    assert len(await desk.ask("audit?most=1")) == 1


async def test_a_reset_takes_two_steps(desk: Waitroom) -> None:
    seen = await desk.ask("rooms/site/reset", {"why": "?"})
    assert (seen["inside"], seen["is_done"]) == (1, False)
    status, told, _ = await ask(desk, "POST", "/api/rooms/site/reset", OPERATOR, {"epoch": seen["epoch"] + 2})
    assert (status, told["code"]) == (409, "wrong_epoch")
    done = await desk.ask("rooms/site/reset", {"epoch": seen["epoch"] + 1})
    assert (done["epoch"], done["is_done"]) == (seen["epoch"] + 1, True)


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "told"),
    [
        ("rooms/site/knobs", {"set": {"cap": 0}}, 422, "bad_knob", "cap: 0"),
        ("rooms/site/knobs", {"set": {"cap": "9"}}, 422, "bad_knob", "cap"),
        ("rooms/site/knobs", {"set": {"session_s": 10}}, 422, "bad_knob", "session_s"),
        ("rooms/site/knobs", {"set": {"wat": 1}}, 422, "bad_body", "set.wat"),
        ("rooms/site/knobs", {"set": {}}, 422, "bad_body", "set"),
        ("rooms/site/knobs", {"set": {"cap": 9}, "for_s": 0}, 422, "bad_body", "for_s"),
        ("rooms/site/knobs", {"set": {"cap": 9}, "who": "me"}, 422, "bad_body", "who"),
        ("rooms/site/knobs", b"{", 422, "bad_body", "the body"),
        ("rooms/site/knobs", b" " * 70_000, 413, "too_large", "too large"),
        ("rooms/site/release", {"numbers": []}, 422, "bad_body", "numbers"),
        ("rooms/site/release", {"numbers": [7], "key": "ha1"}, 422, "bad_key", "'ha1'"),
        ("rooms/none/knobs", {"set": {"cap": 9}}, 404, "no_such_room", "'none'"),
    ],
)
async def test_nonsense_is_refused_with_its_name_and_changes_nothing(
    desk: Waitroom, path: str, body: Any, status: int, code: str, told: str
) -> None:
    got, problem, fields = await ask(desk, "POST", f"/api/{path}", OPERATOR, body)
    assert (got, problem["code"], fields["Content-Type"]) == (status, code, "application/problem+json")
    assert told in problem["title"]
    assert (await desk.ask("rooms/site"))["overrides"] == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/nothing", 404, "not_found"),
        ("POST", "/api/rooms", 405, "bad_method"),
        ("GET", "/api/audit?most=0", 422, "bad_most"),
        ("GET", "/api/audit?most=%D9%A3", 422, "bad_most"),
        ("GET", "/api/audit?room=none", 404, "no_such_room"),
        ("GET", "/api/rooms/none", 404, "no_such_room"),
    ],
)
async def test_questions_that_make_no_sense_are_told_so(
    desk: Waitroom, method: str, path: str, status: int, code: str
) -> None:
    got, problem, _ = await ask(desk, method, path, OPERATOR)
    assert (got, problem["code"]) == (status, code)


async def test_what_is_told_has_the_shape_that_the_contract_says(desk: Waitroom) -> None:
    await desk.ask("rooms/site/knobs", BODIES["knobs"])
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET" and endpoint.content_type == "application/json":
            _, told, _ = await ask(desk, "GET", path_of(endpoint), OPERATOR)
            TypeAdapter(endpoint.answer).validate_python(told, strict=True)
    for name, body in BODIES.items():
        (endpoint,) = [one for one in ENDPOINTS if one.name == name]
        TypeAdapter(endpoint.answer).validate_python(await desk.ask(f"rooms/site/{name}", body or {"why": ""}))


def test_the_contract_is_openapi_and_knows_every_operation() -> None:
    told = document()
    assert told["openapi"].startswith("3.1")
    operations = {(method.upper(), path) for path, item in told["paths"].items() for method in item}
    assert operations == {(one.method, one.path) for one in ENDPOINTS}
    text = json.dumps(told)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in told["components"]["schemas"]


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[int, shapes.State]]:
    """The ids and the data of a stream."""
    known = 0
    async for line in response.content:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name == "id":
            known = int(value)
        elif name == "data":
            yield known, json.loads(value)


async def test_the_stream_tells_each_second_what_has_changed(desk: Waitroom) -> None:
    fields = {"Authorization": f"Bearer {READER}"}
    async with (
        aiohttp.ClientSession(desk.desk_url, headers=fields) as session,
        session.get("/api/stream") as response,
    ):
        assert response.headers["Content-Type"] == "text/event-stream"
        told = events(response)
        first, state = await anext(told)
        assert state["rooms"][0]["limits"]["cap"] == 2
        await desk.ask("rooms/site/knobs", {"set": {"cap": 5}})
        async with asyncio.timeout(60):
            async for now, state in told:
                assert now > first
                if state["rooms"][0]["limits"]["cap"] == 5:
                    return


async def test_the_stream_has_room_for_so_many_and_makes_room_when_they_leave(desk: Waitroom) -> None:
    fields = {"Authorization": f"Bearer {READER}"}
    async with aiohttp.ClientSession(desk.desk_url, headers=fields, connector=aiohttp.TCPConnector(limit=0)) as session:
        listeners = [await session.get("/api/stream") for _ in range(MOST_LISTENERS)]
        status, told, headers = await ask(desk, "GET", "/api/stream", READER)
        assert (status, told["code"], headers["Retry-After"]) == (503, "too_many_listeners", "10")
        for listener in listeners:
            listener.close()

        async def has_room() -> bool:
            async with session.get("/api/stream") as response:
                return response.status == 200

        await until(has_room)


async def test_a_stream_ends_with_its_process(tmp_path: Path, redis: PrivateRedis) -> None:
    """A listener does not hold it up."""
    waitroom = Waitroom(tmp_path, redis.url, free_port())
    waitroom.set()
    async with aiohttp.ClientSession() as session:
        async with waitroom.serving():
            fields = {"Authorization": f"Bearer {waitroom.token}"}
            response = await session.get(f"{waitroom.desk_url}/api/stream", headers=fields)
            told = events(response)
            await anext(told)
        async with asyncio.timeout(60):
            async for _ in told:
                pass
        response.close()


async def test_while_redis_is_lost_the_desk_shows_what_it_knew_and_says_so(
    tmp_path: Path, own_redis: PrivateRedis
) -> None:
    waitroom = Waitroom(tmp_path / "w", own_redis.url, free_port())
    waitroom.set(cap=2)
    async with waitroom.serving():
        async with visitor() as one:
            await one.get(waitroom.url, headers=PAGE)

        async def inside() -> bool:
            return bool((await waitroom.ask("rooms/site"))["inside"] == 1)

        await until(inside)
        own_redis.kill()

        async def lost() -> bool:
            room = await waitroom.ask("rooms/site")
            return bool(room["store_lost"]) and room["inside"] == 1

        await until(lost)
        status, told, _ = await ask(waitroom, "POST", "/api/rooms/site/knobs", waitroom.token, BODIES["knobs"])
        assert (status, told["code"]) == (503, "store_lost")


async def test_samples_of_the_last_hours_are_kept_once_for_all_processes(desk: Waitroom, redis: PrivateRedis) -> None:
    async with asyncio.timeout(60):
        while len(history := await desk.ask("rooms/site/history")) < 2:
            await asyncio.sleep(0.5)
    first, second = history[:2]
    assert second["at_ms"] - first["at_ms"] >= 10_000
    assert (first["at_ms"] % 10_000, second["inside"], second["cap"]) == (0, 1, 2)
    kept = cast("list[bytes]", redis.client.lrange("wr:{site}:history", 0, -1))
    slots = [sample.partition(b":")[0] for sample in kept]
    assert len(slots) == len(set(slots))
