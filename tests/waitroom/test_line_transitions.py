"""The transitions of a line, on a real Redis, with a clock that the test holds, invariant by invariant."""

import time
from collections.abc import Callable

import pytest
from redis.exceptions import ResponseError

from tests.servers import PrivateRedis
from tests.waitroom.line_bench import MOST_UNKNOWN, NUMBERS_PER_MS, START_MS, Given, LineBench
from waitroom.standing import Called, Late, Revoked, Spent, Waiting
from waitroom.store import script
from waitroom.store_keys import line_keys


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


@pytest.mark.parametrize("ms", [0, 2_999])
def test_a_number_just_given_has_time_for_its_first_poll(line: LineBench, ms: int) -> None:
    """I3: between joining and the first poll, three seconds at most, a later joiner is not called past it."""
    line.join(11)
    line.release(1)
    line.pass_ms(ms)
    assert line.join() == ([12], [])


def test_a_number_just_given_that_was_called_holds_up_no_joiner(line: LineBench) -> None:
    line.waiting(11)
    line.release(1, 2)
    line.advance()
    assert line.join() == ([12], [12])


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


def test_the_first_number_of_the_bitmap_is_called_like_any(line: LineBench) -> None:
    """I5: the window turned while the next to be called was a multiple of 8."""
    line.set(presence_ms=10_000, cap=7)
    line.waiting(9)
    line.claim(*range(1, 8))
    line.pass_ms(10_000)
    line.advance()
    line.release(1)
    line.advance()
    assert line.inside() == list(range(2, 9))


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


def test_what_was_advanced_within_the_tick_is_not_advanced_again(line: LineBench) -> None:
    """N processes that advance cost Redis little more than one; each sees the line as it is."""
    line.waiting(11)
    line.advance()
    line.known = (1, 11, 10)
    line.release(1)
    line.pass_ms(249)
    assert line.advance(tick_ms=250).inside == 9
    line.pass_ms(1)
    assert line.advance(tick_ms=250).inside == 10


def test_no_more_than_a_thousand_are_called_in_one_step(line: LineBench) -> None:
    line.set(mode="queue", cap=5_000, burst=5_000)
    line.waiting(3_000)
    assert [line.advance().called for _ in range(4)] == [1_000, 2_000, 3_000, 3_000]


def test_nobody_is_overtaken_by_a_joiner_though_a_step_does_not_call_them_all(line: LineBench) -> None:
    """I3."""
    line.set(mode="hold", cap=5_000, burst=5_000)
    line.waiting(1_001)
    line.pass_ms(3_000)
    line.set(mode="auto")
    assert line.join() == ([1_002], [])
    assert line.advance().called == 1_001


def test_a_lowered_burst_counts_at_once(line: LineBench) -> None:
    """I2."""
    line.set(mode="hold", cap=100)
    line.waiting(50)
    line.set(mode="queue", burst=3)
    assert line.advance().called == 3


