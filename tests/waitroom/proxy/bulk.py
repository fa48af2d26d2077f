"""Bulk: both ends of large bodies on plain sockets, which keep nothing of what they send or receive."""

import os
import re
import select
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

READ_BYTES = 2**20
CHUNK_BYTES = 2**16
LAST_CHUNK = b"0\r\n\r\n"
# A peer that takes nothing for so long will not take more by itself.
STALL_S = 1.5
SOCKET_S = 60


class Bulk:
    """A file of `size` bytes that takes no room, and the same in chunks."""

    def __init__(self, folder: Path, size: int) -> None:
        self.size = size
        self._path = folder / f"bulk-{size}"
        with self._path.open("wb") as file:
            file.truncate(size)

    def send(self, connection: socket.socket, *, chunked: bool = False) -> None:
        """Sends it all. Raises OSError where the peer goes away."""
        if chunked:
            self._send_chunks(connection)
            return
        with self._path.open("rb") as file:
            connection.sendfile(file)

    def send_until_stalled(self, connection: socket.socket) -> int:
        """Sends until the peer takes no more; gives how much it took. The connection is left without a timeout."""
        connection.setblocking(False)
        sent = 0
        with self._path.open("rb") as file:
            while sent < self.size and select.select([], [connection], [], STALL_S)[1]:
                sent += os.sendfile(connection.fileno(), file.fileno(), sent, READ_BYTES)
        connection.setblocking(True)
        return sent

    def send_rest(self, connection: socket.socket, sent: int) -> None:
        with self._path.open("rb") as file:
            connection.sendfile(file, offset=sent)

    def _send_chunks(self, connection: socket.socket) -> None:
        several = (b"%x\r\n" % CHUNK_BYTES + bytes(CHUNK_BYTES) + b"\r\n") * 16
        for _ in range(self.size // (16 * CHUNK_BYTES)):
            connection.sendall(several)
        connection.sendall(LAST_CHUNK)


def connect(port: int, *, receive_bytes: int = 0) -> socket.socket:
    """A connection; with `receive_bytes`, its receive buffer does not grow."""
    connection = socket.socket()
    if receive_bytes:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(SOCKET_S)
    connection.connect(("127.0.0.1", port))
    return connection


def read_head(connection: socket.socket) -> bytes:
    """Reads a head, and not a byte more: what follows is a body."""
    while seen := connection.recv(READ_BYTES, socket.MSG_PEEK):
        end = seen.find(b"\r\n\r\n")
        if end >= 0:
            return connection.recv(end + 4)
    raise ConnectionError("the peer ended within a head")


def read_body(connection: socket.socket, head: bytes) -> int:
    """Reads what a head says is to follow, and gives how many bytes: of the body, or of all its chunks."""
    if found := re.search(rb"(?i)\r\ncontent-length: *(\d+)", head):
        return _read(connection, int(found[1]), lambda _: False)
    return _read(connection, 2**62, lambda tail: tail.endswith(LAST_CHUNK))


def _read(connection: socket.socket, most: int, is_end: Callable[[bytes], bool]) -> int:
    buffer = bytearray(READ_BYTES)
    view = memoryview(buffer)
    taken, tail = 0, b""
    while taken < most and (count := connection.recv_into(view[: min(READ_BYTES, most - taken)])):
        taken += count
        tail = (tail + bytes(view[max(0, count - 5) : count]))[-5:]
        if is_end(tail):
            break
    return taken


class Origin(AbstractContextManager["Origin"]):
    """Answers each request on each connection, with a thread for each."""

    def __init__(self, port: int, answer: Callable[[socket.socket, bytes], None]) -> None:
        """`answer` is given a connection and the head of a request; the body is not read yet."""
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self._connections: list[socket.socket] = []
        self._threads = ThreadPoolExecutor(32)
        self._accepting = Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._threads.shutdown()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # it was shut down
                return
            self._connections.append(connection)
            self._threads.submit(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(SOCKET_S)
            try:
                while True:
                    self._answer(connection, read_head(connection))
            except OSError:
                return
