"""The seats that a form or a link spells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from booking.pages.choice import Choice

LABELS = st.from_regex(r"[1-9][0-9]?[A-F]", fullmatch=True)


def choice(*seats: str, **fields: str) -> Choice:
    return Choice.of([*(("seat", seat) for seat in seats), *fields.items()])


def test_a_seat_comes_with_the_version_that_was_seen() -> None:
    assert choice("7C:3", "7d:12", " 8A ").seats == {"7C": 3, "7D": 12, "8A": None}


@pytest.mark.parametrize("version", ["", "x", "-1", "1.5", "1" * 10, "٣"])
def test_what_is_no_version_counts_as_none(version: str) -> None:
    assert choice(f"7C:{version}").seats == {"7C": None}


def test_the_lowest_fare_is_taken_unless_one_is_chosen() -> None:
    assert choice("7C").fare == "saver"
    assert choice("7C", fare="flex").fare == "flex"


def test_lost_seats_leave_the_others_chosen() -> None:
    assert choice("7C:3", "7D:1", fare="flex").without(["7D"]) == choice("7C:3", fare="flex")


@given(st.dictionaries(LABELS, st.none(), max_size=9), st.sampled_from(["saver", "flex"]))
def test_a_link_leads_back_to_the_same_choice(seats: dict[str, None], fare: str) -> None:
    kept = Choice(seats, fare)
    assert Choice.of(URL(f"/flights/1?{kept.query()}").query.items()) == kept
