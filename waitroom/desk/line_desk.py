"""The operator's acts on one line: gives places back, takes them away, begins the line anew. No process need run."""

from collections.abc import Sequence
from dataclasses import replace

from waitroom.errors import NoSuchLineError, WrongEpochError
from waitroom.limits import Limits
from waitroom.line import REDIS_CLOCK, Line
from waitroom.snapshot import Snapshot
from waitroom.store import NoLineError, Store

# Never the next epoch: asks which one the line has.
NO_EPOCH = 0


class LineDesk:
    """One line, by its name in Redis. All methods raise StoreLostError, or NoSuchLineError if nobody has joined it."""

    def __init__(self, line: str, limits: Limits, store: Store) -> None:
        self._name = line
        # Whoever looks from here changes no limits: those of any process are newer.
        self._line = Line(line, replace(limits, version=0, edited_ms=0), store)
        self._store = store

    async def look(self) -> Snapshot:
        """The line as it is now."""
        await self._epoch(NO_EPOCH)
        await self._line.tick()
        if self._line.snapshot is None:
            raise NoSuchLineError(self._name)
        return self._line.snapshot

    async def release(self, numbers: list[int]) -> int:
        """Gives places back; how many of the numbers held one."""
        return await self._run("release", numbers)

    async def revoke(self, numbers: list[int], until_ms: int) -> int:
        """Takes places away, and refuses the numbers until a time; how many of them held one."""
        return await self._run("revoke", [until_ms, *numbers])

    async def reset(self, epoch: int) -> None:
        """Begins the line anew. Raises WrongEpochError unless the epoch is the next one."""
        before = await self._epoch(NO_EPOCH)
        if epoch != before + 1 or await self._epoch(epoch) != epoch:
            raise WrongEpochError(self._name, before)

    async def _epoch(self, asked_for: int) -> int:
        return await self._run("reset", [REDIS_CLOCK, asked_for])

    async def _run(self, transition: str, arguments: Sequence[int | str]) -> int:
        try:
            return int(await self._store.run(transition, self._name, arguments))
        except NoLineError as exc:
            raise NoSuchLineError(self._name) from exc