def test_the_time_is_that_of_redis_to_the_millisecond(line: LineBench, redis: PrivateRedis) -> None:
    """Unless a test gives its own."""
    before_ms = time.time_ns() // 1_000_000
    reply = redis.client.register_script(script("advance"))(
        keys=line_keys("real"), args=["", 0, *line.limits.to_arguments(), 0, 0, 0, 0, ""]
    )
    assert before_ms <= reply[0] <= time.time_ns() // 1_000_000


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
    """Redis was emptied, or lost its last writes; a process still knows epoch, tail, head, leases and who is
    present."""

    @pytest.fixture
    def lost(self, line: LineBench, redis: PrivateRedis) -> LineBench:
        """Ten are inside and twenty wait; then Redis is emptied. A process knows tail and head."""
        line.waiting(30)
        line.claim(*range(1, 11))
        line.known = (1, 30, 10)
        redis.client.flushall()
        return line

    def test_no_number_is_given_twice(self, lost: LineBench) -> None:
        """I4: another process may have given numbers that this one never heard of."""
        assert lost.join() == ([30 + MOST_UNKNOWN + 1], [])

    def test_nor_if_nobody_knows_that_there_was_a_line(self, lost: LineBench) -> None:
        """I4: a new line counts from the clock, so that it is ahead of whatever was given."""
        lost.known = (0, 0, 0)
        lost.pass_ms(1)
        assert lost.join()[0] == [NUMBERS_PER_MS + 1]

    def test_nobody_is_called_until_leases_had_time_to_come_back(self, lost: LineBench) -> None:
        """I1: with the leases of ten visitors unknown, a call could be the eleventh."""
        before = lost.advance()
        lost.poll(*range(11, 31))
        lost.remind(before.here_from, before.here)
        lost.pass_ms(2_900)
        lease = START_MS + 600_000
        assert lost.restore(*((number, lease) for number in range(1, 11))) == [lease] * 10
        lost.pass_ms(100)
        assert lost.advance().inside == 10

    def test_nobody_is_called_until_the_present_have_shown_themselves_again(self, lost: LineBench) -> None:
        """I3: 12 polls first, and is not called before 11, whose turn to poll comes later in the window."""
        lost.advance()
        lost.poll(12)
        lost.pass_ms(29_999)
        assert lost.advance().called == 0
        lost.poll(11)
        lost.pass_ms(1)
        lost.advance()
        assert lost.inside() == [11, 12]

    def test_a_process_that_remembers_the_present_spares_the_line_that_rest(self, lost: LineBench) -> None:
        """I3: the bitmap of the last snapshot comes back, cut to what is still uncalled."""
        lost.advance()
        lost.remind(8, b"\xff\xff\xff\xfc")  # 8 to 37
        lost.pass_ms(3_000)
        snapshot = lost.advance()
        assert lost.inside() == list(range(11, 21))
        assert snapshot.waiting == 17

    def test_what_a_process_remembers_adds_to_what_is_known_again(self, lost: LineBench) -> None:
        lost.advance()
        lost.poll(30)
        lost.remind(16, b"\x80")  # 16
        lost.set(cap=0)
        snapshot = lost.advance()
        assert [snapshot.position(number) for number in (16, 30)] == [1, 2]

    def test_reminding_leaves_nothing_behind(self, lost: LineBench, redis: PrivateRedis) -> None:
        """Who was present before one loss is not so after another."""
        lost.advance()
        lost.remind(8, b"\xff\xff\xff\xfc")
        assert not redis.client.exists(line_keys("test")[-1])

    def test_reminding_does_not_end_the_rest_of_a_line_that_nobody_knew_of(self, lost: LineBench) -> None:
        """I3: the tickets of an older line have half a presence window to show themselves."""
        lost.known = (0, 0, 0)
        lost.pass_ms(1)
        lost.advance()
        lost.poll(12)
        lost.remind(8, b"\xff\xff\xff\xfc")
        lost.pass_ms(29_998)
        assert lost.advance().called == 0

    def test_an_old_admission_stops_the_calls_as_an_old_ticket_does(self, lost: LineBench) -> None:
        """I1: there must be others."""
        lost.known = (0, 0, 0)
        lost.pass_ms(1)
        lost.advance()
        lost.restore((4, START_MS + 600_000))
        assert lost.join()[1] == []

    def test_the_line_goes_on_where_it_stood(self, lost: LineBench) -> None:
        lost.advance()
        lost.poll(*range(11, 31))
        lost.pass_ms(30_000)
        lost.advance()
        assert lost.inside() == list(range(11, 21))

    def test_tickets_that_nobody_knows_of_are_served_first_and_in_order(self, lost: LineBench) -> None:
        """I3: every process was lost too. Who stood in the line before comes before who joins now."""
        lost.known = (0, 0, 0)
        lost.pass_ms(1)
        lost.advance()
        assert lost.poll(12) == [Late(0)]
        lost.waiting(3)
        assert lost.poll(11) == [Late(0)]
        lost.pass_ms(30_000)
        lost.poll(11, 12)
        lost.set(cap=2)
        lost.advance()
        assert lost.inside() == [11, 12]

    def test_an_old_ticket_stops_the_calls_until_all_had_time_to_show_theirs(self, lost: LineBench) -> None:
        """I1 and I3: the line was begun by who knew of none, so the first joiner was called; then there is proof."""
        lost.known = (0, 0, 0)
        lost.pass_ms(1)
        assert len(lost.join()[1]) == 1
        lost.poll(12)
        lost.pass_ms(29_998)
        lost.poll(12)
        assert lost.advance().called == 1
        lost.pass_ms(2)
        assert lost.advance().called == 2

    def test_a_line_that_may_have_been_before_waits_for_those_who_knew_it(self, lost: LineBench) -> None:
        """I1 and I3: nobody is called before who stood in it had time to poll, and who was inside to be active."""
        lost.known, lost.is_new = (0, 0, 0), False
        lost.pass_ms(1)
        assert lost.join()[1] == []
        lost.pass_ms(29_999)
        assert lost.advance().called == 0
        lost.pass_ms(1)
        assert len(lost.join()[1]) == 1

    def test_a_ticket_ahead_of_the_line_raises_the_tail(self, line: LineBench) -> None:
        """I4: a failover lost the joins of the last moment."""
        line.waiting(30)
        assert line.poll(40) == [Waiting()]
        assert line.join() == ([41], [])

    def test_a_ticket_far_ahead_of_the_line_is_of_another_life(self, line: LineBench) -> None:
        """The clock of the new Redis is behind that of the old: the bitmaps do not grow to span the gap."""
        line.waiting(30)
        far = 10**12
        assert line.poll(far) == [Waiting()]
        snapshot = line.advance()
        assert (snapshot.tail, snapshot.head) == (far, far - 1)
        assert len(snapshot.here) == 1
        assert line.poll(20) == [Late(0)]
        assert line.join() == ([far + 1], [])

    def test_a_lease_that_comes_back_twice_keeps_its_later_end(self, lost: LineBench) -> None:
        """Two processes knew it, one from before it was renewed. Who was late meanwhile is not any more."""
        lost.advance()
        assert lost.poll(4) == [Late(0)]
        lost.restore((4, START_MS + 600_000))
        lost.restore((4, START_MS + 60_000))
        assert lost.stored()[1] == []
        assert lost.poll(4) == [Called(START_MS + 600_000)]
        assert lost.advance().late == 0

    def test_a_lease_that_comes_back_too_late_has_its_place_only_if_there_is_one(self, lost: LineBench) -> None:
        """I1: calling went on, and the room is full; who was inside comes first in the line."""
        lost.advance()
        lost.poll(*range(11, 31))
        lost.pass_ms(30_000)
        assert lost.advance().inside == 10
        assert lost.restore((4, START_MS + 600_000)) == [0]
        assert lost.poll(4) == [Late(0)]
        lost.release(11)
        lost.advance()
        assert 4 in lost.inside()
        lost.release(12)
        assert lost.restore((5, START_MS + 600_000)) == [START_MS + 600_000]

    def test_a_lease_that_has_ended_does_not_come_back(self, lost: LineBench) -> None:
        lost.advance()
        assert lost.restore((4, START_MS)) == [0]

    def test_those_called_before_a_failover_are_not_called_again(self, line: LineBench) -> None:
        """I3: the replica still has their bits as waiting; a process knows that head had passed them."""
        line.set(mode="hold")
        line.waiting(40)
        line.known = (1, 40, 19)
        line.set(mode="queue")
        line.pass_ms(3_000)
        seen = line.advance()
        line.remind(seen.here_from, seen.here)
        line.pass_ms(3_000)
        snapshot = line.advance()
        assert line.inside() == list(range(20, 30))
        assert snapshot.waiting == 11

    @pytest.mark.parametrize("head", [19, 23])
    def test_nor_without_anybody_to_remind(self, line: LineBench, head: int) -> None:
        """I3: whether or not the head that a process knows is the last number of a byte."""
        line.set(mode="hold")
        line.waiting(40)
        line.known = (1, 40, head)
        line.set(mode="queue")
        line.advance()
        line.pass_ms(30_000)
        line.advance()
        assert line.inside() == list(range(head + 1, head + 11))

    def test_a_lease_that_this_redis_never_heard_of_moves_head(self, line: LineBench) -> None:
        """I3: a failover lost the call of 20, and with it those of all before."""
        line.waiting(30)
        line.restore((20, START_MS + 600_000))
        assert line.advance().head == 20

    def test_an_epoch_lost_in_a_failover_comes_back(self, line: LineBench) -> None:
        line.waiting(12)
        line.known = (3, 12, 10)
        assert line.advance().epoch == 3

    def test_writes_lost_in_a_failover_are_noticed(self, line: LineBench) -> None:
        before = line.advance()
        line.known = (1, 500, 200)
        after = line.advance()
        assert (after.tail, after.head) == (500, 200)
        assert after.generation != before.generation

    def test_another_server_is_noticed_though_nothing_seems_to_be_missing(
        self, line: LineBench, redis: PrivateRedis
    ) -> None:
        """I1, I4: a replica, or a restart from a file, may lack writes that nobody who asks knows of."""
        line.waiting(15)
        before = line.advance()
        redis.client.hset(line_keys("test")[0], "server", "another")
        assert line.join() == ([15 + MOST_UNKNOWN + 1], [])
        after = line.advance()
        assert after.generation != before.generation
        line.release(1)
        line.pass_ms(2_900)
        assert line.advance().called == 10

    @pytest.mark.parametrize(
        "ask",
        [
            lambda line: line.poll(1),
            lambda line: line.claim(1),
            lambda line: line.extend(1),
            lambda line: line.release(1),
            lambda line: line.revoke(1),
            lambda line: line.restore((1, START_MS + 600_000)),
            lambda line: line.remind(0, b"\x40"),
            lambda line: line.reset(2),
        ],
        ids=["poll", "claim", "extend", "release", "revoke", "restore", "remind", "reset"],
    )
    def test_a_line_that_redis_forgot_says_so(self, line: LineBench, ask: Callable[[LineBench], object]) -> None:
        with pytest.raises(ResponseError, match="NOLINE"):
            ask(line)


