"""The JSON Schema, the settings and the documented file say the same."""

import re
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from tests.waitroom.config_schema import SCHEMA, settings, tables
from waitroom.cli import main

CONFIG = Path(__file__).parents[2] / "config"
SHIPPED = sorted(CONFIG.glob("*.toml"))
# Of a documented file: what is commented out is left to its default.
TABLE = re.compile(r"(?:# )?\[\[?(?P<place>[a-z_.]+)\]\]?(?: +#.*)?")
KEY = re.compile(r"(?P<off># )?(?P<name>[a-z_0-9]+) = (?P<value>.*?) +# (?P<says>.*)")
CONTINUED = re.compile(r" {20,}# (?P<says>.*)")
# What a file can't leave to the default, or shows in a way that can be tried out.
OWN = {"version", "server.listen", "rooms.name", "rooms.origins"}


class Documented:
    """config/waitroom.toml: what it says of each setting, and the values that it gives."""

    def __init__(self, text: str) -> None:
        self.tables = [()]
        self.says: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        name = ""
        for line in text.splitlines():
            if found := TABLE.fullmatch(line):
                self.tables.append(tuple(found["place"].split(".")))
            elif found := KEY.fullmatch(line):
                name = ".".join((*self.tables[-1], found["name"]))
                self.says[name] = found["says"]
                value = tomllib.loads(f"value = {found['value']}")["value"]
                if not found["off"]:
                    self.values[name] = value
            elif found := CONTINUED.fullmatch(line):
                self.says[name] += f" {found['says']}"


@pytest.fixture(scope="module")
def documented() -> Documented:
    return Documented((CONFIG / "waitroom.toml").read_text())


def as_json(value: object) -> object:
    """A file's values, as editors hold them against a schema."""
    match value:
        case dict():
            return {name: as_json(inner) for name, inner in value.items()}
        case list():
            return [as_json(inner) for inner in value]
        case datetime():
            return value.isoformat()
    return value


def valid(text: str) -> bool:
    validator = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    return validator.is_valid(as_json(tomllib.loads(text)))


def test_the_committed_schema_is_the_one_of_the_settings() -> None:
    """If not: `waitroom schema > config/waitroom.schema.json`."""
    told = CliRunner().invoke(main, ["schema"])
    assert told.output == (CONFIG / "waitroom.schema.json").read_text()


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_shipped_files_fit_it_and_name_it_to_editors(path: Path) -> None:
    text = path.read_text()
    assert valid(text)
    assert text.startswith("#:schema ./waitroom.schema.json\n")


def test_a_file_with_everything_that_is_documented_fits_it() -> None:
    """With all that is commented out."""
    text = (CONFIG / "waitroom.toml").read_text()
    whole = "\n".join(
        line.removeprefix("# ") if TABLE.fullmatch(line) or KEY.fullmatch(line) else "" for line in text.splitlines()
    )
    assert valid(whole)


@pytest.mark.parametrize(
    "wrong", ["cap = 0", "wat = 1", 'mode = "fast"', "hosts = []", 'name = "A B"', "opens_at = 3", "cap = 2.5"]
)
def test_what_it_is_to_tell_an_editor_it_tells(wrong: str) -> None:
    room = {"name": 'name = "site"', "origins": "origins = []"} | {wrong.partition(" ")[0]: wrong}
    assert not valid("version = 1\n[[rooms]]\n" + "\n".join(room.values()))


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ('"redis://cache"', True),
        ('{ file = "/run/secrets/redis" }', True),
        ('{ env = "REDIS" }', True),
        ('{ file = "a", env = "B" }', False),
        ("{}", False),
        ("7", False),
    ],
)
def test_a_secret_may_stand_in_three_ways(url: str, *, fits: bool) -> None:
    text = f'version = 1\n[store]\nurl = {url}\n[[rooms]]\nname = "site"\norigins = []\n'
    assert valid(text) == fits


def test_every_setting_is_documented_and_nothing_else_is(documented: Documented) -> None:
    assert set(documented.says) == {str(setting) for setting in settings()}
    assert set(documented.tables) == set(tables())


def test_the_file_and_the_schema_say_the_same_of_each(documented: Documented) -> None:
    assert documented.says == {str(setting): setting.says.get("description") for setting in settings()}


def test_a_value_that_the_file_gives_is_the_default(documented: Documented) -> None:
    defaults = {str(setting): setting.says.get("default") for setting in settings()}
    assert {name: value for name, value in documented.values.items() if name not in OWN} == {
        name: defaults[name] for name in documented.values if name not in OWN
    }
