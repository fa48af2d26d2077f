"""How fast does booking sell, and does it sell a seat twice? Holds and whole trips over HTTP, on SQLite and MariaDB."""

import asyncio
import os
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from statistics import median, quantiles

import click

from scripts.benches.booking_sites import LABELS, FlightOnSale, Site, Sites, Stock, Way, wrongs
from scripts.benches.buyers import AT_ONCE, Crowd, Errand, sell
from scripts.benches.findings import Bar, Chart, Finding, Spread, Table, Target
from scripts.benches.machine import OTHERS, machine, need_two_cores, packages, told
from scripts.benches.rounds import deliver, in_turn, out_option, rounds_option
from scripts.benches.wrk import TICKS_PER_S, cpu_s
from tests.booking.mariadb import SERVER

OURS = Way("MariaDB", "MariaDB")
WAYS = (
    Way("SQLite", "SQLite"),
    OURS,
    Way("MariaDB, seats `FOR UPDATE`", "MariaDB", "seats"),
    Way("MariaDB, flight `FOR UPDATE`", "MariaDB", "flight"),
)
# Flights beside the hot ones.
MANY = 20
# So many buyers come to each site before the rounds begin.
WARMED_BY = 20
# Of what is wrong, so much is told.
MOST_WRONGS = 10

SETTING = """\
Buyers come over HTTP, {at_once} at a time; who is done makes room for the next. Each has an admission of their own that
booking has not seen before, is logged in, and sends an `Idempotency-Key` with all that changes something. **A hold** is
one request, of a seat chosen blindly; who finds it taken tries another. **A trip** is a search, the seat map, a hold of
a seat that is free by it with the name of who travels, the checkout, a payment on the page of the sandbox bank, and the
return, which brings the ticket; the bank tells its webhook besides. {holds} buyers want a seat each of one flight of
{seats} seats (hot) or of one of {many} flights by chance (many); {trips} buyers make trips.

Booking has one core, its one process with all that it does behind requests (outbox, webhooks, cache); MariaDB, Redis,
the bank and the buyers share the other. SQLite is embedded: its CPU time is that of the threads beside the event loop.
The rivals are the very same code, statement for statement, but lock what a sale reads, the seats or the flight, as they
read it. MariaDB runs as it comes, each COMMIT on the disk before it is answered (`innodb_flush_log_at_trx_commit = 1`);
SQLite by WAL and `synchronous = NORMAL`, which keeps what was committed through a crash of booking, and may lose the
last of it with the machine's power. At the end no seat may have been told to two buyers, and `booking verify` must find
nothing in the records. p50 and p99 are of a whole hold, seats lost before included, or a whole trip; CPU is for each;
lost are wishes for a seat that was gone, again transactions that ran once more (a deadlock, a lock waited for longer
than five seconds), 503 requests whose transactions did so in vain, and which were sent again. Medians of {rounds}
rounds."""

REMARKS = (
    "CPU time is what to compare from machine to machine: throughput is that of one process on one core, and more "
    "processes may share a MariaDB.",
    "Booking is bound by Python and not by its locks: of a hold, most of the time passes in SQLAlchemy and the driver, "
    "statement by statement. Where the database is another machine's, its share is nearer to nothing.",
    "A hold has three COMMITs (its key, the hold, its answer), and its webhook has more behind it. MariaDB syncs the "
    "disk for each, SQLite for none: a busy machine makes who waits for the disk, and for its turn on the other core, "
    "slower than CPU time tells.",
    "SQLite has one writer at a time. It needs no round trip, so a site on one machine is served well by it; it "
    "does not grow past that.",
)


@dataclass(frozen=True, slots=True)
class Task:
    """What the buyers of a run come for. On a hot flight there are as many of them as seats, or fewer."""

    name: str
    errand: Errand
    is_hot: bool
    buyers: int


