"""The figures of a report, as JSON has them. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from waitroom.rehearsal.findings import Findings, Spread, Variant
from waitroom.rehearsal.record import FAILED, LEFT, REFUSED, WAITS, WENT_IN, Sample

MOST_SAMPLES = 1_000
FATES = {"went_in": WENT_IN, "left": LEFT, "still_waiting": WAITS, "refused": REFUSED, "failed": FAILED}


def figures(findings: Findings, variants: Sequence[Variant]) -> dict[str, Any]:
    """What was found, with what other limits would give."""
    record = findings.record
    return {
        "verdict": findings.verdict,
        "stopped": record.was_stopped or None,
        "promises": [asdict(promise) for promise in findings.promises],
        "habits": asdict(findings.habits),
        "limits": asdict(findings.limits),
        "visitors": _visitors(findings),
        "wait_s": _spread(findings.waits),
        "wait_histogram": [
            {"from_s": start, "to_s": end, "visitors": count} for start, end, count in findings.histogram()
        ],
        "told": asdict(findings.told),
        "line": _line(findings),
        "polls": {"total": record.polls, "most_per_second": round(findings.most_polls_per_s, 1)},
        "origin_s": _spread(findings.origin),
        "errors": dict(record.errors),
        "bytes": {"in": record.bytes_in, "out": record.bytes_out},
        "ended_s": round(record.ended_s, 1),
        "samples": [asdict(sample) for sample in _some(record.samples)],
        "variants": [_variant(variant) for variant in variants],
    }


def _visitors(findings: Findings) -> dict[str, int]:
    return {
        "arrived": findings.arrived,
        **{name: findings.count(fate) for name, fate in FATES.items()},
        "at_once": findings.at_once,
        "overtaken": findings.overtaken,
    }


def _line(findings: Findings) -> dict[str, Any]:
    return {
        "most_inside": findings.most_inside,
        "most_waiting": findings.most_waiting,
        "most_calls_in_60_s": findings.most_calls,
        "most_calls_beyond_the_rate": round(findings.burst, 1),
        "ends_s": findings.line_ends_s,
        "no_shows": findings.record.missed,
        "binding": findings.binding or None,
        "seen_by": findings.record.limits_from,
    }


def _variant(variant: Variant) -> dict[str, Any]:
    found = variant.findings
    return {"name": variant.name, "ends_s": found.line_ends_s, "wait_s": _spread(found.waits)}


def _spread(spread: Spread) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(spread).items()}


def _some(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[:: max(1, -(-len(samples) // MOST_SAMPLES))]
