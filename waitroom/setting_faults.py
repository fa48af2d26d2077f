"""What is said of a setting that can't be used: which one, what was given, and what would be right. Shows no secret."""

import reprlib
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from waitroom.errors import Fault
from waitroom.setting_types import ROOM_NAME

THE_FILE = "the file"
# What anyone reads at once, and an audit log should keep.
MOST_FAULTS = 50
# Shows so much of what was given.
SHOWN = reprlib.Repr()
SHOWN.maxstring = SHOWN.maxlong = 80
# In words, where pydantic's are those of a programmer.
SHOULD_BE = {
    "model_type": "should be a table",
    "list_type": "should be a list, in [ ]",
    "string_type": "should be a text, in quotes",
    "bool_type": "should be true or false",
    "int_type": "should be a whole number, without quotes",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number, without quotes",
    "datetime_type": "should be a date, a time and a time zone, without quotes: 2027-03-01T09:00:00+09:00",
}
# The same, for patterns.
SHOULD_MATCH = {ROOM_NAME: "should have 1 to 40 small letters, digits and -, and begin and end with none of -"}


def faults_of(exc: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """What is wrong with a configuration of this model, in words, each with its place."""
    errors = exc.errors()
    told = [Fault(_where(error["loc"]), _what(model, error)) for error in errors[:MOST_FAULTS]]
    if len(errors) > MOST_FAULTS:
        told.append(Fault(THE_FILE, f"has {len(errors) - MOST_FAULTS:,} faults more"))
    return told


def _where(place: Sequence[int | str]) -> str:
    where = ""
    for part in place:
        where += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if where else ''}{part}"
    return where or THE_FILE


def _what(model: type[BaseModel], error: ErrorDetails) -> str:
    given = error.get("input")
    match error["type"]:
        case "extra_forbidden":
            return f"there is no such setting{_meant(model, error['loc'])}"
        case "missing":
            return "is required"
        case "model_type" | "secret" as kind:  # a secret may stand where a table should
            return SHOULD_BE.get(kind, str(error["msg"]))
        case "string_pattern_mismatch":
            pattern = error["ctx"]["pattern"]
            return f"{SHOWN.repr(given)}: {SHOULD_MATCH.get(pattern, f'should match {pattern}')}"
        case kind:
            message = SHOULD_BE.get(kind) or _lower(str(error["msg"]).removeprefix("Value error, "))
            return f"{SHOWN.repr(given)}: {message}" if isinstance(given, str | int | float | bool) else message


def _lower(message: str) -> str:
    return (message[:1].lower() + message[1:]).removeprefix("input ")


def _meant(model: type[BaseModel], place: Sequence[int | str]) -> str:
    """The name that comes near to the last one of a place."""
    *tables, name = (part for part in place if isinstance(part, str))
    for table in tables:
        model = next(_models(model.model_fields[table].annotation))
    near = get_close_matches(name, model.model_fields, n=1)
    return f": did you mean {near[0]}?" if near else ""


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """The tables that a field may be, or hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
