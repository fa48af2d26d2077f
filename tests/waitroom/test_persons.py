"""One place per person: the same on all devices, and nobody else's, over HTTP."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.servers import PrivateRedis
from tests.waitroom.running import APP, PAGE, Origin, Waitroom, payload_of
from tests.waitroom.visitors import Come, until_state

SHARED = "a shared secret of 32 characters or more"
PRIVATE = Ed25519PrivateKey.generate()
SOURCES: dict[str, dict[str, Any]] = {
    "cookie": {"cookie": "account"},
    "header": {"header": "X-User"},
    "EdDSA": {"header": "Authorization", "claim": "sub"},
    "HS256": {"cookie": "account", "claim": "sub", "algorithms": ["HS256"]},
}


@pytest.fixture
def waitroom(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> Waitroom:
    public = PRIVATE.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "EdDSA").write_bytes(public)
    (tmp_path / "HS256").write_text(SHARED)
    return Waitroom(tmp_path, redis.url, origin.port)


def guard(waitroom: Waitroom, source: str, *, required: bool = False, **room: Any) -> None:
    """Lets a room find identities so; one may be inside."""
    identity = SOURCES[source] | {"required": required}
    if source in ("EdDSA", "HS256"):
        identity["key_file"] = str(waitroom.folder / source)
    waitroom.set(**({"cap": 1} | room), identity=identity)


def signed_in(who: str, source: str) -> dict[str, str]:
    """The fields by which somebody asks for a page."""
    match source:
        case "cookie":
            return PAGE | {"Cookie": f"account={who}"}
        case "header":
            return PAGE | {"X-User": who}
        case "EdDSA":
            token = jwt.encode({"sub": who, "exp": time.time() + 600}, PRIVATE, "EdDSA")
            return PAGE | {"Authorization": f"Bearer {token}"}
        case _:
            return PAGE | {"Cookie": f"account={jwt.encode({'sub': who}, SHARED, 'HS256')}"}


@pytest.mark.parametrize("source", SOURCES)
async def test_a_person_has_the_same_number_on_all_devices(waitroom: Waitroom, come: Come, source: str) -> None:
    guard(waitroom, source, mode="queue")
    async with waitroom.serving():
        phone, laptop, other = [await come(waitroom) for _ in range(3)]
        for one, who in ((phone, "ada@example.com"), (other, "eve@example.com"), (laptop, "ada@example.com")):
            assert (await one.get("/", signed_in(who, source))).waits
        assert phone.number() == laptop.number() == other.number() - 1
        assert phone.ticket()[4] == laptop.ticket()[4] != other.ticket()[4]


@pytest.mark.parametrize("source", SOURCES)
async def test_neither_redis_nor_ticket_nor_admission_tells_who_somebody_is(
    waitroom: Waitroom, origin: Origin, redis: PrivateRedis, come: Come, source: str
) -> None:
    guard(waitroom, source)
    who = "ada@example.com"
    async with waitroom.serving():
        one = await come(waitroom)
        assert (await one.get("/", signed_in(who, source))).is_origins
        claims = jwt.decode(one.cookies["wr-site.admission"], options={"verify_signature": False})
        fields = payload_of(one.cookies["wr-site"])
    assert claims["sub"] == fields[4]
    kept = str([redis.client.dump(key) for key in redis.client.keys("*")])
    assert "person" not in kept
    for text in (str(claims), str(fields), kept):
        assert who not in text
        assert "example" not in text


async def test_anothers_ticket_and_admission_do_not_count(waitroom: Waitroom, origin: Origin, come: Come) -> None:
    guard(waitroom, "header")
    async with waitroom.serving():
        ada, waiting = await come(waitroom), await come(waitroom)
        await ada.get("/", signed_in("ada", "header"))
        await waiting.get("/", signed_in("bob", "header"))
        for stolen, place in ((ada.cookies, waiting.number() + 1), (waiting.cookies, waiting.number() + 1)):
            eve = await come(waitroom, stolen)
            assert (await eve.get("/", signed_in("eve", "header"))).waits
            assert eve.number() == place
        assert len(origin.requests) == 1
        assert (await ada.get("/", signed_in("ada", "header"))).is_origins


async def test_who_signs_in_while_waiting_keeps_the_place(waitroom: Waitroom, come: Come) -> None:
    guard(waitroom, "header", mode="queue")
    async with waitroom.serving():
        one, other = await come(waitroom), await come(waitroom)
        await one.get()
        await other.get()
        number = one.number()
        assert (await one.get("/", signed_in("ada", "header"))).waits
        assert one.number() == number


async def test_who_signs_in_while_inside_stays_inside(waitroom: Waitroom, come: Come) -> None:
    guard(waitroom, "header")
    async with waitroom.serving():
        one = await come(waitroom)
        for fields in (PAGE, signed_in("ada", "header"), PAGE):
            assert (await one.get("/", fields)).is_origins


@pytest.mark.parametrize("source", SOURCES)
async def test_where_places_are_given_to_persons_nobody_else_gets_one(
    waitroom: Waitroom, origin: Origin, come: Come, source: str
) -> None:
    guard(waitroom, source, required=True)
    async with waitroom.serving():
        one = await come(waitroom)
        page, app = await one.get(), await one.get("/", APP)
        assert (page.status, app.status, app.json["code"]) == (403, 403, "no_identity")
        assert "Please sign in first" in page.text
        assert "wr-site" not in one.cookies
        assert not origin.requests
        assert (await one.get("/", signed_in("ada", source))).is_origins


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(jwt.encode({"sub": "ada"}, Ed25519PrivateKey.generate(), "EdDSA"), id="another's key"),
        pytest.param(jwt.encode({"sub": "ada", "exp": time.time() - 60}, PRIVATE, "EdDSA"), id="expired"),
        pytest.param(jwt.encode({"sub": "ada"}, "", "none"), id="unsigned"),
        pytest.param("ada", id="no token"),
    ],
)
async def test_a_token_that_can_not_be_believed_gives_no_place(waitroom: Waitroom, come: Come, token: str) -> None:
    guard(waitroom, "EdDSA", required=True)
    async with waitroom.serving():
        got = await (await come(waitroom)).get("/", PAGE | {"Authorization": f"Bearer {token}"})
    assert got.status == 403


async def test_a_persons_ticket_lets_nobody_in_who_does_not_sign_in(
    waitroom: Waitroom, origin: Origin, come: Come
) -> None:
    """A place that could be sold is none of a person's. Whose session ended keeps it, and signs in again."""
    guard(waitroom, "header", required=True, mode="queue", rate_per_minute=6000)
    async with waitroom.serving():
        ada = await come(waitroom)
        assert (await ada.get("/", signed_in("ada", "header"))).waits
        await until_state("called", ada)
        assert (await (await come(waitroom, ada.cookies)).get()).status == 403
        assert not origin.requests
        assert (await ada.get("/", signed_in("ada", "header"))).is_origins


