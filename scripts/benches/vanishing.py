"""A crowd of which many vanish: when each would go without a word, and how long it would stay inside; and what other
designs make of the same crowd, played in virtual time. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random

TICK_MS = 250
# Who polls does so about so often.
POLL_MS = 1_600


@dataclass(frozen=True, slots=True)
class Member:
    """One of the crowd: vanishes at `gone_ms` after the opening, before it if negative, unless its visit is over by
    then."""

    gone_ms: float
    stay_ms: float


@dataclass(frozen=True, slots=True)
class Terms:
    """What a room allows. `burst` and `rate_per_minute` are calls; who is called and does not come holds the place for
    `claim_ms`."""

    rate_per_minute: int
    burst: int
    cap: int
    claim_ms: int
    presence_ms: int
    session_ms: int


@dataclass(frozen=True, slots=True)
class Call:
    """`from_ms` to `until_ms` the place was held, by who came or in vain."""

    from_ms: float
    until_ms: float
    came: bool


@dataclass(frozen=True, slots=True)
class Design:
    """Another way to call. `sees_ms`: who was not heard of for so long is passed over; None: nobody is. `holds_ms`: how
    long the place of who does not come is held. `window_ms`: instead of a bucket, a counter of calls that begins anew
    each time."""

    sees_ms: int | None
    holds_ms: int
    window_ms: int = 0


def crowd(
    size: int, gathered_ms: float, turn_ms: float, share: float, stay_ms: tuple[float, float], seed: int
) -> list[Member]:
    """People who have waited for `gathered_ms` when the line opens, and are called `turn_ms` later on average. At any
    moment each is as likely to vanish as at any other, so likely that up to its turn a `share` of them has."""
    chance = Random(seed)
    per_ms = -math.log(1 - share) / (gathered_ms + turn_ms)
    return [Member(chance.expovariate(per_ms) - gathered_ms, chance.uniform(*stay_ms)) for _ in range(size)]


def played(members: Sequence[Member], terms: Terms, design: Design, seconds: float) -> list[Call]:
    """The calls of a design from the opening on, in that time. It is spared the network: a poll takes no time, and
    whoever comes comes with the next one."""
    calls: list[Call] = []
    ends: list[float] = []
    left = float(terms.burst)
    following = enumerate(members)
    for now in range(0, round(seconds * 1000) + 1, TICK_MS):
        if design.window_ms:
            left = terms.rate_per_minute if now % design.window_ms == 0 else left
        elif now:
            left = min(terms.burst, left + terms.rate_per_minute * TICK_MS / 60_000)
        while ends and ends[0] <= now:
            heappop(ends)
        while left >= 1 and len(ends) < terms.cap:
            index, member = next(following, (0, None))
            if member is None:
                return calls
            phase, last_ms = index * 997 % POLL_MS, min(now, member.gone_ms)
            heard_ms = last_ms - (last_ms - phase) % POLL_MS
            if design.sees_ms is not None and now - heard_ms > design.sees_ms:
                continue
            comes_ms = now + (phase - now) % POLL_MS
            came = comes_ms <= member.gone_ms
            call = Call(now, comes_ms + member.stay_ms if came else now + design.holds_ms, came)
            calls.append(call)
            heappush(ends, call.until_ms)
            left -= 1
    return calls
