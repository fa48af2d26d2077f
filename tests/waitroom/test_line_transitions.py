"""The transitions of a line, on a real Redis, with a clock that the test holds, invariant by invariant."""

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.line_bench import START_MS, LineBench
from waitroom.standing import Called, Late, Spent, Waiting


def test_with_no_line_the_joiner_is_called_at_once(line: LineBench) -> None:
    assert line.join() == ([1], [1])
    assert line.inside() == [1]


def test_joiners_beyond_the_cap_wait(line: LineBench) -> None:
    numbers, called = line.join(15)
    assert called == numbers[:10]
    assert line.inside() == list(range(1, 11))


def test_nobody_who_waits_is_overtaken_by_a_joiner(line: LineBench) -> None:
    """I3: a place falls free, and it is the waiting visitor's, though the joiner asks first."""
    line.waiting(11)
    line.release(1)
    assert line.join() == ([12], [])
    assert 11 in line.inside()


def test_a_number_just_given_has_time_for_its_first_poll(line: LineBench) -> None:
    """I3: between joining and the first poll, three seconds at most, a later joiner is not called past it."""
    line.join(11)
    line.release(1)
    line.pass_ms(2_999)
    assert line.join() == ([12], [])


def test_a_client_without_cookies_never_stands_in_the_line(line: LineBench) -> None:
    """Numbers that never poll delay nobody: after three seconds a joiner is called past them."""
    line.join(50)
    line.release(1)
    line.pass_ms(3_000)
    assert line.join() == ([51], [51])


def test_in_mode_queue_even_the_first_visitor_waits_a_turn(line: LineBench) -> None:
    line.set(mode="queue")
    assert line.join() == ([1], [])
    line.poll(1)
    line.advance()
    assert line.inside() == [1]


@pytest.mark.parametrize("mode", ["hold", "open", "closed"])
def test_nobody_is_called_while_the_room_does_not_queue(line: LineBench, mode: str) -> None:
    line.waiting(12)
    line.set(mode=mode)
    line.release(1)
    line.pass_ms(60_000)
    line.poll(11, 12)
    assert line.advance().called == 10


def test_the_cap_is_never_exceeded(line: LineBench) -> None:
    """I1: claims, joins and time change nothing about it."""
    line.waiting(40)
    for _ in range(20):
        line.claim(*line.inside()[:5])
        line.release(*line.inside()[:2])
        line.join(3)
        line.pass_ms(1_000)
        assert line.advance().inside <= 10


def test_the_rate_is_never_exceeded(line: LineBench) -> None:
    """I2: from a full bucket, calls in any time are at most burst + rate x time."""
    line.set(cap=100_000, rate_per_minute=60, burst=5)
    line.waiting(200)
    for second in range(60):
        assert line.advance().called <= 5 + second
        line.pass_ms(1_000)
        line.poll(*range(1, 201))


def test_the_whole_rate_is_used(line: LineBench) -> None:
    """A burst of two is enough for a bucket that is looked at each quarter of a second to lose nothing."""
    line.set(cap=100_000, rate_per_minute=90, burst=2)
    line.waiting(200)
    for _ in range(120):
        line.pass_ms(250)
        line.poll(*range(1, 201))
        line.advance()
    assert line.advance().called == 2 + 45


def test_a_lowered_rate_does_not_reach_back_and_a_raised_one_neither(line: LineBench) -> None:
    """I2: time passed under the old rate fills the bucket by the old rate."""
    line.set(cap=100_000, rate_per_minute=60, burst=100)
    line.waiting(400)
    assert line.advance().called == 100
    line.pass_ms(10_000)
    line.set(rate_per_minute=60_000)
    assert line.advance().called == 110


def test_the_lowest_present_numbers_are_called_first(line: LineBench) -> None:
    """I3."""
    line.waiting(30)
    line.release(*range(1, 11))
    line.advance()
    assert line.inside() == list(range(11, 21))


def leave(line: LineBench, gone: int) -> None:
    """Ten are inside for long and twenty wait; the first `gone` of these close their tabs, and are absent by now."""
    line.set(presence_ms=10_000)
    line.waiting(30)
    line.claim(*range(1, 11))
    for _ in range(3):
        line.pass_ms(10_000)
        line.advance()
        line.poll(*range(11 + gone, 31))
    assert line.advance().waiting == 20 - gone


def test_an_absent_visitor_does_not_block_the_line(line: LineBench) -> None:
    """I5: 11 to 15 left, and are passed over: 16 is next."""
    leave(line, 5)
    line.release(1, 2)
    line.advance()
    assert line.inside() == [*range(3, 11), 16, 17]


def test_who_returns_after_the_turn_is_late_and_served_first(line: LineBench) -> None:
    leave(line, 5)
    line.release(1)
    line.advance()
    assert line.poll(12, 11) == [Late(0), Late(0)]
    assert line.poll(12) == [Late(1)]
    line.release(16)
    line.advance()
    assert 11 in line.inside()
    assert 17 not in line.inside()


