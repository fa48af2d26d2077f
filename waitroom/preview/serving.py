"""Serves a preview on this machine. It follows the configuration and its files as a waitroom does."""

from aiohttp import web

from waitroom.config_file import ConfigFile
from waitroom.languages import Languages
from waitroom.pages import content_security_policy
from waitroom.preview.gallery import NONCE, Gallery
from waitroom.rooms import Room
from waitroom.scenes import SCENES

# What shows the pages is of this same address.
POLICY = content_security_policy(NONCE).replace("frame-ancestors 'none'", "frame-ancestors 'self'")


class Preview:
    """Of the room of a name, as the file has it now."""

    def __init__(self, config: ConfigFile, room: str) -> None:
        self._config = config
        self._name = room
        self._languages = Languages()
        self._revision = 1
        self._gallery = Gallery(room_of(config, room), self._languages)

    async def follow(self) -> None:
        """Shows each change, until cancelled. A room that is gone is shown as it was."""
        async for rooms in self._config.changes():
            room = rooms.named(self._name) if rooms else None
            if room:
                self._gallery = Gallery(room, self._languages)
            self._revision += 1

    def application(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._index),
                web.get("/revision", self._told_revision),
                web.get("/{scheme}/{language}/{scene}.html", self._page),
            ]
        )
        return app

    async def _index(self, _: web.Request) -> web.Response:
        return _html(self._gallery.index([str(fault) for fault in self._config.faults], self._revision))

    async def _told_revision(self, _: web.Request) -> web.Response:
        return web.Response(text=str(self._revision), headers={"Cache-Control": "no-store"})

    async def _page(self, request: web.Request) -> web.Response:
        asked = request.match_info
        scheme = next((scheme for scheme in self._gallery.schemes if scheme == asked["scheme"]), None)
        if scheme is None or asked["language"] not in self._languages.codes or asked["scene"] not in SCENES:
            raise web.HTTPNotFound
        page = self._gallery.page(scheme, asked["language"], asked["scene"])
        return _html(page, {"Content-Security-Policy": POLICY})


def room_of(config: ConfigFile, name: str) -> Room:
    """The room of that name, or where it is empty the first. Raises LookupError."""
    room = config.rooms.named(name) if name else next(iter(config.rooms))
    if room is None:
        names = ", ".join(room.name for room in config.rooms)
        raise LookupError(f"there is no room {name!r}: there are {names}")
    return room


def _html(text: str, fields: dict[str, str] | None = None) -> web.Response:
    headers = {"Cache-Control": "no-store", **(fields or {})}
    return web.Response(text=text, content_type="text/html", headers=headers)
