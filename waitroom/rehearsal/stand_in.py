"""Stands in for the site behind a room while that is rehearsed: answers every request at once with a small page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from waitroom import origin_address
from waitroom.errors import WaitroomError

PAGE = "<!DOCTYPE html><html lang=en><title>Inside</title><h1>You are inside</h1>" + "<p>A page of a site.</p>" * 40


class NoStandInError(WaitroomError):
    """Nothing can stand in for an origin, and why."""


async def _answer(request: web.BaseRequest) -> web.StreamResponse:
    await request.read()
    return web.Response(text=PAGE, content_type="text/html")


@asynccontextmanager
async def standing_in(url: str) -> AsyncIterator[None]:
    """Serves where an origin should. Raises NoStandInError."""
    address = origin_address.parse(url)
    if address.is_tls or address.path:
        raise NoStandInError(f"--with-origin can't stand in for {url}: only for an origin of the form http://host:port")
    runner = web.ServerRunner(web.Server(_answer))
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, address.host, address.port).start()
        except OSError as exc:
            raise NoStandInError(
                f"--with-origin can't listen at {url}: {exc.strerror}. If the site runs, leave it out"
            ) from exc
        yield
    finally:
        await runner.cleanup()
