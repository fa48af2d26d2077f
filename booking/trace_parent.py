"""The trace of the request under way, for what it sets off and others do later; pure names, no OpenTelemetry."""

from contextvars import ContextVar

# As W3C Trace Context writes it; empty where nothing is recorded.
current: ContextVar[str] = ContextVar("traceparent", default="")
