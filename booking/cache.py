"""What many ask for alike, kept in Redis for some seconds: search results and seat maps. Nothing personal comes here.

An entry has the generation of its subject (a flight, a route) from before it was read. A sale raises the generation,
and no older entry is taken any more, whoever wrote it. Who wants the same at once, in one process, shares one lookup
and one query, also without Redis: then each process asks the database one question at a time, and no more.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import count
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis

from booking.errors import StoreUnavailable
from booking.store import Store

T = TypeVar("T")

# Rather asks the database than waits longer for Redis; and then leaves it alone for a while, so that one which is
# frozen does not delay each request.
TIMEOUT_S = 0.5
REST_S = 1.0
# Longer than any entry lives: a generation that is forgotten begins anew, and must find no entry of its first time.
GENERATION_LIFE_S = 3_600


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One kind of entry: its name in metrics, how long it is taken, its JSON, and which values are worth keeping."""

    name: str
    life_s: int
    shape: TypeAdapter[T]
    is_worth: Callable[[T], bool] = lambda _: True

    def written(self, generation: str, now_s: int, value: T) -> str:
        return f"{generation} {now_s}\n{self.shape.dump_json(value).decode()}"

    def read(self, entry: str, generation: str, now_s: int) -> T | None:
        """None for what is of another generation, too old, or was written by another version of this code."""
        head, _, document = entry.partition("\n")
        its_generation, _, made_s = head.partition(" ")
        if its_generation != generation or not made_s or not 0 <= now_s - int(made_s) < self.life_s:
            return None
        try:
            return self.shape.validate_json(document)
        except ValidationError:
            return None


@dataclass(frozen=True, slots=True)
class Lookup:
    """One under way, and its subject."""

    subject: str
    task: asyncio.Task[Any]


class Cache:
    """`observe` is told the kind, and `hit`, `miss`, `shared` (joined a lookup under way) or `off` (Redis was not, or
    not to be, asked); `around` is entered, by the kind, for each lookup."""

    def __init__(self, store: Store) -> None:
        self.observe: Callable[[str, str], None] = lambda _kind, _outcome: None
        self.around: Callable[[str], AbstractContextManager[object]] = nullcontext
        self._store = store
        self._rests_until = 0.0
        self._lookups: dict[str, Lookup] = {}
        # Subjects that have changed and whose generation is not raised yet, each with the number of the change.
        self._doubts: dict[str, int] = {}
        self._changes = count()

    async def get(self, kind: Kind[T], key: str, subject: str, now_s: int, make: Callable[[], Awaitable[T]]) -> T:
        """What `make` gives, or gave for the same key (of all that it depends on) a short while ago."""
        entry_key = f"cache:{kind.name}:{key}"
        lookup = self._lookups.get(entry_key)
        if lookup is not None:
            self.observe(kind.name, "shared")
        else:
            # A task of its own, so that whoever began it may go away.
            task = asyncio.create_task(self._look_up(kind, entry_key, subject, now_s, make))
            lookup = self._lookups[entry_key] = Lookup(subject, task)
            task.add_done_callback(lambda task: self._ended(entry_key, task))
        result: T = await asyncio.shield(lookup.task)
        return result

    def doubt(self, subjects: Iterable[str]) -> None:
        """These have changed: until they are renewed, entries of theirs are passed over, and nobody joins a lookup that
        began before. `route` means all subjects `route:…`."""
        self._doubts.update(dict.fromkeys(subjects, next(self._changes)))
        for entry_key, lookup in list(self._lookups.items()):
            if self._is_doubtful(lookup.subject):
                del self._lookups[entry_key]

    async def renew(self, subjects: Iterable[str]) -> None:
        """Raises the generations of what has changed. Without Redis the short life of entries has to do."""
        told = {subject: self._doubts.get(subject) for subject in subjects}
        await self._tried(lambda redis: _raise(redis, told))
        for subject, change in told.items():
            if self._doubts.get(subject) == change:
                self._doubts.pop(subject, None)

    async def _look_up(
        self, kind: Kind[T], entry_key: str, subject: str, now_s: int, make: Callable[[], Awaitable[T]]
    ) -> T:
        with self.around(kind.name):
            return await self._found_or_made(kind, entry_key, subject, now_s, make)

    async def _found_or_made(
        self, kind: Kind[T], entry_key: str, subject: str, now_s: int, make: Callable[[], Awaitable[T]]
    ) -> T:
        generation, entry = (None, "") if self._is_doubtful(subject) else await self._found(entry_key, subject)
        if generation is None:
            self.observe(kind.name, "off")
            return await make()
        value = kind.read(entry, generation, now_s)
        self.observe(kind.name, "miss" if value is None else "hit")
        if value is None:
            value = await make()
            if kind.is_worth(value):
                written = kind.written(generation, now_s, value)
                await self._tried(lambda redis: redis.set(entry_key, written, ex=kind.life_s))
        return value

    def _ended(self, entry_key: str, task: asyncio.Task[Any]) -> None:
        lookup = self._lookups.get(entry_key)
        if lookup is not None and lookup.task is task:
            del self._lookups[entry_key]
        if not task.cancelled():
            task.exception()  # has been seen, even if nobody waits any more

    def _is_doubtful(self, subject: str) -> bool:
        return subject in self._doubts or subject.partition(":")[0] in self._doubts

    async def _found(self, entry_key: str, subject: str) -> tuple[str | None, str]:
        """The subject's generation, None while there is none to go by, and the entry."""
        found = await self._tried(lambda redis: redis.mget(_generation_key(subject), entry_key))
        return (found[0] or "0", found[1] or "") if found else (None, "")

    async def _tried(self, call: Callable[[Redis], Awaitable[Any]]) -> Any:
        """What Redis answers; None if it does not."""
        if time.monotonic() < self._rests_until:
            return None
        try:
            with self._store.reached() as redis:
                async with asyncio.timeout(TIMEOUT_S):
                    return await call(redis)
        except StoreUnavailable:
            self._rests_until = time.monotonic() + REST_S
            return None


async def _raise(redis: Redis, subjects: Iterable[str]) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        for key in map(_generation_key, subjects):
            pipeline.incr(key)
            pipeline.expire(key, GENERATION_LIFE_S)
        await pipeline.execute()


def _generation_key(subject: str) -> str:
    return f"cache:generation:{subject}"
