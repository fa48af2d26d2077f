"""Scripts of other origins: those that a room names may read what waitroom says there, and no others."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.running import APP, PAGE, Origin, Waitroom
from tests.waitroom.visitors import Come, Got

SHOP, OTHER = "https://app.shop.example", "https://app.other.example"
BY_SHOP, BY_OTHER = {"Origin": SHOP}, {"Origin": OTHER}
PLACE = "/.waitroom/rooms/site/place"


@pytest.fixture
async def open_to_shop(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> AsyncIterator[Waitroom]:
    """A waitroom with room for one, and open to scripts of the shop's."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port)
    waitroom.set(cap=1, cors_origins=[SHOP], bypass=["/free"])
    async with waitroom.serving():
        yield waitroom


def may_read(got: Got, origin: str) -> bool:
    """Whether a browser lets a script of an origin, which has sent its cookies along, read a response."""
    assert got.fields.get("Access-Control-Allow-Origin") != "*"
    is_open_to = got.fields.get("Access-Control-Allow-Origin") == origin
    return is_open_to and got.fields.get("Access-Control-Allow-Credentials") == "true"


def has_no_word_of_it(got: Got) -> bool:
    return not any(name.startswith("Access-Control-") for name in got.fields)


async def test_a_script_of_a_named_origin_joins_and_reads_its_place(open_to_shop: Waitroom, come: Come) -> None:
    inside, one = await come(open_to_shop), await come(open_to_shop)
    await inside.get()

    joined = await one.get("/", APP | BY_SHOP)
    polled = await one.get(PLACE, BY_SHOP)

    assert (joined.status, joined.json["state"]) == (429, "waiting")
    assert (polled.status, polled.json["state"]) == (200, "waiting")
    for got in (joined, polled):
        assert may_read(got, SHOP)
        assert got.fields["Access-Control-Expose-Headers"] == "Content-Location, Retry-After"
        assert got.fields["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", PLACE),
        ("HEAD", PLACE),
        ("DELETE", PLACE),
        ("POST", "/.waitroom/rooms/site/leave"),
        ("GET", "/.waitroom/rooms/site/draw"),
        ("GET", "/.waitroom/rooms/site/place?key=nowhere"),
        ("GET", "/.waitroom/rooms/site/nothing"),
        ("GET", "/image.png"),
        ("POST", "/api/buy"),
    ],
)
async def test_whatever_waitroom_says_in_the_room_is_open_to_named_origins_only(
    open_to_shop: Waitroom, come: Come, method: str, target: str
) -> None:
    one = await come(open_to_shop)
    by_shop, by_other, by_none = [await one.ask(method, target, fields) for fields in (BY_SHOP, BY_OTHER, {})]
    assert may_read(by_shop, SHOP)
    for got in (by_other, by_none):
        assert has_no_word_of_it(got)
        assert got.fields["Vary"] == "Origin"
        assert got.status == by_shop.status


async def test_who_is_inside_reads_that_there_too(open_to_shop: Waitroom, come: Come) -> None:
    one = await come(open_to_shop)
    await one.get()
    told = await one.get(PLACE, BY_SHOP)
    assert told.json["state"] == "inside"
    assert may_read(told, SHOP)


@pytest.mark.parametrize(
    ("target", "allowed"),
    [(PLACE, "GET, HEAD"), (f"{PLACE}?key=", "GET, HEAD"), ("/.waitroom/rooms/site/leave", "POST")],
)
async def test_a_browser_that_asks_first_is_told_that_the_script_may(
    open_to_shop: Waitroom, come: Come, target: str, allowed: str
) -> None:
    one = await come(open_to_shop)
    asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "traceparent,x-app"}
    by_shop, by_other = [await one.ask("OPTIONS", target, asks | by) for by in (BY_SHOP, BY_OTHER)]
    assert may_read(by_shop, SHOP)
    assert by_shop.fields["Access-Control-Allow-Headers"] == "traceparent,x-app"
    assert set(allowed.split(", ")) <= set(by_shop.fields["Access-Control-Allow-Methods"].split(", "))
    assert int(by_shop.fields["Access-Control-Max-Age"]) > 0
    assert has_no_word_of_it(by_other)
    for got in (by_shop, by_other):
        assert (got.status, got.text, got.fields["Allow"]) == (204, "", allowed)
        assert "Content-Length" not in got.fields


async def test_what_the_site_itself_answers_is_left_as_it_is(
    open_to_shop: Waitroom, come: Come, origin: Origin
) -> None:
    one = await come(open_to_shop)
    for target in ("/", "/free"):
        got = await one.get(target, PAGE | BY_SHOP)
        assert got.is_origins
        assert has_no_word_of_it(got)
        assert "Vary" not in got.fields
    assert [request.headers["Origin"] for request in origin.requests] == [SHOP, SHOP]


async def test_without_the_setting_nothing_is_said_of_it(waitroom: Waitroom, come: Come) -> None:
    one = await come(waitroom)
    for method in ("GET", "OPTIONS"):
        got = await one.ask(method, PLACE, BY_SHOP)
        assert has_no_word_of_it(got)
        assert "Vary" not in got.fields


async def test_an_origin_is_one_only_if_all_of_it_is_the_same(open_to_shop: Waitroom, come: Come) -> None:
    one = await come(open_to_shop)
    for origin in (
        "null",
        "https://app.shop.example:8443",
        "http://app.shop.example",
        "https://xapp.shop.example",
        "*",
    ):
        assert has_no_word_of_it(await one.get(PLACE, {"Origin": origin}))
