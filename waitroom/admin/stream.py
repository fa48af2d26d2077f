"""`GET /api/stream`: the state of all rooms each second, as server-sent events (WHATWG HTML, section 9.2)."""

import asyncio
import json
from collections.abc import Callable, Iterable
from contextlib import suppress

from aiohttp import web

from waitroom.admin.access import HOLDER
from waitroom.admin.broadcast import Broadcast
from waitroom.admin.shapes import State
from waitroom.admin_tokens import Token

RETRY_MS = 2_000
# Who takes nothing for so long has gone.
WRITE_S = 15.0
FIELDS = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}


class Stream:
    def __init__(self, broadcast: Broadcast, tokens: Callable[[], Iterable[Token]]) -> None:
        self._broadcast = broadcast
        self._tokens = tokens

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """Goes on until the listener leaves, its token is taken away, or this process ends."""
        async with self._broadcast.listening() as states:
            response = web.StreamResponse(headers=FIELDS)
            await response.prepare(request)
            with suppress(ConnectionResetError, TimeoutError):
                await _write(response, f"retry: {RETRY_MS}\n\n")
                async for state in states:
                    if request[HOLDER] not in self._tokens():
                        break
                    await _write(response, _event(state))
            return response


async def _write(response: web.StreamResponse, text: str) -> None:
    """Raises ConnectionResetError, or TimeoutError."""
    async with asyncio.timeout(WRITE_S):
        await response.write(text.encode())


def _event(state: State) -> str:
    return f"id: {state['now_ms']}\ndata: {json.dumps(state, separators=(',', ':'))}\n\n"
