"""The database: owns the engine and what a transaction means. SQLite and MySQL or MariaDB behave alike behind it.

A write is a function of a connection. It commits whole or not at all, and runs again from its start when the database
asks for that (deadlock, lock wait, snapshot conflict, busy) or when it finds its own reading stale. Where the
connection is lost at COMMIT nobody knows whether it happened: that is told as OutcomeUnknown, and found out by a key of
the caller's.
"""

import asyncio
import contextlib
import logging
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from enum import StrEnum
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import event, text
from sqlalchemy.engine import URL, Connection, CursorResult, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from booking import mysql
from booking.errors import DatabaseUnavailable, OutcomeUnknown, Problem

P = ParamSpec("P")
T = TypeVar("T")

# The last is: record changed since the snapshot (MariaDB with innodb_snapshot_isolation).
MYSQL_CONFLICTS = {1213: "deadlock", 1205: "lock_wait", 1020: "snapshot"}
ATTEMPTS = 8
FIRST_PAUSE_S = 0.01
LOCK_WAIT_S = 5
# More connections than this do not make two cores faster, and a database has to hold each of them.
CONNECTIONS = 20

# What a connection in use knows of its reading or write.
NAME, _TOUCHED = "name", "touched"

log = logging.getLogger(__name__)


class StaleError(Exception):
    """Raised inside a write whose reading was overtaken by a rival: the write runs again from its start."""


