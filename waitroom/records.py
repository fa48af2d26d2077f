"""What is kept of each exchange once it is over: counts for the metrics, and a line for the access log."""

from collections.abc import Callable

from waitroom.access_log import AccessLog
from waitroom.exchange import Exchange
from waitroom.metrics import Metrics


class Records:
    """`now_s` is the steady clock by which exchanges begin."""

    def __init__(self, metrics: Metrics, access_log: AccessLog, now_s: Callable[[], float]) -> None:
        self._metrics = metrics
        self._access_log = access_log
        self._now_s = now_s

    def origin_failed(self, exchange: Exchange, why: str) -> None:
        """An origin could not be reached, or gave no whole response."""
        self._metrics.origin_failed(exchange.room, why)

    def finished(self, exchange: Exchange) -> None:
        """An exchange is over, however it ended."""
        connection, head, target = exchange.connection, exchange.head, exchange.target
        seconds = self._now_s() - exchange.started_s
        origin_s = exchange.origin_s if exchange.origin else None
        self._metrics.note(
            exchange.room, exchange.outcome, exchange.status, exchange.bytes_in, exchange.bytes_out, seconds, origin_s
        )
        if self._access_log.is_on:
            self._access_log.note(
                exchange.request_id,
                exchange.room,
                exchange.key,
                exchange.client or connection.address,
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
