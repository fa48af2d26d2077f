"""Booking, which writes down each request that reaches it: `python -m scripts.benches.selling.origin FILE`, with the
settings of `booking serve`."""

import logging
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import uvloop
from aiohttp import web
from aiohttp.typedefs import Handler

from booking import serving
from booking.admission import HEADER
from booking.app import build
from booking.settings import Settings, read
from scripts.benches.selling.books import Reached, as_line

# What needs no admission, and comes from the bank and from whoever looks whether it is up.
UNGUARDED = ("/healthz", "/static/", "/webhooks/")


def recording(settings: Settings, log: Path) -> web.Application:
    """The site; outermost is who writes down."""
    app = build(settings)
    file = log.open("w", buffering=1)

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if not request.path.startswith(UNGUARDED):
            now_ms = time.time_ns() // 1_000_000
            token = request.headers.get(HEADER, "")
            file.write(as_line(Reached(now_ms, request.method, request.path, response.status, token)))
        return response

    async def closed_at_last(_: web.Application) -> AsyncIterator[None]:
        yield
        file.close()

    app.middlewares.insert(0, record)
    app.cleanup_ctx.append(closed_at_last)
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    vars(serving)["build"] = lambda settings: recording(settings, Path(sys.argv[1]))  # the one thing that differs
    uvloop.run(serving.serve(read(os.environ)))
