"""Tells when files change, also where a mounted volume replaces them."""

from collections.abc import AsyncIterator
from pathlib import Path

from watchfiles import Change, awatch

STEP_MS = 50
DEBOUNCE_MS = 200
# A mounted ConfigMap or Secret changes by this link alone.
KUBERNETES_LINK = "..data"


async def changes(*files: Path) -> AsyncIterator[None]:
    """Gives None after each change of any of the files, until cancelled."""
    names = {KUBERNETES_LINK, *(file.name for file in files)}

    def concerns(_: Change, path: str) -> bool:
        return Path(path).name in names

    # The folders are watched, not the files: editors and mounted volumes replace files rather than write them.
    folders = {file.parent for file in files}
    async for _ in awatch(*folders, watch_filter=concerns, step=STEP_MS, debounce=DEBOUNCE_MS, recursive=False):
        yield
