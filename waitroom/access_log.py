"""The access log: one line of JSON for each request that was answered, written beside the requests and never by them.

An entry has no cookies, no tokens and no fields that could hold them. What a visitor sent is escaped: nobody can write
a line of another's.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from json.encoder import encode_basestring_ascii as quoted
from typing import TypeAlias

from waitroom.log_file import LogFile

EVERY_S = 0.25
# As soon as so many wait, nobody waits for the time to pass.
MANY = 1_000
# Formatted at a time: half a millisecond in which nothing else runs.
PIECE = 100
# Entries that wait for a slow disk; each takes about a kilobyte.
MOST_WAITING = 10_000

Entry: TypeAlias = tuple[
    float, str, str, str, str, bytes, str, str, bytes, int, int, str, int, int, float, str, float | None, bool, bytes
]


class AccessLog:
    """Takes entries at the price of a list's append. `target` is a file, - for standard output, or empty for no log.

    `run` writes them until it is cancelled, and `close` what is left then.
    """

    def __init__(self, target: str, clock: Callable[[], float] = time.time) -> None:
        """Raises OSError where the file can't be opened. `clock` gives seconds since 1970."""
        self.is_on = bool(target)
        self._file = LogFile(target) if target else None
        self._clock = clock
        self._waiting: list[Entry] = []
        self._overflow = 0
        self._many = asyncio.Event()

    @property
    def dropped(self) -> int:
        """Entries that could not be written, or that came faster than the disk took them."""
        return self._overflow + (self._file.dropped if self._file else 0)

    def note(  # noqa: PLR0913, PLR0917  # an object of them would cost a request more than all the rest
        self,
        request_id: str,
        room: str,
        key: str,
        client: str,
        method: bytes,
        scheme: str,
        host: str,
        target: bytes,
        minor: int,
        status: int,
        outcome: str,
        bytes_in: int,
        bytes_out: int,
        duration_s: float,
        origin: str,
        origin_s: float | None,
        is_aborted: bool,
        user_agent: bytes,
    ) -> None:
        """Notes a request that has just ended. Positional arguments are the fastest.

        `client` is the visitor's address, `target` is as it was sent, `minor` is that of HTTP/1.x; `outcome` is what
        was decided. `bytes_in` and `bytes_out` are of the visitor's connection. `origin` is empty, and `origin_s` None,
        if none was asked. `is_aborted`: the visitor did not get the whole response.
        """
        waiting = self._waiting
        if not self.is_on:
            return
        if len(waiting) >= MOST_WAITING:
            self._overflow += 1
            return
        waiting.append(
            (self._clock(), request_id, room, key, client, method, scheme, host, target, minor, status, outcome,
             bytes_in, bytes_out, duration_s, origin, origin_s, is_aborted, user_agent)
        )  # fmt: skip
        if len(waiting) == MANY:
            self._many.set()

    def reopen(self) -> None:
        """For a log that was rotated: what is noted from now on goes to a new file of the same name."""
        if self._file:
            self._hand_over(self._file, len(self._waiting))
            self._file.reopen()

    async def run(self) -> None:
        """Writes what was noted, each quarter of a second or when much waits. A slow disk gets only what it takes."""
        while file := self._file:
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._many.wait()
            self._many.clear()
            while self._waiting and not file.is_behind:
                self._hand_over(file, PIECE)
                await asyncio.sleep(0)

    async def close(self) -> None:
        """Writes what is left, as far as the disk takes it in time."""
        if self._file:
            self._hand_over(self._file, len(self._waiting))
            await self._file.close()

    def _hand_over(self, file: LogFile, most: int) -> None:
        lines = "".join(line(*entry) for entry in islice(self._waiting, most))
        del self._waiting[:most]
        if lines:
            file.append(lines.encode("ascii"))


def line(  # noqa: PLR0913, PLR0917  # what `note` takes
    time_s: float,
    request_id: str,
    room: str,
    key: str,
    client: str,
    method: bytes,
    scheme: str,
    host: str,
    target: bytes,
    minor: int,
    status: int,
    outcome: str,
    bytes_in: int,
    bytes_out: int,
    duration_s: float,
    origin: str,
    origin_s: float | None,
    is_aborted: bool,
    user_agent: bytes,
) -> str:
    """An entry as a line of JSON, in ASCII."""
    return (
        f'{{"time":"{_second(int(time_s))}.{int(time_s * 1000) % 1000:03d}Z","request_id":{quoted(request_id)},'
        f'"room":{quoted(room)},"key":{quoted(key)},"client":{quoted(client)},"method":{_text(method)},'
        f'"scheme":{quoted(scheme)},"host":{quoted(host)},"target":{_text(target)},"protocol":"HTTP/1.{minor}",'
        f'"status":{status},"outcome":{quoted(outcome)},"bytes_in":{bytes_in},"bytes_out":{bytes_out},'
        f'"duration_ms":{duration_s * 1000:.3f},"origin":{quoted(origin) if origin else "null"},'
        f'"origin_ms":{"null" if origin_s is None else f"{origin_s * 1000:.3f}"},'
        f'"aborted":{"true" if is_aborted else "false"},"user_agent":{_text(user_agent)}}}\n'
    )


def _text(sent: bytes) -> str:
    """A byte that is no UTF-8 is shown as \\xNN."""
    return quoted(sent.decode("utf-8", "backslashreplace"))


@lru_cache(maxsize=4)
def _second(time_s: int) -> str:
    """RFC 3339, section 5.6, without the fraction."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_s))
