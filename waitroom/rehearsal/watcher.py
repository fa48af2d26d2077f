"""Watches a room while it is rehearsed: who waits and is inside, and how many were called, as waitroom itself tells on
its admin listener."""

import json
from dataclasses import dataclass

from waitroom.rehearsal.site import AskError, Site


@dataclass(frozen=True, slots=True)
class Seen:
    """The line of a room at `seen_ms` of Redis's clock; `called` and `claimed` count since it began."""

    seen_ms: int
    waiting: int
    inside: int
    called: int
    claimed: int


class Watcher:
    """Of one line of a room."""

    def __init__(self, admin: Site, token: str, room: str, key: str) -> None:
        """The `token` is one of a reader or an operator."""
        self._admin = admin
        self._fields = b"Authorization: Bearer %b\r\n" % token.encode()
        self._room = room
        self._key = key

    async def look(self) -> Seen | None:
        """The line now; None where nobody tells."""
        try:
            answer = await self._admin.ask(b"GET", "/api/status", self._fields)
            rows = json.loads(answer.body)["rooms"]
        except (AskError, ValueError, KeyError):
            return None
        for row in rows:
            if row["room"] == self._room and row["key"] == self._key and row["inside"] is not None:
                return Seen(row["seen_ms"], row["waiting"], row["inside"], row["called"], row["claimed"])
        return None
