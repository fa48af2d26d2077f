"""How exactly rate and cap are kept, and how much of them is used, by four processes and a crowd of which three in ten
vanish without a word: what happened is read from Redis's own append-only file, change by change, and held against what
the visitors saw.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click
import uvloop

from scripts.benches.bounds_kept import OTHERS, Kept, all_judged, others
from scripts.benches.findings import Bar, Chart, Finding, Spread, Table, Target
from scripts.benches.machine import machine, packages, told
from scripts.benches.opening_rooms import BOUND_BY_CAP, BOUND_BY_RATE, SCENARIOS, lived
from scripts.benches.rounds import console, deliver, out_option, rounds_option, seconds_option
from waitroom.embedded import find_server

FIRST_SEED = 1


def found(rounds: Sequence[Mapping[str, Kept]], seconds: int, took_s: float) -> Finding:
    """As it is published."""
    played_by = {room: others(room, FIRST_SEED, seconds) for room in SCENARIOS}
    used = {room: Spread.of([one[room].used * 100 for one in rounds]) for room in SCENARIOS}
    over = max(max(0.0, kept.over_rate, kept.over_cap) for one in rounds for kept in one.values())
    return Finding(
        name="precision",
        question="Are rate and cap kept to the last call, and how much of them is used?",
        command="scripts/bench precision",
        setting=SETTING.format(seconds=seconds, rate=BOUND_BY_RATE, cap=BOUND_BY_CAP),
        machine=machine(),
        versions={**packages("uvloop", "redis"), "Redis": told([find_server(), "--version"])},
        took_s=took_s,
        tables=[
            Table(
                "Four processes, three in ten vanish",
                ("bound by", "calls", "most over, in any interval", "used (%)", "least to most", "called in vain (%)"),
                [_row(room, [one[room] for one in rounds]) for room in SCENARIOS],
            ),
            Table(
                "The same crowd before other designs, played without a network",
                ("design", "rate: used (%)", "rate: over (calls)", "cap: used (%)"),
                [
                    ("waitroom, measured", f"{used['rate'].median:.1f}", f"{over:.0f}", f"{used['cap'].median:.1f}"),
                    *(_other(name, played_by["rate"][name], played_by["cap"][name]) for name in OTHERS),
                ],
            ),
        ],
        charts=[
            Chart(
                "Of what the rate allows, used by who came",
                "%",
                [
                    Bar("waitroom", used["rate"]),
                    *(
                        Bar(name, Spread.of([played_by["rate"][name].used * 100]))
                        for name, design in OTHERS.items()
                        if not design.window_ms
                    ),
                ],
            )
        ],
        targets=[
            Target("exceeded in any interval, of all rounds", "at most", 0.0, over, "calls or visitors"),
            Target("of what the rate allows, used", "at least", 97.0, used["rate"].median, "%"),
            Target("of what the cap allows, used", "at least", 97.0, used["cap"].median, "%"),
        ],
        remarks=REMARKS,
        runs={
            "waitroom": [{room: asdict(kept) for room, kept in one.items()} for one in rounds],
            "others": {
                room: {name: asdict(kept) for name, kept in by_name.items()} for room, by_name in played_by.items()
            },
        },
    )


def _row(room: str, kept: Sequence[Kept]) -> Sequence[str]:
    used, in_vain = (Spread.of([getattr(one, name) * 100 for one in kept]) for name in ("used", "in_vain"))
    over = max(max(0.0, one.over_rate, one.over_cap) for one in kept)
    calls = sum(one.calls for one in kept)
    shares = f"{used.median:.1f}", f"{used.least:.1f} to {used.most:.1f}", f"{in_vain.median:.1f}"
    return f"the {room}", f"{calls:,}", f"{over:.0f}", *shares


def _other(name: str, rate: Kept, cap: Kept) -> Sequence[str]:
    over = max(0.0, rate.over_rate)
    if over:  # what it uses beyond what was allowed is no merit
        return name, "-", f"{over:,.0f}", "-"
    return name, f"{rate.used * 100:.1f}", f"{over:,.0f}", f"{cap.used * 100:.1f}"


SETTING = """\
`waitroom serve` with four workers, a Redis of its own, and two rooms that open at the same moment. In the first
{rate.members:,} people wait, and {rate.terms.rate_per_minute:,} a minute may come in; in the second {cap.members:,},
and at most {cap.terms.cap:,} may be inside, who stay for 10 to 30 seconds and leave. `presence_s` and `claim_s` are
as short as they can be set, 5 seconds, so that a wait is many presence windows long. When the rooms open the crowd
has waited for two minutes; at any moment each is as likely to vanish without a word as at any other, so likely that
three in ten have by their turn. Who vanished in the first two minutes is absent from the start; the others poll when
they are told to, each time before another of the four, and come when they are called. Rooms are looked at for
{seconds} seconds from the opening.

Each change of who is inside is read from Redis's append-only file, in its order: a call is a lease that was not there
before. Every interval between two calls is held against `burst + rate * time`, and the number inside against the cap
after each change. Used are the calls whose visitor came, of `burst + rate * time` up to the last call; and of `cap *
time`, from when the room was full, the places of those who came, from the call until they asked to leave."""
REMARKS = [
    "What is not used was called in vain: a bit of presence lasts for the rest of its window and the whole of the "
    "next, so that who vanishes is called for 1 to 2 windows more. It costs what vanishes in that time: the longer "
    "people wait, in presence windows, the less. After two windows of waiting it would be far more than here.",
    "A rate is not raised to make up for those who do not come: what was called in vain is lost, since nobody knows "
    "beforehand that it was, and the bound on calls is to hold in every interval.",
    "Here a line with heartbeats in a sorted set does better by a percent: it knows the second in which each was "
    "last heard of, for some hundred times the memory. It was also spared the network, and four processes.",
    "The cap leaves a place empty from when it is given back to the next step of the line, an eighth of a second on "
    "average: the longer visitors stay, the less it is.",
    "Visitors need a machine that lets them run: where it is so busy that they come late, less is used.",
]


@click.command(help=__doc__)
@rounds_option()
@seconds_option(30)
@out_option
def command(rounds: int, seconds: int, out: Path) -> None:
    begun_s = time.monotonic()
    kept = []
    with console.status("") as status:
        for number in range(rounds):
            status.update(f"round {number + 1} of {rounds}: both rooms open")
            kept.append(all_judged(uvloop.run(lived(FIRST_SEED + number, seconds)), seconds))
    deliver(found(kept, seconds, time.monotonic() - begun_s), out)
