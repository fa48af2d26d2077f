"""The file of a ledger: SQLite on a thread of its own, where one transaction follows another."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sqlite3 import Connection, Row
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from booking.sandbox.errors import NoLedger

__all__ = ["LedgerFile", "Row"]

P = ParamSpec("P")
T = TypeVar("T")


class LedgerFile:
    """Open from `__aenter__` on, which makes the file and its schema if they are missing. Raises NoLedger."""

    _connection: Connection

    def __init__(self, path: Path, schema: str) -> None:
        self._path = path
        self._schema = schema
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    async def __aenter__(self) -> Self:
        try:
            self._connection = await self._on_thread(self._open)
        except (OSError, sqlite3.Error) as exc:
            self._thread.shutdown()
            raise NoLedger(f"cannot open the ledger {self._path}: {exc}") from exc
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._on_thread(self._connection.close)
        self._thread.shutdown()

    async def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work(connection, …)` gives; all that it wrote is kept, or nothing if it raises."""
        return await self._on_thread(lambda: self._in_transaction(lambda: work(self._connection, *args, **kwargs)))

    def _in_transaction(self, work: Callable[[], T]) -> T:
        with self._connection:  # commits, or rolls back
            self._connection.execute("BEGIN IMMEDIATE")
            return work()

    def _open(self) -> Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.row_factory = Row
        connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; {self._schema}")
        return connection

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
