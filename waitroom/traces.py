"""Traces of what goes on to an origin: a span of the whole exchange, and in it one of the origin's share.

What waitroom answers by itself (the waiting page, polls, refusals) has none: a crowd asks for nothing else, and metrics
count it. Attributes are after OpenTelemetry's conventions for HTTP. None holds a query, a field's value, a visitor's
address or anything else that a visitor is known by.

Who asks is a stranger, who must not decide what is recorded, nor into whose trace it goes: a trace of a visitor's is
linked to, and ours begins anew, as W3C Trace Context lets the edge of a site do (section 3.4, restart). A proxy that is
trusted has its trace continued.
"""

import asyncio
import threading
import time
from functools import lru_cache

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from waitroom import origin_address
from waitroom.exchange import Exchange
from waitroom.wire.heads import without

NAME = "waitroom"
FIELDS = frozenset((b"traceparent", b"tracestate"))
# The rest are called _OTHER, so that a list of them stays short.
METHODS = frozenset(b"GET HEAD POST PUT DELETE OPTIONS PATCH QUERY".split())
# What a collector is given to take the last spans, once all visitors are gone.
FLUSH_S = 3.0
NOTHING = Context()
UNRECORDED = b"traceparent: 00-%032x-%016x-00\r\n"
FAILED = Status(StatusCode.ERROR)

propagator = TraceContextTextMapPropagator()


class Ids(RandomIdGenerator):
    """Of which the next trace's is known: whether that is sampled can be asked before anything is made for it."""

    def __init__(self) -> None:
        self.next_trace = super().generate_trace_id()

    def generate_trace_id(self) -> int:
        trace, self.next_trace = self.next_trace, super().generate_trace_id()
        return trace


class Traces:
    """Spans for exchanges, sampled as the provider says, whose ids these are."""

    def __init__(self, provider: TracerProvider, ids: Ids) -> None:
        self._provider = provider
        self._sampler = provider.sampler
        self._ids = ids
        self._tracer = provider.get_tracer(NAME)

    @classmethod
    def to_collector(cls) -> "Traces":
        """What the OTEL_* variables say of collector, sampler, batches, limits and resource holds."""
        resource = Resource.create({SERVICE_NAME: NAME}).merge(OTELResourceDetector().detect())
        ids = Ids()
        provider = TracerProvider(resource=resource, id_generator=ids, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider, ids)

    def begin(self, exchange: Exchange, *, is_trusted: bool) -> bytes:
        """Begins the trace of a request that goes on, if it is sampled; takes what the visitor sent of one out of it.

        Gives the lines that tell the origin of the trace, or that it is none to be recorded.
        """
        told = _told(exchange)
        is_continued = is_trusted and told is not None
        if not is_continued and self._is_next_dropped():
            return UNRECORDED % (self._ids.generate_trace_id(), self._ids.generate_span_id())
        span = self._tracer.start_span(
            _method(exchange),
            context=told if is_continued else NOTHING,
            kind=SpanKind.SERVER,
            links=_links(told) if told and not is_continued else None,
            start_time=time.time_ns() - int((time.monotonic() - exchange.started_s) * 1e9),
        )
        if span.is_recording():
            context = set_span_in_context(span, NOTHING)
            asking = self._tracer.start_span(_method(exchange), context=context, kind=SpanKind.CLIENT)
            exchange.trace = Trace(span, asking)
            span = asking
        return _lines(span)

    def _is_next_dropped(self) -> bool:
        """Of the trace that would begin now: most are where one in many is sampled, and cost half as much by this."""
        sampled = self._sampler.should_sample(NOTHING, self._ids.next_trace, NAME, SpanKind.SERVER)
        return sampled.decision is Decision.DROP

    async def close(self) -> None:
        """Sends what is left, as far as the collector takes it in time."""
        # A daemon, since one that can't be reached is asked for longer than anybody waits.
        flushing = threading.Thread(target=self._provider.shutdown, daemon=True)
        flushing.start()
        await asyncio.to_thread(flushing.join, FLUSH_S)


