"""The slow-query log: each statement that takes long, with its name, and never its values, which may be personal."""

import logging
import time
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine

from booking.db import NAME

# Of a statement. One that adds a thousand rows says the same thing a thousand times.
LONGEST_TEXT = 1_000
STARTED = "statement_started_s"

log = logging.getLogger(__name__)


def watch(engine: AsyncEngine, slow_ms: int) -> None:
    """Logs from now on what takes `slow_ms` or longer, once each, whether it ends well or not.

    The time is the statement's own, with all its waiting for locks, without the wait for a connection.
    """

    def began(connection: Connection, *_: object) -> None:
        connection.info[STARTED] = time.monotonic()

    def ended(connection: Connection, cursor: Any, statement: str, *_: object) -> None:
        look(connection, statement, f"{cursor.rowcount} rows" if cursor.rowcount >= 0 else "unknown rows")

    def failed(context: ExceptionContext) -> None:
        if context.connection is not None and context.statement:
            look(context.connection, context.statement, type(context.original_exception).__name__)

    def look(connection: Connection, statement: str, result: str) -> None:
        started = connection.info.pop(STARTED, None)
        took_ms = round((time.monotonic() - started) * 1_000) if started is not None else 0
        if took_ms >= slow_ms:
            name = connection.info.get(NAME, "unnamed")
            log.warning("Slow query %s: %d ms, %s: %s", name, took_ms, result, shortened(statement))

    event.listen(engine.sync_engine, "before_cursor_execute", began)
    event.listen(engine.sync_engine, "after_cursor_execute", ended)
    event.listen(engine.sync_engine, "handle_error", failed)


def shortened(statement: str) -> str:
    """A statement in one line, which has no values in it."""
    text = " ".join(statement.split())
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
