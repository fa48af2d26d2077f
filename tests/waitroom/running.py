"""A waitroom that serves on a port of its own, before an origin that tells what it got."""

import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.servers import PrivateRedis, eventually, free_port
from waitroom.app import running
from waitroom.config_file import ConfigFile
from waitroom.rooms import Rooms

PAGE = {"Accept": "text/html,application/xhtml+xml"}
# The longest there is: a machine that runs tests is busy, and a Redis that is slow by that is not lost.
TIMEOUT_MS = 5_000
APP = {"Accept": "application/json"}


@dataclass
class Origin:
    """What reached the origin, in order; it answers each request with JSON about it. `says` has more header fields, by
    path."""

    requests: list[web.BaseRequest] = field(default_factory=list)
    says: dict[str, dict[str, str]] = field(default_factory=dict)
    port: int = 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        body = await request.read()
        told = {"path": request.raw_path, "fields": list(request.headers.items()), "body": body.decode("latin-1")}
        return web.json_response(told, headers={"Set-Cookie": "origin=1", **self.says.get(request.path, {})})


@dataclass
class Waitroom:
    """A waitroom in this process, by its configuration file."""

    folder: Path
    redis_url: str
    origin_port: int
    port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)
    version: int = 0
    state: Path | None = None
    server: dict[str, Any] = field(default_factory=dict)  # more settings of [server]
    keys: dict[str, Any] = field(default_factory=dict)  # those of [keys]; empty: development keys

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "waitroom.toml"

    @property
    def place_url(self) -> str:
        return f"{self.url}/.waitroom/rooms/site/place"

    def beside(self, folder: Path) -> "Waitroom":
        """Another process of the same waitroom: the same keys, Redis and origin."""
        return Waitroom(folder, self.redis_url, self.origin_port, state=self.folder / "state")

    def set(self, **room: Any) -> None:
        """Writes the file anew, with a higher version."""
        self.set_rooms(room)

    def set_rooms(self, *rooms: dict[str, Any]) -> None:
        """The same, for several rooms."""
        self.version += 1
        origin = f"http://127.0.0.1:{self.origin_port}"
        tables = "".join(f"[[rooms]]\n{_table({'name': 'site', 'origins': [origin]} | room)}" for room in rooms)
        server = {
            "listen": [f"127.0.0.1:{self.port}"],
            "state": self.state or self.folder / "state",
            "trusted_proxies": ["127.0.0.9"],
        } | self.server
        keys = f"[keys]\n{_table(self.keys)}" if self.keys else ""
        self.folder.mkdir(exist_ok=True)
        # At once: of a file that is read half, a process of its own would tell faults that it does not have.
        draft = self.config.with_suffix(".draft")
        draft.write_text(
            f"version = {self.version}\n[server]\n{_table(server)}"
            f'[admin]\nlisten = "127.0.0.1:{self.admin_port}"\n'
            f'[store]\nurl = "{self.redis_url}"\ntimeout_ms = {TIMEOUT_MS}\n{keys}{tables}'
        )
        draft.replace(self.config)

    @asynccontextmanager
    async def serving(self, config: Path | None = None, **limits: Any) -> AsyncIterator[None]:
        """Serves by its file, or by one that leads to it. `limits` are shorter times than a file may ask for, so that a
        test need not wait for them."""
        file = ConfigFile(config or self.config)
        file.rooms = Rooms([replace(room, limits=replace(room.limits, **limits)) for room in file.rooms])
        async with running(file):
            yield

    @asynccontextmanager
    async def serving_before(self, other: "Waitroom", redis: PrivateRedis) -> AsyncIterator[None]:
        """Serves, and lets another process serve beside it once the line has begun. For the other finds keys, and must
        take the line for one that Redis has lost: if it began it, nobody would be called for half a presence window."""
        async with self.serving():
            await eventually(lambda: redis.client.exists("wr:{site}:state"))
            async with other.serving():
                yield

    @property
    def desk_url(self) -> str:
        """Where operators look and act."""
        return f"http://127.0.0.1:{self.admin_port}"

    @property
    def token(self) -> str:
        """The operator's token of this machine."""
        return (self.state or self.folder / "state").joinpath("admin.token").read_text().strip()

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """What the admin API says; with a body, to an act."""
        fields = {"Authorization": f"Bearer {self.token}"}
        async with (
            aiohttp.ClientSession(self.desk_url, headers=fields) as session,
            session.request("POST" if body else "GET", f"/api/{path}", json=body) as response,
        ):
            assert response.ok, await response.text()
            return await response.json()

    async def status(self) -> dict[str, Any]:
        """What the workers of this machine see."""
        state: dict[str, Any] = await self.ask("status")
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
    return int(payload_of(ticket.value)[2])


def payload_of(ticket: str) -> list[str]:
    """The fields of a ticket: line, epoch, number (or arrival@draw), when it was issued, visitor."""
    return base64.urlsafe_b64decode(ticket.split(".")[1] + "==").decode().split("~")


def _table(values: dict[str, Any]) -> str:
    return "".join(f"{name} = {_toml(value)}\n" for name, value in values.items())


def _toml(value: object) -> str:
    if isinstance(value, bool | int | float):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{name} = {_toml(inner)}' for name, inner in value.items())} }}"
    return repr(value) if isinstance(value, list) else f'"{value}"'