class TestLate:
    def test_visitors_who_vanish_again_hold_up_nobody(self, line: LineBench) -> None:
        """I5: 11 comes back after the turn, and closes the tab for good; the next place goes to 17."""
        leave(line, 5)
        line.release(1)
        line.advance()
        line.poll(11)
        line.release(16)
        line.set(mode="hold")
        for _ in range(2):
            line.pass_ms(5_000)
            line.poll(*range(17, 31))
            line.advance()
        line.set(mode="auto")
        assert line.advance().late == 0
        assert 11 not in line.inside()
        assert 17 in line.inside()

    def test_keep_their_number_for_another_return(self, line: LineBench) -> None:
        leave(line, 5)
        line.release(1)
        line.advance()
        line.poll(11)
        line.pass_ms(10_000)
        assert line.advance().late == 0
        assert line.poll(11) == [Late(0)]

    def test_stay_in_line_as_long_as_they_poll(self, line: LineBench) -> None:
        leave(line, 5)
        line.release(1)
        line.advance()
        for _ in range(5):
            line.poll(11)
            line.pass_ms(9_999)
            assert line.advance().late == 1


class TestExtension:
    """Ten are called; the claim window is a minute."""

    @pytest.fixture
    def called(self, line: LineBench) -> LineBench:
        line.waiting(11)
        return line

    def test_adds_a_claim_window_to_the_one_that_is_left(self, called: LineBench) -> None:
        called.pass_ms(59_999)
        assert called.poll(1) == [Called(START_MS + 60_000, can_extend=True)]
        assert called.extend(1) == [Called(START_MS + 120_000)]
        assert called.poll(1) == [Called(START_MS + 120_000)]
        assert called.advance().extended == 1

    def test_is_given_once(self, called: LineBench) -> None:
        """I5: however often somebody asks, the next waits for two claim windows at most."""
        for _ in range(3):
            assert called.extend(1) == [Called(START_MS + 120_000)]
        called.claim(*range(2, 11))
        called.pass_ms(119_999)
        called.poll(11)
        called.advance()
        assert 1 in called.inside()
        assert called.extend(1) == [Called(START_MS + 120_000)]
        called.pass_ms(1)
        called.advance()
        assert called.inside() == list(range(2, 12))
        assert called.extend(1) == [Late(0)]

    def test_is_given_anew_with_another_call(self, called: LineBench) -> None:
        """Who came too late for one is served before the rest."""
        called.extend(1)
        called.pass_ms(120_000)
        called.poll(1)
        called.advance()
        assert called.extend(1) == [Called(START_MS + 240_000)]

    def test_does_not_come_after_the_claim(self, called: LineBench) -> None:
        called.claim(1)
        assert called.extend(1) == [Called(START_MS + 600_000)]
        assert called.advance().extended == 0

    def test_takes_nothing_from_the_claim(self, called: LineBench) -> None:
        called.extend(1)
        assert called.claim(1) == [Called(START_MS + 600_000)]

    def test_is_not_for_who_waits_or_is_late_or_was_revoked(self, called: LineBench) -> None:
        """It is a sign of presence, as a poll is."""
        called.revoke(2)
        called.pass_ms(60_000)
        assert called.extend(11, 3, 2) == [Waiting(), Late(0), Revoked(START_MS + 86_400_000)]
        called.advance()
        assert called.inside() == [3, 11]

    def test_ends_with_the_place_that_was_given_back(self, called: LineBench) -> None:
        called.extend(1, 2)
        called.release(1)
        called.revoke(2)
        assert called.extend(1, 2) == [Spent(), Revoked(START_MS + 86_400_000)]
        assert called.inside() == list(range(3, 11))

    def test_outlives_a_reset_as_the_place_does(self, called: LineBench) -> None:
        called.extend(1)
        called.reset(2)
        assert called.poll(1) == [Called(START_MS + 120_000)]

    def test_is_no_shorter_once_the_place_was_restored(self, called: LineBench) -> None:
        """A process knew of the call only."""
        called.extend(1)
        assert called.restore((1, START_MS + 60_000)) == [START_MS + 120_000]
        assert called.claim(1) == [Called(START_MS + 600_000)]

    def test_is_asked_for_anew_after_redis_was_emptied(self, called: LineBench, redis: PrivateRedis) -> None:
        """Nobody knows of places that are only reserved: who had one comes first again."""
        called.extend(1)
        called.known = (1, 11, 10)
        redis.client.flushall()
        called.advance()
        assert called.extend(1) == [Late(0)]
        called.pass_ms(30_000)
        called.poll(1)
        called.advance()
        assert called.poll(1) == [Called(START_MS + 90_000, can_extend=True)]


