"""A reverse proxy as it is written in an afternoon: aiohttp's ClientSession behind a handler of everything.

`scripts/bench` compares waitroom with it.
"""

import sys
from collections.abc import AsyncIterator

import aiohttp
import uvloop
from aiohttp import hdrs, web

ORIGIN = web.AppKey("ORIGIN", str)
SESSION = web.AppKey("SESSION", aiohttp.ClientSession)


async def forward(request: web.Request) -> web.Response:
    """Asks the origin the same, and answers what it answered."""
    url = request.app[ORIGIN] + request.raw_path
    async with request.app[SESSION].request(
        request.method, url, headers=request.headers, data=request.content if request.can_read_body else None
    ) as response:
        fields = response.headers.copy()
        fields.popall(hdrs.TRANSFER_ENCODING, None)  # the body is read whole
        return web.Response(status=response.status, headers=fields, body=await response.read())


async def session(app: web.Application) -> AsyncIterator[None]:
    """One session for all, with as many connections as it likes."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as app[SESSION]:
        yield


if __name__ == "__main__":
    uvloop.install()
    app = web.Application()
    app[ORIGIN] = sys.argv[2]
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", forward)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
