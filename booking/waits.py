"""Spans of what a request waits for: readings and writes by their names, with their statements; the cache; Redis; other
servers. Nothing is recorded outside of a request that is.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

from aiohttp import (
    ClientSession,
    TraceConfig,
    TraceRequestEndParams,
    TraceRequestExceptionParams,
    TraceRequestStartParams,
)
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, get_current_span
from sqlalchemy import Connection, event
from sqlalchemy.engine import ExceptionContext

from booking.cache import Cache
from booking.db import NAME, Attempt, Database
from booking.slow_queries import shortened
from booking.store import Store

# What a connection in use knows of its statement.
SPAN = "statement_span"
FAILED = Status(StatusCode.ERROR)


def watch(tracer: Tracer, db: Database, cache: Cache, store: Store) -> None:
    """Traces from now on what these do. Who observes database and cache by now goes on to be told."""
    database = {"db.system.name": db.engine.dialect.name}
    redis = {"db.system.name": "redis"}
    db.around = lambda name: _child(tracer, name, SpanKind.INTERNAL, database)
    cache.around = lambda kind: _child(tracer, f"cache {kind}", SpanKind.INTERNAL, {})
    store.around = lambda name: _child(tracer, name, SpanKind.CLIENT, redis)
    observe_attempt, observe_lookup = db.observe, cache.observe

    def attempted(name: str, seconds: float, outcome: Attempt, cause: str) -> None:
        observe_attempt(name, seconds, outcome, cause)
        _note_attempt(get_current_span(), outcome, cause)

    def looked_up(kind: str, outcome: str) -> None:
        observe_lookup(kind, outcome)
        get_current_span().add_event("cache", {"booking.cache.kind": kind, "booking.cache.outcome": outcome})

    db.observe, cache.observe = attempted, looked_up
    _watch_statements(tracer, db)


def of_client(tracer: Tracer) -> TraceConfig:
    """Has the requests of a ClientSession traced. The servers that are asked are told nothing: they are not ours."""

    async def asks(_session: ClientSession, context: SimpleNamespace, params: TraceRequestStartParams) -> None:
        context.span = None
        if get_current_span().is_recording():
            url = params.url
            attributes: dict[str, str | int] = {
                "http.request.method": params.method,
                "server.address": url.host or "",
                "server.port": url.port or 0,
                "url.scheme": url.scheme,
            }
            context.span = tracer.start_span(params.method, kind=SpanKind.CLIENT, attributes=attributes)

    config = TraceConfig()
    config.on_request_start.append(asks)
    config.on_request_end.append(_was_answered)
    config.on_request_exception.append(_was_not_answered)
    return config


@contextmanager
def failing(span: Span) -> Iterator[None]:
    """Says which error ended a span, by its class alone: what it tells may be personal."""
    try:
        yield
    except Exception as exc:
        _fail(span, exc)
        raise


def _child(tracer: Tracer, name: str, kind: SpanKind, told: Mapping[str, str]) -> AbstractContextManager[object]:
    if not get_current_span().is_recording():
        return nullcontext()
    return tracer.start_as_current_span(
        name, kind=kind, attributes=told, record_exception=False, set_status_on_exception=False
    )


def _note_attempt(span: Span, outcome: Attempt, cause: str) -> None:
    span.set_attribute("booking.outcome", outcome)
    if cause:
        span.set_attribute("error.type", cause)
    if outcome in (Attempt.FAILED, Attempt.UNKNOWN):
        span.set_status(FAILED)


def _fail(span: Span, exc: BaseException) -> None:
    span.set_attribute("error.type", type(exc).__name__)
    span.set_status(FAILED)


def _watch_statements(tracer: Tracer, db: Database) -> None:
    """A span for each statement, as it is prepared: values are not in it."""
    system = db.engine.dialect.name

    def began(connection: Connection, _cursor: Any, statement: str, *_: object) -> None:
        if get_current_span().is_recording():
            connection.info[SPAN] = tracer.start_span(
                statement.split(maxsplit=1)[0].upper(),
                kind=SpanKind.CLIENT,
                attributes={
                    "db.system.name": system,
                    "db.query.summary": connection.info.get(NAME, "unnamed"),
                    "db.query.text": shortened(statement),
                },
            )

    def ended(connection: Connection, *_: object) -> None:
        if span := connection.info.pop(SPAN, None):
            span.end()

    def failed(context: ExceptionContext) -> None:
        if context.connection is not None and (span := context.connection.info.pop(SPAN, None)):
            _fail(span, context.original_exception)
            span.end()

    event.listen(db.engine.sync_engine, "before_cursor_execute", began)
    event.listen(db.engine.sync_engine, "after_cursor_execute", ended)
    event.listen(db.engine.sync_engine, "handle_error", failed)


async def _was_answered(_session: ClientSession, context: SimpleNamespace, params: TraceRequestEndParams) -> None:
    if context.span:
        status = params.response.status
        context.span.set_attribute("http.response.status_code", status)
        if status >= 400:
            context.span.set_attribute("error.type", str(status))
            context.span.set_status(FAILED)
        context.span.end()


async def _was_not_answered(
    _session: ClientSession, context: SimpleNamespace, params: TraceRequestExceptionParams
) -> None:
    if context.span:
        _fail(context.span, params.exception)
        context.span.end()
