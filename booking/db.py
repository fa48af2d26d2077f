"""The database: owns the engine and what a transaction means. SQLite and MySQL or MariaDB behave alike behind it.

A write is a function of a connection. It commits whole or not at all, and runs again from its start when the database
asks for that (deadlock, lock wait, snapshot conflict, busy) or when it finds its own reading stale.
"""

import asyncio
import contextlib
import logging
import random
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import event, text
from sqlalchemy.engine import URL, Connection, CursorResult, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoFreeConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from booking.errors import DatabaseUnavailable

P = ParamSpec("P")
T = TypeVar("T")

# Deadlock; lock wait timeout; record changed since the snapshot (MariaDB with innodb_snapshot_isolation).
MYSQL_CONFLICTS = frozenset({1213, 1205, 1020})
ATTEMPTS = 8
FIRST_PAUSE_S = 0.01
LOCK_WAIT_S = 5
# More connections than this do not make two cores faster, and a database has to hold each of them.
CONNECTIONS = 20

log = logging.getLogger(__name__)


class StaleError(Exception):
    """Raised inside a write whose reading was overtaken by a rival: the write runs again from its start."""


class Database:
    """One database by its SQLAlchemy URL (`sqlite+aiosqlite:///…` or `mysql+aiomysql://…`)."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self.engine = _engine(self._url)
        self._writing = self.engine.execution_options(writes=True)
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
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection with one consistent view, for reading only. Raises DatabaseUnavailable."""
        with self._translated():
            async with self.engine.connect() as connection:
                yield connection

    async def write(
        self,
        work: Callable[Concatenate[AsyncConnection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Runs `work(connection, …)` in one transaction, again on a conflict: it must touch nothing but the database.

        Raises what `work` raises, with everything undone, and DatabaseUnavailable.
        """
        with self._translated():
            for attempt in range(1, ATTEMPTS):
                try:
                    return await self._attempt(work, *args, **kwargs)
                except (DBAPIError, StaleError) as exc:
                    if not _runs_again(exc):
                        raise
                await asyncio.sleep(random.uniform(0, FIRST_PAUSE_S * 2**attempt))
            return await self._attempt(work, *args, **kwargs)

    async def _attempt(
        self,
        work: Callable[Concatenate[AsyncConnection, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        async with self._turn, self._writing.begin() as connection:
            return await work(connection, *args, **kwargs)

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
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))


def changed_one(result: CursorResult[Any]) -> bool:
    """Whether a conditional UPDATE found its row as it was expected."""
    return result.rowcount == 1


def inserted_id(result: CursorResult[Any]) -> int:
    """The id of the row that an INSERT made."""
    key = result.inserted_primary_key
    assert key is not None  # noqa: S101 an INSERT of one row has one
    return int(key[0])


def _runs_again(exc: DBAPIError | StaleError) -> bool:
    if isinstance(exc, StaleError):
        return True
    cause: BaseException | None = exc.orig
    while cause is not None:
        if isinstance(cause, sqlite3.Error):
            return cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
        if cause.args and cause.args[0] in MYSQL_CONFLICTS:
            return True
        cause = cause.__cause__
    return False


def _engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url, pool_size=CONNECTIONS, max_overflow=0, connect_args={"timeout": LOCK_WAIT_S})
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    return create_async_engine(
        url,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        connect_args={"connect_timeout": 5, "init_command": f"SET SESSION innodb_lock_wait_timeout={LOCK_WAIT_S}"},
    )


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