def test_who_returns_before_the_turn_stands_where_they_stood(line: LineBench) -> None:
    """I4: an hour away, and still before those who came later."""
    leave(line, 5)
    line.poll(12)
    line.release(1)
    line.advance()
    assert 12 in line.inside()
    assert 16 not in line.inside()


def test_nobody_is_called_twice_when_the_window_turns(line: LineBench) -> None:
    """A call clears the bit of the window; the bits collected for the next are cleared up to head as it turns."""
    line.set(presence_ms=10_000, claim_ms=5_000)
    line.waiting(13)
    line.release(1, 2)
    line.advance()
    assert line.inside() == list(range(3, 13))
    line.pass_ms(10_000)
    snapshot = line.advance()
    assert line.inside() == [13]
    assert (snapshot.called, snapshot.waiting) == (13, 0)


def test_a_call_that_nobody_claims_ends_with_the_claim_window(line: LineBench) -> None:
    """I5: a no-show delays the next by one claim window, and comes back late."""
    line.waiting(11)
    line.claim(*range(1, 10))
    line.pass_ms(59_999)
    assert 11 not in line.inside()
    line.advance()
    assert 11 not in line.inside()
    line.pass_ms(1)
    line.advance()
    assert 11 in line.inside()
    assert line.poll(10) == [Late(0)]


def test_a_claim_gives_the_lease_of_a_session_and_a_renewal_extends_it(line: LineBench) -> None:
    line.join()
    assert line.claim(1) == [Called(START_MS + 600_000)]
    line.pass_ms(400_000)
    assert line.claim(1) == [Called(START_MS + 1_000_000)]


def test_an_ended_lease_is_not_renewed(line: LineBench) -> None:
    """I1: whoever was inside and stayed away too long joins anew; the old ticket gives no second turn."""
    line.join()
    line.claim(1)
    line.pass_ms(600_000)
    assert line.claim(1) == [Spent()]
    assert line.poll(1) == [Spent()]


def test_who_was_not_called_can_not_claim(line: LineBench) -> None:
    line.waiting(11)
    assert line.claim(11) == [Waiting()]
    assert 11 not in line.inside()


def test_who_leaves_the_line_is_passed_over(line: LineBench) -> None:
    line.waiting(12)
    assert line.release(11) == 1
    line.release(1)
    line.advance()
    assert line.inside() == [*range(2, 11), 12]


def test_who_left_the_line_does_not_return_with_the_next_window(line: LineBench) -> None:
    line.set(presence_ms=10_000)
    line.waiting(12)
    line.claim(*range(1, 11))
    line.release(11)
    line.pass_ms(10_000)
    assert line.advance().waiting == 1


def test_who_left_can_not_come_back_as_late(line: LineBench) -> None:
    line.join()
    line.release(1)
    assert line.poll(1) == [Spent()]


def test_the_newest_version_of_the_limits_is_in_force_whoever_asks(line: LineBench) -> None:
    old = line.limits
    line.set(cap=20)
    line.advance()
    line.limits = old
    assert line.advance().limits.cap == 20


def test_of_one_version_the_one_edited_later_is_in_force(redis: PrivateRedis) -> None:
    later, earlier = LineBench(redis, edited_ms=2, cap=7), LineBench(redis, edited_ms=1, cap=9)
    assert earlier.advance().limits.cap == 9
    assert later.advance().limits.cap == 7
    assert earlier.advance().limits.cap == 7


def test_a_snapshot_younger_than_the_tick_is_shared(line: LineBench) -> None:
    """N processes that advance cost Redis little more than one."""
    first = line.advance()
    line.pass_ms(249)
    assert line.advance(tick_ms=250) == first
    line.pass_ms(1)
    assert line.advance(tick_ms=250).now_ms == line.now_ms


def test_no_more_than_a_thousand_are_called_in_one_step(line: LineBench) -> None:
    line.set(mode="queue", cap=5_000, burst=5_000)
    line.waiting(3_000)
    assert [line.advance().called for _ in range(4)] == [1_000, 2_000, 3_000, 3_000]


def test_a_clock_that_steps_back_stops_nothing_for_long(line: LineBench) -> None:
    """I2 and I5: an hour back gives no calls for free, and the next minute is as any other."""
    line.set(cap=1_000, rate_per_minute=60, burst=1)
    line.waiting(100)
    line.pass_ms(-3_600_000)
    called = line.advance().called
    line.pass_ms(60_000)
    line.poll(*range(50, 101))
    line.advance()
    line.pass_ms(60_000)
    assert line.advance().waiting <= 51, "the presence window turns as ever"
    called = line.advance().called
    for _ in range(6):
        line.pass_ms(10_000)
        line.poll(*range(50, 101))
        line.advance()
    assert line.advance().called == called + 6


