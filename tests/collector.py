"""A collector of traces: takes OTLP over HTTP for real on a private port, and tells what it got."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.servers import eventually, free_port


@dataclass(frozen=True)
class Seen:
    """A span. Ids are in hex; `parent` is empty for the first of a trace, and a link is a trace and a span."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: list[tuple[str, str]]
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    has_failed: bool
    start_ns: int
    end_ns: int


@dataclass
class Collector:
    """`bodies` is all that was sent, as it came. While `answers` is not set, nobody gets an answer."""

    port: int = field(default_factory=free_port)
    bodies: list[bytes] = field(default_factory=list)
    spans: list[Seen] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answers.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def of(self, service: str, kind: str = "", name: str = "") -> list[Seen]:
        """Those of a service, and of a kind and by a name where these are given."""
        of_service = [span for span in self.spans if span.service == service]
        return [span for span in of_service if kind in ("", span.kind) and name in ("", span.name)]

    async def one(self, service: str, kind: str = "", name: str = "") -> Seen:
        """The only one of these, as soon as it has come."""
        await eventually(lambda: self.of(service, kind, name))
        [span] = self.of(service, kind, name)
        return span

    def within(self, parent: Seen) -> list[Seen]:
        """The children of a span, in their order."""
        children = [span for span in self.spans if (span.trace, span.parent) == (parent.trace, parent.id)]
        return sorted(children, key=lambda span: span.start_ns)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        content = gzip.decompress(body) if request.headers.get("Content-Encoding") == "gzip" else body
        self.bodies.append(content)
        await self.answers.wait()
        for resource in ExportTraceServiceRequest.FromString(content).resource_spans:
            service = _values(resource.resource.attributes)["service.name"]
            self.spans += [_seen(service, span) for scope in resource.scope_spans for span in scope.spans]
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
        )


@asynccontextmanager
async def collecting(monkeypatch: pytest.MonkeyPatch, **variables: str) -> AsyncIterator[Collector]:
    """A collector to which everything that is started meanwhile sends its traces, quickly; `variables` are more of
    OTEL_*."""
    collector = Collector()
    told = {"EXPORTER_OTLP_ENDPOINT": collector.url, "BSP_SCHEDULE_DELAY": "50"} | variables
    for name, value in told.items():
        monkeypatch.setenv(f"OTEL_{name}", value)
    application = web.Application()
    application.add_routes([web.post("/v1/traces", collector.take)])
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", collector.port).start()
        yield collector
    finally:
        collector.answers.set()
        await runner.cleanup()


def _seen(service: str, span: trace_pb2.Span) -> Seen:
    return Seen(
        service=service,
        name=span.name,
        kind=trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        attributes=_values(span.attributes),
        events=[(event.name, _values(event.attributes)) for event in span.events],
        has_failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one) for one in attributes}


def _value(one: KeyValue) -> Any:
    kind = one.value.WhichOneof("value")
    return getattr(one.value, kind) if kind else None
