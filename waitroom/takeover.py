"""Hands the listening sockets and the embedded Redis of one waitroom to the next, without a moment of silence.

The supervisor listens on a socket in the state folder, for its own user alone. To whoever connects it gives its estate;
it goes on serving, until that one says that it serves too. A newcomer that fails before leaves everything as it was.
"""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from waitroom import local_sockets
from waitroom.errors import TakeOverError
from waitroom.sockets import Sockets

log = logging.getLogger(__name__)

SOCKET = "supervisor.sock"
LENGTH_BYTES = 4
ANSWER_S = 10.0
# What the newcomer says in the end: that it serves, and whether it goes on with the embedded Redis.
RELIEVED, RELIEVED_WITH_REDIS = b"r", b"R"


@dataclass(frozen=True, slots=True)
class Estate:
    """What is handed over; `lock` is the descriptor of the embedded Redis's lock, None where there is no such Redis."""

    sockets: Sockets
    store_url: str
    lock: int | None

    @property
    def descriptors(self) -> list[int]:
        listening = [one.fileno() for some in self.sockets.values() for one in some]
        return listening if self.lock is None else [*listening, self.lock]


class Successor:
    """Waits for one who takes over. `estate` gives what there is at that moment; `relieved` is called once that one
    serves, and is told whether it has taken the Redis."""

    def __init__(self, folder: Path, estate: Callable[[], Estate], relieved: Callable[[bool], None]) -> None:
        self._path = folder / SOCKET
        self._estate = estate
        self._relieved = relieved
        self._listening: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Without a place for the socket, this one can't be relieved; it says so, and serves."""
        try:
            if _answers(self._path):
                log.warning("another waitroom listens at %s, too: only that one can be taken over", self._path)
                return
            self._listening = local_sockets.listen(self._path)
        except OSError as exc:
            log.warning("no socket at %s (%s): this waitroom can't be taken over", self._path, exc.strerror)
            return
        self._task = asyncio.create_task(self._run(self._listening))

    def close(self) -> None:
        if self._task:
            self._task.cancel()
            self._task = None
        if self._listening:
            self._listening.close()
            self._listening = None
            self._path.unlink(missing_ok=True)

    async def _run(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listening)
            with connection:
                try:
                    await asyncio.to_thread(_give, connection, self._estate())
                    connection.setblocking(False)
                    word = await loop.sock_recv(connection, 1)
                except OSError as exc:
                    log.error("handing over failed: %s", exc)
                    continue
                if word not in (RELIEVED, RELIEVED_WITH_REDIS):
                    log.warning("who wanted to take over has given up: this waitroom serves on")
                    continue
                # The next one's socket comes to where ours was: it must be gone before we answer.
                self._listening = None
                listening.close()
                self._path.unlink(missing_ok=True)
                self._relieved(word == RELIEVED_WITH_REDIS)
                with contextlib.suppress(OSError):
                    await loop.sock_sendall(connection, word)
                return


class Predecessor:
    """The waitroom that is taken over, while it still serves."""

    def __init__(self, connection: socket.socket, estate: Estate) -> None:
        self.estate = estate
        self._connection = connection

    @classmethod
    async def meet(cls, folder: Path) -> "Predecessor":
        """Raises TakeOverError where none serves with that state folder."""
        try:
            return await asyncio.to_thread(cls._meet, folder)
        except (OSError, ValueError) as exc:
            raise TakeOverError(f"no waitroom with the state folder {folder} can be taken over: {exc}") from exc

    @classmethod
    def _meet(cls, folder: Path) -> "Predecessor":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(ANSWER_S)
        try:
            with local_sockets.short(folder / SOCKET) as path:
                connection.connect(path)
            return cls(connection, _take(connection))
        except BaseException:
            connection.close()
            raise

    async def relieve(self, *, with_redis: bool) -> None:
        """Has it end, once it has answered whom it has accepted. If it is gone already, so much the better."""
        try:
            await asyncio.to_thread(self._relieve, RELIEVED_WITH_REDIS if with_redis else RELIEVED)
        except OSError as exc:
            log.warning("the waitroom that was taken over did not say that it ends: %s", exc)

    def _relieve(self, word: bytes) -> None:
        with self._connection:
            self._connection.sendall(word)
            if self._connection.recv(1) != word:
                raise ConnectionResetError("it went away")


def _give(connection: socket.socket, estate: Estate) -> None:
    """Blocks; raises OSError."""
    connection.settimeout(ANSWER_S)
    told = {
        "sockets": {address: len(some) for address, some in estate.sockets.items()},
        "store_url": estate.store_url,
        "has_lock": estate.lock is not None,
    }
    text = json.dumps(told).encode()
    connection.sendall(len(text).to_bytes(LENGTH_BYTES) + text)
    # One at a time: how many the system passes at once has a limit.
    for descriptor in estate.descriptors:
        socket.send_fds(connection, [b"."], [descriptor])


def _take(connection: socket.socket) -> Estate:
    """Blocks; raises OSError, ValueError."""
    told = json.loads(_exactly(connection, int.from_bytes(_exactly(connection, LENGTH_BYTES))))
    sockets = {
        address: [socket.socket(fileno=_descriptor(connection)) for _ in range(count)]
        for address, count in told["sockets"].items()
    }
    return Estate(sockets, told["store_url"], _descriptor(connection) if told["has_lock"] else None)


def _exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = connection.recv(length - len(data))
        if not more:
            raise ConnectionResetError("it went away")
        data += more
    return data


def _descriptor(connection: socket.socket) -> int:
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
    if not descriptors:
        raise ConnectionResetError("it went away")
    return descriptors[0]


def _answers(path: Path) -> bool:
    """Whether somebody listens there. Raises OSError."""
    if not path.exists():
        return False
    with socket.socket(socket.AF_UNIX) as probe, local_sockets.short(path) as where:
        return probe.connect_ex(where) == 0
