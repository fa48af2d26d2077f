"""The site of a payer, reduced to what a gateway sees of it: it takes events, and keeps them."""

from typing import Self

from aiohttp import web
from aiohttp.test_utils import TestServer

Told = tuple[dict[str, str], bytes]


class Shop:
    """`told` has headers and body of each event that came. It answers with `status`."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.status = 204
        app = web.Application()
        app.add_routes([web.post("/webhooks/{gateway}", self._take)])
        self._server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    async def __aenter__(self) -> Self:
        await self._server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def _take(self, request: web.Request) -> web.Response:
        self.told.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status)