class TestRevoked:
    def test_visitors_lose_their_place_and_are_refused(self, line: LineBench) -> None:
        line.waiting(12)
        until_ms = START_MS + 86_400_000
        assert line.revoke(1, 11) == 2
        assert line.claim(1, 11) == [Revoked(until_ms), Revoked(until_ms)]
        assert line.poll(11) == [Revoked(until_ms)]
        line.advance()
        assert line.inside() == [*range(2, 11), 12]

    def test_numbers_can_not_be_restored(self, line: LineBench) -> None:
        line.waiting(2)
        line.revoke(1)
        assert line.restore((1, START_MS + 600_000)) == [0]

    def test_visitors_join_anew_when_it_is_over(self, line: LineBench) -> None:
        line.waiting(1)
        line.revoke(1, until_ms=START_MS + 1_000)
        line.pass_ms(1_000)
        assert line.poll(1) == [Spent()]

    def test_numbers_are_forgotten_when_it_is_over(self, line: LineBench, redis: PrivateRedis) -> None:
        """By the next turn of the window: a line does not grow with all who were ever revoked."""
        line.waiting(1)
        line.revoke(1, until_ms=START_MS + 1_000)
        line.pass_ms(60_000)
        line.advance()
        assert not redis.client.exists("wr:{test}:revoked")

    def test_numbers_are_told_to_every_process(self, line: LineBench) -> None:
        """As are those whose lease was given back; who only left the line held no admission."""
        line.waiting(12)
        line.release(3, 11)
        line.revoke(12, 5, until_ms=START_MS + 7)
        snapshot = line.advance()
        assert (snapshot.ended, snapshot.newly_ended) == (3, ((5, START_MS + 7), (12, START_MS + 7), (3, 0)))

    def test_numbers_told_are_bounded(self, line: LineBench) -> None:
        line.waiting(1)
        line.revoke(*range(1, 1_001))
        snapshot = line.advance()
        assert (snapshot.ended, len(snapshot.newly_ended)) == (1_000, 256)


