"""Moving places, by the line: a code is good once, and for a time; one ticket of a place is good; guesses count."""

import pytest

from tests.waitroom.line_bench import START_MS, LineBench
from waitroom.standing import Called, Moved, Spent, Waiting

TEN_MINUTES_MS = 600_000


@pytest.fixture
def waiting(line: LineBench) -> LineBench:
    """Ten are called at once, and three wait behind them."""
    line.join(10)
    line.waiting(3)
    return line


def moved(line: LineBench, number: int, code: str = "code", own: int | None = None) -> None:
    """Moves a place that was never moved before."""
    assert line.receipt(number, code) == ("made", line.now_ms + TEN_MINUTES_MS)
    assert line.move(code, own=own) == ("moved", 1, f"told of {number}")


def test_a_code_is_good_once(waiting: LineBench) -> None:
    moved(waiting, 11)
    assert waiting.move("code") == ("wrong", 0, "")
    assert waiting.moves() == {11: 1}


def test_a_new_code_takes_the_place_of_the_former(waiting: LineBench) -> None:
    waiting.receipt(11, "former")
    moved(waiting, 11, "new")
    assert waiting.move("former")[0] == "wrong"


def test_a_code_expires(waiting: LineBench) -> None:
    waiting.receipt(11, "in time")
    waiting.receipt(12, "too late")
    waiting.pass_ms(TEN_MINUTES_MS - 1)
    assert waiting.move("in time")[0] == "moved"
    waiting.pass_ms(1)
    assert waiting.move("too late")[0] == "wrong"


def test_expired_codes_take_no_room(waiting: LineBench) -> None:
    for number in (11, 12):
        waiting.receipt(number, f"code of {number}")
    waiting.pass_ms(TEN_MINUTES_MS)
    waiting.receipt(13, "code")
    assert waiting.sizes("receipts", "expiry") == (2, 1)
    waiting.move("code")
    assert waiting.sizes("receipts", "expiry") == (0, 0)


def test_the_place_stays_where_it_stands(waiting: LineBench) -> None:
    before = waiting.advance()
    moved(waiting, 11)
    after = waiting.advance()
    assert (after.waiting, after.position(11), after.position(12)) == (3, before.position(11), before.position(12))


def test_only_the_new_ticket_of_a_called_place_can_claim(waiting: LineBench) -> None:
    moved(waiting, 1)
    assert waiting.claim_as((1, 0)) == [Moved(1)]
    assert waiting.claim_as((1, 1)) == [Called(START_MS + TEN_MINUTES_MS)]


def test_a_place_moves_on_from_where_it_was_moved_to(waiting: LineBench) -> None:
    moved(waiting, 11)
    assert waiting.receipt(11, "of the old browser", moves=0) == ("no place", 0)
    assert waiting.receipt(11, "of the new browser", moves=1)[0] == "made"
    assert waiting.move("of the new browser")[:2] == ("moved", 2)
    assert waiting.claim_as((11, 1), (11, 2)) == [Moved(2), Waiting()]


def test_who_is_inside_has_no_place_to_move(waiting: LineBench) -> None:
    waiting.receipt(1, "code")
    waiting.claim(1)
    assert waiting.move("code") == ("used up", 0, "")
    assert waiting.receipt(1, "another") == ("no place", 0)


def test_a_revoked_place_cannot_be_moved(waiting: LineBench) -> None:
    waiting.receipt(11, "code")
    waiting.revoke(11)
    assert waiting.move("code") == ("used up", 0, "")
    assert waiting.receipt(11, "another") == ("no place", 0)


def test_who_takes_a_place_gives_up_the_own_one(waiting: LineBench) -> None:
    moved(waiting, 11, own=12)
    assert waiting.advance().waiting == 2
    moved(waiting, 13, "other", own=1)
    assert 1 not in waiting.inside()
    assert (1, 0) in waiting.advance().newly_ended


def test_who_takes_the_own_place_keeps_it(waiting: LineBench) -> None:
    moved(waiting, 11, own=11)
    assert waiting.advance().waiting == 3


def test_every_process_learns_of_moves_by_its_snapshot(waiting: LineBench) -> None:
    before = waiting.advance().ended
    moved(waiting, 11)
    snapshot = waiting.advance()
    assert (snapshot.ended - before, snapshot.newly_ended[0]) == (1, (11, -1))


def test_what_was_lost_comes_back_from_whoever_knows_it(waiting: LineBench) -> None:
    moved(waiting, 11)
    waiting.empty()
    waiting.known = (1, 13, 10)
    waiting.advance()
    assert waiting.moves() == {}
    waiting.tell_moves({11: 1})
    waiting.tell_moves({11: 0})
    assert waiting.claim_as((11, 0)) == [Moved(1)]


