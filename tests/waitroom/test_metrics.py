"""What Prometheus is told of requests."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from waitroom.desk.vitals import WAIT_S
from waitroom.metrics import Metrics


def told(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a name, by the values of their labels in the labels' order of names."""
    families = text_string_to_metric_families(metrics.expose())
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in samples}


def test_requests_are_counted_by_room_and_outcome() -> None:
    metrics = Metrics()
    metrics.note("site", "forward", 200, 1, 1, 0.002, 0.001)
    metrics.note("site", "forward", 404, 1, 1, 0.002, 0.001)
    metrics.note("other", "wait", 200, 1, 1, 0.001)
    assert told(metrics, "waitroom_requests_total") == {("forward", "site"): 2, ("wait", "other"): 1}


def test_responses_are_counted_by_the_class_of_their_status() -> None:
    metrics = Metrics()
    for status in (200, 204, 101, 502, 999):
        metrics.note("site", "forward", status, 1, 1, 0.002, 0.001)
    assert told(metrics, "waitroom_responses_total") == {
        ("site", "1xx"): 1,
        ("site", "2xx"): 2,
        ("site", "5xx"): 1,
        ("site", "9xx"): 1,
    }


def test_a_request_without_a_response_has_no_status() -> None:
    metrics = Metrics()
    metrics.note("", "bad_request", 0, 10, 0, 0.001)
    assert told(metrics, "waitroom_responses_total") == {}
    assert told(metrics, "waitroom_requests_total") == {("bad_request", ""): 1}


def test_our_own_share_is_what_the_origin_did_not_take() -> None:
    metrics = Metrics()
    metrics.note("site", "forward", 200, 1, 1, 3.0, 2.75)
    assert told(metrics, "waitroom_own_duration_seconds_sum") == {("site",): 0.25}
    assert told(metrics, "waitroom_origin_duration_seconds_sum") == {("site",): 2.75}


def test_who_asked_no_origin_is_not_among_its_times() -> None:
    metrics = Metrics()
    metrics.note("site", "wait", 200, 1, 1, 0.25)
    assert told(metrics, "waitroom_own_duration_seconds_count") == {("site",): 1}
    assert told(metrics, "waitroom_origin_duration_seconds_count") == {("site",): 0}


def test_a_bucket_has_all_that_were_at_most_as_long_as_its_bound() -> None:
    metrics = Metrics()
    for seconds in (0.0001, 0.00011, 0.25, 11.0):
        metrics.note("site", "poll", 200, 1, 1, seconds)
    samples = told(metrics, "waitroom_own_duration_seconds_bucket")
    buckets = {float(bound): count for (bound, _), count in samples.items()}
    assert buckets[0.0001] == 1
    assert buckets[0.00025] == 2
    assert buckets[0.1] == 2
    assert buckets[0.25] == 3
    assert buckets[10.0] == 3
    assert buckets[float("inf")] == 4
    assert list(buckets.values()) == sorted(buckets.values())


def test_bytes_are_summed_up_by_direction() -> None:
    metrics = Metrics()
    metrics.note("site", "forward", 200, 100, 2_000, 0.1, 0.1)
    metrics.note("other", "wait", 200, 10, 200, 0.1)
    assert told(metrics, "waitroom_received_bytes_total") == {(): 110}
    assert told(metrics, "waitroom_sent_bytes_total") == {(): 2_200}


def test_failures_of_origins_are_counted_by_their_kind() -> None:
    metrics = Metrics()
    for kind in ("unreachable", "timeout", "timeout"):
        metrics.origin_failed("site", kind)
    assert told(metrics, "waitroom_origin_failures_total") == {("timeout", "site"): 2, ("unreachable", "site"): 1}


def test_what_origins_are_asked_is_counted_until_they_have_answered() -> None:
    metrics = Metrics()
    for _ in range(3):
        metrics.asked("site")
    metrics.answered("site", 0.02, is_error=False)
    metrics.answered("site", 5.0, is_error=True)
    assert told(metrics, "waitroom_origin_busy") == {("site",): 1}
    assert told(metrics, "waitroom_origin_errors_total") == {("site",): 1}
    assert told(metrics, "waitroom_origin_latency_seconds_count") == {("site",): 2}
    buckets = told(metrics, "waitroom_origin_latency_seconds_bucket")
    assert (buckets["0.01", "site"], buckets["0.025", "site"], buckets["5.0", "site"]) == (0, 1, 2)


def test_waits_are_told_in_fewer_buckets_than_they_are_counted_in() -> None:
    metrics = Metrics()
    for wait_s in (0.2, 90.0, 100_000.0):
        metrics.admitted("site", wait_s)
    waits = told(metrics, "waitroom_wait_seconds_bucket")
    assert len(waits) < len(WAIT_S) / 2
    assert list(waits.values()) == sorted(waits.values())
    assert (waits["1.0", "site"], waits["+Inf", "site"]) == (1, 3)


def test_a_room_is_shown_before_anything_was_counted() -> None:
    """What appears with its first count would seem not to have grown."""
    metrics = Metrics()
    metrics.vitals("site", 1, 1)
    assert told(metrics, "waitroom_origin_errors_total") == {("site",): 0}
    assert told(metrics, "waitroom_origin_latency_seconds_count") == {("site",): 0}


def test_what_others_count_is_exposed_with_the_rest() -> None:
    class Apples(Collector):
        def collect(self) -> Iterator[Metric]:
            yield GaugeMetricFamily("apples", "Apples.", value=7)

    metrics = Metrics()
    metrics.watch(Apples())
    assert told(metrics, "apples") == {(): 7}
    assert told(metrics, "process_start_time_seconds")
