"""The store: runs the transitions of lines in Redis, and knows what is lost. Every error of redis-py ends here."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from redis.exceptions import NoScriptError

from waitroom.errors import StoreLostError
from waitroom.store_client import LOSSES, connect
from waitroom.store_keys import desk_keys, line_keys
from waitroom.store_loss import loss
from waitroom.store_url import TIMEOUT_MS, parse

# Each script with the files it consists of, in order.
TRANSITIONS = {
    "advance": ("_clock", "_line", "_advance", "advance"),
    "join": ("_clock", "_line", "_advance", "join"),
    "poll": ("_clock", "_line", "poll"),
    "claim": ("_clock", "_line", "claim"),
    "extend": ("_clock", "_line", "extend"),
    "release": ("_clock", "_line", "release"),
    "revoke": ("_clock", "_line", "revoke"),
    "restore": ("_clock", "_line", "restore"),
    "remind": ("_clock", "_line", "remind"),
    "reset": ("_clock", "_line", "reset"),
    "receipt": ("_clock", "_line", "_receipt", "receipt"),
    "move": ("_clock", "_line", "_receipt", "move"),
    "moved": ("_line", "moved"),
    "open": ("_clock", "_line", "open"),
    "lines": ("_line", "lines"),
    "limits": ("_clock", "_line", "limits"),
    "pulse": ("_clock", "_desk", "pulse"),
    "turn": ("_clock", "_desk", "turn"),
    "adapt": ("_clock", "_desk", "adapt"),
    "note": ("_clock", "_desk", "note"),
    "sample": ("_clock", "_desk", "sample"),
    "recount": ("_clock", "_desk", "recount"),
}


# Whose keys are remembered.
MOST_LINES = 1024


class NoLineError(Exception):
    """The line has no state in Redis yet, or not any more: it must be advanced first."""


@dataclass(frozen=True, slots=True)
class Script:
    """A transition's Lua, the name by which Redis knows it once it has seen it, and which keys it takes."""

    source: str
    sha: bytes
    keys: Callable[[str], tuple[bytes, ...]]


def script(transition: str) -> str:
    """The Lua source of a transition."""
    folder = resources.files("waitroom") / "lua"
    return "\n".join((folder / f"{part}.lua").read_text() for part in TRANSITIONS[transition])


def _script(transition: str) -> Script:
    source = script(transition)
    keys = _desk_keys if "_desk" in TRANSITIONS[transition] else _line_keys
    return Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest().encode(), keys)


@lru_cache(MOST_LINES)
def _line_keys(line: str) -> tuple[bytes, ...]:
    """As they are sent: with each call there are many."""
    return tuple(key.encode() for key in line_keys(line))


@lru_cache(MOST_LINES)
def _desk_keys(room: str) -> tuple[bytes, ...]:
    return tuple(key.encode() for key in desk_keys(room))


class Store:
    """A Redis that holds lines, or several.

    What could not be used when last tried is lost: nothing is sent to it but one probe for each `ping`, so that no
    visitor waits for a time-out that another has already waited for. In a cluster the lines of one node are lost
    together, otherwise all are.
    """

    def __init__(self, url: str, timeout_ms: int = TIMEOUT_MS) -> None:
        """Connects when it is first used. Raises ValueError if the url is none of `store_url`."""
        self._client = connect(parse(url), timeout_ms)
        self._scripts = {name: _script(name) for name in TRANSITIONS}
        # Each server that is lost, and one line by which to ask for it.
        self._lost: dict[str, str] = {}
        self._under_way: set[asyncio.Timeout] = set()
        self._is_closed = False

    @property
    def lost(self) -> bool:
        """Whether any line can't be reached."""
        return bool(self._lost)

    def is_lost(self, line: str) -> bool:
        return bool(self._lost) and self._client.server(line) in self._lost

    async def run(self, transition: str, line: str, arguments: Sequence[int | str | bytes]) -> Any:
        """Runs a transition of a line, or of a room's desk, and gives its raw reply.

        Raises NoLineError, or StoreLostError if Redis can't be reached, can't write, or answers too late.
        """
        if self._is_closed:
            raise StoreLostError("the store is closed")
        if self.is_lost(line):
            raise StoreLostError("Redis was lost, and has not answered since")
        deadline = asyncio.timeout(self._client.deadline_s)
        try:
            async with deadline:
                self._under_way.add(deadline)
                return await self._evaluate(self._scripts[transition], line, arguments)
        except LOSSES as exc:
            if "NOLINE" in str(exc):
                raise NoLineError(line) from exc
            self._lost[self._client.server(line)] = line
            raise loss(exc) from exc
        finally:
            self._under_way.discard(deadline)

    async def ping(self) -> None:
        """Asks whether what is lost can be used again; if nothing is, whether Redis can be used at all.

        Raises StoreLostError if anything is (still) lost.
        """
        asked = set(self._lost.values()) or {""}
        still_lost = await self._client.still_lost(asked)
        lost_since = set(self._lost.values()) - asked
        # Who serves a line may have changed.
        self._lost = {self._client.server(line): line for line in lost_since | still_lost.keys()}
        for cause in still_lost.values():
            raise loss(cause) from cause

    async def follow(self) -> None:
        """To be called now and then while nothing is lost: notices that sentinels have named another primary."""
        await self._client.follow()

    async def close(self) -> None:
        """Calls under way raise StoreLostError: one that is just connecting would leave its connection open."""
        self._is_closed = True
        now_s = asyncio.get_running_loop().time()
        for deadline in self._under_way:
            if not deadline.expired():
                deadline.reschedule(now_s)
        while self._under_way:
            await asyncio.sleep(0.001)
        await self._client.close()

    async def _evaluate(self, script: Script, line: str, arguments: Sequence[int | str | bytes]) -> Any:
        """By its name; a Redis that does not know it (restarted, emptied, promoted) is given the whole script."""
        keys = script.keys(line)
        try:
            return await self._client.execute("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except NoScriptError:
            return await self._client.execute("EVAL", script.source, len(keys), *keys, *arguments)
