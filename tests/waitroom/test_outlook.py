"""What a waiting visitor is told by the short way is what the long way says."""

import json
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitroom.estimate import Estimate
from waitroom.limits import Limits, Mode
from waitroom.place import Outlook
from waitroom.present import Present
from waitroom.snapshot import Snapshot
from waitroom.standing import Called, Late, Revoked, Spent, Standing, Waiting

MODES: list[Mode] = ["auto", "queue", "hold", "open", "closed"]
LIMITS = Limits(1, 0, "auto", 600, 10, 200, 60_000, 60_000, 600_000)
SNAPSHOT = Snapshot(1000, 0, 0, 1, 90, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, LIMITS, 11, b"\xa5" * 10, ())


@given(
    limits=st.builds(
        partial(replace, LIMITS),
        mode=st.sampled_from(MODES),
        opens_ms=st.sampled_from([0, 2000]),
        closes_ms=st.sampled_from([0, 500, 5000, 10**15]),
        draw=st.sampled_from(["", "", "sale"]),
    ),
    is_seen=st.booleans(),
    estimate=st.none() | st.sampled_from([Estimate(0, 5, 1, 2), Estimate(10, 0, 0.5, 2), Estimate(10, 3, 0.5, 2, 0.1)]),
    number=st.integers(11, 120),
    message=st.text() | st.sampled_from(["", "100 % -1 [-1, -1]", '"message": "" %d', "Bald öffnen wir"]),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_the_short_way_to_a_place_ends_where_the_long_way_does(
    limits: Limits,
    is_seen: bool,
    estimate: Estimate | None,
    number: int,
    message: str,
    chance: float,
) -> None:
    snapshot = replace(SNAPSHOT, limits=limits) if is_seen else None
    outlook = Outlook(snapshot, estimate, limits, 10, message)
    place = outlook.place(number, Waiting(), chance)
    place.kept_until_ms = outlook.kept_until_ms(place, 7)
    if outlook.can_tell:
        told = outlook.told(number, 7, message, chance)
        assert told.decode() == place.to_json()
        assert json.loads(told) == json.loads(json.dumps(asdict(place)))
    else:
        assert place.state != "waiting" or limits.draw or not is_seen


@given(here=st.binary(max_size=600) | st.binary(min_size=1000, max_size=1100), start=st.integers(1, 10**16))
def test_before_a_number_stand_the_present_with_lower_ones(here: bytes, start: int) -> None:
    present = Present(start, here)
    bits = [byte >> (7 - bit) & 1 for byte in here for bit in range(8)]
    for offset in {0, 1, len(bits) // 3, len(bits) // 2, 2047, 2048, 2049, len(bits) - 1, len(bits), len(bits) + 9000}:
        assert present.before(start + offset) == sum(bits[: max(0, offset)])
    assert present.before(start - 1) == 0
    assert present.total == sum(bits)


def test_a_rate_of_nothing_says_that_the_origin_is_down() -> None:
    """Adaptive admission calls nobody then."""
    limits = replace(LIMITS, rate_per_minute=0)
    place = Outlook(replace(SNAPSHOT, limits=limits), None, limits, 10, "Soon.").place(50, Waiting(), 0.5)
    assert (place.paused, place.wait_s) == ("origin", None)


def outlook(**limits: Any) -> Outlook:
    """Of a line that was seen at 1000 ms."""
    given = replace(LIMITS, **limits)
    return Outlook(replace(SNAPSHOT, limits=given), None, given, 10, "Soon.")


def test_the_called_are_told_how_long_their_place_is_reserved_by_the_clock_of_the_line() -> None:
    place = outlook().place(5, Called(41_000, can_extend=True), 0.5)
    assert (place.state, place.claim_in_ms, place.can_extend) == ("called", 40_000, True)


def test_a_reserved_place_that_has_just_ended_ends_now() -> None:
    assert outlook().place(5, Called(999), 0.5).claim_in_ms == 0


@pytest.mark.parametrize("standing", [Waiting(), Called(41_000, can_extend=True)])
def test_while_the_room_is_open_no_place_is_reserved_that_could_be_lost(standing: Standing) -> None:
    place = outlook(mode="open").place(5, standing, 0.5)
    assert (place.state, place.claim_in_ms, place.can_extend) == ("called", None, False)


def test_only_the_late_are_told_that_they_are() -> None:
    assert outlook().place(5, Late(0), 0.5).is_late
    assert not outlook().place(50, Waiting(), 0.5).is_late


@pytest.mark.parametrize(
    ("limits", "standing", "kept_until_ms"),
    [
        ({}, Waiting(), 604_800_000),
        ({}, Late(0), 604_800_000),
        ({}, Called(41_000), 604_800_000),
        ({}, Spent(), None),
        ({}, Revoked(41_000), None),
        ({"opens_ms": 2_000}, Waiting(), 604_800_000),
        ({"closes_ms": 5_000}, Waiting(), 5_000),
        ({"closes_ms": 604_800_001}, Waiting(), 604_800_000),
        ({"closes_ms": 500}, Waiting(), None),
        ({"closes_ms": 500}, Called(41_000), None),
        ({"mode": "closed"}, Waiting(), None),
    ],
)
def test_a_place_is_kept_as_long_as_the_cookie_or_until_the_line_closes(
    limits: dict[str, Any], standing: Standing, kept_until_ms: int | None
) -> None:
    """The ticket was issued at 0."""
    seen = outlook(**limits)
    assert seen.kept_until_ms(seen.place(50, standing, 0.5), 0) == kept_until_ms
