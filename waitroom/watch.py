"""Tells when files change, also where a mounted volume replaces them."""

from collections.abc import AsyncGenerator
from pathlib import Path

from watchfiles import Change, awatch

STEP_MS = 50
DEBOUNCE_MS = 200
# A mounted ConfigMap or Secret changes by this link alone.
KUBERNETES_LINK = "..data"
# The system tells nothing of what is behind a link to another folder, or on a network file system: looked at so often.
LOOK_MS = 500

Look = tuple[tuple[int, ...] | None, ...]


def changes(*files: Path) -> AsyncGenerator[None]:
    """Gives None after each change of any of the files since this call, until cancelled."""
    return _changes(files, _look(files))


async def _changes(files: tuple[Path, ...], seen: Look) -> AsyncGenerator[None]:
    names = {KUBERNETES_LINK, *(file.name for file in files)}

    def concerns(_: Change, path: str) -> bool:
        return Path(path).name in names

    # The folders are watched, not the files: editors and mounted volumes replace files rather than write them.
    folders = {file.parent for file in files}
    async for told in awatch(
        *folders,
        watch_filter=concerns,
        step=STEP_MS,
        debounce=DEBOUNCE_MS,
        rust_timeout=LOOK_MS,
        yield_on_timeout=True,
        recursive=False,
    ):
        before, seen = seen, _look(files)
        if told or seen != before:
            yield


def _look(files: tuple[Path, ...]) -> Look:
    """What tells the content of each from another, behind any links; None of one that is not there."""
    return tuple(_of(file) for file in files)


def _of(file: Path) -> tuple[int, ...] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
