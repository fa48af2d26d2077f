"""The configuration in force: read once, then followed as the file changes. A bad file never replaces a good one."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

from waitroom import settings, watch
from waitroom.beside import Beside
from waitroom.errors import ConfigError, Fault
from waitroom.rooms import Rooms
from waitroom.settings import Settings, advise_version

log = logging.getLogger(__name__)


class ConfigFile:
    """A file, what is in force of it, and the faults of its last state if that was refused."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError, with all faults, if the file can't be used."""
        self.path = path
        self._beside = Beside(path.parent)
        self.settings, edited_ms = settings.load(path, self._beside)
        self.rooms = self.settings.to_rooms(edited_ms)
        self.faults: tuple[Fault, ...] = ()

    def read_again(self) -> Rooms | None:
        """The rooms, if the file has changed for the good, or one that it leads to; None leaves all as it was."""
        self._beside = Beside(self.path.parent)
        try:
            new, edited_ms = settings.load(self.path, self._beside)
        except ConfigError as exc:
            self.faults = exc.faults
            log.error("the new configuration is refused, the old one stays in force: %s", exc)
            return None
        self.faults = ()
        if new == self.settings:
            return None
        self._warn(new)
        self.settings, self.rooms = new, new.to_rooms(edited_ms)
        log.info("configuration version %s is in force", new.version)
        return self.rooms

    @property
    def files(self) -> frozenset[Path]:
        """All that the last reading asked for: the file, and what it leads to."""
        return self._beside.noted | {self.path}

    async def changes(self) -> AsyncIterator[Rooms | None]:
        """Gives the rooms anew after each change for the good, and None after one that was refused, until cancelled."""
        while True:
            files = self.files
            changes = watch.changes(*files)
            # It may have changed before anybody watched.
            rooms = await asyncio.to_thread(self.read_again)
            if rooms or self.faults:
                yield rooms
            async with aclosing(changes):
                while self.files == files:
                    await anext(changes)
                    rooms = await asyncio.to_thread(self.read_again)
                    if rooms or self.faults:
                        yield rooms

    def _warn(self, new: Settings) -> None:
        if new.version <= self.settings.version and not new.differs_in_looks_only(self.settings):
            log.warning("%s", advise_version(new.version, self.settings.version))
        for table in self.settings.needs_workers(new):
            log.warning("a change in [%s] takes effect on SIGHUP", table)
