"""The contract of places, openapi.json: a running waitroom answers as it says, in every state and every problem."""

import asyncio
import json
import re
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
import schemathesis
from schemathesis.core.result import Ok

import waitroom as package
from tests.servers import PATIENCE_S, PrivateRedis, free_port
from tests.waitroom.running import APP, PAGE, Origin, Waitroom
from tests.waitroom.test_reset import reset
from tests.waitroom.test_robots import GOOGLEBOT
from tests.waitroom.visitors import Come, Got, Visitor, until_state
from waitroom.answers import NOT_MOVED, NOTICES
from waitroom.estimate import Estimate
from waitroom.own import CONTRACT
from waitroom.place import DrawTold, Pause, Place, State
from waitroom.status import Clue, Status

DOCUMENT: dict[str, Any] = json.loads(CONTRACT.read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]
JOIN = "/{path}"
OWN = "/.waitroom/rooms/{room}/"
PLACE = "/.waitroom/rooms/site/place"
STATUS = {"status_s": 5}
MODULES = ("answers", "front", "judge", "own", "places")


def fit(got: Got, path: str, method: str = "get") -> dict[str, Any]:
    """What a response tells, once it has been found to be as the contract says of that operation."""
    told = resolved(DOCUMENT["paths"][path][method]["responses"][str(got.status)])
    schema = told["content"][got.fields["Content-Type"].partition(";")[0]]["schema"]
    jsonschema.Draft202012Validator(DOCUMENT | schema).validate(got.json)
    for name, header in ((name, resolved(header)) for name, header in told.get("headers", {}).items()):
        assert name in got.fields or not header.get("required")
        if name in got.fields and header["schema"]["type"] == "integer":
            assert int(got.fields[name]) >= header["schema"]["minimum"]
    assert set(got.fields) & {"Retry-After", "Content-Location"} <= told.get("headers", {}).keys()
    return got.json


