"""What the question about joins makes of its measurements, and what its visitors say."""

from scripts.benches.join import ANEW, KEPT, OURS, THEIRS, browsers, newcomers, ratio, shown
from scripts.benches.open_loop import Plan
from scripts.benches.wrk import Run


def ran(cpu_us: float, beside_us: float = 0.0) -> Run:
    return Run(per_s=1e6 / cpu_us / 2, cpu_us=cpu_us, busy=0.5, p50_us=1, p99_us=2, beside_us=beside_us)


def test_a_ratio_is_of_what_both_took_in_the_same_round() -> None:
    runs = {f"{OURS}: {KEPT}": [ran(50), ran(100)], f"{THEIRS}: {KEPT}": [ran(10), ran(40)]}
    assert (ratio(runs, KEPT).least, ratio(runs, KEPT).most) == (0.2, 0.4)


def test_the_time_of_redis_is_shown_apart() -> None:
    runs = {f"{OURS}: {ANEW}": [ran(50, beside_us=12.3)], f"{THEIRS}: {ANEW}": [ran(10)]}
    ours, theirs = shown(runs).rows
    assert (ours[2:4], ours[5:]) == (("10,000", "20,000"), ("12.3", "0.20"))
    assert theirs[5:] == ("-", "1")


def test_visitors_are_new_and_not_all_of_one_kind() -> None:
    visitors = newcomers(anew=True).visitors()
    assert len({tuple(fields.items()) for fields in visitors}) == len(browsers()) == 72
    assert {fields["Connection"] for fields in visitors} == {"close"}
    assert not any("Cookie" in fields for fields in visitors)


def test_an_open_loop_says_what_browsers_say() -> None:
    requests = Plan(1, "/", "text/html", 1, 1, fields=browsers()).requests()
    assert len(set(requests)) == 72
    assert all(b"\r\nAccept-Encoding: gzip" in request for request in requests)
