"""The JSON Schema of a configuration, walked: which settings there are, and what each may be."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from waitroom.schema import schema

SCHEMA = schema()


@dataclass(frozen=True)
class Setting:
    """One setting by its place in the file, without the numbers of lists: ("rooms", "cap")."""

    place: tuple[str, ...]
    says: dict[str, Any]

    def __str__(self) -> str:
        return ".".join(self.place)


def settings() -> list[Setting]:
    return list(_settings((), SCHEMA))


def tables() -> list[tuple[str, ...]]:
    """The places of all tables, of the whole file first."""
    return list(_tables((), SCHEMA))


def required() -> list[tuple[str, ...]]:
    """The places of what can't be left out."""
    return [(*place, name) for place in tables() for name in _at(place).get("required", ())]


def _at(place: tuple[str, ...]) -> dict[str, Any]:
    table = SCHEMA
    for name in place:
        table = _table(table["properties"][name]) or {}
    return table


def _settings(place: tuple[str, ...], table: dict[str, Any]) -> Iterator[Setting]:
    for name, says in table["properties"].items():
        if inner := _table(says):
            yield from _settings((*place, name), inner)
        else:
            yield Setting((*place, name), says)


def _tables(place: tuple[str, ...], table: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    yield place
    for name, says in table["properties"].items():
        if inner := _table(says):
            yield from _tables((*place, name), inner)


def _table(says: dict[str, Any]) -> dict[str, Any] | None:
    """The table that a key holds, or a list of such tables."""
    says = says.get("items", says)
    if "$ref" not in says:
        return None
    table: dict[str, Any] = SCHEMA["$defs"][says["$ref"].rpartition("/")[2]]
    return table
