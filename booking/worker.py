"""Works off a backlog: claims what is due, several rows at once; ends, puts off or gives up each by what came of it.

Many processes may do so beside each other. A stop lets what is under way come to its end.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Row, Table

from booking import background, backlog
from booking.backlog import MOST_ATTEMPTS
from booking.db import Database
from booking.errors import Problem

AT_ONCE = 8
# What other processes add is found by looking, what this one adds by a poke.
LOOK_EVERY_S = 3
# No attempt may outlive its lease.
LONGEST_ATTEMPT_S = 60
STOP_S = 15

log = logging.getLogger(__name__)


class TryLaterError(Exception):
    """What had to be done could not be done now; the text says why."""


class GiveUpError(Exception):
    """What had to be done can never be done; the text says why."""


class Worker:
    """`work` does what one row asks for. It may raise TryLaterError and GiveUpError, and may be called again for a row
    whatever it did."""

    def __init__(
        self, db: Database, table: Table, work: Callable[[Row[Any]], Awaitable[None]], now_s: Callable[[], int]
    ) -> None:
        self._db = db
        self._table = table
        self._work = work
        self._now_s = now_s
        self._wake = asyncio.Event()
        self._under_way = 0
        self._has_more = True
        self._finished: list[Row[Any]] = []
        self._writing_down = asyncio.Lock()
        self._stopping = False

    def __repr__(self) -> str:
        return f"<Worker of {self._table.name}, {self._under_way} under way>"

    def poke(self, *_what: object) -> None:
        """Says that something may be due."""
        self._wake.set()

    async def work_off(self) -> int:
        """Does all that is due now, and returns how much that was."""
        count = 0
        while rows := await backlog.claim(self._db, self._table, self._now_s(), AT_ONCE):
            await asyncio.gather(*map(self._attend, rows))
            count += len(rows)
        return count

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Works while the context lasts."""
        run = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._stopping = True
            self.poke()
            _, pending = await asyncio.wait([run], timeout=STOP_S)
            if pending:
                log.warning("%r: what is under way is left to the next start.", self)
            await background.stop(run)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                self._wake.clear()
                for row in await self._claim():
                    self._under_way += 1
                    group.create_task(self._attend(row)).add_done_callback(self._ended)
                await self._rest()

    async def _claim(self) -> list[Row[Any]]:
        free = AT_ONCE - self._under_way
        try:
            rows = await backlog.claim(self._db, self._table, self._now_s(), free) if free else []
            self._has_more = len(rows) == free
            return list(rows)
        except Problem as exc:
            log.warning("What is due in %s is not known: %s Asking again in %d s.", self._table, exc, LOOK_EVERY_S)
        except Exception:
            log.exception("What is due in %s is not known. Asking again in %d s.", self._table, LOOK_EVERY_S)
        return []

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._wake.wait()

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._under_way -= 1
        if self._has_more:
            self.poke()

    async def _attend(self, row: Row[Any]) -> None:
        """Never raises: a row whose end cannot be written down is due again when its lease has run out."""
        try:
            await self._try(row)
        except Problem as exc:
            log.warning("%s %d was tried, but that is not on record: %s It comes again.", self._table, row.id, exc)
        except Exception:
            log.exception("%s %d was tried, but that is not on record. It comes again.", self._table, row.id)

    async def _try(self, row: Row[Any]) -> None:
        try:
            async with asyncio.timeout(LONGEST_ATTEMPT_S):
                await self._work(row)
        except GiveUpError as exc:
            await self._give_up(row, str(exc))
        except (TryLaterError, Problem) as exc:
            await self._put_off(row, str(exc))
        except TimeoutError:
            await self._put_off(row, f"it took longer than {LONGEST_ATTEMPT_S} s")
        except Exception as exc:
            log.exception("%s %d failed. This is a fault of ours: please report it.", self._table, row.id)
            await self._put_off(row, repr(exc))
        else:
            await self._write_down(row)

    async def _write_down(self, row: Row[Any]) -> None:
        """Ends a row together with those that finish meanwhile, in one transaction."""
        self._finished.append(row)
        await asyncio.sleep(0)
        async with self._writing_down:
            rows, self._finished = self._finished, []
            if rows:
                await backlog.done(self._db, self._table, rows)

    async def _put_off(self, row: Row[Any], reason: str) -> None:
        if row.attempts >= MOST_ATTEMPTS:
            await self._give_up(row, f"{reason} ({row.attempts} attempts)")
            return
        pause_s = await backlog.later(self._db, self._table, row, self._now_s())
        log.warning("%s %d: %s. Attempt %d; the next in %d s.", self._table, row.id, reason, row.attempts, pause_s)

    async def _give_up(self, row: Row[Any], reason: str) -> None:
        await backlog.dead(self._db, self._table, row)
        log.error(
            "%s %d is given up: %s. Once that is mended, have it tried again: "
            "UPDATE %s SET state = 'due', attempts = 0, due_s = 0 WHERE id = %d",
            self._table,
            row.id,
            reason,
            self._table,
            row.id,
        )
