"""Every setting changed to nonsense, one by one: one clear line names it, and the configuration in force stays.

The JSON Schema says which settings there are, and what each may be, so that none that comes can be left out.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers import Authority
from tests.waitroom.config_schema import Setting, required, settings, tables
from waitroom.config_file import ConfigFile

LONGEST_LINE = 250
WRONG_TYPES: dict[str, tuple[Any, ...]] = {
    "string": (5, True, ["a"], {"a": 1}),
    "integer": ("many", True, 2.5, ["a"], {"a": 1}),
    "number": ("long", True, ["a"], {"a": 1}),
    "boolean": ("yes", 1, ["a"], {"a": 1}),
    "array": ("a", 5, {"a": 1}),
    "object": (5, True, "a", ["a"]),
    "secret": (5, True, ["a"], {"a": 1}),
}
# What a kind of text may not be; the schema knows of it only that it is a text.
WRONG_TEXTS = {
    "server.listen": "8080",
    "server.trusted_proxies": "the balancer",
    "server.proxy_protocol": "10.0.0.1/8",
    "server.access_log": "/no/such/folder/log",
    "server.tls.listen": "::1:443",
    "admin.listen": "somewhere",
    "store.url": "http://redis",
    "rooms.hosts": "Shop.example",
    "rooms.paths": "buy",
    "rooms.key_pattern": "[",
    "rooms.bypass": "healthz?",
    "rooms.origins": "origin:80",
    "rooms.opens_at": "tomorrow",
    "rooms.closes_at": "tonight",
    "rooms.origin.health_path": "up",
    "rooms.origin.server_name": "a:1",
}
# Of a file that must be one: told by the table, since what is wrong may be with either of a pair.
WRONG_FILES = ("server.tls.certificate", "server.tls.key", "rooms.origin.ca_file", "rooms.identity.key_file")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A configuration with every table."""
    folder = tmp_path_factory.mktemp("whole")
    pair = Authority(folder)
    room = {
        "name": "site",
        "origins": ["http://origin:80"],
        "origin": {"connect_s": 1},
        "identity": {"cookie": "session"},
        "adaptive": {"rate_min": 30, "target_ms": 400},
    }
    tls = {"certificate": str(pair.certificate), "key": str(pair.key)}
    token = {"name": "ann", "role": "reader", "sha256": "0" * 64}
    return {"version": 2, "server": {"tls": tls}, "admin": {"tokens": [token]}, "rooms": [room]}


@pytest.fixture(scope="module")
def config(whole: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> ConfigFile:
    path = tmp_path_factory.mktemp("config") / "waitroom.toml"
    path.write_text(toml(whole))
    return ConfigFile(path)


def toml(table: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(name)} = {_value(value)}\n" for name, value in table.items())


def _value(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(name)} = {_value(inner)}" for name, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)


def changed(table: dict[str, Any], place: tuple[str, ...], value: object) -> dict[str, Any]:
    """The same configuration but for one setting."""
    name, *rest = place
    if not rest:
        return table | {name: value}
    inner = table.get(name, {})
    if isinstance(inner, list):
        return table | {name: [changed(inner[0], tuple(rest), value), *inner[1:]]}
    return table | {name: changed(inner, tuple(rest), value)}


def nonsense(setting: Setting) -> Iterator[tuple[str, object]]:
    """What a setting may not be, each with what is wrong with it."""
    says = setting.says
    kind = "secret" if "anyOf" in says else says.get("type", "string")
    for value in WRONG_TYPES[kind]:
        yield f"type {json.dumps(value)}", value
    yield from _out_of_range(says)
    if kind == "array":
        yield "item", [5]
    if text := WRONG_TEXTS.get(str(setting)):
        yield "text", [text] if kind == "array" else text


def _out_of_range(says: dict[str, Any]) -> Iterator[tuple[str, object]]:
    if "minimum" in says:
        yield "too small", says["minimum"] - 1
    if "exclusiveMinimum" in says:
        yield "too small", says["exclusiveMinimum"]
    if "maximum" in says:
        yield "too large", says["maximum"] + 1
    if says.get("minLength"):
        yield "too short", ""
    if "maxLength" in says:
        yield "too long", "x" * (says["maxLength"] + 1)
    if says.get("minItems"):
        yield "too few", []
    if "enum" in says:
        yield "no choice", "sideways"
    if "enum" in says.get("items", {}):
        yield "no choice", ["sideways"]
    if "pattern" in says:
        yield "pattern", "-No Name-"


def refused(config: ConfigFile, table: dict[str, Any]) -> tuple[str, str]:
    """Where the one fault of a changed file is, and what it says; nothing else may have changed."""
    before = config.settings, config.rooms
    config.path.write_text(toml(table))
    assert config.read_again() is None
    assert (config.settings, config.rooms) == before
    (fault,) = config.faults
    assert "\n" not in str(fault)
    assert len(str(fault)) < LONGEST_LINE
    return fault.where, fault.what


def without(table: dict[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
    """The same configuration, with one setting left out."""
    name, *rest = place
    if not rest:
        return {other: value for other, value in table.items() if other != name}
    inner = table[name]
    if isinstance(inner, list):
        return table | {name: [without(inner[0], tuple(rest)), *inner[1:]]}
    return table | {name: without(inner, tuple(rest))}


def numbered(place: tuple[str, ...]) -> str:
    """As faults name a place: of the first of several."""
    return ".".join(place).replace("rooms.", "rooms[1].").replace("tokens.", "tokens[1].")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        pytest.param(setting, value, id=f"{setting}: {wrong}")
        for setting in settings()
        for wrong, value in nonsense(setting)
    ],
)
def test_nonsense_is_refused_by_one_line_that_names_the_setting(
    config: ConfigFile, whole: dict[str, Any], setting: Setting, value: object
) -> None:
    where, what = refused(config, changed(whole, setting.place, value))
    place = numbered(setting.place)
    assert where in ((place, f"{place}[1]") if isinstance(value, list) else (place,))
    assert "should" in what


@pytest.mark.parametrize("setting", settings(), ids=str)
def test_a_misspelt_name_is_refused_and_the_right_one_told(
    config: ConfigFile, whole: dict[str, Any], setting: Setting
) -> None:
    *table, name = setting.place
    where, what = refused(config, changed(whole, (*table, f"{name}x"), 1))
    assert (where, what) == (f"{numbered(setting.place)}x", f"there is no such setting: did you mean {name}?")


@pytest.mark.parametrize("place", tables()[1:], ids=".".join)
def test_something_else_where_a_table_should_be_is_refused(
    config: ConfigFile, whole: dict[str, Any], place: tuple[str, ...]
) -> None:
    where, what = refused(config, changed(whole, place, 5))
    assert (where, "should be a " in what) == (numbered(place), True)


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_file_that_is_not_there_is_named(config: ConfigFile, whole: dict[str, Any], name: str) -> None:
    table = changed(whole, ("rooms", "identity", "claim"), "sub") if name == "rooms.identity.key_file" else whole
    place = tuple(name.split("."))
    where, what = refused(config, changed(table, place, "/no/such"))
    assert where == numbered(place[:-1])
    assert place[-1] in what
    assert "/no/such" in what


@pytest.mark.parametrize("place", required(), ids=".".join)
def test_what_is_needed_and_left_out_is_named(
    config: ConfigFile, whole: dict[str, Any], place: tuple[str, ...]
) -> None:
    assert refused(config, without(whole, place)) == (numbered(place), "is required")
