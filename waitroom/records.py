"""What is kept of each exchange once it is over: counts for the metrics, and a line for the access log."""

from typing import Protocol

from waitroom.access_log import AccessLog
from waitroom.exchange import Exchange
from waitroom.metrics import Metrics


class Traces(Protocol):
    """Who traces what goes on to origins. `begin` gives the lines that tell the origin of the trace."""

    def begin(self, exchange: Exchange, *, is_trusted: bool) -> bytes: ...


class Records:
    """Counts and writes down. `traces` are for who sends exchanges on."""

    def __init__(self, metrics: Metrics, access_log: AccessLog) -> None:
        self.traces: Traces | None = None
        self._metrics = metrics
        self._access_log = access_log
        self.asked = metrics.asked
        self.answered = metrics.answered

    def origin_failed(self, exchange: Exchange, why: str) -> None:
        """An origin could not be reached, or gave no whole response."""
        self._metrics.origin_failed(exchange.room, why)

    def finished(self, exchange: Exchange, now_s: float) -> None:
        """An exchange is over, however it ended; `now_s` is by the steady clock by which it began."""
        seconds = now_s - exchange.started_s
        origin_s = exchange.origin_s if exchange.origin else None
        self._metrics.note(
            exchange.room,
            exchange.outcome,
            exchange.status,
            exchange.bytes_in,
            exchange.bytes_out,
            seconds,
            # An origin that could not be reached took no time, and is no fast one.
            origin_s or None,
        )
        if self._access_log.is_on:
            connection, head, target = exchange.connection, exchange.head, exchange.target
            self._access_log.note(
                exchange.request_id.decode(),
                exchange.room,
                exchange.key,
                exchange.asker.client.address if exchange.asker else connection.address,
                head.method,
                "https" if connection.is_tls else "http",
                target.host,
                target.raw,
                head.minor,
                exchange.status,
                exchange.outcome,
                exchange.bytes_in,
                exchange.bytes_out,
                seconds,
                exchange.origin,
                origin_s,
                exchange.was_broken_off,
                b"".join(head.looked.get(b"user-agent", ())),
            )


class TracedRecords(Records):
    """The same, where some exchanges have a trace."""

    def __init__(self, metrics: Metrics, access_log: AccessLog, traces: Traces) -> None:
        super().__init__(metrics, access_log)
        self.traces = traces

    def origin_failed(self, exchange: Exchange, why: str) -> None:
        super().origin_failed(exchange, why)
        if exchange.trace:
            exchange.trace.origin_failed(why)

    def finished(self, exchange: Exchange, now_s: float) -> None:
        super().finished(exchange, now_s)
        if exchange.trace:
            exchange.trace.end(exchange)
