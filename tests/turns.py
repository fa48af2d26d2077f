"""Which tests run at a time: many beside each other, or one alone, whichever processes they are in."""

from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_SH, flock
from pathlib import Path


class Turns:
    """All processes with the same folder take turns. The system ends the turn of a process that dies."""

    def __init__(self, folder: Path) -> None:
        self._door, self._room = folder / "door", folder / "room"

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Waits while a test is alone, or wants to be."""
        with self._room.open("w") as room:
            with self._door.open("w") as door:
                flock(door, LOCK_EX)
                flock(room, LOCK_SH)
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Waits until no test runs; meanwhile none begins."""
        with self._door.open("w") as door, self._room.open("w") as room:
            flock(door, LOCK_EX)
            flock(room, LOCK_EX)
            yield
