"""How fast a line moves, and how often its visitors ask. Pure."""

from hypothesis import given
from hypothesis import strategies as st

from waitroom.pace import CallRate, least_polls_per_second, poll_after_ms

EDITION = (1, 0)


def measured(*samples: tuple[int, int]) -> float | None:
    rate = CallRate()
    for now_ms, called in samples:
        rate.note(now_ms, called, EDITION)
    return rate.per_minute


def test_nothing_is_measured_from_one_look() -> None:
    assert measured((0, 100)) is None


def test_the_rate_is_measured_between_first_and_last_look() -> None:
    assert measured((0, 100), (10_000, 150), (30_000, 160)) == 120


def test_what_is_older_than_a_minute_is_forgotten() -> None:
    assert measured((0, 0), (60_000, 600), (100_000, 600), (120_000, 600)) == 0


def test_a_turned_knob_begins_a_new_measurement() -> None:
    rate = CallRate()
    for second in range(60):
        rate.note(second * 1000, second, (1, 0))
    for second in range(60, 63):
        rate.note(second * 1000, 60 + (second - 60) * 10, (2, 0))
    assert rate.per_minute == 600


def test_a_store_that_began_anew_begins_a_new_measurement() -> None:
    assert measured((0, 1_000), (10_000, 1_100), (20_000, 0), (30_000, 10)) == 60


@given(
    wait=st.none() | st.tuples(st.integers(0, 100_000), st.integers(0, 200_000)),
    waiting=st.integers(0, 10_000_000),
    presence_ms=st.integers(5_000, 3_600_000),
    polls_per_second=st.integers(1, 1_000_000),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_a_poll_never_comes_so_late_that_its_visitor_counts_as_absent(
    wait: tuple[int, int] | None, waiting: int, presence_ms: int, polls_per_second: int, chance: float
) -> None:
    after_ms = poll_after_ms(wait, waiting, presence_ms=presence_ms, polls_per_second=polls_per_second, chance=chance)
    assert 0 < after_ms <= 0.4 * presence_ms + 1


def test_polls_are_short_near_the_front_and_long_far_from_it() -> None:
    def after(wait: tuple[int, int]) -> int:
        return poll_after_ms(wait, 100, presence_ms=60_000, polls_per_second=10_000, chance=0.5)

    assert after((2, 4)) == 1_000
    assert after((100, 160)) == 10_000
    assert after((3_000, 5_000)) == 20_000


def test_polls_of_a_long_line_stay_under_the_budget() -> None:
    """100,000 who wait, and 5,000 polls a second: one in 20 s each, on average."""
    asks = [
        poll_after_ms((1, 2), 100_000, presence_ms=60_000, polls_per_second=5_000, chance=i / 100) for i in range(100)
    ]
    assert sum(asks) / len(asks) >= 19_500


def test_the_fewest_polls_of_a_line_are_those_of_visitors_who_ask_as_seldom_as_they_may() -> None:
    mean_ms = poll_after_ms(None, 50_000, presence_ms=60_000, polls_per_second=1, chance=0.5)
    assert least_polls_per_second(50_000, 60_000) == 50_000 * 1000 / mean_ms == 2_500
