"""Traces: a span of each request by its route, in which `waits` are. What a request leaves to the courier is a trace of
its own, with a link back.

No span holds what people have sent, or what is known of them: no path with a reference in it, no query, no value of a
statement, no address, no message of an exception.
"""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import TraceConfig, web
from aiohttp.typedefs import Handler
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from booking import trace_parent, waits
from booking.cache import Cache
from booking.courier import Courier
from booking.db import Database
from booking.metrics import METHODS
from booking.outbox import Delivery
from booking.store import Store

NAME = "booking"
# Somebody asks for it each second, and it tells nothing.
UNTRACED = "/healthz"
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# What a collector is given to take the last spans, once nobody is served any more.
FLUSH_S = 3.0
NOTHING = Context()
FAILED = Status(StatusCode.ERROR)

propagator = TraceContextTextMapPropagator()


class Traces:
    """Spans, sampled as `provider` says; what follows from a request that is recorded is recorded, too, by `following`.
    Both have the same processor."""

    def __init__(self, provider: TracerProvider, following: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(NAME)
        self._following = following.get_tracer(NAME)

    @classmethod
    def to_collector(cls) -> "Traces":
        """What the OTEL_* variables say of collector, sampler, batches, limits and resource holds."""
        resource = Resource.create({SERVICE_NAME: NAME}).merge(OTELResourceDetector().detect())
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        following = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        processor = BatchSpanProcessor(OTLPSpanExporter())
        for each in (provider, following):
            each.add_span_processor(processor)
        return cls(provider, following)

    @web.middleware
    async def trace_request(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Belongs outside of everything, so that each request ends in a status."""
        resource = request.match_info.route.resource
        route = resource.canonical if resource else ""
        if route == UNTRACED:
            return await handler(request)
        method = request.method if request.method in METHODS else "_OTHER"
        with self._tracer.start_as_current_span(
            f"{method} {route}".rstrip(),
            context=propagator.extract(request.headers, NOTHING),
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            if not span.is_recording():
                return await handler(request)
            _describe(span, request, method, route)
            with _known_to_others():
                response = await handler(request)
            span.set_attribute("http.response.status_code", response.status)
            if response.status >= 500:
                span.set_attribute("error.type", str(response.status))
                span.set_status(FAILED)
            return response

    def watch(self, db: Database, cache: Cache, store: Store, courier: Courier) -> None:
        """Traces from now on what these do for a request that is recorded, or because of one."""
        waits.watch(self._tracer, db, cache, store)
        courier.around = self._delivering

    def of_client(self) -> TraceConfig:
        """Has the requests of a ClientSession traced."""
        return waits.of_client(self._tracer)

    async def close(self) -> None:
        """Sends what is left, as far as the collector takes it in time."""
        # A daemon, since one that can't be reached is asked for longer than anybody waits.
        flushing = threading.Thread(target=self._provider.shutdown, daemon=True)
        flushing.start()
        await asyncio.to_thread(flushing.join, FLUSH_S)

    @contextmanager
    def _delivering(self, delivery: Delivery) -> Iterator[None]:
        cause = get_current_span(propagator.extract({"traceparent": delivery.trace}, NOTHING)).get_span_context()
        if not cause.is_valid:
            yield
            return
        with (
            self._following.start_as_current_span(
                f"deliver {delivery.kind}",
                context=NOTHING,
                kind=SpanKind.CONSUMER,
                attributes={"booking.delivery.kind": delivery.kind, "booking.delivery.event": delivery.event},
                links=[Link(cause)],
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            waits.failing(span),
        ):
            yield


def _describe(span: Span, request: web.Request, method: str, route: str) -> None:
    span.set_attributes(
        {
            "http.request.method": method,
            "network.protocol.version": f"{request.version.major}.{request.version.minor}",
            "url.scheme": request.scheme,
        }
    )
    if route:
        span.set_attribute("http.route", route)
    if REQUEST_ID.fullmatch(request_id := request.headers.get("X-Request-Id", "")):
        span.set_attribute("waitroom.request_id", request_id)


@contextmanager
def _known_to_others() -> Iterator[None]:
    """Has what is announced meanwhile know the trace that it comes from."""
    carrier: dict[str, str] = {}
    propagator.inject(carrier)
    token = trace_parent.current.set(carrier["traceparent"])
    try:
        yield
    finally:
        trace_parent.current.reset(token)
