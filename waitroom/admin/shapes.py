"""What the admin API tells, as types: by them it is checked, and described in its OpenAPI document."""

from typing import Literal

from pydantic import ConfigDict
from typing_extensions import TypedDict

from waitroom.admin_tokens import Role
from waitroom.limits import Mode, Phase

Knob = Literal["mode", "rate_per_minute", "burst", "cap", "session_s", "claim_s", "presence_s", "message"]


class LimitFigures(TypedDict):
    """What a room allows."""

    rate_per_minute: int
    burst: int
    cap: int
    session_s: int
    claim_s: int
    presence_s: int


class ConfigFigures(LimitFigures):
    """What its configuration file says, whatever an operator or adaptive admission have set since."""

    mode: Mode
    message: str


class OverrideFigures(TypedDict):
    """A knob that an operator has turned; `until_ms` is 0 where it stays until it is cleared."""

    knob: Knob
    value: int | str
    since_ms: int
    until_ms: int
    who: str
    why: str


class AdaptedFigures(TypedDict):
    """What adaptive admission has decided last."""

    rate_per_minute: int
    state: str
    reason: str
    since_ms: int


class WaitFigures(TypedDict):
    """From ticket to admission, of those admitted in the last minutes, in seconds."""

    p50: float | None
    p90: float | None


class OriginFigures(TypedDict):
    """What the room's requests to its origins were like in the last minute; `busy` are under way."""

    requests_per_second: float
    p50_ms: float | None
    p95_ms: float | None
    error_share: float | None
    busy: int
    up: int
    of: int


class LineFigures(TypedDict):
    """One line of a room; `key` is empty where the room has but one. Figures are null where the line can't be seen."""

    key: str
    mode: Mode
    inside: int | None
    waiting: int | None
    late: int | None
    measured_per_minute: float | None


class RoomFigures(TypedDict):
    """A room as it is now. Counters are of all its lines, and only grow."""

    name: str
    title: str
    has_keys: bool
    mode: Mode
    limits: LimitFigures
    config: ConfigFigures
    overrides: list[OverrideFigures]
    adaptive: AdaptedFigures | None
    message: str
    phase: Phase
    store_lost: bool
    inside: int
    waiting: int
    late: int
    joined: int
    called: int
    claimed: int
    released: int
    missed: int
    measured_per_minute: float | None
    joins_per_minute: float | None
    no_show_share: float | None
    wait_s: WaitFigures
    origin: OriginFigures
    lines: list[LineFigures]
    line_count: int


class ProcessFigures(TypedDict):
    """A process that serves, and when it was heard of last."""

    id: str
    seen_ms: int


class OriginFault(TypedDict):
    """An origin that is not asked, as the process that answers sees it."""

    url: str
    rooms: list[str]
    why_not: str
    fault: str


class State(TypedDict):
    """All of it."""

    now_ms: int
    version: int
    processes: list[ProcessFigures]
    config_faults: list[str]
    origin_faults: list[OriginFault]
    rooms: list[RoomFigures]


class Sample(TypedDict):
    """A room at one time: of each ten seconds, for six hours. Rates are per minute, shares from 0 to 1."""

    at_ms: int
    mode: Mode
    inside: int
    cap: int
    waiting: int
    rate_per_minute: int
    measured_per_minute: float | None
    joins_per_minute: float | None
    no_show_share: float | None
    wait_p50_s: float | None
    wait_p90_s: float | None
    origin_p50_ms: float | None
    origin_p95_ms: float | None
    error_share: float | None
    requests_per_second: float


class AuditEntry(TypedDict):
    """What somebody has done. `knob`, `before` and `after` are empty where there is nothing to say; `until_ms` is 0 for
    what holds until further notice."""

    at_ms: int
    room: str
    who: str
    act: str
    knob: str
    before: str
    after: str
    until_ms: int
    why: str


class Holder(TypedDict):
    """Whose token it is."""

    name: str
    role: Role


class Overridden(TypedDict):
    """What is overridden in a room after an act."""

    revision: int
    overrides: list[OverrideFigures]


class Held(TypedDict):
    """How many of the numbers held a place."""

    held: int


class Reset(TypedDict):
    """The line's epoch; `is_done` is false where it was only asked what a reset would do."""

    epoch: int
    inside: int
    waiting: int
    is_done: bool


class Error(TypedDict):
    """Why not, and what would be right (RFC 9457)."""

    status: int
    code: str
    title: str
    remedy: str


class Status(TypedDict):
    """What the workers of this machine see themselves, without asking Redis."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]  # pydantic's way to configure one

    workers: list[int]
    config: str
    config_faults: list[str]
    store_lost: bool