def resolved(told: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in told:
        _, _, kind, name = told["$ref"].split("/")
        told = DOCUMENT["components"][kind][name]
    return told


async def joined(one: Visitor, target: str = "/") -> dict[str, Any]:
    """What an app is told that asks for the site."""
    return fit(await one.get(target, APP), JOIN)


async def placed(one: Visitor, query: str = "") -> dict[str, Any]:
    return fit(await one.get(f"{PLACE}{query}", {}), f"{OWN}place")


async def extended(one: Visitor) -> dict[str, Any]:
    return fit(await one.ask("POST", PLACE.replace("place", "extend"), APP), f"{OWN}extend", "post")


async def left(one: Visitor) -> dict[str, Any]:
    return fit(await one.ask("POST", PLACE.replace("place", "leave"), APP), f"{OWN}leave", "post")


def test_the_contract_is_openapi_and_all_that_it_refers_to_is_there() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    assert all(isinstance(one, Ok) for one in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations())
    for name, schema in SCHEMAS.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert set(schema["required"]) == set(schema["properties"]), name


@pytest.mark.parametrize(
    ("schema", "kind"),
    [("Place", Place), ("DrawnPlace", DrawTold), ("Clue", Clue), ("Status", Status), ("Pace", Estimate)],
)
def test_it_knows_every_field_and_says_what_it_is(
    schema: str, kind: type[Place | DrawTold | Clue | Status | Estimate]
) -> None:
    properties = SCHEMAS[schema]["properties"]
    assert set(properties) == {field.name for field in fields(kind)}
    assert all(told.get("description") for told in properties.values())


def test_it_knows_every_state_and_every_pause() -> None:
    properties = SCHEMAS["Place"]["properties"]
    assert set(properties["state"]["enum"]) == set(get_args(State))
    assert set(properties["paused"]["enum"]) == {*get_args(Pause), None}
    assert all(f"`{state}`" in properties["state"]["description"] for state in get_args(State))


def test_it_knows_every_code() -> None:
    """Of those that waitroom gives to good HTTP."""
    sources = [Path(package.__file__).with_name(f"{name}.py").read_text() for name in MODULES]
    given = re.findall(r'(?:problem|_refusal)\(\s*(?:\d+|status), "(\w+)"', "".join(sources))
    codes = SCHEMAS["Problem"]["properties"]["code"]["enum"]
    assert codes == sorted({*given, *NOTICES, *NOT_MOVED})
    told = "".join(str(answer) for item in DOCUMENT["paths"].values() for answer in item.values())
    assert {code for code in codes if f"`{code}`" not in told} == {"bad_method", "failed", "not_found"}


async def test_it_is_served_to_everybody_and_may_be_kept(waitroom: Waitroom, come: Come) -> None:
    got = await (await come(waitroom)).get("/.waitroom/openapi.json", {})
    assert fit(got, "/.waitroom/openapi.json") == DOCUMENT
    assert got.fields["Cache-Control"] == "public, max-age=3600"


async def test_from_joining_to_leaving(tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(cap=1)
    async with waitroom.serving():
        inside, one = await come(waitroom), await come(waitroom)
        assert (await placed(one))["state"] == "none"
        assert (await inside.get("/", APP)).is_origins
        assert (await placed(inside))["state"] == "inside"
        assert (await joined(one))["state"] == "waiting"
        assert (await placed(one))["position"] == 1
        assert await left(inside) == {"state": "none"}
        await until_state("called", one)
        called = await placed(one)
        assert (called["state"], called["can_extend"]) == ("called", True)
        assert (await extended(one))["can_extend"] is False
        assert (await one.get("/", APP)).is_origins
        assert await left(one) == {"state": "none"}
        assert (await placed(one))["state"] == "none"


async def test_where_to_ask_for_the_place_is_told_with_it(
    tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come
) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(mode="hold", paths=["/flights/{key}/*"])
    async with waitroom.serving():
        one = await come(waitroom)
        got = await one.get("/flights/ke1/", APP)
        asked = await one.get(got.fields["Content-Location"], {})
        assert fit(got, JOIN)["state"] == fit(asked, f"{OWN}place")["state"] == "waiting"
        assert asked.json["paused"] == "hold"


async def test_by_a_public_status(tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set_rooms({"cap": 1} | STATUS, {"name": "private"}, {"name": "keyed", "paths": ["/k/{key}"]} | STATUS)
    number, status = (PLACE.replace("place", about) for about in ("number", "status"))
    async with waitroom.serving():
        one, other = await come(waitroom), await come(waitroom)
        assert fit(await one.get(number, {}), f"{OWN}number")["number"] is None
        assert (await other.get("/", APP)).is_origins
        await joined(one)
        assert fit(await one.get(number, {}), f"{OWN}number")["number"] == one.number()
        assert fit(await other.get(status, {}), f"{OWN}status")["state"] == "waiting"
        for about in ("number", "status"):
            got = await one.get(PLACE.replace("site/place", f"private/{about}"), {})
            assert fit(got, f"{OWN}{about}")["code"] == "no_status"
        unknown = await one.get(PLACE.replace("site/place", "keyed/status?key=ke1"), {})
        assert fit(unknown, f"{OWN}status")["code"] == "not_ready"


async def test_before_an_opening_and_of_a_draw(tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(opens_at=datetime.now(UTC) + timedelta(hours=1), draw="sale", draw_size=1_000)
    async with waitroom.serving():
        one = await come(waitroom)
        assert (await joined(one))["state"] == "early"
        assert (await placed(one))["draw"]["arrival"] == 0
        assert fit(await one.get(PLACE.replace("place", "draw"), {}), f"{OWN}draw")["size"] == 1_000


async def test_who_gets_no_place_is_told_why(tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set_rooms(
        {
            "paths": ["/persons/*"],
            "name": "persons",
            "identity": {"cookie": "id", "required": True},
        },
        {"paths": ["/closed/*"], "name": "closed", "mode": "closed"},
        {"paths": ["/dead/*"], "name": "dead", "origins": [f"http://127.0.0.1:{free_port()}"]},
        {"paths": ["/asked/*"], "name": "asked", "origins": [], "mode": "open"},
        {"paths": ["/flights/{key}/*"], "name": "flights", "mode": "hold", "max_lines": 1},
        {"paths": ["/site/*"], "mode": "hold"},
    )
    async with waitroom.serving():
        one = await come(waitroom)
        assert (await joined(one, "/persons/"))["code"] == "no_identity"
        assert (await joined(one, "/closed/"))["code"] == "room_closed"
        assert (await joined(one, "/dead/"))["code"] == "origin_failed"
        assert (await joined(one, "/asked/"))["code"] == "no_origin"
        assert (await joined(one, "/flights/ke1/"))["state"] == "waiting"
        assert (await joined(one, "/flights/ke2/"))["code"] == "too_many_lines"
        assert (await joined(one, "/flights/KE~2/"))["code"] == "no_line"
        assert (await joined(one, "/nowhere/"))["code"] == "no_room"
        assert fit(await one.get("/site/", {"Accept": "*/*"}), JOIN)["code"] == "no_place"
        assert fit(await one.get("/site/", APP | {"User-Agent": GOOGLEBOT}), JOIN)["code"] == "robot"
        assert (await placed(one, "?key=nowhere"))["code"] == "no_line"
        nowhere = PLACE.replace("site", "nowhere")
        assert fit(await one.get(nowhere, {}), f"{OWN}place")["code"] == "no_room"
        assert fit(await one.get(PLACE.replace("place", "draw"), {}), f"{OWN}draw")["code"] == "no_draw"


async def test_whose_place_is_gone_is_told_so(tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(mode="hold")
    async with waitroom.serving():
        revoked, early, one = [await come(waitroom) for _ in range(3)]
        for waiting in (revoked, early):
            assert (await joined(waiting))["paused"] == "hold"
        await waitroom.ask("rooms/site/revoke", {"numbers": [revoked.number()]})
        await until_state("revoked", revoked)
        assert (await placed(revoked))["state"] == "revoked"
        assert (await joined(revoked))["code"] == "revoked"
        await reset(redis)
        await until_state("none", early)
        assert (await joined(early))["code"] == "void"
        assert (await joined(one))["state"] == "waiting"
        await waitroom.ask("rooms/site/knobs", {"set": {"mode": "closed"}})
        await until_state("closed", one)
        assert (await placed(one))["state"] == "closed"


async def test_from_one_device_to_another(tmp_path: Path, redis: PrivateRedis, origin: Origin, come: Come) -> None:
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set_rooms({"mode": "hold"}, {"name": "persons", "identity": {"cookie": "id"}})
    receipt, redeeming = f"{OWN}receipt", f"{OWN}receipt/{{code}}"
    path = PLACE.replace("place", "receipt")
    async with waitroom.serving():
        one, other = await come(waitroom), await come(waitroom)
        assert fit(await one.ask("POST", path, APP), receipt, "post")["code"] == "no_place_to_move"
        await joined(one)
        elsewhere = APP | {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
        assert fit(await one.ask("POST", path, elsewhere), receipt, "post")["code"] == "from_elsewhere"
        made = fit(await one.ask("POST", f"{path}?here=/sale", APP), receipt, "post")
        at = f"{path}/{made['code']}"
        assert made["url"].endswith(at.replace("-", ""))
        assert fit(await other.get(at, APP), redeeming)["has_place"] is False
        assert fit(await other.ask("POST", f"{path}/0000-0000", APP), redeeming, "post")["code"] == "wrong_code"
        assert fit(await other.ask("POST", at, APP), redeeming, "post") == {"here": "/sale"}
        assert (await placed(other))["state"] == "waiting"
        await until_state("moved", one)
        assert (await placed(one))["state"] == "moved"
        assert (await joined(one))["code"] == "moved"
        persons = path.replace("site", "persons")
        for method, target, operation in (("POST", persons, receipt), ("POST", f"{persons}/0000-0000", redeeming)):
            assert fit(await one.ask(method, target, APP), operation, "post")["code"] == "one_per_person"


async def test_while_the_store_is_lost(tmp_path: Path, own_redis: PrivateRedis, origin: Origin, come: Come) -> None:
    waitroom = Waitroom(tmp_path, own_redis.url, origin.port)
    waitroom.set(mode="hold")
    async with waitroom.serving():
        waiting, newcomer = await come(waitroom), await come(waitroom)
        assert (await waiting.get("/", PAGE)).waits
        own_redis.kill()
        assert (await joined(newcomer))["code"] == "store_lost"
        assert (await left(waiting))["code"] == "store_lost"
        assert (await extended(waiting))["code"] == "store_lost"
        assert (await joined(waiting))["state"] == "waiting"
        async with asyncio.timeout(PATIENCE_S):
            while (await placed(waiting))["paused"] != "store_lost":
                await asyncio.sleep(0.05)
