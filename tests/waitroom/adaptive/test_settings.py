"""[rooms.adaptive] in the configuration."""

import pytest

from waitroom import settings
from waitroom.adaptive_terms import AdaptiveTerms
from waitroom.errors import ConfigError
from waitroom.explain import explain
from waitroom.rooms import Room

LEAST = 'version = 1\n[[rooms]]\nname = "site"\norigins = ["http://origin:80"]\n'


def site(text: str) -> Room:
    (room,) = settings.parse(text, "waitroom.toml").to_rooms(0)
    return room


def test_a_room_is_adaptive_only_if_it_says_so() -> None:
    assert site(LEAST).adaptive is None
    adaptive = site(LEAST + "[rooms.adaptive]\nrate_min = 60\ntarget_ms = 400\n")
    assert adaptive.adaptive == AdaptiveTerms(rate_min=60, target_ms=400, settle_s=30, error_percent=5.0)
    assert adaptive.limits.rate_per_minute == 600, "what the configuration says is the ceiling"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("target_ms = 400", "rooms[1].adaptive.rate_min", "required"),
        ("rate_min = 60", "rooms[1].adaptive.target_ms", "required"),
        ("rate_min = 0\ntarget_ms = 400", "rooms[1].adaptive.rate_min", "greater than or equal to 1"),
        ("rate_min = 60\ntarget_ms = 1", "rooms[1].adaptive.target_ms", "greater than or equal to 5"),
        ("rate_min = 60\ntarget_ms = 400\nsettle_s = 1", "rooms[1].adaptive.settle_s", "greater than or equal to 5"),
        ("rate_min = 60\ntarget_ms = 400\nerror_percent = 0", "rooms[1].adaptive.error_percent", "greater than 0"),
        ("rate_min = 60\ntarget_ms = 400\ntarget = 4", "rooms[1].adaptive.target", "there is no such setting"),
        ("rate_min = 601\ntarget_ms = 400", "rooms[1]", "should not be above rate_per_minute = 600"),
    ],
)
def test_a_fault_says_where_and_what(text: str, where: str, what: str) -> None:
    with pytest.raises(ConfigError) as raised:
        site(f"{LEAST}[rooms.adaptive]\n{text}\n")
    faults = {fault.where: fault.what for fault in raised.value.faults}
    assert what in faults[where]


def test_a_check_says_between_which_rates_a_room_moves() -> None:
    text = "\n".join(
        explain(settings.parse(LEAST + "[rooms.adaptive]\nrate_min = 60\ntarget_ms = 400\n", "waitroom.toml"))
    )
    assert "between 60 and 600 calls a minute, so that 95 % of their responses begin within 400 ms" in text


def test_a_room_that_is_only_asked_of_has_nothing_to_go_by() -> None:
    with pytest.raises(ConfigError, match="adaptive needs origins"):
        site(LEAST.replace('["http://origin:80"]', "[]") + "[rooms.adaptive]\nrate_min = 60\ntarget_ms = 400\n")