class TestOnePlacePerPerson:
    def test_the_same_number_on_every_device(self, line: LineBench) -> None:
        line.waiting(10)
        first = line.join_as("ada")
        assert first == [Given("number", 11)]
        assert line.join_as("bob", "ada", "") == [
            Given("number", 12),
            Given("number", 11, old=True),
            Given("number", 13),
        ]
        assert line.advance().joined == 13

    def test_two_devices_at_once_get_one_number(self, line: LineBench) -> None:
        assert line.join_as("ada", "ada") == [Given("called", 1), Given("number", 1, old=True)]

    def test_a_place_that_is_used_up_gives_way_to_a_new_one(self, line: LineBench) -> None:
        line.join_as("ada")
        line.claim(1)
        line.release(1)
        assert line.join_as("ada") == [Given("called", 2)]

    def test_who_was_revoked_stays_so_on_every_device(self, line: LineBench) -> None:
        line.join_as("ada")
        line.revoke(1)
        assert line.join_as("ada") == [Given("number", 1, old=True)]
        assert line.join_as("bob") == [Given("called", 2)]

    def test_who_was_revoked_joins_anew_when_it_is_over(self, line: LineBench) -> None:
        line.join_as("ada")
        line.revoke(1, until_ms=START_MS + 1_000)
        line.pass_ms(1_000)
        assert line.join_as("ada") == [Given("called", 2)]


