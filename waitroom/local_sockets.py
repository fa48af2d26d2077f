"""Unix sockets in a folder, for processes of the same user alone, however long the folder's path is."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

# The system's limit on the path of a socket is 108 bytes, or 104.
LONGEST_PATH = 100


def listen(path: Path) -> socket.socket:
    """A socket that listens there, in the place of one that was left behind. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        with short(path) as where:
            listening.bind(where)
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(mask)
    listening.listen()
    listening.setblocking(False)
    return listening


@contextlib.contextmanager
def short(path: Path) -> Iterator[str]:
    """Another path of a socket, where its own is too long for one. Raises OSError."""
    if len(os.fsencode(path.absolute())) <= LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
