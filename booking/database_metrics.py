"""What Prometheus is told of the database: its connections, and what it says is still to be done."""

from collections.abc import Iterator
from typing import cast

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.pool import AsyncAdaptedQueuePool

from booking.db import Database
from booking.figures import Figures
from booking.tables import DeliveryState


class PoolCollector(Collector):
    """The connections of this process when Prometheus asks."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def collect(self) -> Iterator[Metric]:
        pool = cast(AsyncAdaptedQueuePool, self._db.engine.pool)
        family = GaugeMetricFamily("booking_database_connections", "Database connections by state.", labels=["state"])
        family.add_metric(["in_use"], pool.checkedout())
        family.add_metric(["idle"], pool.checkedin())
        yield family
        yield _gauge("booking_database_connections_limit", "The most database connections at once.", pool.size())
        text = "Readings and writes that wait for a database connection."
        yield _gauge("booking_database_connections_waiting", text, self._db.waiting)


class UnfinishedCollector(Collector):
    """What was read last. Without figures, only that the database did not answer."""

    figures: Figures | None = None

    def collect(self) -> Iterator[Metric]:
        yield _gauge("booking_database_up", "1 if the database answered when it was asked last.", bool(self.figures))
        if self.figures:
            yield from _families(self.figures)


def _families(figures: Figures) -> Iterator[Metric]:
    yield _gauge("booking_unpaid_bookings", "Bookings that hold seats and are not paid.", figures.unpaid_bookings)
    payments = GaugeMetricFamily("booking_payments", "Payments by state.", labels=["state"])
    for state, count in figures.payments.items():
        payments.add_metric([state], count)
    yield payments
    text = "Age in seconds of the oldest payment whose outcome is not known."
    yield _gauge("booking_open_payments_oldest_age_seconds", text, figures.open_payments.oldest_s)
    yield _gauge("booking_refunds_due", "Refunds that are still to be done.", figures.refunds_due.count)
    text = "Age in seconds of the oldest refund that is still to be done."
    yield _gauge("booking_refunds_due_oldest_age_seconds", text, figures.refunds_due.oldest_s)
    deliveries = GaugeMetricFamily(
        "booking_deliveries", "What the outbox has to send and the inbox to work off.", labels=["box", "state"]
    )
    text = "Age in seconds of the oldest delivery that is due."
    lag = GaugeMetricFamily("booking_delivery_lag_seconds", text, labels=["box"])
    for (box, state), waiting in figures.deliveries.items():
        deliveries.add_metric([box, state], waiting.count)
        if state == DeliveryState.DUE:
            lag.add_metric([box], waiting.oldest_s)
    yield deliveries
    yield lag


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
