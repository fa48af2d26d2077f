"""What Prometheus is told of requests."""

from prometheus_client.parser import text_string_to_metric_families

from waitroom.metrics import Metrics


def told(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a name, by the values of their labels in the labels' order of names."""
    families = text_string_to_metric_families(metrics.expose().decode())
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
    assert told(metrics, "waitroom_request_seconds_sum") == {("site",): 0.25}
    assert told(metrics, "waitroom_origin_seconds_sum") == {("site",): 2.75}


def test_who_asked_no_origin_is_not_among_its_times() -> None:
    metrics = Metrics()
    metrics.note("site", "wait", 200, 1, 1, 0.25)
    assert told(metrics, "waitroom_request_seconds_count") == {("site",): 1}
    assert told(metrics, "waitroom_origin_seconds_count") == {}


def test_a_bucket_has_all_that_were_at_most_as_long_as_its_bound() -> None:
    metrics = Metrics()
    for seconds in (0.0001, 0.00011, 0.25, 11.0):
        metrics.note("site", "poll", 200, 1, 1, seconds)
    buckets = {float(bound): count for (bound, _), count in told(metrics, "waitroom_request_seconds_bucket").items()}
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
    assert told(metrics, "waitroom_bytes_total") == {("in",): 110, ("out",): 2_200}


def test_failures_of_origins_are_counted_by_their_kind() -> None:
    metrics = Metrics()
    for kind in ("unreachable", "timeout", "timeout"):
        metrics.origin_failed("site", kind)
    assert told(metrics, "waitroom_origin_failures_total") == {("timeout", "site"): 2, ("unreachable", "site"): 1}


def test_what_others_count_is_read_when_it_is_asked_for() -> None:
    metrics = Metrics()
    connections = {"idle": 3, "active": 0}
    dropped = 0
    metrics.watch_connections(lambda: connections)
    metrics.watch_access_log(lambda: dropped)
    connections["active"] = 2
    dropped = 7
    assert told(metrics, "waitroom_connections") == {("idle",): 3, ("active",): 2}
    assert told(metrics, "waitroom_access_log_dropped_total") == {(): 7}
