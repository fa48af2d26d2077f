"""What is read from the looks of the last minutes."""

from dataclasses import replace

from waitroom.adaptive.sightings import Sighting, Sightings
from waitroom.desk.vitals import LATENCY_S, Vitals

TENTH_S = next(index for index, bound in enumerate(LATENCY_S) if bound >= 0.1)


def sighting(second: float, requests: int = 0, called: int = 0, busy: int = 0) -> Sighting:
    """All requests so far took a tenth of a second."""
    vitals = Vitals(requests=requests, errors=requests // 10, up=1, of=2, latency={TENTH_S: requests})
    return Sighting(round(second * 1000), {"one": vitals}, busy, {"": called}, waiting=7)


def seen(*looks: Sighting, keep_s: float = 60) -> Sightings:
    sightings = Sightings(keep_s)
    for look in looks:
        sightings.note(look)
    return sightings


def test_a_reading_goes_back_until_it_has_enough_requests() -> None:
    sightings = seen(*(sighting(second, requests=10 * second) for second in range(31)))
    reading = sightings.reading(since_ms=0, most_s=30, settle_s=30)
    assert (reading.now_ms, reading.span_s, reading.requests) == (30_000, 6.0, 60), "six seconds, at least"
    slow = seen(*(sighting(second, requests=2 * second) for second in range(31)))
    assert slow.reading(since_ms=0, most_s=30, settle_s=30).requests == 50
    assert slow.reading(since_ms=0, most_s=10, settle_s=30).requests == 20, "no further than it may"


def test_a_reading_has_nothing_of_before_the_last_change() -> None:
    sightings = seen(*(sighting(second, requests=100 * second) for second in range(31)))
    assert sightings.reading(since_ms=27_500, most_s=30, settle_s=30).span_s == 2.0


def test_a_reading_tells_latency_errors_and_origins() -> None:
    reading = seen(sighting(0), sighting(6, requests=100)).reading(0, 30, 30)
    assert reading.p95_s is not None
    assert 0.08 < reading.p95_s <= 0.1
    assert (reading.errors, reading.up, reading.of, reading.waiting) == (10, 1, 2, 7)


def test_a_burst_is_no_queue() -> None:
    looks = [sighting(second, requests=20 * second, busy=busy) for second, busy in enumerate((30, 3, 30, 30, 5, 6, 30))]
    assert seen(*looks).reading(0, 30, 30).busy == 3


def test_the_busiest_line_counts_and_a_line_that_is_new_does_not() -> None:
    """Since the rate is that of each line, and the calls of a line are counted from its beginning."""
    before = replace(sighting(0), called={"A1": 100, "B2": 100})
    after = replace(sighting(10), called={"A1": 110, "B2": 140, "C3": 9_000})
    reading = seen(before, after).reading(0, 30, 30)
    assert (reading.calls, reading.settled_per_minute) == (40, 240.0)


def test_the_pace_of_the_settle_time_is_told_apart_from_that_of_the_reading() -> None:
    looks = [sighting(second, requests=100 * second, called=max(0, second - 20)) for second in range(31)]
    reading = seen(*looks).reading(0, 30, settle_s=10)
    assert (reading.calls, reading.settled_per_minute) == (6, 30.0)


def test_the_first_look_reads_as_nothing() -> None:
    reading = seen(sighting(5, requests=100, called=100)).reading(0, 30, 30)
    assert (reading.span_s, reading.requests, reading.calls, reading.settled_per_minute) == (0.0, 0, 0, 0.0)


def test_old_looks_are_forgotten_and_a_clock_that_steps_back_begins_anew() -> None:
    sightings = seen(*(sighting(second, called=second) for second in range(100)), keep_s=10)
    assert sightings.reading(0, 60, settle_s=30).calls == 10
    sightings.note(sighting(50))
    assert sightings.reading(0, 60, 60).span_s == 0.0


def test_a_line_begun_anew_has_called_nobody() -> None:
    assert seen(sighting(0, called=100), sighting(10, called=3)).reading(0, 30, 30).calls == 0


def test_a_process_that_is_new_or_begun_anew_counts_from_its_second_look_on() -> None:
    """What it has counted before may be of any time."""
    old = Vitals(requests=9_000, up=1, of=1, latency={TENTH_S: 9_000})
    before = replace(sighting(0), vitals={"one": old})
    after = replace(
        sighting(10), vitals={"one": replace(old, requests=20, latency={TENTH_S: 20}), "two": old, "three": Vitals()}
    )
    assert seen(before, after).reading(0, 30, 30).requests == 0
    later = replace(sighting(20), vitals={**after.vitals, "two": replace(old, requests=9_060)})
    assert seen(before, after, later).reading(5_000, 30, 30).requests == 60
