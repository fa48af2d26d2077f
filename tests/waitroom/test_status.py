"""The public status of a line: who reads it finds the place that the line itself would tell."""

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waitroom.status_reader import read
from waitroom.estimate import Estimate
from waitroom.limits import Limits
from waitroom.place import Outlook
from waitroom.snapshot import Snapshot
from waitroom.standing import Waiting
from waitroom.status import Status, ask_after_ms, status

NOW_MS = 1_800_000_000_000
HEAD = 1_793_000_000_000_123
LIMITS = Limits(1, 0, "auto", 600, 10, 200, 60_000, 60_000, 600_000)
SNAPSHOT = Snapshot(1000, 0, 0, 1, HEAD + 90, HEAD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, LIMITS, HEAD + 1, b"", ())
EXACT = 32


def seen(here: bytes, *, late: int = 0, **limits: Any) -> Snapshot:
    return replace(SNAPSHOT, here=here, late=late, limits=replace(LIMITS, **limits))


def outlook(snapshot: Snapshot, estimate: Estimate | None = None, message: str = "") -> Outlook:
    return Outlook(snapshot, estimate, snapshot.limits, 1_000_000, message)


def status_of(snapshot: Snapshot, estimate: Estimate | None = None, message: str = "", *, lost: bool = False) -> Status:
    return status(snapshot, outlook(snapshot, estimate, message), estimate, NOW_MS, lost=lost)


def told(snapshot: Snapshot, estimate: Estimate | None = None, *, lost: bool = False) -> dict[str, Any]:
    """As it reaches a page."""
    document: dict[str, Any] = json.loads(status_of(snapshot, estimate, "Soon.", lost=lost).to_json())
    return document


def crowd(size: int) -> bytes:
    """So many numbers, of which half are present."""
    return random.Random(1).randbytes(size // 8)


# A line in which some stretches are full, and others all but empty.
STRETCHES = st.tuples(st.sampled_from([b"\x00", b"\xff", b"\x81", b"\x5a"]), st.integers(1, 400))
LINES = st.lists(STRETCHES, max_size=12).map(lambda runs: b"".join(byte * times for byte, times in runs))
ESTIMATES = st.builds(
    Estimate,
    rate_per_s=st.floats(0.1, 1000),
    free=st.integers(0, 500),
    slow_per_s=st.floats(0.01, 500),
    fast_per_s=st.floats(0.01, 5000),
    vanishing_per_s=st.sampled_from([0.0, 1e-6, 0.0003, 0.02]),
)


@given(here=LINES, late=st.sampled_from([0, 1, 700]), data=st.data())
def test_a_position_by_the_status_is_the_lines_own_for_the_first_and_near_it_for_all(
    here: bytes, late: int, data: st.DataObject
) -> None:
    snapshot = seen(here, late=late)
    number = HEAD + 1 + data.draw(st.integers(0, len(here) * 8 + 20))
    position, _ = read(told(snapshot), number)
    own = snapshot.position(number)
    rank = own - late
    assert abs(position - own) <= (rank // 16 if rank > EXACT else 0)


@given(here=LINES, data=st.data())
def test_who_stands_behind_is_never_told_a_better_position(here: bytes, data: st.DataObject) -> None:
    document = told(seen(here))
    numbers = sorted(HEAD + 1 + data.draw(st.integers(0, len(here) * 8 + 20)) for _ in range(2))
    first, second = (read(document, number)[0] for number in numbers)
    assert first <= second


@pytest.mark.parametrize("size", [80_000, 2_000_000])
def test_where_the_absent_are_spread_evenly_all_positions_are_all_but_exact(size: int) -> None:
    snapshot = seen(crowd(size))
    document = told(snapshot)
    for number in range(HEAD + 40, HEAD + size, size // 97):
        own = snapshot.position(number)
        assert abs(read(document, number)[0] - own) <= 3 + 4 * own**0.5


@given(estimate=ESTIMATES, here=LINES.filter(any), data=st.data())
def test_a_wait_by_the_status_is_the_one_that_the_line_tells_of_that_position(
    estimate: Estimate, here: bytes, data: st.DataObject
) -> None:
    snapshot = seen(here)
    document = told(snapshot, estimate)
    number = HEAD + 1 + data.draw(st.integers(0, len(here) * 8))
    position, wait_s = read(document, number)
    assert wait_s == estimate.wait_s(position)
    if position == snapshot.position(number):
        assert wait_s == outlook(snapshot, estimate).place(number, Waiting(), 0.5).wait_s


def test_it_is_small_however_many_wait() -> None:
    pace = Estimate(10, 3, 1 / 3, 2 / 3, 1e-5)
    few, many = (status_of(line, pace).to_json() for line in (seen(crowd(size)) for size in (8_000, 40_000_000)))
    assert len(few) < 1_024
    assert len(many) < 2_048


@pytest.mark.parametrize(
    ("limits", "state", "paused"),
    [
        ({}, "waiting", None),
        ({"mode": "hold"}, "waiting", "hold"),
        ({"rate_per_minute": 0}, "waiting", "origin"),
        ({"mode": "open"}, "called", None),
        ({"mode": "closed"}, "closed", None),
        ({"opens_ms": 2_000}, "early", None),
        ({"opens_ms": 2_000, "draw": "sale", "draw_size": 100}, "early", None),
        ({"closes_ms": 900}, "closed", None),
    ],
)
def test_it_says_what_everybody_is_told_and_numbers_only_where_there_are_places(
    limits: dict[str, Any], state: str, paused: str | None
) -> None:
    document = told(seen(b"\xff", **limits), Estimate(10, 5, 1, 2))
    assert (document["state"], document["paused"], document["message"]) == (state, paused, "Soon.")
    has_places = state == "waiting"
    assert (document["head"], len(document["steps"])) == ((HEAD, 8) if has_places else (0, 0))
    assert (document["pace"] is not None) == (has_places and not paused)


def test_it_tells_no_time_while_the_store_is_lost() -> None:
    document = told(seen(b"\xff"), Estimate(10, 5, 1, 2), lost=True)
    assert (document["state"], document["paused"], document["pace"]) == ("waiting", "store_lost", None)


def test_who_reads_it_asks_the_line_itself_often_enough_to_stay_present() -> None:
    presence_ms = 3_600_000
    assert all(ask_after_ms(presence_ms, chance / 100) <= 0.4 * presence_ms for chance in range(100))
    assert told(seen(b"", presence_ms=presence_ms))["ask_after_ms"] == 1_200_000
