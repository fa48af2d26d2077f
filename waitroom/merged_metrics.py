"""What several workers count, as one, from what each exposes in Prometheus's text format.

What each has or counts of its own (requests, bytes, durations, memory) is summed up by labels. What all of them see of
the same lines is no worker's own: the highest counts, since who has not met a key's visitors yet knows less of it.
"""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

HIGHEST = frozenset(
    {
        "process_start_time_seconds",
        "waitroom_adapted_rate_per_second",
        "waitroom_build_info",
        "waitroom_called_total",
        "waitroom_cap",
        "waitroom_claimed_total",
        "waitroom_config_refused",
        "waitroom_extended_total",
        "waitroom_inside",
        "waitroom_joined_total",
        "waitroom_late",
        "waitroom_limits_version",
        "waitroom_lines",
        "waitroom_lines_full",
        "waitroom_missed_total",
        "waitroom_mode",
        "waitroom_override_set_timestamp_seconds",
        "waitroom_phase",
        "waitroom_rate_per_second",
        "waitroom_released_total",
        "waitroom_store_lost",
        "waitroom_waiting",
        "waitroom_worker_deaths_total",
    }
)
# One that lags behind, or for which an origin is out, is what somebody has to do something about.
LOWEST = frozenset({"waitroom_certificate_expiry_timestamp_seconds", "waitroom_config_version", "waitroom_origin_up"})


def merged(expositions: Sequence[str], gone: Sequence[str] = ()) -> CollectorRegistry:
    """All of them as one. Of those that are `gone` only what was counted matters yet: a counter that fell would be
    taken for one that began anew."""
    registry = CollectorRegistry()
    registry.register(Merged(expositions, gone))
    return registry


class Merged(Collector):
    """The families that several processes expose."""

    def __init__(self, expositions: Sequence[str], gone: Sequence[str]) -> None:
        self._expositions = expositions
        self._gone = gone

    def collect(self) -> Iterator[Metric]:
        families: dict[str, list[Metric]] = {}
        for family in self._families():
            families.setdefault(family.name, []).append(family)
        yield from map(_one, families.values())

    def _families(self) -> Iterator[Metric]:
        for text in self._expositions:
            yield from text_string_to_metric_families(text)
        for text in self._gone:
            yield from (family for family in text_string_to_metric_families(text) if family.type != "gauge")


def _one(same: Sequence[Metric]) -> Metric:
    first = same[0]
    merged = Metric(first.name, first.documentation, first.type)
    merged.samples = list(_samples(sample for family in same for sample in family.samples))
    return merged


def _samples(samples: Iterable[Sample]) -> Iterator[Sample]:
    found: dict[tuple[str, frozenset[tuple[str, str]]], Sample] = {}
    for sample in samples:
        key = (sample.name, frozenset(sample.labels.items()))
        before = found.get(key)
        found[key] = sample if before is None else before._replace(value=_value(before, sample))
    yield from found.values()


def _value(one: Sample, other: Sample) -> float:
    if one.name in HIGHEST:
        return max(one.value, other.value)
    return min(one.value, other.value) if one.name in LOWEST else one.value + other.value
