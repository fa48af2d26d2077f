"""The judge of how rate and cap are kept: what it sees, and that it sees it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.benches.append_only import commands, read, written
from scripts.benches.bounds_kept import judged
from scripts.benches.opening_rooms import BOUND_BY_CAP, BOUND_BY_RATE, Visit
from scripts.benches.overshoot import most_at_once, most_over_rate, shared
from scripts.benches.vanishing import Design, Member, Terms, crowd, played
from tests.servers import PrivateRedis
from tests.waitroom.line_bench import FIRST, LIMITS, START_MS, LineBench
from waitroom.store_keys import PARTS, line_keys

RATE, BURST = 600, 3
PER_MS = RATE / 60_000
TERMS = Terms(rate_per_minute=600, burst=11, cap=20, claim_ms=5_000, presence_ms=5_000, session_ms=60_000)
BLIND = Design(sees_ms=None, holds_ms=60_000)
SEEING = Design(sees_ms=5_000, holds_ms=5_000)
moments = st.lists(st.integers(0, 5_000), min_size=1, max_size=40)


def inside_of(room: str) -> bytes:
    return line_keys(room)[PARTS.index("inside")].encode()


def called(room: str, numbers: range, at_ms: int, claim_ms: int) -> list[bytes]:
    """As a step of the line writes it."""
    pairs = [word for number in numbers for word in (b"%d" % (at_ms + claim_ms), b"%d" % number)]
    return [b"ZADD", inside_of(room), *pairs]


# In any interval.


@given(moments)
def test_by_how_much_a_rate_is_exceeded_is_what_looking_at_each_interval_finds(calls_ms: list[int]) -> None:
    intervals = [(start, end) for start in calls_ms for end in calls_ms if start <= end]
    over = [sum(start <= call <= end for call in calls_ms) - PER_MS * (end - start) - BURST for start, end in intervals]
    assert most_over_rate(calls_ms, RATE, BURST) == pytest.approx(max(over))


def bucket(until_ms: int) -> list[int]:
    """All calls that a token bucket gives to a line that is never empty: one in 100 ms, and the burst before."""
    return [0] * BURST + list(range(100, until_ms, 100))


def test_a_full_bucket_that_is_used_to_the_last_call_is_not_over() -> None:
    assert most_over_rate(bucket(60_000), RATE, BURST) == pytest.approx(0)


@pytest.mark.parametrize("at_ms", [0, 1, 30_050, 59_900])
def test_one_call_too_many_is_seen_wherever_it_is(at_ms: int) -> None:
    assert most_over_rate([*bucket(60_000), at_ms], RATE, BURST) > 0.49


def test_a_rate_that_is_kept_in_each_minute_may_be_exceeded_between_two() -> None:
    calls_ms = [59_999] * RATE + [60_001] * RATE
    assert most_over_rate(calls_ms, RATE, BURST) == pytest.approx(2 * RATE - BURST - 2 * PER_MS)


def test_how_many_are_in_at_a_time() -> None:
    assert most_at_once([(0, 10), (5, 15), (10, 20), (14, 16)]) == 3
    assert most_at_once([]) == 0


def test_what_stays_have_of_an_interval() -> None:
    assert shared([(0, 10), (5, 30), (40, 50)], 8, 20) == 2 + 12


# What Redis wrote.


@pytest.fixture
def logging_redis(tmp_path: Path) -> Iterator[PrivateRedis]:
    """One that logs each write."""
    redis = PrivateRedis(tmp_path / "redis", appendonly="yes")
    redis.start()
    yield redis
    redis.close()


def test_calls_and_who_is_inside_are_read_from_what_redis_wrote(logging_redis: PrivateRedis) -> None:
    """Of a line that calls three, of whom one claims, one leaves and one never comes, and then the next."""
    bench = LineBench(logging_redis, mode="hold", cap=3)
    bench.advance()
    numbers = bench.waiting(5)
    bench.set(mode="queue")
    bench.pass_ms(100)
    bench.advance()
    bench.claim(numbers[0])
    bench.release(numbers[1])
    bench.pass_ms(400)
    bench.advance()
    bench.pass_ms(LIMITS.claim_ms)
    bench.poll(numbers[4])
    bench.advance()
    told = list(commands(read(logging_redis.folder)))
    story = written(told, "test", LIMITS.claim_ms, cap=3)
    first, second, third = (START_MS + ms for ms in (100, 500, 500 + LIMITS.claim_ms))
    assert [(number - FIRST, at_ms) for number, at_ms in story.calls] == [
        *((number, first) for number in numbers[:3]),
        (numbers[3], second),
        (numbers[4], third),
    ]
    assert (story.most_inside, story.full_ms) == (3, first)


def test_what_is_cut_off_is_left_out_and_annotations_are_passed_over() -> None:
    whole = b"#TS:1800000000\r\n*2\r\n$3\r\nDEL\r\n$1\r\na\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n\r\n\r\n"
    assert list(commands(whole)) == [[b"DEL", b"a"], [b"SET", b"a", b"\r\n"]]
    assert all(list(commands(whole[:end])) in ([], [[b"DEL", b"a"]]) for end in range(len(whole)))


def test_a_change_of_who_is_inside_that_is_not_understood_is_no_silent_one() -> None:
    with pytest.raises(ValueError, match="ZREMRANGEBYSCORE"):
        written([[b"ZREMRANGEBYSCORE", inside_of("rate"), b"-inf", b"7"]], "rate", 5_000, 3)


# Violations that were put there on purpose.


def visits(count: int, *, come: int) -> list[Visit]:
    """Of whom the first so many came in, half a second after the opening."""
    return [Visit(number, 500 if number <= come else 0, 20_000) for number in range(1, count + 1)]


def test_a_call_over_the_rate_is_seen() -> None:
    terms = BOUND_BY_RATE.terms
    least = terms.burst + 1
    kept = judged("rate", [called("rate", range(1, least), 10, terms.claim_ms)], visits(least, come=least), 0, 10)
    assert kept.over_rate == 0
    over = judged("rate", [called("rate", range(1, least + 1), 10, terms.claim_ms)], visits(least, come=least), 0, 10)
    assert over.over_rate == 1


def test_a_visitor_over_the_cap_is_seen_though_it_leaves_at_once() -> None:
    terms = BOUND_BY_CAP.terms
    full = called("cap", range(1, terms.cap + 1), 10, terms.claim_ms)
    more = called("cap", range(terms.cap + 1, terms.cap + 2), 11, terms.claim_ms)
    gone = [b"ZREM", inside_of("cap"), b"%d" % (terms.cap + 1)]
    there = visits(terms.cap + 1, come=terms.cap + 1)
    assert judged("cap", [full], there, 0, 10).over_cap == 0
    assert judged("cap", [full, more, gone], there, 0, 10).over_cap == 1


def test_what_is_called_in_vain_is_not_used() -> None:
    """What the bucket holds behind the last call is not lost."""
    terms = BOUND_BY_RATE.terms
    allowed = terms.burst + terms.rate_per_minute * 5 / 60
    kept = judged("rate", [called("rate", range(1, 41), 5_000, terms.claim_ms)], visits(40, come=30), 0, 10)
    assert (kept.used, kept.in_vain, kept.vanished) == pytest.approx((30 / allowed, 10 / allowed, 0.25))


def test_a_place_is_used_from_the_call_until_its_visitor_leaves() -> None:
    terms = BOUND_BY_CAP.terms
    half = terms.cap // 2
    full = called("cap", range(1, terms.cap + 1), 0, terms.claim_ms)
    kept = judged("cap", [full], visits(terms.cap, come=half), 0, 40)
    assert (kept.used, kept.in_vain) == pytest.approx((half * 20 / (terms.cap * 40), half * 5 / (terms.cap * 40)))


# The crowd, and what others make of it.


def test_as_many_have_vanished_by_their_turn_as_were_asked_for() -> None:
    members = crowd(10_000, gathered_ms=120_000, turn_ms=17_000, share=0.3, stay_ms=(0, 1), seed=1)
    assert sum(member.gone_ms < 17_000 for member in members) / 10_000 == pytest.approx(0.3, abs=0.02)


def test_a_timer_that_sees_nobody_calls_those_who_are_gone() -> None:
    members = [Member(gone_ms=-60_000 if number % 2 else 60_000, stay_ms=0) for number in range(200)]
    blind, seeing = (played(members, TERMS, design, seconds=8) for design in (BLIND, SEEING))
    assert sum(call.came for call in blind) < len(blind)
    assert all(call.came for call in seeing)


def test_who_does_not_come_holds_a_place_for_as_long_as_the_design_lets_it() -> None:
    members = [Member(gone_ms=-60_000, stay_ms=0)] * TERMS.cap + [Member(gone_ms=600_000, stay_ms=600_000)] * 100
    blind = played(members, TERMS, BLIND, seconds=50)
    assert [call.came for call in blind] == [False] * TERMS.cap
    assert sum(call.came for call in played(members, TERMS, SEEING, seconds=50)) == TERMS.cap


def test_a_bucket_keeps_the_rate_and_a_counter_for_each_minute_does_not() -> None:
    members = [Member(gone_ms=600_000, stay_ms=0)] * 1_000
    counter = Design(sees_ms=5_000, holds_ms=5_000, window_ms=60_000)
    terms = Terms(rate_per_minute=600, burst=11, cap=1_000, claim_ms=5_000, presence_ms=5_000, session_ms=60_000)
    over = [
        most_over_rate([call.from_ms for call in played(members, terms, design, 10)], 600, 11)
        for design in (SEEING, counter)
    ]
    assert over == pytest.approx([0, 589])
