"""The contract of the API, openapi.yaml: as it is for programs, and as a page for people."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from booking.answers import page

CONTRACT = Path(__file__).with_name("openapi.yaml")


@lru_cache
def contract() -> dict[str, Any]:
    """As a document."""
    read: dict[str, Any] = yaml.safe_load(CONTRACT.read_bytes())
    return read


def referred(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of the contract, or the one that it refers to, with what it says beside the reference."""
    if "$ref" not in part:
        return part
    found: Any = contract()
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return {**found, **part}


async def show_contract(_request: web.Request) -> web.Response:
    return web.Response(body=_text(), content_type="application/yaml")


async def show_page(request: web.Request) -> web.Response:
    return page(request, "api.html", contract=contract(), referred=referred)


@lru_cache
def _text() -> bytes:
    return CONTRACT.read_bytes()


routes = [web.get("/api/openapi.yaml", show_contract), web.get("/api/docs", show_page)]