def test_after_a_loss_a_place_moves_on_from_what_its_ticket_says(waiting: LineBench) -> None:
    """Nobody else knows by then how often it was moved."""
    assert waiting.receipt(11, "code", moves=2)[0] == "made"
    assert waiting.move("code")[:2] == ("moved", 3)
    assert waiting.claim_as((11, 2)) == [Moved(3)]


def test_after_a_loss_an_old_ticket_cannot_take_the_place_back_once_the_good_one_was_seen(waiting: LineBench) -> None:
    waiting.receipt(11, "code", moves=0)
    waiting.tell_moves({11: 1})
    assert waiting.move("code") == ("used up", 0, "")
    assert waiting.moves() == {11: 1}


def test_a_move_is_forgotten_once_the_place_is_used_up(waiting: LineBench) -> None:
    for number in (1, 2):
        moved(waiting, number, f"code of {number}")
        waiting.claim_as((number, 1))
    waiting.release(1)
    waiting.pass_ms(TEN_MINUTES_MS)
    waiting.advance()
    assert waiting.moves() == {}
    waiting.tell_moves({1: 1, 2: 1})
    assert waiting.moves() == {}
    assert waiting.claim_as((1, 0), (2, 0)) == [Spent(), Spent()]


def test_a_missed_call_leaves_the_place_moved(waiting: LineBench) -> None:
    moved(waiting, 1)
    waiting.pass_ms(60_000)
    waiting.advance()
    assert waiting.claim_as((1, 0)) == [Moved(1)]


def test_a_reset_forgets_codes_and_moves(waiting: LineBench) -> None:
    moved(waiting, 11)
    waiting.receipt(12, "another")
    waiting.reset(2)
    assert waiting.moves() == {}
    assert waiting.move("another")[0] == "wrong"


class TestGuesses:
    def test_the_tenth_wrong_code_is_the_last(self, waiting: LineBench) -> None:
        """Then not even the right one is taken, for as long as the window lasts; from elsewhere it is."""
        waiting.receipt(11, "code")
        for i in range(10):
            assert waiting.move(f"guess {i}", "mallory")[0] == "wrong"
            waiting.pass_ms(1_000)
        until_ms = START_MS + TEN_MINUTES_MS
        assert waiting.move("code", "mallory") == ("locked", until_ms, "")
        assert waiting.move("code", "alice")[0] == "moved"

    def test_after_ten_minutes_one_may_try_again(self, waiting: LineBench) -> None:
        for i in range(10):
            waiting.move(f"guess {i}", "mallory")
        waiting.pass_ms(TEN_MINUTES_MS)
        moved(waiting, 11)
        assert waiting.move("guess", "mallory")[0] == "wrong"

    def test_guesses_from_everywhere_lock_the_line(self, waiting: LineBench) -> None:
        """Who waits goes on waiting, and codes can still be made: they are good once the window is over."""
        for i in range(1000):
            assert waiting.move(f"guess {i}", f"address {i}")[0] == "wrong"
        waiting.receipt(11, "code")
        assert waiting.move("code", "alice")[0] == "locked"
        assert waiting.poll(11) == [Waiting()]
        waiting.pass_ms(TEN_MINUTES_MS)
        waiting.receipt(11, "another")
        assert waiting.move("another", "alice")[0] == "moved"

    def test_a_clock_that_steps_back_locks_nobody_out(self, waiting: LineBench) -> None:
        for i in range(10):
            waiting.move(f"guess {i}", "mallory")
        waiting.pass_ms(-3_600_000)
        assert waiting.move("guess", "mallory")[0] == "wrong"

    def test_of_one_place_ten_codes_can_be_made_in_ten_minutes(self, waiting: LineBench) -> None:
        for i in range(10):
            assert waiting.receipt(11, f"code {i}")[0] == "made"
        assert waiting.receipt(11, "one more") == ("too often", START_MS + TEN_MINUTES_MS)
        assert waiting.move("code 9")[0] == "moved"
        assert waiting.receipt(12, "of another place")[0] == "made"

    def test_counts_outlive_no_window_in_redis(self, waiting: LineBench) -> None:
        waiting.move("guess")
        assert 0 < waiting.ttl_ms("tries") <= TEN_MINUTES_MS


def test_there_are_only_so_many_codes_at_a_time(waiting: LineBench) -> None:
    waiting.fill("expiry", 65_536)
    assert waiting.receipt(11, "code") == ("full", START_MS + TEN_MINUTES_MS)