async def test_who_had_a_place_and_used_it_up_joins_anew(waitroom: Waitroom, come: Come) -> None:
    guard(waitroom, "header")
    async with waitroom.serving():
        one = await come(waitroom)
        assert (await one.get("/", signed_in("ada", "header"))).is_origins
        number = one.number()
        await one.leave()
        assert (await one.get("/", signed_in("ada", "header"))).is_origins
        assert one.number() == number + 1


async def test_who_used_up_a_place_that_was_drawn_joins_anew(waitroom: Waitroom, come: Come) -> None:
    """And has one number then, on every device."""
    opens_at = datetime.now(UTC) + timedelta(seconds=2)
    guard(waitroom, "header", opens_at=opens_at, draw="sale", draw_size=100)
    ada = signed_in("ada", "header")
    async with waitroom.serving(presence_ms=1_000), asyncio.timeout(60):
        one, other = await come(waitroom), await come(waitroom)
        while "wr-site" not in one.cookies:
            await one.get("/", ada)
            await asyncio.sleep(0.05)
        while not (await one.get("/", ada)).is_origins:
            await asyncio.sleep(0.1)
        await one.leave()
        assert (await one.get("/", ada)).is_origins
        assert (await other.get("/", ada)).is_origins
        assert one.number() == other.number()
