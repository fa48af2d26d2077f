"""The handlers of the admin API: each reads what is asked for, has it done at the room's desk, and tells what came."""

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from aiohttp import web
from aiohttp.typedefs import Handler

from waitroom.admin import bodies
from waitroom.admin.access import HOLDER, who
from waitroom.admin.contract import ENDPOINTS, document
from waitroom.admin.history import History
from waitroom.admin.overview import Overview, override_figures
from waitroom.admin.problems import ApiError
from waitroom.admin.shapes import AuditEntry, Holder
from waitroom.desk.overrides import Overrides
from waitroom.desk.room_desk import Entry, RoomDesk
from waitroom.rooms import Room, Rooms
from waitroom.store import Store

MOST_ENTRIES = 100
LONGEST_AUDIT = 1_000


class Api:
    """`configured` gives the rooms as the configuration has them."""

    def __init__(
        self,
        configured: Callable[[], Rooms],
        store: Store,
        overview: Overview,
        history: History,
        stream: Handler,
        status: Handler,
    ) -> None:
        self._configured = configured
        self._store = store
        self._overview = overview
        self._history = history
        self._stream = stream
        self._status = status

    def routes(self) -> list[web.RouteDef]:
        """As the contract has them, under /api."""
        handlers: Mapping[str, Handler] = {
            "document": self.document,
            "me": self.me,
            "status": self._status,
            "rooms": self.rooms,
            "room": self.room,
            "history": self.history,
            "audit": self.audit,
            "stream": self._stream,
            "knobs": self.knobs,
            "clear": self.clear,
            "release": self.release,
            "revoke": self.revoke,
            "reset": self.reset,
        }
        return [web.route(one.method, one.path.removeprefix("/api"), handlers[one.name]) for one in ENDPOINTS]

    async def document(self, _: web.Request) -> web.Response:
        return _json(document())

    async def me(self, request: web.Request) -> web.Response:
        token = request[HOLDER]
        return _json(Holder(name=token.name, role=token.role))

    async def rooms(self, _: web.Request) -> web.Response:
        return _json(await self._overview.state())

    async def room(self, request: web.Request) -> web.Response:
        return _json(await self._overview.room(self._room(request)))

    async def history(self, request: web.Request) -> web.Response:
        return _json(await self._history.read(self._room(request)), is_large=True)

    async def audit(self, request: web.Request) -> web.Response:
        rooms = [self._named(request.query["room"])] if "room" in request.query else list(self._configured())
        most = _most(request)
        entries = [_entry(room, entry) for room in rooms for entry in await self._desk(room).audit(most)]
        return _json(sorted(entries, key=lambda entry: entry["at_ms"], reverse=True)[:most])

    async def knobs(self, request: web.Request) -> web.Response:
        room, turn = self._room(request), bodies.parsed(bodies.Turn, await request.read())
        desk = self._desk(room)
        until_ms = (await desk.read())[0] + turn.for_s * 1000 if turn.for_s else 0
        changes = cast(Mapping[str, int | str | None], turn.set)
        return _overridden(*await desk.turn(changes, until_ms=until_ms, who=who(request), why=turn.why))

    async def clear(self, request: web.Request) -> web.Response:
        room, clear = self._room(request), bodies.parsed(bodies.Clear, await request.read())
        desk = self._desk(room)
        now_ms, before = await desk.read()
        knobs = [knob for knob in clear.knobs or before.holding(now_ms) if knob in before.holding(now_ms)]
        if not knobs:
            return _overridden(now_ms, before)
        return _overridden(*await desk.turn(dict.fromkeys(knobs), who=who(request), why=clear.why))

    async def release(self, request: web.Request) -> web.Response:
        room, asked = self._room(request), bodies.parsed(bodies.Release, await request.read())
        desk, key = self._desk(room), _key(room, asked.key)
        return _json({"held": await desk.release(key, asked.numbers, who=who(request), why=asked.why)})

    async def revoke(self, request: web.Request) -> web.Response:
        room, asked = self._room(request), bodies.parsed(bodies.Revoke, await request.read())
        desk, key = self._desk(room), _key(room, asked.key)
        until_ms = (await desk.read())[0] + asked.for_s * 1000
        return _json({"held": await desk.revoke(key, asked.numbers, until_ms, who=who(request), why=asked.why)})

    async def reset(self, request: web.Request) -> web.Response:
        room, asked = self._room(request), bodies.parsed(bodies.ResetLine, await request.read())
        desk, key = self._desk(room), _key(room, asked.key)
        if asked.epoch is not None:
            await desk.reset(key, asked.epoch, who=who(request), why=asked.why)
        seen = await desk.look(key)
        is_done = asked.epoch is not None
        return _json({"epoch": seen.epoch, "inside": seen.inside, "waiting": seen.waiting, "is_done": is_done})

    def _room(self, request: web.Request) -> Room:
        return self._named(request.match_info["room"])

    def _named(self, name: str) -> Room:
        """Raises ApiError."""
        rooms = self._configured()
        room = rooms.named(name)
        if room is None:
            known = ", ".join(one.name for one in rooms)
            raise ApiError(404, "no_such_room", f"There is no room {name!r}", f"There are {known}.")
        return room

    def _desk(self, room: Room) -> RoomDesk:
        return RoomDesk(room, self._store)


def _key(room: Room, key: str) -> str:
    """Raises ApiError where the room can have no line of that key."""
    if not room.has_key(key):
        remedy = "Name one of its lines with `key`." if room.has_keys else "It has one line, and no keys."
        raise ApiError(422, "bad_key", f"Room {room.name!r} has no line of key {key!r}", remedy)
    return key


def _most(request: web.Request) -> int:
    text = request.query.get("most", str(MOST_ENTRIES))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= LONGEST_AUDIT):
        raise ApiError(422, "bad_most", f"most = {text[:20]!r}", f"It should be a number from 1 to {LONGEST_AUDIT}.")
    return int(text)


def _entry(room: Room, entry: Entry) -> AuditEntry:
    return AuditEntry(
        at_ms=entry.at_ms,
        room=room.name,
        who=entry.who,
        act=entry.act,
        knob=entry.knob,
        before=entry.before,
        after=entry.after,
        until_ms=entry.until_ms,
        why=entry.why,
    )


def _overridden(now_ms: int, overrides: Overrides) -> web.Response:
    return _json({"revision": overrides.revision, "overrides": override_figures(overrides, now_ms)})


def _json(value: Any, *, is_large: bool = False) -> web.Response:
    text = json.dumps(value, separators=(",", ":"))
    response = web.Response(text=text, content_type="application/json")
    if is_large:
        response.enable_compression()
    return response
