"""The metrics of several workers as one."""

from collections.abc import Sequence

from prometheus_client import generate_latest

from waitroom.merged_metrics import merged

ONE = """\
# HELP waitroom_requests_total Requests.
# TYPE waitroom_requests_total counter
waitroom_requests_total{room="a",outcome="forward"} 3.0
# HELP waitroom_own_seconds Durations.
# TYPE waitroom_own_seconds histogram
waitroom_own_seconds_bucket{le="1.0"} 2.0
waitroom_own_seconds_bucket{le="+Inf"} 3.0
waitroom_own_seconds_count 3.0
waitroom_own_seconds_sum 4.5
# HELP waitroom_waiting Waiting.
# TYPE waitroom_waiting gauge
waitroom_waiting{room="a"} 7.0
# HELP waitroom_called_total Called.
# TYPE waitroom_called_total counter
waitroom_called_total{room="a"} 5.0
# HELP waitroom_config_version Version.
# TYPE waitroom_config_version gauge
waitroom_config_version 3.0
"""
OTHER = (
    ONE.replace(
        'outcome="forward"} 3.0', 'outcome="forward"} 4.0\nwaitroom_requests_total{room="a",outcome="wait"} 1.0'
    )
    .replace('waiting{room="a"} 7.0', 'waiting{room="a"} 8.0')
    .replace("version 3.0", "version 2.0")
)


def exposed(expositions: Sequence[str], gone: Sequence[str] = ()) -> list[str]:
    return generate_latest(merged(expositions, gone)).decode().splitlines()


def test_what_each_counts_is_summed_and_what_all_see_is_not() -> None:
    lines = exposed([ONE, OTHER])
    assert [line for line in lines if not line.startswith("#")] == [
        'waitroom_requests_total{outcome="forward",room="a"} 7.0',
        'waitroom_requests_total{outcome="wait",room="a"} 1.0',
        'waitroom_own_seconds_bucket{le="1.0"} 4.0',
        'waitroom_own_seconds_bucket{le="+Inf"} 6.0',
        "waitroom_own_seconds_count 6.0",
        "waitroom_own_seconds_sum 9.0",
        'waitroom_waiting{room="a"} 8.0',
        'waitroom_called_total{room="a"} 5.0',
        "waitroom_config_version 2.0",
    ]
    assert "# TYPE waitroom_own_seconds histogram" in lines


def test_what_was_counted_by_one_who_is_gone_still_counts_and_what_it_saw_does_not() -> None:
    lines = exposed([ONE], gone=[OTHER])
    assert 'waitroom_requests_total{outcome="forward",room="a"} 7.0' in lines
    assert "waitroom_own_seconds_count 6.0" in lines
    assert 'waitroom_waiting{room="a"} 7.0' in lines
