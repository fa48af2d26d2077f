"""Each alert, by Prometheus's own word: what makes it fire, and what must not."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.prometheus.programs import ALERTS, CONFIG, RECORDINGS, needs_prometheus, promtool

pytestmark = needs_prometheus

INTERVAL_S = 15
# As long as the slowest alert takes.
LASTS_MIN = 90
STEPS = LASTS_MIN * 60 // INTERVAL_S
DAY_S = 86_400

SITE = 'job="waitroom",instance="a",room="site"'
OTHER = 'job="waitroom",instance="b",room="site"'
HERE = 'job="waitroom",instance="a"'
BOOKING = 'job="booking",instance="a"'


def always(value: float) -> str:
    return f"{value}x{STEPS}"


def growing(per_second: float) -> str:
    return f"0+{per_second * INTERVAL_S}x{STEPS}"


def waiting(visitors: int = 50, full: int = 0, called_per_s: float = 0, **changes: str) -> dict[str, str]:
    """A room in which visitors wait."""
    usual = {
        f"waitroom_waiting{{{SITE}}}": always(visitors),
        f"waitroom_lines_full{{{SITE}}}": always(full),
        f"waitroom_called_total{{{SITE}}}": growing(called_per_s),
        f"waitroom_store_lost{{{SITE}}}": always(0),
        f'waitroom_mode{{{SITE},mode="auto"}}': always(1),
        f'waitroom_mode{{{SITE},mode="hold"}}': always(0),
        f'waitroom_phase{{{SITE},phase="early"}}': always(0),
        f'waitroom_phase{{{SITE},phase="open"}}': always(1),
        f"waitroom_rate_per_second{{{SITE}}}": always(10),
    }
    by_word = {
        "lost": f"waitroom_store_lost{{{SITE}}}",
        "held": f'waitroom_mode{{{SITE},mode="hold"}}',
        "early": f'waitroom_phase{{{SITE},phase="early"}}',
        "rate": f"waitroom_rate_per_second{{{SITE}}}",
    }
    return usual | {by_word[word]: values for word, values in changes.items()}


def origin(per_s: float, errors_per_s: float) -> dict[str, str]:
    """What became of requests to an origin."""
    return {
        f"waitroom_origin_latency_seconds_count{{{SITE}}}": growing(per_s),
        f"waitroom_origin_errors_total{{{SITE}}}": growing(errors_per_s),
    }


def durations(
    name: str, labels: str, quick_per_s: float, slow_per_s: float, bounds: tuple[float, float]
) -> dict[str, str]:
    """A histogram of two bounds: the quick ones are within the first."""
    quick, slow = bounds
    every = growing(quick_per_s + slow_per_s)
    return {
        f'{name}_bucket{{{labels},le="{quick}"}}': growing(quick_per_s),
        f'{name}_bucket{{{labels},le="{slow}"}}': every,
        f'{name}_bucket{{{labels},le="+Inf"}}': every,
    }


def slow_origin(slow_per_s: float) -> dict[str, str]:
    return origin(10, 0) | durations("waitroom_origin_latency_seconds", SITE, 10 - slow_per_s, slow_per_s, (0.5, 5))


def overridden(since_s: float) -> dict[str, str]:
    """Time begins at 0 in these stories."""
    return one("waitroom_override_set_timestamp_seconds", f'{SITE},knob="cap"', always(since_s))


def files(are_open: int) -> dict[str, str]:
    return one("process_open_fds", HERE, always(are_open)) | one("process_max_fds", HERE, always(1024))


def late_loop(late_per_s: float) -> dict[str, str]:
    return durations("waitroom_event_loop_lag_seconds", HERE, 4 - late_per_s, late_per_s, (0.1, 1))


def outbox(lag_s: float) -> dict[str, str]:
    return one("booking_delivery_lag_seconds", f'{BOOKING},box="outbox"', always(lag_s))


def database_queue(values: str) -> dict[str, str]:
    return one("booking_database_connections_waiting", BOOKING, values)


def certificate(ends_in_s: float) -> dict[str, str]:
    """Time begins at 0 in these stories."""
    return one("waitroom_certificate_expiry_timestamp_seconds", HERE, always(ends_in_s))


def origins_up(**values: str) -> dict[str, str]:
    return {f'waitroom_origin_up{{{SITE},origin="{name}"}}': each for name, each in values.items()}


def one(name: str, labels: str, values: str) -> dict[str, str]:
    return {f"{name}{{{labels}}}": values}


@dataclass(frozen=True)
class Story:
    """Series of samples, and an alert that fires after some minutes of them, or does not."""

    alert: str
    what: str
    series: Mapping[str, str]
    fires: bool = True
    after_min: int = 15

    def __str__(self) -> str:
        return f"{self.alert}-{self.what}".replace(" ", "-")


def quiet(alert: str, what: str, series: Mapping[str, str], after_min: int = 15) -> Story:
    return Story(alert, what, series, fires=False, after_min=after_min)


STORIES = [
    Story("WaitroomDown", "no answer", one("up", HERE, always(0))),
    quiet("WaitroomDown", "an answer", one("up", HERE, always(1))),
    quiet("WaitroomDown", "one scrape missed", one("up", HERE, "1x40 0 1x40"), 11),
    Story("WaitroomStoreLost", "no Redis", one("waitroom_store_lost", SITE, always(1))),
    quiet("WaitroomStoreLost", "Redis", one("waitroom_store_lost", SITE, always(0))),
    Story("WaitroomConfigRefused", "faults", one("waitroom_config_refused", HERE, always(1))),
    quiet("WaitroomConfigRefused", "none", one("waitroom_config_refused", HERE, always(0))),
    Story(
        "WaitroomConfigStale",
        "one process lags behind",
        one("waitroom_config_version", HERE, always(3)) | one("waitroom_limits_version", OTHER, always(4)),
    ),
    quiet(
        "WaitroomConfigStale",
        "all have the newest",
        one("waitroom_config_version", HERE, always(4)) | one("waitroom_limits_version", SITE, always(4)),
    ),
    Story("WaitroomOriginDown", "out", origins_up(one=always(0))),
    Story("WaitroomOriginDown", "comes back to fail again", origins_up(one="0 0 0 1 " * 80)),
    quiet("WaitroomOriginDown", "serves", origins_up(one=always(1))),
    Story("WaitroomRoomWithoutOrigin", "both out", origins_up(one=always(0), other=always(0))),
    quiet("WaitroomRoomWithoutOrigin", "one serves", origins_up(one=always(0), other=always(1))),
    Story("WaitroomOriginFailing", "errors", origin(10, 1)),
    Story("WaitroomOriginFailing", "nothing but errors", origin(2, 2)),
    quiet("WaitroomOriginFailing", "few of many", origin(100, 1)),
    quiet("WaitroomOriginFailing", "a mishap on a quiet day", origin(0.2, 0.1)),
    Story("WaitroomOriginSlow", "a tenth is slow", slow_origin(1)),
    quiet("WaitroomOriginSlow", "a hundredth is slow", slow_origin(0.1)),
    Story("WaitroomLineStalled", "room for more", waiting()),
    quiet("WaitroomLineStalled", "calls", waiting(called_per_s=0.1)),
    quiet("WaitroomLineStalled", "nobody waits", waiting(0)),
    quiet("WaitroomLineStalled", "the cap is full", waiting(full=1)),
    quiet("WaitroomLineStalled", "no Redis", waiting(lost=always(1))),
    quiet("WaitroomLineStalled", "held", waiting(held=always(1))),
    quiet("WaitroomLineStalled", "not open yet", waiting(early=always(1))),
    quiet("WaitroomLineStalled", "frozen", waiting(rate=always(0))),
    Story(
        "WaitroomNoShows",
        "most",
        waiting(called_per_s=1) | one("waitroom_missed_total", SITE, growing(0.6)),
        after_min=30,
    ),
    quiet("WaitroomNoShows", "few", waiting(called_per_s=1) | one("waitroom_missed_total", SITE, growing(0.1)), 30),
    quiet(
        "WaitroomNoShows", "two", waiting(called_per_s=0.004) | one("waitroom_missed_total", SITE, growing(0.003)), 30
    ),
    Story("WaitroomAdaptiveFrozen", "no rate", one("waitroom_adapted_rate_per_second", SITE, always(0))),
    quiet("WaitroomAdaptiveFrozen", "a low rate", one("waitroom_adapted_rate_per_second", SITE, always(0.1))),
    Story("WaitroomOverrideForLong", "since yesterday", overridden(-DAY_S)),
    quiet("WaitroomOverrideForLong", "since this morning", overridden(-DAY_S / 2)),
    Story("WaitroomNobodyLeaves", "full", waiting(full=1)),
    quiet("WaitroomNobodyLeaves", "full but moving", waiting(full=1, called_per_s=0.01)),
    quiet("WaitroomNobodyLeaves", "held", waiting(full=1, held=always(1))),
    Story("WaitroomHeld", "for long", waiting(held=always(1)), after_min=40),
    quiet("WaitroomHeld", "for a while", waiting(held=always(1)), 20),
    quiet("WaitroomHeld", "nobody waits", waiting(0, held=always(1)), 40),
    Story("WaitroomRateBinding", "for long", waiting(called_per_s=10), after_min=80),
    quiet("WaitroomRateBinding", "for a while", waiting(called_per_s=10), 40),
    quiet("WaitroomRateBinding", "it is the cap", waiting(full=1, called_per_s=10), 80),
    Story("WaitroomCapBinding", "for long", waiting(full=1, called_per_s=1), after_min=80),
    quiet("WaitroomCapBinding", "it is the rate", waiting(called_per_s=1), 80),
    Story(
        "WaitroomConnectionsNearLimit",
        "most are in use",
        one("waitroom_connections", f'{HERE},state="idle"', always(800))
        | one("waitroom_connections", f'{HERE},state="busy"', always(50))
        | one("waitroom_connections_limit", HERE, always(1000)),
    ),
    quiet(
        "WaitroomConnectionsNearLimit",
        "half are in use",
        one("waitroom_connections", f'{HERE},state="idle"', always(500))
        | one("waitroom_connections_limit", HERE, always(1000)),
    ),
    Story("WaitroomConnectionsRefused", "some", one("waitroom_connections_refused_total", HERE, growing(0.1))),
    quiet("WaitroomConnectionsRefused", "none", one("waitroom_connections_refused_total", HERE, always(7))),
    Story(
        "WaitroomFilesNearLimit",
        "most are open",
        one("process_open_fds", HERE, always(900)) | one("process_max_fds", HERE, always(1024)),
    ),
    quiet(
        "WaitroomFilesNearLimit",
        "half are open",
        one("process_open_fds", HERE, always(500)) | one("process_max_fds", HERE, always(1024)),
    ),
    Story(
        "WaitroomEventLoopLag", "now and then", durations("waitroom_event_loop_lag_seconds", HERE, 3.8, 0.2, (0.1, 1))
    ),
    quiet(
        "WaitroomEventLoopLag", "hardly ever", durations("waitroom_event_loop_lag_seconds", HERE, 4, 0.004, (0.1, 1))
    ),
    Story("WaitroomWorkerDied", "one", one("waitroom_worker_deaths_total", HERE, "0x40 1x40"), after_min=12),
    quiet("WaitroomWorkerDied", "long ago", one("waitroom_worker_deaths_total", HERE, "0x10 1x200"), 40),
    Story("WaitroomAccessLogDropping", "some", one("waitroom_access_log_dropped_total", HERE, growing(1))),
    quiet("WaitroomAccessLogDropping", "none", one("waitroom_access_log_dropped_total", HERE, always(0))),
    Story("WaitroomCertificateExpiring", "in ten days", certificate(10 * DAY_S), after_min=70),
    quiet("WaitroomCertificateExpiring", "in a month", certificate(30 * DAY_S), 70),
    Story("BookingDown", "no answer", one("up", BOOKING, always(0))),
    quiet("BookingDown", "an answer", one("up", BOOKING, always(1))),
    Story("BookingDatabaseDown", "no answer", one("booking_database_up", BOOKING, always(0))),
    quiet("BookingDatabaseDown", "an answer", one("booking_database_up", BOOKING, always(1))),
    Story("BookingRedisLost", "no answer", one("booking_redis_up", BOOKING, always(0))),
    quiet("BookingRedisLost", "an answer", one("booking_redis_up", BOOKING, always(1))),
    Story(
        "BookingFailing",
        "some",
        one("booking_http_requests_total", f'{BOOKING},status="200"', growing(9))
        | one("booking_http_requests_total", f'{BOOKING},status="503"', growing(1)),
    ),
    quiet(
        "BookingFailing",
        "refusals are no failures",
        one("booking_http_requests_total", f'{BOOKING},status="200"', growing(9))
        | one("booking_http_requests_total", f'{BOOKING},status="409"', growing(9)),
    ),
    Story("BookingConnectionsExhausted", "a queue", database_queue(always(3))),
    quiet("BookingConnectionsExhausted", "a moment", database_queue("0 5 " * 40)),
    Story("BookingDeliveriesLate", "late", outbox(900)),
    quiet("BookingDeliveriesLate", "in time", outbox(30)),
    Story("BookingDeliveriesDead", "one", one("booking_deliveries", f'{BOOKING},box="inbox",state="dead"', always(1))),
    quiet("BookingDeliveriesDead", "due", one("booking_deliveries", f'{BOOKING},box="inbox",state="due"', always(1))),
    Story("BookingPaymentsUnsettled", "old", one("booking_open_payments_oldest_age_seconds", BOOKING, always(4000))),
    quiet("BookingPaymentsUnsettled", "new", one("booking_open_payments_oldest_age_seconds", BOOKING, always(600))),
    Story("BookingRefundsDue", "old", one("booking_refunds_due_oldest_age_seconds", BOOKING, always(4000))),
    quiet("BookingRefundsDue", "new", one("booking_refunds_due_oldest_age_seconds", BOOKING, always(600))),
    Story("BookingSweeperStopped", "no rounds", one("booking_sweeps_total", f'{BOOKING},outcome="done"', always(9))),
    quiet("BookingSweeperStopped", "rounds", one("booking_sweeps_total", f'{BOOKING},outcome="done"', growing(0.1))),
]


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_an_alert_fires_when_it_should_and_only_then(story: Story, tmp_path: Path) -> None:
    found = f'count(ALERTS{{alertname="{story.alert}",alertstate="firing"}})'
    expected = [{"labels": "{}", "value": 1}] if story.fires else []
    told = {
        "rule_files": [str(RECORDINGS), str(ALERTS)],
        "evaluation_interval": f"{INTERVAL_S}s",
        "tests": [
            {
                "interval": f"{INTERVAL_S}s",
                "input_series": [{"series": series, "values": values} for series, values in story.series.items()],
                "promql_expr_test": [{"expr": found, "eval_time": f"{story.after_min}m", "exp_samples": expected}],
            }
        ],
    }
    file = tmp_path / "story.yml"
    file.write_text(yaml.safe_dump(told))
    promtool("test", "rules", file)


def test_every_alert_has_stories_of_both_kinds() -> None:
    names = {alert["alert"] for alert in alerts()}
    for fires in (True, False):
        assert {story.alert for story in STORIES if story.fires == fires} == names


def test_promtool_finds_nothing_wrong() -> None:
    promtool("check", "config", CONFIG / "prometheus.yml")
    promtool("check", "rules", "--lint=all", "--lint-fatal", RECORDINGS, ALERTS)


def test_every_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on() -> None:
    for alert in alerts():
        assert alert["labels"]["severity"] in {"critical", "warning", "info"}, alert
        assert alert["annotations"].keys() == {"summary", "description", "runbook"}, alert
        assert alert["annotations"]["runbook"] == f"docs/operations.md#{alert['alert'].lower()}"


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
