"""What holds in a room over its configuration: the knobs that the operator has turned, and the adapted rate. Pure."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from waitroom.limits import TICK_MS, Limits
from waitroom.rooms import Room

KNOBS = ("mode", "rate_per_minute", "burst", "cap", "session_s", "claim_s", "presence_s", "message")
SECONDS = ("claim_s", "presence_s", "session_s")


def burst_for(rate_per_minute: int) -> int:
    """A second's worth of calls and one: what is called at once after a quiet time, unless the operator says more."""
    return math.ceil(rate_per_minute / 60) + 1


def least_burst(rate_per_minute: int) -> int:
    """A smaller one would lose calls, since the line calls once a tick."""
    return math.ceil(rate_per_minute * TICK_MS / 60_000) + 1


@dataclass(frozen=True, slots=True)
class Override:
    """One knob. A value of None is what is left of an override that was cleared, or whose time was over. `until_ms` is
    0 for one that holds until it is cleared."""

    value: int | str | None
    since_ms: int
    until_ms: int
    who: str
    why: str

    def holds(self, now_ms: int) -> bool:
        return self.value is not None and (self.until_ms == 0 or now_ms < self.until_ms)


@dataclass(frozen=True, slots=True)
class Adapted:
    """What adaptive admission has decided: calls a minute, its state, and the reason in words. Up to
    `threshold_per_minute` it climbs fast, 0 where nothing is known of that."""

    rate_per_minute: int
    state: str
    reason: str
    since_ms: int
    threshold_per_minute: int = 0


@dataclass(frozen=True, slots=True)
class Overrides:
    """Of one room. `revision` grows with each change: it is the time of the last (ms)."""

    revision: int = 0
    knobs: Mapping[str, Override] = field(default_factory=dict)
    adapted: Adapted | None = None

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Reads the record of a desk (see lua/_desk.lua). Raises ValueError for what is none."""
        try:
            told = json.loads(text)
            knobs = {name: _override(**one) for name, one in told.get("knobs", {}).items()}
            adapted = told.get("adapted")
            return cls(int(told["revision"]), knobs, Adapted(**adapted) if adapted else None)
        except (TypeError, KeyError, AttributeError) as exc:
            raise ValueError(f"{text!r} is no record of a desk") from exc

    def to_json(self) -> str:
        """The record of a desk."""
        record: dict[str, Any] = {"revision": self.revision}
        if self.knobs:
            record["knobs"] = {name: _told(one) for name, one in self.knobs.items()}
        if self.adapted:
            record["adapted"] = asdict(self.adapted)
        return json.dumps(record)

    def holding(self, now_ms: int) -> dict[str, Override]:
        """The knobs that are turned now, by name. A later version may know of others."""
        return {name: one for name, one in sorted(self.knobs.items()) if name in KNOBS and one.holds(now_ms)}

    def over(self, room: Room, now_ms: int) -> Room:
        """The room with them in force. What was adapted lowers the rate of a room with adaptive admission; it never
        raises it."""
        values = {name: one.value for name, one in self.holding(now_ms).items()}
        is_told = "message" in values
        message = values.pop("message", room.message)
        limits = replace(room.limits, **_limits(values, room.limits), revision=self.revision)
        if self.adapted and room.is_adaptive:
            rate = min(limits.rate_per_minute, self.adapted.rate_per_minute)
            # After a rest, the first burst is that of the rate which it begins with.
            limits = replace(limits, rate_per_minute=rate, burst=min(limits.burst, burst_for(rate)))
        messages = {} if is_told else room.messages
        return replace(room, message=str(message), messages=messages, limits=limits)


def _limits(values: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """Knobs as fields of limits. A burst that was not set goes with the rate."""
    fields = {f"{name[:-2]}_ms" if name in SECONDS else name: value for name, value in values.items()}
    for name in SECONDS:
        if name in values:
            fields[f"{name[:-2]}_ms"] = values[name] * 1000
    rate = fields.get("rate_per_minute", limits.rate_per_minute)
    if "burst" not in fields and rate != limits.rate_per_minute:
        has_own = limits.burst != burst_for(limits.rate_per_minute)
        fields["burst"] = max(limits.burst, least_burst(rate)) if has_own else burst_for(rate)
    return fields


def _override(since_ms: int, until_ms: int, who: str, why: str, value: int | str | None = None) -> Override:
    return Override(value, since_ms, until_ms, who, why)


def _told(override: Override) -> dict[str, Any]:
    """Lua has no value that is null in a table."""
    return {name: value for name, value in asdict(override).items() if value is not None}
