"""What a waiting visitor is told by the short way is what the long way says."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from waitroom.estimate import Estimate
from waitroom.limits import Limits, Mode
from waitroom.place import Outlook
from waitroom.snapshot import Snapshot
from waitroom.standing import Waiting

MODES: list[Mode] = ["auto", "queue", "hold", "open", "closed"]
LIMITS = Limits(1, 0, "auto", 600, 10, 200, 60_000, 60_000, 600_000)
SNAPSHOT = Snapshot(1000, 0, 0, 1, 90, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, LIMITS, 11, b"\xa5" * 10, ())


@given(
    mode=st.sampled_from(MODES),
    opens_ms=st.sampled_from([0, 2000]),
    closes_ms=st.sampled_from([0, 500, 5000]),
    is_seen=st.booleans(),
    estimate=st.none() | st.sampled_from([Estimate(0, 5, 1, 2), Estimate(10, 0, 0.5, 2)]),
    number=st.integers(11, 100),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_the_short_way_to_a_place_ends_where_the_long_way_does(
    mode: Mode,
    opens_ms: int,
    closes_ms: int,
    is_seen: bool,
    estimate: Estimate | None,
    number: int,
    chance: float,
) -> None:
    limits = replace(LIMITS, mode=mode, opens_ms=opens_ms, closes_ms=closes_ms)
    snapshot = replace(SNAPSHOT, limits=limits) if is_seen else None
    outlook = Outlook(snapshot, estimate, limits, 10, "Soon.")
    assert outlook.place(number, Waiting(), chance) == outlook._place(number, Waiting(), chance)


def test_a_rate_of_nothing_says_that_the_origin_is_down() -> None:
    """Adaptive admission calls nobody then."""
    limits = replace(LIMITS, rate_per_minute=0)
    place = Outlook(replace(SNAPSHOT, limits=limits), None, limits, 10, "Soon.").place(50, Waiting(), 0.5)
    assert (place.paused, place.wait_s) == ("origin", None)