class Trace:
    """One exchange that is recorded: its own span, and the one of its origin."""

    __slots__ = ("_asking", "_span", "_why")

    def __init__(self, span: Span, asking: Span) -> None:
        self._span = span
        self._asking = asking
        self._why = ""

    def origin_failed(self, why: str) -> None:
        """An origin gave no whole response; another may be asked."""
        self._why = why
        self._asking.add_event("origin_failed", {"error.type": why})

    def end(self, exchange: Exchange) -> None:
        """Writes down how the exchange went."""
        end_ns = time.time_ns()
        if exchange.origin:
            self._describe_origin(exchange)
            self._asking.end(end_ns)
        self._describe(exchange)
        self._span.end(end_ns)

    def _describe(self, exchange: Exchange) -> None:
        span, target, method = self._span, exchange.target, exchange.head.method
        asker = exchange.asker
        span.set_attributes(
            {
                "http.request.method": _method(exchange),
                "server.address": asker.host if asker else target.host,
                "url.path": _text(target.path),
                "url.scheme": asker.client.scheme if asker else "http",
                "waitroom.outcome": exchange.outcome,
                "waitroom.request_id": exchange.request_id.decode(),
                "waitroom.room": exchange.room,
            }
        )
        if method not in METHODS:
            span.set_attribute("http.request.method_original", method.decode())
        if exchange.was_broken_off:
            span.set_attribute("waitroom.aborted", True)
        if exchange.key:
            span.set_attribute("waitroom.key", exchange.key)
        if exchange.status:
            span.set_attribute("http.response.status_code", exchange.status)
        if exchange.status >= 500:
            span.set_attribute("error.type", str(exchange.status))
            span.set_status(FAILED)

    def _describe_origin(self, exchange: Exchange) -> None:
        span, origin = self._asking, exchange.origin
        span.set_attribute("http.request.method", _method(exchange))
        span.set_attribute("url.full", origin + _text(exchange.target.path))
        span.set_attributes(_server(origin))
        failed = exchange.outcome == "failed"  # then the status is of our own answer
        if exchange.status and not failed:
            span.set_attribute("http.response.status_code", exchange.status)
        if failed or (self._why and exchange.was_broken_off):
            span.set_attribute("error.type", self._why or "_OTHER")
            span.set_status(FAILED)
        elif exchange.status >= 400:
            span.set_attribute("error.type", str(exchange.status))
            span.set_status(FAILED)


def _told(exchange: Exchange) -> Context | None:
    """The trace that the request came with, None for none that is sound; its fields go no further."""
    looked = exchange.head.looked
    if b"traceparent" not in looked and b"tracestate" not in looked:
        return None
    carrier = {name.decode(): _text(b",".join(looked.get(name, ()))) for name in FIELDS}
    exchange.head = without(exchange.head, FIELDS)
    told = propagator.extract(carrier, NOTHING)
    return told if get_current_span(told).get_span_context().is_valid else None


def _links(told: Context) -> list[Link]:
    return [Link(get_current_span(told).get_span_context())]


def _lines(span: Span) -> bytes:
    """By hand, since each request that goes on has them (W3C Trace Context, sections 3.2 and 3.3)."""
    own = span.get_span_context()
    line = b"traceparent: 00-%032x-%016x-%02x\r\n" % (own.trace_id, own.span_id, own.trace_flags)
    return line + b"tracestate: %b\r\n" % own.trace_state.to_header().encode() if own.trace_state else line


def _method(exchange: Exchange) -> str:
    method = exchange.head.method
    return method.decode() if method in METHODS else "_OTHER"


def _text(sent: bytes) -> str:
    return sent.decode("utf-8", "backslashreplace")


@lru_cache(256)
def _server(origin: str) -> dict[str, str | int]:
    """Where an origin is, by its URL."""
    address = origin_address.parse(origin)
    if address.path:
        return {"server.address": address.path}
    return {"server.address": address.host, "server.port": address.port}