class TestAfterALoss:
    """Redis was emptied, or lost its last writes; a process still knows epoch, tail, head and leases."""

    def test_no_number_is_given_twice(self, line: LineBench, redis: PrivateRedis) -> None:
        """I4."""
        line.waiting(30)
        line.known = (1, 30, 10)
        redis.client.flushall()
        assert line.join() == ([31], [])

    def test_nobody_is_called_until_leases_had_time_to_come_back(self, line: LineBench, redis: PrivateRedis) -> None:
        """I1: with the leases of ten visitors unknown, a call could be the eleventh."""
        line.waiting(30)
        line.claim(*range(1, 11))
        line.known = (1, 30, 10)
        redis.client.flushall()
        line.advance()
        line.poll(*range(11, 31))
        line.pass_ms(2_900)
        assert line.restore(*((number, START_MS + 600_000) for number in range(1, 11))) == 10
        line.pass_ms(100)
        assert line.advance().inside == 10

    def test_the_line_goes_on_where_it_stood(self, line: LineBench, redis: PrivateRedis) -> None:
        line.waiting(30)
        line.known = (1, 30, 10)
        redis.client.flushall()
        line.advance()
        line.poll(*range(11, 31))
        line.pass_ms(3_000)
        line.advance()
        assert line.inside() == list(range(11, 21))

    def test_a_ticket_alone_raises_the_tail(self, line: LineBench, redis: PrivateRedis) -> None:
        """I4: every process was lost too; the visitors' own numbers are not given again."""
        line.waiting(30)
        redis.client.flushall()
        line.advance()
        assert line.poll(30) == [Waiting()]
        assert line.join() == ([31], [])

    def test_a_lease_that_comes_back_twice_keeps_its_later_end(self, line: LineBench, redis: PrivateRedis) -> None:
        """Two processes knew it, one from before it was renewed. Who was late meanwhile is not any more."""
        line.waiting(10)
        line.known = (1, 10, 10)
        redis.client.flushall()
        line.advance()
        assert line.poll(4) == [Late(0)]
        line.restore((4, START_MS + 600_000))
        line.restore((4, START_MS + 60_000))
        assert line.poll(4) == [Called(START_MS + 600_000)]
        assert line.advance().late == 0

    def test_a_lease_that_has_ended_does_not_come_back(self, line: LineBench, redis: PrivateRedis) -> None:
        line.waiting(10)
        line.known = (1, 10, 10)
        redis.client.flushall()
        line.advance()
        assert line.restore((4, START_MS)) == 0

    def test_those_called_before_a_failover_are_not_called_again(self, line: LineBench) -> None:
        """I3: the replica still has their bits as waiting; a process knows that head had passed them."""
        line.set(mode="hold")
        line.waiting(40)
        line.known = (1, 40, 19)
        line.set(mode="queue")
        line.pass_ms(3_000)
        line.advance()
        line.pass_ms(3_000)
        snapshot = line.advance()
        assert line.inside() == list(range(20, 30))
        assert snapshot.waiting == 11

    def test_writes_lost_in_a_failover_are_noticed(self, line: LineBench) -> None:
        before = line.advance()
        line.known = (1, 500, 200)
        after = line.advance()
        assert (after.tail, after.head) == (500, 200)
        assert after.generation != before.generation

    def test_a_line_that_redis_forgot_says_so(self, line: LineBench) -> None:
        with pytest.raises(Exception, match="NOLINE"):
            line.poll(1)


class TestPositions:
    def test_are_counted_among_the_present_only(self, line: LineBench) -> None:
        line.join(30)
        line.poll(12, 15, 20)
        snapshot = line.advance()
        assert [snapshot.position(n) for n in (12, 15, 20)] == [1, 2, 3]
        assert snapshot.waiting == 3

    def test_stand_behind_the_late(self, line: LineBench) -> None:
        line.waiting(12)
        line.pass_ms(60_000)
        line.set(cap=0)
        line.poll(3, 11, 12)
        snapshot = line.advance()
        assert snapshot.position(11) == 2

    def test_are_exact_near_the_front_and_close_beyond(self, line: LineBench) -> None:
        """Every third of 60,000 waits; beyond the first 8,192 a position is off by at most a stretch's numbers."""
        line.set(mode="queue", cap=0)
        line.join(60_000)
        present = list(range(1, 60_001, 3))
        for start in range(0, len(present), 5_000):
            line.poll(*present[start : start + 5_000])
        snapshot = line.advance()
        for position, number in enumerate(present, start=1):
            off = abs(snapshot.position(number) - position)
            assert off == 0 if number < 8_192 else off <= snapshot.stretch // 3 + 1
        assert snapshot.waiting == len(present)

    def test_survive_the_turn_of_the_presence_window(self, line: LineBench) -> None:
        line.waiting(40)
        line.pass_ms(30_000)
        line.poll(*range(11, 41))
        line.pass_ms(30_000)
        snapshot = line.advance()
        assert snapshot.head == 20
        assert snapshot.position(24) == 4
        assert snapshot.waiting == 20
