"""Which tests run at a time: many beside each other, or one alone, whichever processes they are in."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from fcntl import LOCK_EX, LOCK_SH, flock
from pathlib import Path


class Turns:
    """All processes with the same file take turns. The system ends the turn of a process that dies."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def beside(self) -> AbstractContextManager[None]:
        """Waits while a test is alone."""
        return self._locked(LOCK_SH)

    def alone(self) -> AbstractContextManager[None]:
        """Waits until no test runs, which may be when all others have run; meanwhile none begins."""
        return self._locked(LOCK_EX)

    @contextmanager
    def _locked(self, kind: int) -> Iterator[None]:
        with self._file.open("w") as file:
            flock(file, kind)
            yield
