"""The knobs of a room: which there are, and which values fit together. They are those of the configuration."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from waitroom.desk.overrides import KNOBS
from waitroom.errors import Fault, KnobError
from waitroom.rooms import Room
from waitroom.setting_faults import faults_of
from waitroom.settings_rooms import RoomSettings

TEXTS = ("mode", "message")


def values_of(room: Room) -> dict[str, int | str]:
    """What each knob of a room stands at."""
    limits = room.limits
    return {
        "mode": limits.mode,
        "rate_per_minute": limits.rate_per_minute,
        "burst": limits.burst,
        "cap": limits.cap,
        "session_s": limits.session_ms // 1000,
        "claim_s": limits.claim_ms // 1000,
        "presence_s": limits.presence_ms // 1000,
        "message": room.message,
    }


def check(room: Room, turned: Mapping[str, int | str]) -> None:
    """Whether these knobs may be turned so over what the configuration says of a room. Raises KnobError, with all
    faults."""
    if unknown := [name for name in turned if name not in KNOBS]:
        known = ", ".join(KNOBS)
        raise KnobError(room.name, [Fault(name, f"there is no such knob: there are {known}") for name in unknown])
    values: dict[str, Any] = values_of(room) | dict(turned)
    if "burst" not in turned and "rate_per_minute" in turned:
        del values["burst"]  # it goes with the rate
    try:
        RoomSettings.model_validate({"name": room.name, "origins": [], **values})
    except ValidationError as exc:
        raise KnobError(room.name, faults_of(exc, RoomSettings)) from exc
