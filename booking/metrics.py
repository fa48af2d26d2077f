"""What this process counts, for Prometheus. Labels come from our own code, never from a request: no visitor can make
them many.
"""

import platform
import time
from dataclasses import fields
from importlib.metadata import version

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from booking.cache import Cache
from booking.database_metrics import PoolCollector, UnfinishedCollector
from booking.db import Attempt, Database
from booking.figures import Figures
from booking.holds import take_seats
from booking.sweeper import Swept

# Upper bounds, in seconds.
QUERY_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
REQUEST_S = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SWEEPS = DONE, FAILED = "done", "failed"
# The write that holds seats: its outcomes are what a sale is watched by.
HOLD = take_seats.__name__


class Metrics:
    """The registry of one process."""

    def __init__(self) -> None:
        # When each series began is a series of its own, and nobody asks for it.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        build = self._gauge("booking_build_info", "1, with the version in the labels.", "version", "python")
        build.labels(version("waitroom"), platform.python_version()).set(1)
        self._requests = self._counter(
            "booking_http_requests", "Requests answered, by route and status.", "method", "route", "status"
        )
        self._request_s = self._histogram(
            "booking_http_request_duration_seconds", "Seconds that requests took, by route.", REQUEST_S,
            "method", "route",
        )  # fmt: skip
        self._query_s = self._histogram(
            "booking_database_attempt_duration_seconds", "Seconds that readings and attempts to write took, by name.",
            QUERY_S, "name",
        )  # fmt: skip
        self._attempts = self._counter(
            "booking_database_attempts",
            "Readings and attempts to write, by how they ended, and why where not well.",
            "name", "outcome", "cause",
        )  # fmt: skip
        self._holds = self._counter("booking_holds", "Wishes to hold seats: `held`, or why not.", "outcome")
        self._lookups = self._counter("booking_cache_lookups", "Lookups in the cache, by kind.", "kind", "outcome")
        self._sweeps = self._counter("booking_sweeps", "Rounds of the sweeper.", "outcome")
        for outcome in SWEEPS:  # none is a count, too
            self._sweeps.labels(outcome)
        self._swept = self._counter("booking_swept", "What the sweeper did, in pieces.", "what")
        self._redis_up = self._gauge("booking_redis_up", "1 if Redis answered when it was asked last.")
        self._unfinished = UnfinishedCollector()
        self.registry.register(self._unfinished)

    @web.middleware
    async def count_requests(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Belongs outside of what answers problems, so that each request ends in a status."""
        started = time.perf_counter()
        response = await handler(request)
        resource = request.match_info.route.resource
        method = request.method if request.method in METHODS else "other"
        route = resource.canonical if resource else "none"
        self._requests.labels(method, route, response.status).inc()
        self._request_s.labels(method, route).observe(time.perf_counter() - started)
        return response

    def note_sweep(self, swept: Swept | None) -> None:
        """One round, None if it failed."""
        self._sweeps.labels(FAILED if swept is None else DONE).inc()
        for field in () if swept is None else fields(swept):
            self._swept.labels(field.name).inc(getattr(swept, field.name))

    def watch(self, db: Database, cache: Cache) -> None:
        """Counts from now on what these do."""
        db.observe = self._note_attempt
        cache.observe = self._note_lookup
        self.registry.register(PoolCollector(db))

    def note_stores(self, figures: Figures | None, *, redis_answers: bool) -> None:
        """What was found when it was asked for just now. Without figures the database did not answer."""
        self._unfinished.figures = figures
        self._redis_up.set(redis_answers)

    def _note_attempt(self, name: str, seconds: float, outcome: Attempt, cause: str) -> None:
        self._query_s.labels(name).observe(seconds)
        self._attempts.labels(name, outcome, cause).inc()
        if name == HOLD and outcome != Attempt.RETRIED:
            self._holds.labels("held" if outcome == Attempt.DONE else cause or outcome).inc()

    def _note_lookup(self, kind: str, outcome: str) -> None:
        self._lookups.labels(kind, outcome).inc()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, registry=self.registry, buckets=buckets)
