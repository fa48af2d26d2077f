"""What several workers count, as one: in Prometheus's text format, from theirs.

What each counts of its own (requests, bytes, durations) is summed up by labels. What all of them see of the same lines
is no worker's own: the highest counts, since who has not met a key's visitors yet knows less of its line.
"""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

OF_LINES = {
    f"waitroom_{name}"
    for name in (
        "store_lost", "inside", "late", "waiting", "cap", "rate_per_minute", "joined", "called", "claimed", "released",
        "origin_up",
    )
}  # fmt: skip
# When a counter was made says nothing of the sum.
CREATED = "_created"


def merge(expositions: Sequence[str], gone: Sequence[str] = ()) -> bytes:
    """All of them as one. Of those that are `gone` only what was counted matters yet: a counter that fell would be
    taken for one that began anew."""
    registry = CollectorRegistry()
    registry.register(Merged(expositions, gone))
    return generate_latest(registry)


class Merged(Collector):
    """The families that several processes expose."""

    def __init__(self, expositions: Sequence[str], gone: Sequence[str]) -> None:
        self._expositions = expositions
        self._gone = gone

    def collect(self) -> Iterator[Metric]:
        families: dict[str, list[Metric]] = {}
        for family in self._families():
            families.setdefault(family.name, []).append(family)
        yield from (_one(same) for name, same in families.items() if not name.endswith(CREATED))

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
    return max(one.value, other.value) if one.name.removesuffix("_total") in OF_LINES else one.value + other.value
