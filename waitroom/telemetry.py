"""Whether this process traces: that is up to the standard OTEL_* environment variables, and to nothing of ours.

OpenTelemetry is imported only where it does, so that nobody else pays for it, or needs to have it.
"""

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from waitroom.traces import Traces

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROTOCOL = "http/protobuf"

log = logging.getLogger(__name__)


def traces(environment: Mapping[str, str] = os.environ) -> "Traces | None":
    """Starts to trace, if the environment names a collector; logs why not where it does and something is missing."""
    endpoint = _first(environment, ENDPOINTS)
    if not endpoint or _is_off(environment):
        return None
    if (protocol := _first(environment, PROTOCOLS) or PROTOCOL) != PROTOCOL:
        log.warning("no traces are sent: they can be by %s=%s only, not by %s", PROTOCOLS[-1], PROTOCOL, protocol)
        return None
    try:
        from waitroom.traces import Traces  # noqa: PLC0415 of the extra `traces`
    except ImportError as exc:
        log.warning("no traces are sent to %s: %s is missing; pip install waitroom[traces]", endpoint, exc.name)
        return None
    return Traces.to_collector()


def _is_off(environment: Mapping[str, str]) -> bool:
    return (
        environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        or environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    )


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next(filter(None, (environment.get(name, "").strip() for name in names)), "")
