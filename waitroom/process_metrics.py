"""What one process is and has, as metrics that are made when Prometheus asks: its version and configuration, its
connections, what its origins look like from here, and what it falls behind with.
"""

import platform
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from waitroom.access_log import AccessLog
from waitroom.config_file import ConfigFile
from waitroom.connections import Connections
from waitroom.desk.in_force import InForce
from waitroom.loop_lag import LAG_S, LoopLag
from waitroom.metrics import buckets
from waitroom.origins import OriginState
from waitroom.tls import PublicTls


class BuildCollector(Collector):
    """Which version this is, and of how many workers another had to take the place, as known when this one began."""

    def __init__(self, worker_deaths: int) -> None:
        self._worker_deaths = worker_deaths

    def collect(self) -> Iterator[Metric]:
        labels = {"version": version("waitroom"), "python": platform.python_version()}
        build = GaugeMetricFamily("waitroom_build_info", "1, with the version in the labels.", labels=list(labels))
        build.add_metric(list(labels.values()), 1)
        yield build
        yield GaugeMetricFamily("waitroom_workers", "Worker processes that answered this scrape.", value=1)
        text = "Workers that died and were replaced since the supervisor began."
        yield CounterMetricFamily("waitroom_worker_deaths", text, value=self._worker_deaths)


class ConfigCollector(Collector):
    """What became of the configuration file."""

    def __init__(self, config: ConfigFile) -> None:
        self._config = config

    def collect(self) -> Iterator[Metric]:
        text = "The version of the configuration file that this process read last without a fault."
        yield GaugeMetricFamily("waitroom_config_version", text, value=self._config.settings.version)
        text = "1 while the configuration file has faults: what was read before stays in force."
        yield GaugeMetricFamily("waitroom_config_refused", text, value=int(bool(self._config.faults)))


class OverrideCollector(Collector):
    """What the operator has set at run time, and what adaptive admission has decided."""

    def __init__(self, in_force: InForce, now_ms: Callable[[], int]) -> None:
        self._in_force = in_force
        self._now_ms = now_ms

    def collect(self) -> Iterator[Metric]:
        text = "For each knob that is turned by an operator, since when: seconds since 1970."
        turned = GaugeMetricFamily("waitroom_override_set_timestamp_seconds", text, labels=["room", "knob"])
        text = "The most calls a second as adaptive admission has decided, where a room has it."
        adapted = GaugeMetricFamily("waitroom_adapted_rate_per_second", text, labels=["room"])
        for room in self._in_force.rooms:
            overrides = self._in_force.overrides(room.name)
            for knob, override in overrides.holding(self._now_ms()).items():
                turned.add_metric([room.name, knob], override.since_ms / 1000)
            if room.is_adaptive and overrides.adapted:
                adapted.add_metric([room.name], overrides.adapted.rate_per_minute / 60)
        yield turned
        yield adapted


class ConnectionCollector(Collector):
    """How many visitors' connections there are, by state."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("waitroom_connections", "Connections of visitors.", labels=["state"])
        for state, count in self._connections.states().items():
            family.add_metric([state], count)
        yield family
        limit = self._connections.limits.connections
        yield GaugeMetricFamily("waitroom_connections_limit", "The most connections of visitors at once.", value=limit)
        text = "Connections of visitors that were answered with 503, since there were too many."
        yield CounterMetricFamily("waitroom_connections_refused", text, value=self._connections.refused)


class OriginCollector(Collector):
    """How the origins are doing."""

    def __init__(self, origins: Callable[[], Iterable[OriginState]]) -> None:
        self._origins = origins

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("waitroom_origin_up", "1 while an origin may be asked.", labels=["room", "origin"])
        text = "Connections to an origin, in use or kept."
        connections = GaugeMetricFamily("waitroom_origin_connections", text, labels=["origin", "state"])
        for url, states in self._by_url().items():
            connections.add_metric([url, "busy"], sum(state.busy for state in states))
            connections.add_metric([url, "idle"], sum(state.idle for state in states))
            for state in states:
                for room in state.rooms:
                    up.add_metric([room, url], int(state.is_available))
        yield up
        yield connections

    def _by_url(self) -> dict[str, list[OriginState]]:
        """Rooms with terms of their own each have their own view of an origin."""
        states: defaultdict[str, list[OriginState]] = defaultdict(list)
        for state in self._origins():
            states[state.url].append(state)
        return states


class AccessLogCollector(Collector):
    """What the access log has lost."""

    def __init__(self, access_log: AccessLog) -> None:
        self._access_log = access_log

    def collect(self) -> Iterator[Metric]:
        text = "Entries of the access log that could not be written."
        yield CounterMetricFamily("waitroom_access_log_dropped", text, value=self._access_log.dropped)


class LoopCollector(Collector):
    """How late the event loop is."""

    def __init__(self, loop_lag: LoopLag) -> None:
        self._loop_lag = loop_lag

    def collect(self) -> Iterator[Metric]:
        text = "By how many seconds the event loop is late, measured four times a second."
        lags = self._loop_lag.lags
        family = HistogramMetricFamily("waitroom_event_loop_lag_seconds", text)
        family.add_metric([], buckets(lags, LAG_S), lags.sum_s)
        yield family


class CertificateCollector(Collector):
    """When the certificate that visitors are shown ends."""

    def __init__(self, tls: PublicTls) -> None:
        self._tls = tls

    def collect(self) -> Iterator[Metric]:
        if self._tls.ends_s is not None:
            text = "When the certificate in force, or one of its chain, ends: seconds since 1970."
            yield GaugeMetricFamily("waitroom_certificate_expiry_timestamp_seconds", text, value=self._tls.ends_s)