class Attempt(StrEnum):
    """How a reading or an attempt to write ended. RETRIED comes again; REFUSED found what its caller must be told."""

    DONE = "done"
    RETRIED = "retried"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Database:
    """One database by its SQLAlchemy URL (`sqlite+aiosqlite:///…` or `mysql+aiomysql://…`)."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self.engine = _engine(self._url)
        self._reading = self.engine.execution_options(reads=True)
        self._writing = self.engine.execution_options(writes=True)
        # Called after each commit with the flights whose seats changed hands; must not raise, nor take long.
        self.when_touched: list[Callable[[frozenset[int]], None]] = []
        # Told of each reading and each attempt to write: its name, how many seconds it took, how it ended, and why.
        self.observe: Callable[[str, float, Attempt, str], None] = _unobserved
        # Entered around each of them, by its name.
        self.around: Callable[[str], AbstractContextManager[object]] = nullcontext
        # How many want a connection and have none yet.
        self.waiting = 0
        # SQLite has one writer. Queueing here is fair and cheap; its own busy wait is neither.
        self._turn: AbstractAsyncContextManager[Any] = asyncio.Lock() if self.is_sqlite else nullcontext()

    def __repr__(self) -> str:
        return f"<Database {self._url.render_as_string(hide_password=True)}>"

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    async def __aenter__(self) -> "Database":
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.engine.dispose()

    @asynccontextmanager
    async def reading(self, name: str) -> AsyncIterator[AsyncConnection]:
        """A connection for reading only; `name` is what metrics call it. Raises DatabaseUnavailable.

        On MySQL each statement sees what is committed by then, on SQLite all see the same moment.
        """
        with self._translated(), self._observed(name):
            async with self._connection(self._reading) as connection:
                connection.info[NAME] = name
                yield connection

    async def write(
        self,
        work: Callable[Concatenate[AsyncConnection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Runs `work(connection, …)` in one transaction, again on a conflict: it must touch nothing but the database.

        Raises what `work` raises, with everything undone, DatabaseUnavailable, and OutcomeUnknown.
        """
        name = work.__name__.strip("_")
        with self._translated():
            for attempt in range(1, ATTEMPTS):
                try:
                    return await self._attempt(name, work, *args, **kwargs)
                except (DBAPIError, StaleError) as exc:
                    if not _runs_again(exc):
                        raise
                await asyncio.sleep(random.uniform(0, FIRST_PAUSE_S * 2**attempt))
            return await self._attempt(name, work, *args, **kwargs)

    async def _attempt(
        self,
        name: str,
        work: Callable[Concatenate[AsyncConnection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        async with self._turn, self._connection(self._writing) as connection:
            with self._observed(name):
                connection.info[NAME] = name
                connection.info[_TOUCHED] = set()
                await connection.begin()
                result = await work(connection, *args, **kwargs)
                await _commit(connection)
            touched = frozenset(connection.info.pop(_TOUCHED))
        for call in self.when_touched if touched else ():
            call(touched)
        return result

    @asynccontextmanager
    async def _connection(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        async with AsyncExitStack() as stack:
            self.waiting += 1
            try:
                connection = await stack.enter_async_context(engine.connect())
            finally:
                self.waiting -= 1
            yield connection

    @contextmanager
    def _observed(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        outcome, cause = Attempt.DONE, ""
        with self.around(name):
            try:
                yield
            except BaseException as exc:
                outcome, cause = _judged(exc)
                raise
            finally:
                self.observe(name, time.perf_counter() - started, outcome, cause)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError, NoFreeConnection, StaleError) as exc:
            cause = exc.orig if isinstance(exc, DBAPIError) else exc
            log.error("%r does not serve: %s. Check that it runs, and BOOKING_DATABASE_URL.", self, cause)
            raise DatabaseUnavailable from exc

    async def ping(self) -> None:
        """Raises DatabaseUnavailable unless the database answers."""
        async with self.reading("ping") as connection:
            await connection.execute(text("SELECT 1"))


def touch(connection: AsyncConnection, flight_id: int) -> None:
    """Says that a write changes which seats of a flight are free: `when_touched` is called once it is committed."""
    connection.info[_TOUCHED].add(flight_id)


def changed_one(result: CursorResult[Any]) -> bool:
    """Whether a conditional UPDATE found its row as it was expected."""
    return result.rowcount == 1


def inserted_id(result: CursorResult[Any]) -> int:
    """The id of the row that an INSERT made."""
    key = result.inserted_primary_key
    assert key is not None  # noqa: S101 an INSERT of one row has one
    return int(key[0])


async def _commit(connection: AsyncConnection) -> None:
    try:
        await connection.commit()
    except DBAPIError as exc:
        if _runs_again(exc):
            raise
        log.error("The connection was lost at COMMIT, so that its outcome is unknown: %s", exc.orig)
        raise OutcomeUnknown from exc


def _unobserved(_name: str, _seconds: float, _outcome: Attempt, _cause: str) -> None:
    pass


def _judged(exc: BaseException) -> tuple[Attempt, str]:
    """How an attempt ended that raised, and why: a kind of conflict, the code of a problem, or the error's class."""
    match exc:
        case OutcomeUnknown():
            return Attempt.UNKNOWN, "commit"
        case DBAPIError() | StaleError() if _runs_again(exc):
            return Attempt.RETRIED, _conflict(exc)
        case Problem():
            return Attempt.REFUSED, exc.code
        case _:
            return Attempt.FAILED, type(exc).__name__


def _runs_again(exc: DBAPIError | StaleError) -> bool:
    return bool(_conflict(exc))


def _conflict(exc: DBAPIError | StaleError) -> str:
    """Which one it is; empty if it is none."""
    if isinstance(exc, StaleError):
        return "stale"
    cause: BaseException | None = exc.orig
    while cause is not None:
        if isinstance(cause, sqlite3.Error):
            return "busy" if cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY else ""
        if cause.args and cause.args[0] in MYSQL_CONFLICTS:
            return MYSQL_CONFLICTS[cause.args[0]]
        cause = cause.__cause__
    return ""


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(
            url,
            pool_size=CONNECTIONS,
            max_overflow=0,
            connect_args={"timeout": LOCK_WAIT_S},
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    engine = create_async_engine(
        mysql.by_own_dialect(url),
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={
            "autocommit": True,
            "connect_timeout": 5,
            "init_command": f"SET SESSION innodb_lock_wait_timeout={LOCK_WAIT_S}",
        },
    )
    event.listen(engine.sync_engine, "connect", _prepare_mysql)
    event.listen(engine.sync_engine, "begin", _begin_mysql)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    # Without this, sqlite3 opens transactions by itself, and only when it sees fit.
    connection.isolation_level = None
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_mysql(connection: DBAPIConnection, _record: object) -> None:
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")


def _begin_mysql(connection: Connection) -> None:
    # Each statement of a reading sees what is committed by then: it needs no transaction around them.
    if not connection.get_execution_options().get("reads", False):
        connection.exec_driver_sql("BEGIN")
