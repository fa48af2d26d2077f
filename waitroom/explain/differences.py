"""What a configuration would change of a room that is in force, knob by knob, and what would stay over it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from waitroom.desk.knobs import values_of
from waitroom.desk.overrides import Override, Overrides
from waitroom.explain.quantities import moment
from waitroom.limits import Limits
from waitroom.rooms import Room
from waitroom.settings import advise_version

NOTHING = "none"


@dataclass(frozen=True, slots=True)
class InForce:
    """What Redis says of a room: the limits that its line has at a time (ms), None where nobody ever came, and what the
    operator has set over the configuration."""

    now_ms: int
    limits: Limits | None
    overrides: Overrides


def differences(room: Room, in_force: InForce) -> Iterator[str]:
    """Lines of text; `room` is as the configuration has it."""
    overrides = in_force.overrides.holding(in_force.now_ms)
    if in_force.limits is None and not overrides:
        yield f"Room {room.name!r}: nothing is in force yet, nobody has come."
        return
    before = _values(replace(room, limits=in_force.limits) if in_force.limits else room)
    after = _values(room)
    before |= {name: str(one.value) for name, one in overrides.items()}
    changed = [name for name in after if before[name] != after[name]]
    yield f"Room {room.name!r}: {_versions(room, in_force.limits, changed)}."
    for name in changed:
        yield f"  {name}: {_shown(before[name])} in force{_reason(name, in_force)}, {_shown(after[name])} in this file"
    for name, override in overrides.items():
        value = _shown(str(override.value))
        yield f"  {name} = {value} stays over it, set by {_by(override)}: `waitroom clear {room.name} {name}` ends that"


def _versions(room: Room, limits: Limits | None, changed: list[str]) -> str:
    if limits is None:
        return "no line yet"
    version = room.limits.version
    if version > limits.version:
        return f"version {limits.version} is in force, version {version} in this file takes its place"
    if version < limits.version or changed:
        return advise_version(version, limits.version)
    return f"version {version} is in force, as in this file"


def _reason(name: str, in_force: InForce) -> str:
    adapted, limits = in_force.overrides.adapted, in_force.limits
    if name == "rate_per_minute" and adapted and limits and adapted.rate_per_minute == limits.rate_per_minute:
        return f" (adapted: {adapted.reason})"
    return ""


def _by(override: Override) -> str:
    until = f" until {moment(override.until_ms)}" if override.until_ms else ""
    why = f" ({override.why})" if override.why else ""
    return f"{override.who}{until}{why}"


def _values(room: Room) -> dict[str, str]:
    """All that a line knows of its room's configuration, as text."""
    limits = room.limits
    more = {
        "opens_at": moment(limits.opens_ms) if limits.opens_ms else NOTHING,
        "closes_at": moment(limits.closes_ms) if limits.closes_ms else NOTHING,
        "draw": limits.draw or NOTHING,
        "draw_size": limits.draw_size,
        "idle_s": limits.idle_ms // 1000,
    }
    return {name: str(value) for name, value in (values_of(room) | more).items()}


def _shown(value: str) -> str:
    return f"{int(value):,}" if value.isdecimal() else value or '""'
