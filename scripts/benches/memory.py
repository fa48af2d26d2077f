"""What who waits, who is connected and who is inside take: bytes of Redis, and of the waitroom process.

A line grows from a thousand to a million, and each of its visitors asks for the place once, with a ticket of its own
and a head as browsers send it. Nothing here is a matter of time: other work on the machine changes no figure.
"""

import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import uvloop

from scripts.benches.findings import Bar, Chart, Finding, Spread, Table, Target
from scripts.benches.holding import CONNECTIONS, KIB, WARM, Line, grow, hold_idle, hold_inside
from scripts.benches.machine import machine, packages, told
from scripts.benches.rival_lines import DESIGNS, design_bytes
from scripts.benches.rounds import console, deliver, out_option, rounds_option
from waitroom.embedded import find_server

SIZES = (1_000, 100_000, 1_000_000)
# Connections: a handshake takes thirty times as long as a poll.
IDLE, IDLE_TLS, INSIDE = 5_000, 1_000, 10_000
MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Idle:
    """Bytes of the process for one more connection, over plain HTTP and over TLS."""

    plain: float
    tls: float


async def hold_both() -> Idle:
    return Idle(await hold_idle(IDLE, tls=False), await hold_idle(IDLE_TLS, tls=True))


@dataclass(frozen=True, slots=True)
class Inside:
    """Bytes for one more visitor inside."""

    redis: float
    process: float


def found(
    line: Line, designs: Mapping[str, Sequence[int]], idle: Sequence[Idle], inside: Inside, took_s: float
) -> Finding:
    """As it is published."""
    ours = [one.redis for one in line.grown]
    longest = line.grown[-1].waiting
    per_visitor = {"waitroom": ours[-1] / longest, **{name: taken[-1] / longest for name, taken in designs.items()}}
    plain, tls = Spread.of([one.plain for one in idle]), Spread.of([one.tls for one in idle])
    return Finding(
        name="memory",
        question="What do those take who wait, who are connected, and who are inside?",
        command="scripts/bench memory",
        setting=SETTING,
        machine=machine(),
        versions={**packages("uvloop", "redis"), "Redis": told([find_server(), "--version"])},
        took_s=took_s,
        tables=[
            Table(
                "Bytes of Redis per waiting visitor",
                ("waiting", *(f"{one.waiting:,}" for one in line.grown)),
                [
                    (name, *(f"{size / one.waiting:,.2f}" for size, one in zip(sizes, line.grown, strict=True)))
                    for name, sizes in {"waitroom": ours, **designs}.items()
                ],
            ),
            Table(
                "The process, as its line grows",
                ("waiting", "process (MiB)", "more than before anybody came (MiB)"),
                [
                    (f"{waiting:,}", f"{size / MIB:.1f}", f"{(size - line.empty) / MIB:.1f}")
                    for waiting, size in ((0, line.empty), *((one.waiting, one.process) for one in line.grown))
                ],
            ),
            Table(
                "One more",
                ("what", "process (bytes)", "least to most", "Redis (bytes)"),
                [
                    ("idle connection", f"{plain.median:,.0f}", f"{plain.least:,.0f} to {plain.most:,.0f}", "0"),
                    ("the same over TLS", f"{tls.median:,.0f}", f"{tls.least:,.0f} to {tls.most:,.0f}", "0"),
                    ("visitor inside", f"{inside.process:,.0f}", "-", f"{inside.redis:,.0f}"),
                ],
            ),
        ],
        charts=[
            Chart(
                f"Redis per waiting visitor, at {longest:,}",
                "bytes",
                [Bar(name, Spread(taken, taken, taken)) for name, taken in per_visitor.items()],
            )
        ],
        targets=[
            Target(f"Redis per waiting visitor at {longest:,}", "at most", 1.0, per_visitor["waitroom"], "bytes"),
            Target(
                f"growth of the process from {line.grown[0].waiting:,} to {longest:,} waiting",
                "at most",
                4.0,
                line.growth / MIB,
                "MiB",
            ),
            Target("an idle connection", "at most", 20.0, plain.median / KIB, "KiB"),
        ],
        remarks=REMARKS,
        runs={
            "line": asdict(line),
            "designs": designs,
            "idle": [asdict(one) for one in idle],
            "inside": asdict(inside),
        },
    )


SETTING = f"""\
One process of waitroom, with a Redis that logs each write, as the embedded one does. A line grows from 1,000 to
1,000,000 visitors; each of them asks for the place once, with a ticket of its own and a request as a browser writes
it (about 700 bytes), by {CONNECTIONS} connections. Of Redis all keys of the line are counted, to the byte (`MEMORY
USAGE`); of the process, the pages that only it has, its supervisor's included. The other designs are what is usually
built: a sorted set of places by the time of arrival, with ids of sessions of 32 characters, and beside it when each
was heard of last. Theirs is counted by `MEMORY STATS`: all that is allocated, but for what Redis began with, clients,
log, scripts.

What one more takes is measured over {IDLE:,} connections ({IDLE_TLS:,} over TLS) on each of which one visitor asked
once, and over {INSIDE:,} visitors who came in and asked for a page. Before, {WARM:,} others have asked, so that what
a process has once does not count. The line grows once, visitors come in once, and what a connection takes is the
median of the rounds."""
REMARKS = [
    "A line takes two bits for each number, of who was seen in this presence window and in the last one. Redis "
    "allocates ahead as a string grows, so that the figure moves between one and two times that. Who has left takes "
    "these bits, too, until the head of the line has passed.",
    "The process has a bit for each that waits, twice: its last two snapshots. The rest of its growth is what is "
    "remembered of requests, which is bounded by bytes.",
    "A connection keeps its visitor's last request, since the next one is most often the same.",
    "The kernel's memory is not counted: whoever serves it, a connection takes some KB there.",
    "Over TLS a connection costs far more: OpenSSL's state, and buffers of its own, on top of uvloop's. Where many "
    "thousands stay connected over TLS, let a balancer in front end it.",
    "Who is inside is remembered with the admission, so that it is verified once. At most 100,000 are, for about 120 "
    "MB in one process; beyond that, those that were found good longest ago are verified again.",
]


@click.command(help=__doc__)
@rounds_option()
@out_option
def command(rounds: int, out: Path) -> None:
    begun_s = time.monotonic()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = IDLE + 10 * CONNECTIONS
    if most != resource.RLIM_INFINITY and most < need:
        raise click.ClickException(f"{need:,} open files are needed, and the limit is {most:,}: raise it (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (need, most))
    with console.status("others") as status:
        designs = {name: design_bytes(come, SIZES) for name, come in DESIGNS.items()}
        status.update(f"{SIZES[-1]:,} visitors poll")
        line = uvloop.run(grow(SIZES))
        status.update(f"{INSIDE:,} visitors come in")
        inside = Inside(*uvloop.run(hold_inside(INSIDE)))
        idle = []
        for number in range(rounds):
            status.update(f"round {number + 1} of {rounds}: connections")
            idle.append(uvloop.run(hold_both()))
    deliver(found(line, designs, idle, inside, time.monotonic() - begun_s), out)
