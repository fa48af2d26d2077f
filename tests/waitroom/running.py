"""A waitroom that serves on a port of its own, before an origin that tells what it got."""

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.servers import free_port
from waitroom.app import running
from waitroom.config_file import ConfigFile

PAGE = {"Accept": "text/html,application/xhtml+xml"}
APP = {"Accept": "application/json"}


@dataclass
class Origin:
    """What reached the origin, in order; it answers each request with JSON about it."""

    requests: list[web.BaseRequest] = field(default_factory=list)
    port: int = 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        body = await request.read()
        told = {"path": request.raw_path, "fields": list(request.headers.items()), "body": body.decode("latin-1")}
        return web.json_response(told, headers={"Set-Cookie": "origin=1"})


@dataclass
class Waitroom:
    """A waitroom in this process, by its configuration file."""

    folder: Path
    redis_url: str
    origin_port: int
    port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)
    version: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "waitroom.toml"

    @property
    def place_url(self) -> str:
        return f"{self.url}/.waitroom/rooms/site/place"

    def set(self, **room: Any) -> None:
        """Writes the file anew, with a higher version."""
        self.version += 1
        lines = "\n".join(f"{name} = {_toml(value)}" for name, value in room.items())
        self.config.write_text(
            f'version = {self.version}\n[server]\nlisten = ["127.0.0.1:{self.port}"]\nstate = "{self.folder}/state"\n'
            f'trusted_proxies = ["127.0.0.9"]\n[admin]\nlisten = "127.0.0.1:{self.admin_port}"\n'
            f'[store]\nurl = "{self.redis_url}"\n'
            f'[[rooms]]\nname = "site"\norigins = ["http://127.0.0.1:{self.origin_port}"]\n{lines}\n'
        )

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        async with running(ConfigFile(self.config)):
            yield

    async def status(self) -> dict[str, Any]:
        """What the admin listener says."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.admin_port}/status") as response,
        ):
            state: dict[str, Any] = await response.json()
            return state


@asynccontextmanager
async def origin() -> AsyncIterator[Origin]:
    """An origin on a port of its own."""
    told = Origin()
    async with AsyncExitStack() as stack:
        runner = web.ServerRunner(web.Server(told.answer))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        told.port = free_port()
        await web.TCPSite(runner, "127.0.0.1", told.port).start()
        yield told


def visitor(**options: Any) -> aiohttp.ClientSession:
    """A browser of a visitor: with a cookie jar of its own."""
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), **options)


def number_of(session: aiohttp.ClientSession) -> int:
    """The number in the visitor's ticket."""
    ticket = next(cookie for cookie in session.cookie_jar if cookie.key == "wr-site")
    payload = ticket.value.split(".")[1]
    return int(base64.urlsafe_b64decode(payload + "==").decode().split("~")[2])


def _toml(value: object) -> str:
    if isinstance(value, bool | int):
        return str(value).lower()
    return repr(value) if isinstance(value, list) else f'"{value}"'
