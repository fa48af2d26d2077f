"""Content is sent once: 304 without a body to whoever has it, and all of it to whoever has something else."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from booking.etag import unless_held

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async def shown(request: web.Request) -> web.Response:
        return unless_held(request, web.json_response({"free": request.query["free"]}))

    app = web.Application()
    app.router.add_get("/", shown)
    async with TestClient(TestServer(app)) as client:
        yield client


async def etag_of(client: Client, free: int) -> str:
    async with client.get(f"/?free={free}") as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "private, no-cache"
        return response.headers["ETag"]


async def test_the_tag_is_strong_and_of_the_content(client: Client) -> None:
    tag = await etag_of(client, 80)
    assert tag == await etag_of(client, 80) != await etag_of(client, 79)
    assert tag.startswith('"')


@pytest.mark.parametrize("spelling", ["{tag}", "W/{tag}", '"other", {tag}', "*"])
async def test_who_has_it_gets_it_no_second_time(client: Client, spelling: str) -> None:
    tag = await etag_of(client, 80)
    async with client.get("/?free=80", headers={"If-None-Match": spelling.format(tag=tag)}) as response:
        assert (response.status, await response.read()) == (304, b"")
        assert (response.headers["ETag"], response.headers["Cache-Control"]) == (tag, "private, no-cache")
        assert "Content-Type" not in response.headers


@pytest.mark.parametrize("spelling", ['"other"', "unquoted", '""', ""])
async def test_who_has_something_else_gets_all_of_it(client: Client, spelling: str) -> None:
    async with client.get("/?free=80", headers={"If-None-Match": spelling}) as response:
        assert (response.status, await response.json()) == (200, {"free": "80"})
