"""The admin API as a table: routes are made from it, and so is the OpenAPI document."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, TypeAdapter

from waitroom.admin import bodies, shapes

REFERENCE = "#/components/schemas/{model}"
Schema = Mapping[str, Any]

ROOM: Schema = {"name": "room", "in": "path", "required": True, "schema": {"type": "string"}}
OF_ROOM: Schema = {"name": "room", "in": "query", "schema": {"type": "string"}, "description": "Of this room alone."}
MOST: Schema = {
    "name": "most", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
}  # fmt: skip


@dataclass(frozen=True)
class Endpoint:
    """One operation; `name` is its handler's. GET needs a reader's token, POST an operator's."""

    method: str
    path: str
    name: str
    summary: str
    answer: Any = None  # a type, as pydantic knows them
    body: type[BaseModel] | None = None
    parameters: tuple[Schema, ...] = ()
    errors: tuple[int, ...] = ()
    content_type: str = "application/json"

    @property
    def statuses(self) -> list[int]:
        """All errors that it may answer with."""
        acts = [403, 413, 422, 503] if self.method == "POST" else []
        missing = [404] if ROOM in self.parameters else []
        return sorted({401, *acts, *missing, *self.errors})


def _act(name: str, summary: str, body: type[BaseModel], answer: Any, *errors: int) -> Endpoint:
    return Endpoint("POST", f"/api/rooms/{{room}}/{name}", name, summary, answer, body, (ROOM,), errors)


ENDPOINTS = (
    Endpoint("GET", "/api/openapi.json", "document", "This document", dict[str, Any]),
    Endpoint("GET", "/api/me", "me", "Whose token it is", shapes.Holder),
    Endpoint("GET", "/api/status", "status", "What the workers of this machine see", shapes.Status),
    Endpoint("GET", "/api/rooms", "rooms", "All rooms, as they are now", shapes.State),
    Endpoint("GET", "/api/rooms/{room}", "room", "One room, as it is now", shapes.RoomFigures, parameters=(ROOM,)),
    Endpoint(
        "GET", "/api/rooms/{room}/history", "history", "A room over the last six hours", list[shapes.Sample],
        parameters=(ROOM,), errors=(503,),
    ),
    Endpoint(
        "GET", "/api/audit", "audit", "What was done, the newest first", list[shapes.AuditEntry],
        parameters=(OF_ROOM, MOST), errors=(404, 422, 503),
    ),
    Endpoint(
        "GET", "/api/stream", "stream", "All rooms each second, as server-sent events", str,
        errors=(503,), content_type="text/event-stream",
    ),
    _act("knobs", "Turn knobs", bodies.Turn, shapes.Overridden),
    _act("clear", "Clear overrides", bodies.Clear, shapes.Overridden),
    _act("release", "Give places back", bodies.Release, shapes.Held, 409),
    _act("revoke", "Take places away", bodies.Revoke, shapes.Held, 409),
    _act("reset", "Begin a line anew, in two steps", bodies.ResetLine, shapes.Reset, 409),
)  # fmt: skip


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, version 3.1."""
    schemas, definitions = TypeAdapter.json_schemas(_types(), ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Waitroom's admin API",
            "version": version("waitroom"),
            "description": "What the operator's desk does, for programs. Times are milliseconds since 1970.",
        },
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _types() -> list[tuple[Any, Any, TypeAdapter[Any]]]:
    asked = [(one.body, "validation", TypeAdapter(one.body)) for one in ENDPOINTS if one.body]
    told = [(one.name, "serialization", TypeAdapter(one.answer)) for one in ENDPOINTS]
    return [*asked, *told, ("error", "serialization", TypeAdapter(shapes.Error))]


def _operation(endpoint: Endpoint, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": schemas["error", "serialization"]}}
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "responses": {
            "200": {
                "description": endpoint.summary,
                "content": {endpoint.content_type: {"schema": schemas[endpoint.name, "serialization"]}},
            }
        }
        | {str(status): {"description": REASONS[status], "content": problem} for status in endpoint.statuses},
    }
    if endpoint.parameters:
        operation["parameters"] = list(endpoint.parameters)
    if endpoint.body:
        schema = schemas[endpoint.body, "validation"]
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


REASONS = {
    401: "No token, or one that is not known",
    403: "The token is a reader's",
    404: "There is no such room, or no such line",
    409: "The line is not as it was thought to be",
    413: "The body is too large",
    422: "What was asked for makes no sense",
    503: "Redis can't be reached, or too many listen",
}