class TestOpening:
    """A line that opens an hour from the start, with a draw of a thousand places."""

    OPENS_MS = START_MS + 3_600_000
    BEHIND = 3_600_000 * NUMBERS_PER_MS  # drawn numbers follow this one

    @pytest.fixture
    def early(self, line: LineBench) -> LineBench:
        line.set(opens_ms=self.OPENS_MS, draw="sale", draw_size=1_000)
        line.advance()
        line.pass_ms(30_000)
        return line

    def test_who_comes_early_arrives_and_is_not_called(self, early: LineBench) -> None:
        assert early.join_as("", "") == [Given("arrival", 0), Given("arrival", 1)]
        assert early.advance().arrived == 2
        assert early.advance().called == 0

    def test_drawn_numbers_are_called_in_their_order_once_it_opens(self, early: LineBench) -> None:
        early.join(30)
        drawn = [self.BEHIND + place for place in (999, 3, 500)]
        assert early.poll(*drawn) == [Waiting()] * 3
        early.now_ms = self.OPENS_MS - 1
        early.poll(*drawn)
        assert early.advance().called == 0
        early.set(cap=2)
        early.pass_ms(1)
        snapshot = early.advance()
        assert early.inside() == [self.BEHIND + 3, self.BEHIND + 500]
        assert snapshot.position(self.BEHIND + 999) == 1

    def test_who_comes_after_the_opening_stands_behind_all_who_were_drawn(self, early: LineBench) -> None:
        """I3, I4."""
        early.join(5)
        early.now_ms = self.OPENS_MS
        assert early.join_as("") == [Given("called", self.BEHIND + 1_001)]

    def test_arrivals_beyond_the_draw_queue_behind_it(self, early: LineBench) -> None:
        given = early.join_as(*[""] * 1_002)
        assert given[999:] == [
            Given("arrival", 999),
            Given("number", self.BEHIND + 1_001),
            Given("number", self.BEHIND + 1_002),
        ]

    def test_no_arrival_is_given_until_those_who_have_one_had_time_to_show_it(self, line: LineBench) -> None:
        """I4: the line may have been lost with everybody who knew it."""
        line.is_new = False
        line.set(opens_ms=self.OPENS_MS, draw="sale", draw_size=1_000)
        assert line.join_as("") == [Given("none yet", 0)]
        line.pass_ms(29_999)
        assert line.join_as("") == [Given("none yet", 0)]
        line.known_arrivals = (17, "sale")
        line.pass_ms(1)
        assert line.join_as("") == [Given("arrival", 17)]

    def test_who_could_not_be_given_one_yet_has_none(self, line: LineBench) -> None:
        line.is_new = False
        line.set(opens_ms=self.OPENS_MS, draw="sale", draw_size=1_000)
        assert line.join_as("ada") == [Given("none yet", 0)]
        assert line.advance().joined == 0
        line.pass_ms(30_000)
        assert line.join_as("ada") == [Given("arrival", 0)]

    def test_what_is_known_of_another_draw_does_not_count(self, early: LineBench) -> None:
        early.known_arrivals = (17, "last year")
        assert early.join_as("") == [Given("arrival", 0)]

    def test_arrivals_rest_when_the_server_changed(self, early: LineBench, redis: PrivateRedis) -> None:
        """I4: each process brings the highest that it knows of, before another is given."""
        early.join(5)
        redis.client.hset(line_keys("test")[0], "server", "another")
        assert early.join_as("") == [Given("none yet", 0)]
        early.known_arrivals = (9, "sale")
        early.pass_ms(3_000)
        assert early.join_as("") == [Given("arrival", 9)]

    def test_a_postponed_opening_keeps_the_arrivals(self, early: LineBench) -> None:
        early.join(5)
        early.set(opens_ms=self.OPENS_MS + 600_000)
        assert early.join_as("") == [Given("arrival", 5)]
        early.now_ms = self.OPENS_MS
        assert early.advance().called == 0

    def test_a_draw_that_was_opened_stays_as_it_was(self, early: LineBench) -> None:
        """The places hang on it: an edit of its date, or its end in the file, takes nobody's place."""
        early.join(5)
        early.now_ms = self.OPENS_MS
        early.set(opens_ms=self.OPENS_MS + 5_000, draw_size=7)
        assert early.advance().limits.opens_ms == self.OPENS_MS
        early.set(opens_ms=0, draw="", draw_size=0, cap=3)
        limits = early.advance().limits
        assert (limits.draw, limits.draw_size, limits.cap) == ("sale", 1_000, 3)

    def test_another_draw_begins_with_no_arrivals(self, early: LineBench) -> None:
        early.join(5)
        early.now_ms = self.OPENS_MS
        early.set(opens_ms=self.OPENS_MS + 3_600_000, draw="second sale", draw_size=100)
        early.advance()
        assert early.join_as("") == [Given("arrival", 0)]

    def test_a_place_in_one_draw_is_none_in_another(self, early: LineBench) -> None:
        """I4: the first who arrives for the second sale has arrival 0, whoever had it in the first."""
        assert early.join_as("ada", "ada") == [Given("arrival", 0), Given("arrival", 0, old=True)]
        early.set(draw="second sale")
        assert early.join_as("bob", "ada") == [Given("arrival", 0), Given("arrival", 1)]

    def test_nor_once_there_is_none(self, early: LineBench) -> None:
        early.join_as("ada")
        early.set(opens_ms=0, draw="", draw_size=0)
        assert early.join_as("ada") == [Given("number", self.BEHIND + 1_001)]

    def test_who_stands_behind_a_draw_that_is_moved_is_present_by_the_next_poll_and_nobody_is_called_before(
        self, early: LineBench
    ) -> None:
        """I3."""
        early.join(1_000)
        [behind] = early.join_as("")
        early.poll(behind.place)
        assert early.advance().waiting == 1
        early.set(opens_ms=0, draw="", draw_size=0)
        assert early.advance().waiting == 0
        early.poll(behind.place)
        early.join(1)
        early.pass_ms(early.limits.presence_ms // 2)
        assert early.advance().called == 1
        assert early.inside() == [behind.place]

    def test_a_clock_that_steps_back_keeps_nobody_from_arriving(self, early: LineBench, redis: PrivateRedis) -> None:
        redis.client.hset(line_keys("test")[0], "server", "another")
        assert early.join_as("") == [Given("none yet", 0)]
        early.pass_ms(-3_600_000)
        assert early.join_as("") == [Given("arrival", 0)]

    def test_without_a_draw_the_early_are_served_as_they_came(self, line: LineBench) -> None:
        line.set(opens_ms=self.OPENS_MS)
        assert line.waiting(12) == list(range(1, 13))
        assert line.advance().called == 0
        line.now_ms = self.OPENS_MS
        line.advance()
        assert line.inside() == list(range(1, 11))

    def test_nobody_is_called_once_it_has_closed(self, line: LineBench) -> None:
        line.set(closes_ms=START_MS + 1_000)
        line.waiting(12)
        line.release(1)
        line.pass_ms(1_000)
        assert line.advance().called == 10
        assert line.join() == ([13], [])
        assert line.claim(2) == [Called(line.now_ms + 600_000)]


class TestReset:
    def test_needs_the_next_epoch(self, line: LineBench) -> None:
        line.waiting(12)
        assert line.reset(3) == 1
        assert line.advance().waiting == 2
        assert line.reset(2) == 2

    def test_gives_no_number_twice(self, line: LineBench) -> None:
        """I4."""
        line.waiting(12)
        line.reset(2)
        assert line.join()[0] == [13]

    def test_keeps_those_inside_and_nobody_else(self, line: LineBench) -> None:
        """I1: their admissions are good until they end."""
        line.waiting(12)
        line.reset(2)
        assert line.inside() == list(range(1, 11))
        assert line.advance().waiting == 0

    def test_after_a_draw_begins_behind_its_places(self, line: LineBench) -> None:
        """From the moment of the opening on: who was drawn has a ticket of an earlier epoch."""
        line.set(opens_ms=START_MS + 3_600_000, draw="sale", draw_size=100)
        line.advance()
        line.now_ms = START_MS + 3_600_000
        line.advance()
        line.reset(2)
        snapshot = line.advance()
        assert snapshot.head == snapshot.tail == 3_600_000 * NUMBERS_PER_MS + 100

    def test_before_a_draw_leaves_its_places(self, line: LineBench) -> None:
        line.set(opens_ms=START_MS + 3_600_000, draw="sale", draw_size=100)
        line.advance()
        line.pass_ms(30_000)
        line.join(3)
        line.reset(2)
        assert line.join_as("") == [Given("arrival", 3)]
        drawn = 3_600_000 * NUMBERS_PER_MS + 7
        assert line.poll(drawn) == [Waiting()]


class TestKeys:
    def test_a_line_that_nobody_asks_for_is_forgotten(self, line: LineBench, redis: PrivateRedis) -> None:
        line.set(idle_ms=30)
        line.waiting(12)
        line.release(3)
        line.advance()
        deadline = time.monotonic() + 20
        while redis.client.keys("*") and time.monotonic() < deadline:
            time.sleep(0.01)
        assert redis.client.keys("*") == []

    def test_a_line_that_is_asked_for_is_kept(self, line: LineBench, redis: PrivateRedis) -> None:
        line.set(idle_ms=600_000)
        line.waiting(12)
        line.advance()
        for key in redis.client.keys("*"):
            assert redis.client.pttl(key) > 500_000


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

    def test_are_exact_however_long_the_line(self, line: LineBench) -> None:
        """Every third of 60,000 waits, and then a part in the middle goes away."""
        line.set(mode="queue", cap=0)
        line.join(60_000)
        present = list(range(1, 60_001, 3))
        for start in range(0, len(present), 5_000):
            line.poll(*present[start : start + 5_000])
        line.release(*present[4_000:4_900])
        del present[4_000:4_900]
        snapshot = line.advance()
        assert [snapshot.position(number) for number in present] == list(range(1, len(present) + 1))
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
