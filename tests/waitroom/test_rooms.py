"""Which room guards a request: no spelling of a path slips past a rule, and none slips into a bypass."""

from typing import Any

import pytest

from tests.waitroom.line_bench import LIMITS
from waitroom.rooms import Room, Rooms, host_name, normalised


def room(name: str = "site", **changes: Any) -> Room:
    rules: dict[str, Any] = {"hosts": ("*",), "paths": ("/*",), "bypass": (), "origins": ("http://origin",)} | changes
    return Room(
        name=name,
        title=name,
        audience=name,
        limits=LIMITS,
        page_status=200,
        polls_per_second=10_000,
        message="",
        **rules,
    )


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/", "/"),
        ("/buy", "/buy"),
        ("/buy/", "/buy/"),
        ("/buy?a=/../b", "/buy"),
        ("/buy#a", "/buy"),
        ("/buy#?/../b", "/buy"),
        ("/buy%23a", "/buy#a"),
        ("//buy///now", "/buy/now"),
        ("/a/../buy", "/buy"),
        ("/a/%2e%2e/buy", "/buy"),
        ("/a/%252e%252e/buy", "/buy"),
        ("/./buy/.", "/buy/"),
        ("/../../buy", "/buy"),
        ("/%62uy", "/buy"),
        ("/%2562uy", "/buy"),
        ("/a%2f..%2fbuy", "/buy"),
        ("/a\\..\\buy", "/buy"),
        ("/a%5c..%5cbuy", "/buy"),
        ("/%zz", "/%zz"),
        ("/%ff", "/\ufffd"),
        ("*", "/*"),
    ],
)
def test_paths_are_read_as_the_most_lenient_origin_would(raw: str, path: str) -> None:
    assert normalised(raw.encode()) == path


@pytest.mark.parametrize(
    "raw", ["/buy", "/%62uy", "//buy", "/x/../buy", "/buy/", "/buy/now", "/buy%2fnow", "/./buy", "/buy#x"]
)
def test_no_spelling_slips_past_a_rule(raw: str) -> None:
    assert room(paths=("/buy/*",)).guards("shop.example", normalised(raw.encode()))


@pytest.mark.parametrize(
    "raw", ["/static/../buy", "/static/%2e%2e/buy", "/static//a", "/%73tatic/a", "/static/%2e", "/static/a#b"]
)
def test_no_spelling_slips_into_a_bypass(raw: str) -> None:
    assert not room(bypass=("/static/*",)).lets_by(raw, normalised(raw.encode()))


def test_a_rule_holds_for_every_case_and_a_bypass_only_for_its_own() -> None:
    guarded = room(paths=("/buy/*",), bypass=("/buy/static/*",))
    assert guarded.guards("shop.example", "/BUY/now")
    assert not guarded.lets_by("/buy/STATIC/a", "/buy/STATIC/a")


def test_a_bypass_lets_by_what_it_names() -> None:
    assert room(bypass=("/static/*",)).lets_by("/static/a.css", "/static/a.css")


def test_a_pattern_is_not_a_prefix() -> None:
    assert not room(paths=("/buy/*",)).guards("shop.example", "/buyers")


def test_the_first_room_that_guards_a_request_has_it() -> None:
    rooms = Rooms([room("shop", hosts=("*.example",), paths=("/buy/*",)), room("rest")])
    assert getattr(rooms.match("shop.example", "/buy/now"), "name", None) == "shop"
    assert getattr(rooms.match("shop.test", "/buy/now"), "name", None) == "rest"


@pytest.mark.parametrize(
    ("authority", "host"),
    [("Shop.Example:8080", "shop.example"), ("shop.example.", "shop.example"), ("[::1]:80", "[::1]"), ("", "")],
)
def test_the_host_is_read_without_port_case_and_trailing_dot(authority: str, host: str) -> None:
    assert host_name(authority) == host
