"""How a room's bounds were kept, and how much of them was used: by what Redis wrote and visitors saw, or by a design
that is played."""

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.benches import append_only
from scripts.benches.opening_rooms import SCENARIOS, Scenario, Seen, Visit
from scripts.benches.overshoot import most_at_once, most_over_rate, shared
from scripts.benches.vanishing import Design, played

OTHERS = {
    "a sorted set and a timer": Design(sees_ms=None, holds_ms=60_000),
    "with heartbeats and claim windows": Design(sees_ms=5_000, holds_ms=5_000),
    "with a counter for each minute": Design(sees_ms=5_000, holds_ms=5_000, window_ms=60_000),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """How a room's bounds were kept, and used. `over_rate` and `over_cap` are by how many calls, and visitors inside,
    they were exceeded at most in any interval (0 or less: they were not); `seen` is the most whom visitors saw to be
    inside at a time. Of what its bound allowed, `used` was used by who came, and `in_vain` by who did not. `vanished`
    is the share of those whose turn came, and who had vanished."""

    over_rate: float
    over_cap: int
    seen: int
    calls: int
    used: float
    in_vain: float
    vanished: float


def all_judged(seen: Seen, seconds: float) -> dict[str, Kept]:
    """Of each room, what was kept in so many seconds from the opening."""
    return {room: judged(room, seen.commands, visits, seen.opens_ms, seconds) for room, visits in seen.visits.items()}


def judged(room: str, told: Sequence[list[bytes]], visits: Sequence[Visit], opens_ms: float, seconds: float) -> Kept:
    """By what Redis wrote, and what visitors saw."""
    scenario = SCENARIOS[room]
    terms, story = scenario.terms, append_only.written(told, room, scenario.terms.claim_ms, scenario.terms.cap)
    ends_ms, by_number = opens_ms + seconds * 1000, {visit.number: visit for visit in visits}
    calls = [(by_number[number], at_ms) for number, at_ms in story.calls if at_ms <= ends_ms]
    came = [(visit, at_ms) for visit, at_ms in calls if visit.in_ms]
    vain = [at_ms for visit, at_ms in calls if not visit.in_ms]
    if scenario.leaves:
        starts_ms = ends_ms if story.full_ms is None else story.full_ms
        allowed = terms.cap * (ends_ms - starts_ms)
        used = shared(((at_ms, visit.left_ms) for visit, at_ms in came), starts_ms, ends_ms)
        in_vain = shared(((at_ms, at_ms + terms.claim_ms) for at_ms in vain), starts_ms, ends_ms)
    else:
        # What the bucket holds at the end is not lost.
        last_ms = max(at_ms for _, at_ms in calls)
        allowed = terms.burst + terms.rate_per_minute * (last_ms - opens_ms) / 60_000
        used, in_vain = len(came), len(vain)
    numbers = sorted(by_number)
    passed = numbers.index(max(visit.number for visit, _ in calls)) + 1
    return Kept(
        over_rate=most_over_rate([at_ms for _, at_ms in story.calls], terms.rate_per_minute, terms.burst),
        over_cap=story.most_inside - terms.cap,
        seen=most_at_once((visit.in_ms, visit.left_ms) for visit in visits if visit.in_ms and visit.left_ms),
        calls=len(calls),
        used=used / allowed if allowed else 0.0,
        in_vain=in_vain / allowed if allowed else 0.0,
        vanished=1 - len(came) / passed,
    )


def others(room: str, seed: int, seconds: int) -> dict[str, Kept]:
    """What other designs make of the same crowd."""
    return {name: _played(SCENARIOS[room], design, seed, seconds) for name, design in OTHERS.items()}


def _played(scenario: Scenario, design: Design, seed: int, seconds: int) -> Kept:
    terms, members = scenario.terms, scenario.crowd(seed)
    calls, ends_ms = played(members, terms, design, seconds), seconds * 1000
    stays = [(call.from_ms, call.until_ms) for call in calls]
    if scenario.leaves:
        starts_ms = calls[min(terms.cap, len(calls)) - 1].from_ms
        allowed = terms.cap * (ends_ms - starts_ms)
        used = shared((stay for stay, call in zip(stays, calls, strict=True) if call.came), starts_ms, ends_ms)
        in_vain = shared((stay for stay, call in zip(stays, calls, strict=True) if not call.came), starts_ms, ends_ms)
    else:
        allowed = terms.burst + terms.rate_per_minute * calls[-1].from_ms / 60_000
        used = sum(call.came for call in calls)
        in_vain = len(calls) - used
    most = most_at_once(stays)
    return Kept(
        over_rate=most_over_rate([call.from_ms for call in calls], terms.rate_per_minute, terms.burst),
        over_cap=most - terms.cap,
        seen=most,
        calls=len(calls),
        used=used / allowed,
        in_vain=in_vain / allowed,
        vanished=0.0,
    )
