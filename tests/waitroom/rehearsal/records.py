"""Records as tests need them: a few visitors and samples, written down by hand."""

from waitroom.limits import Limits
from waitroom.rehearsal.crowd import Habits
from waitroom.rehearsal.findings import Findings
from waitroom.rehearsal.record import LEFT, NEVER, WAITS, WENT_IN, Fates, Record, Sample

LIMITS = Limits(
    version=1,
    edited_ms=0,
    mode="auto",
    rate_per_minute=60,
    burst=2,
    cap=10,
    claim_ms=20_000,
    presence_ms=30_000,
    session_ms=120_000,
)


def record(*visitors: dict[str, float], samples: list[Sample] | None = None) -> Record:
    """Each visitor by what was seen of it, times in seconds; the rest is as of one who came and waits. Numbers are
    given in turn."""
    fates = Fates.of(len(visitors))
    for i, seen in enumerate(visitors):
        fates.arrived_s[i] = seen.get("arrived", 0.0)
        fates.present_s[i] = seen.get("present", fates.arrived_s[i])
        fates.waiting_s[i] = seen.get("waiting", fates.present_s[i])
        fates.entered_s[i] = seen.get("entered", NEVER)
        fates.told_low_s[i] = seen.get("low", NEVER)
        fates.told_high_s[i] = seen.get("high", NEVER)
        fates.number[i] = int(seen.get("number", i + 1))
        fates.was_away[i] = int(seen.get("away", 0))
        fates.fate[i] = int(seen.get("fate", WENT_IN if "entered" in seen else LEFT if "away" in seen else WAITS))
    return Record(fates, samples or [], ended_s=100.0)


def findings(seen: Record, limits: Limits = LIMITS, *, is_plan: bool = False) -> Findings:
    return Findings(Habits(len(seen.fates.arrived_s), 60.0), limits, seen, is_plan)


def samples(*called: int, every_s: float = 10.0, inside: int = 0, waiting: int = 0) -> list[Sample]:
    """One for each count of calls, in even steps."""
    return [Sample(i * every_s, waiting, inside, count, 0, 0) for i, count in enumerate(called)]