TASKS = (
    Task("holds, one hot flight", Crowd.hold, is_hot=True, buyers=80),
    Task("holds, many flights", Crowd.hold, is_hot=False, buyers=80),
    Task("trips, one hot flight", Crowd.trip, is_hot=True, buyers=40),
    Task("trips, many flights", Crowd.trip, is_hot=False, buyers=40),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run. CPU is per hold or trip: that of booking with what it does behind requests, and the database's apart."""

    per_s: float
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    booking_ms: float
    database_ms: float
    conflicts: int
    retries: int
    busy: int


Ran = Mapping[str, Sequence[Run]]


def run(site: Site, task: Task, buyers: int) -> Run:
    """Sends so many to a site. Raises ClickException where one of them did not get what they came for."""
    on_sale: Iterator[FlightOnSale] = repeat(next(site.hot)) if task.is_hot else _by_chance(site.many)
    crowd = site.buyers(buyers, int(time.time()))
    retries, before = site.retries(), _cpu_s(site)
    sold = asyncio.run(sell(site, task.errand, crowd, on_sale))
    spent = [after - was for after, was in zip(_cpu_s(site), before, strict=True)]
    if len(sold.took_ms) != buyers:
        raise click.ClickException(f"{site.way.name}, {task.name}: {len(sold.took_ms)} of {buyers} got a seat")
    booking_ms, database_ms = (each_s * 1000 / buyers for each_s in spent)
    cuts = quantiles(sold.took_ms, n=100)
    return Run(
        per_s=buyers / sold.elapsed_s,
        requests_per_s=sold.requests / sold.elapsed_s,
        p50_ms=cuts[49],
        p99_ms=cuts[98],
        booking_ms=booking_ms,
        database_ms=database_ms,
        conflicts=sold.conflicts,
        retries=site.retries() - retries,
        busy=sold.busy,
    )


def _by_chance(flights: Sequence[FlightOnSale]) -> Iterator[FlightOnSale]:
    while True:
        yield random.choice(flights)


def _cpu_s(site: Site) -> tuple[float, float]:
    """The CPU time of booking, and of its database. SQLite has the threads beside the main one to itself."""
    booking_s = cpu_s(site.server.pid)
    if site.database_pid is not None:
        return booking_s, cpu_s(site.database_pid)
    loop_s = _thread_s(site.server.pid)
    return loop_s, booking_s - loop_s


def _thread_s(pid: int) -> float:
    """Of the main thread alone: proc(5)."""
    fields = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def measure(rounds: int) -> tuple[dict[str, list[Run]], list[str]]:
    """The runs of each way and task, and what is wrong afterwards."""
    now_s = int(time.time())
    hot = sum(task.is_hot for task in TASKS) * (rounds + 1)
    people = sum(task.buyers * rounds + WARMED_BY for task in TASKS)
    with tempfile.TemporaryDirectory(prefix="booking-bench-") as folder, Sites(Path(folder)) as sites:
        redis, mariadb = sites.redis(), sites.mariadb()
        running = [
            sites.site(number, way, Stock(hot, MANY, people), now_s, redis, mariadb) for number, way in enumerate(WAYS)
        ]
        turns: dict[str, Callable[[], Run]] = {}
        for task in TASKS:
            for site in running:
                run(site, task, WARMED_BY)
                turns[turn(site.way, task)] = partial(run, site, task, task.buyers)
        ran = in_turn(turns, rounds)
        return ran, [wrong for site in running for wrong in asyncio.run(wrongs(site))]


def turn(way: Way, task: Task) -> str:
    """The name of one."""
    return f"{way.name}: {task.name}"


def table(title: str, tasks: Sequence[Task], ran: Ran) -> Table:
    """All figures of these tasks, as medians of the rounds."""
    head = (
        "",
        "a second",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "CPU ms, booking",
        "CPU ms, database",
        "lost",
        "again",
        "503",
    )
    rows = []
    for task in tasks:
        for way in WAYS:
            middle = {name: median(getattr(each, name) for each in ran[turn(way, task)]) for name in Run.__slots__}
            rows.append(
                (
                    f"{task.name.partition(', ')[2]}: {way.name}",
                    f"{middle['per_s']:.1f}",
                    f"{middle['requests_per_s']:.0f}",
                    f"{middle['p50_ms']:,.0f}",
                    f"{middle['p99_ms']:,.0f}",
                    f"{middle['booking_ms']:.1f}",
                    f"{middle['database_ms']:.1f}",
                    f"{middle['conflicts']:.0f}",
                    f"{middle['retries']:.0f}",
                    f"{middle['busy']:.0f}",
                )
            )
    return Table(title, head, rows)


def chart(title: str, task: Task, ran: Ran, figure: str, unit: str) -> Chart:
    """One figure of one task, of all ways."""
    bars = [Bar(way.name, Spread.of([getattr(each, figure) for each in ran[turn(way, task)]])) for way in WAYS]
    return Chart(title, unit, bars)


def targets(ran: Ran, wrong: Sequence[str]) -> list[Target]:
    """That nothing is sold twice; and that on a hot flight, where locks should pay, ours is no slower than they are."""
    hot = next(task for task in TASKS if task.is_hot)
    sound = Target("seats sold twice, and records that break an invariant", "at most", 0, len(wrong))
    return [sound] + [
        Target(f"{hot.name}: ours, times those of {way.name!r}", "at least", 1.0, round(_times(ran, hot, OURS, way), 2))
        for way in WAYS
        if way.locked
    ]


def _times(ran: Ran, task: Task, one: Way, other: Way) -> float:
    """How many times as many a second, as the median of what it was round by round."""
    pairs = zip(ran[turn(one, task)], ran[turn(other, task)], strict=True)
    return median(ours.per_s / theirs.per_s for ours, theirs in pairs)


def finding(ran: Ran, wrong: Sequence[str], took_s: float, rounds: int) -> Finding:
    """What was found out, as it is published."""
    hot_holds, many_holds, hot_trips, _ = TASKS
    return Finding(
        name="booking",
        question="How fast does booking sell, and does it sell a seat twice?",
        command="scripts/bench booking",
        setting=SETTING.format(
            at_once=AT_ONCE, holds=hot_holds.buyers, trips=hot_trips.buyers, seats=len(LABELS), many=MANY, rounds=rounds
        ),
        machine=machine(),
        versions={
            **packages("aiohttp", "sqlalchemy", "aiomysql", "aiosqlite", "uvloop"),
            "SQLite": sqlite3.sqlite_version,
            "MariaDB": told([str(SERVER), "--version"]),
        },
        took_s=took_s,
        tables=[
            table("Holds", [hot_holds, many_holds], ran),
            table("Trips", [task for task in TASKS if task.errand is Crowd.trip], ran),
        ],
        charts=[
            chart("Holds of seats of one hot flight", hot_holds, ran, "per_s", "holds a second"),
            chart("Trips, from search to ticket, on one hot flight", hot_trips, ran, "per_s", "trips a second"),
        ],
        targets=targets(ran, wrong),
        remarks=[*REMARKS, *(f"**Wrong:** {each}" for each in wrong[:MOST_WRONGS])],
        runs={name: [asdict(each) for each in runs] for name, runs in ran.items()},
    )


@click.command()
@rounds_option(5)
@out_option
def command(rounds: int, out: Path) -> None:
    """How fast booking sells, and that it sells no seat twice."""
    need_two_cores()
    if not SERVER:
        raise click.ClickException(
            "mariadbd is missing: install it (apt-get install mariadb-server-core mariadb-client-core)"
        )
    # All that is started here, but for the sites.
    os.sched_setaffinity(0, {OTHERS})
    started = time.perf_counter()
    ran, wrong = measure(rounds)
    deliver(finding(ran, wrong, time.perf_counter() - started, rounds), out)
