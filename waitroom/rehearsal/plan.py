"""A plan: what a crowd would meet with the limits at hand, and what other limits would give it."""

from collections.abc import Iterator
from dataclasses import replace

from waitroom.limits import Limits
from waitroom.rehearsal.crowd import Crowd, Habits
from waitroom.rehearsal.findings import Findings, Variant
from waitroom.rehearsal.forecast import LONGEST_S, forecast

# Other limits are tried with a crowd like it of about this size, and limits as much smaller: it then moves alike, in a
# fraction of the time.
ENOUGH_VISITORS = 20_000
LEAST_RATE, LEAST_CAP = 60, 100


def planned(habits: Habits, limits: Limits, polls_per_second: int, longest_s: float = LONGEST_S) -> Findings:
    """What would become of the crowd."""
    record = forecast(Crowd.of(habits), limits, polls_per_second, longest_s)
    if record.ended_s >= longest_s:
        record.was_stopped = f"The forecast ends after {longest_s / 3600:g} hours, and the line does not."
    return Findings(habits, limits, record, is_plan=True)


def variants(habits: Habits, limits: Limits, polls_per_second: int, longest_s: float = LONGEST_S) -> Iterator[Variant]:
    """The same crowd with other limits, and one that stays longer."""
    scale = max(
        1,
        min(habits.visitors // ENOUGH_VISITORS, limits.rate_per_minute // LEAST_RATE, limits.cap // LEAST_CAP),
    )
    small = replace(habits, visitors=habits.visitors // scale)
    tried = {
        f"cap {limits.cap * 2:,} (twice)": (small, replace(limits, cap=limits.cap * 2)),
        f"rate {limits.rate_per_minute * 2:,} (twice)": (small, _faster(limits)),
        "both": (small, replace(_faster(limits), cap=limits.cap * 2)),
        f"cap {max(1, limits.cap // 2):,} (half)": (small, replace(limits, cap=max(1, limits.cap // 2))),
        "as planned, places held for whole leases": (replace(small, stay_s=0.0, lapse=1.0), limits),
    }
    for name, (crowd, wanted) in tried.items():
        yield Variant(name, planned(crowd, _scaled(wanted, scale), max(1, polls_per_second // scale), longest_s))


def _faster(limits: Limits) -> Limits:
    return replace(limits, rate_per_minute=limits.rate_per_minute * 2, burst=limits.burst * 2)


def _scaled(limits: Limits, scale: int) -> Limits:
    return replace(
        limits,
        rate_per_minute=max(1, limits.rate_per_minute // scale),
        burst=max(1, limits.burst // scale),
        cap=max(1, limits.cap // scale),
    )
