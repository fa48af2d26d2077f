"""The whole sale: a crowd comes, waits, is let in and books, while everybody writes down what they see. Then the books
are audited."""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from scripts.benches.findings import Finding, Table, Target
from scripts.benches.machine import machine, need_two_cores, packages
from scripts.benches.machine import told as version_told
from scripts.benches.open_loop import Quantiles
from scripts.benches.rounds import deliver, out_option
from scripts.benches.selling.audit import Auditor
from scripts.benches.selling.books import DATABASE, Books, Fate
from scripts.benches.selling.check import show
from scripts.benches.selling.crowd import Plan, Told
from scripts.benches.selling.site import Limits, Site, wish
from scripts.benches.selling.witness import Witness
from scripts.benches.wrk import cpu_s
from waitroom.embedded import find_server

# A tenth of the crowd stands before the door when it opens, and comes within ten seconds.
RUSH, RUSH_S = 0.1, 10.0
# Of the balancer, to waitroom.
CONNECTIONS = 256
# Of all that is left to chance.
SEED = 1
# How long a visitor thinks between two steps at most.
THINK_S = 1.5
# Of the breaches of one promise.
MOST_KEPT = 20
# In the order in which a visitor meets them.
STEPS = (
    ("page", "the waiting page, from when the visitor was to come"),
    ("poll", "a poll"),
    ("go in", "the first page of the site, with the claim"),
    ("search", "search"),
    ("sign up", "sign-up"),
    ("seat map", "seat map"),
    ("hold", "hold"),
    ("check out", "check-out"),
    ("pay", "payment, at the bank"),
    ("ticket", "the ticket, with the release of the place"),
)
FATES: Mapping[Fate, str] = {
    "ticket": "have their tickets",
    "inside": "are inside",
    "waiting": "wait, and have kept their places",
    "gone": "found no seat",
    "astray": "were told what they should not have been told",
    "unanswered": "were never answered",
}


@dataclass(frozen=True, slots=True)
class Sale:
    """One, after it ended: what its generator told, its books, the promises with their breaches, and what each part
    took, in seconds of CPU."""

    told: Told
    books: Books
    auditor: Auditor
    breaches: Mapping[str, Sequence[str]]
    cpu_s: Mapping[str, float]
    took_s: float


@click.command(help=__doc__)
@click.option("--visitors", default=100_000, show_default=True, type=click.IntRange(10, 1_000_000))
@click.option("--seconds", default=300, show_default=True, type=click.IntRange(5, 3_600), help="They come within.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Of waitroom.")
@click.option("--rate", default=180, show_default=True, type=click.IntRange(1, 100_000), help="Calls a minute.")
@click.option("--cap", default=36, show_default=True, type=click.IntRange(1, 100_000), help="Visitors inside.")
@click.option("--books", type=click.Path(file_okay=False, path_type=Path), help="Keep the books here; else nowhere.")
@out_option
def command(
    visitors: int,
    seconds: int,
    workers: int,
    rate: int,
    cap: int,
    books: Path | None,
    out: Path,
) -> None:
    need_two_cores()
    begun_s = time.monotonic()
    limits = Limits(rate_per_minute=rate, burst=rate // 60 + 1, cap=cap)
    plan = Plan(visitors, seconds, RUSH, min(RUSH_S, seconds), CONNECTIONS, SEED, THINK_S, wish())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sale-")))
        own_books = books or folder / "books"
        own_books.mkdir(parents=True, exist_ok=True)
        sale = hold(folder, own_books, limits, plan, workers)
    show(sale.breaches)
    deliver(found(sale, plan, limits, workers, time.monotonic() - begun_s), out)


def hold(folder: Path, books: Path, limits: Limits, plan: Plan, workers: int) -> Sale:
    """Holds a sale in `folder`, and audits its books."""
    with Site(folder, books, limits, workers) as site:
        site.start()
        site.write_terms(plan.visitors)
        before = {name: cpu_s(server.pid) for name, server in site.servers.items()}
        begun_s = time.monotonic()
        told = asyncio.run(_witnessed(site, plan, books))
        took_s = time.monotonic() - begun_s
        spent = {name: cpu_s(server.pid) - before[name] for name, server in site.servers.items()}
        site.take_records()
    read = Books.read(books)
    auditor = Auditor(read, books / DATABASE)
    return Sale(told, read, auditor, auditor.check(), spent | {"the crowd": told.busy * told.took_s}, took_s)


async def _witnessed(site: Site, plan: Plan, books: Path) -> Told:
    witness = Witness(site.redis_url, books)
    watching = asyncio.create_task(witness.run())
    try:
        return await asyncio.to_thread(site.live, plan)
    finally:
        witness.end()
        await watching


def found(sale: Sale, plan: Plan, limits: Limits, workers: int, took_s: float) -> Finding:
    """What the sale has shown."""
    return Finding(
        name="sale",
        question="What becomes of a crowd, from its arrival to the ticket?",
        command="scripts/bench sale",
        setting=setting(plan, limits, workers),
        machine=machine(),
        versions={
            **packages("uvloop", "aiohttp", "redis", "sqlalchemy"),
            "Redis": version_told([find_server(), "--version"], r"\d+\.\d+\.\d+"),
        },
        took_s=took_s,
        tables=[_fates(sale), _waits(sale), _steps(sale), _costs(sale), _line(sale, limits)],
        targets=list(_targets(sale)),
        remarks=list(_remarks(sale)),
        runs={
            "told": asdict(sale.told),
            "cpu_s": sale.cpu_s,
            "plan": asdict(plan),
            "limits": asdict(limits),
            "breaches": {promise: found[:MOST_KEPT] for promise, found in sale.breaches.items()},
        },
    )


def setting(plan: Plan, limits: Limits, workers: int) -> str:
    return (
        f"{plan.visitors:,} visitors come within {plan.seconds:.0f} s, each at a moment that was set before (open "
        f"loop): {plan.rush:.0%} of them in the first {plan.rush_s:.0f} s, most of these at once, the others by "
        "chance. "
        f"Waitroom has {workers} workers, and lets in {limits.rate_per_minute} a minute and {limits.cap} at once "
        f"(`presence_s = {limits.presence_s}`: far from the front a visitor polls each {limits.presence_s // 3} s or "
        "so); behind it is booking, one process on SQLite, with its bank. Each "
        "visitor loads the page, polls when it is told to, goes in when it is called, and then searches a flight, "
        "signs up, holds a seat, pays, and gives its place back with the ticket; between these steps it thinks for up "
        f"to {plan.think_s} s. All want the same route. Everything, the crowd included, shares the machine's cores, "
        "and is pinned to none. "
        f"The crowd comes as from a balancer: {plan.connections} connections that are kept, asked in turn, and each "
        "visitor's own address in `X-Forwarded-For`.\n\n"
        "Everybody writes down what they see: each visitor; Redis, looked at ten times a second; booking, each request "
        "with its admission; and its database. The books are compared afterwards "
        "(`python -m scripts.benches.selling.check`), and a promise that they do not bear out fails the command. Tests "
        "forge the books of a small sale, once for each promise, and each forgery is found."
    )


def _fates(sale: Sale) -> Table:
    fates = Counter(visitor.fate for visitor in sale.books.visitors)
    rows = [(said, f"{fates[fate]:,}") for fate, said in FATES.items() if fates[fate]]
    return Table("Visitors, at the end", ("", "visitors"), [("all who came", f"{fates.total():,}"), *rows])


def _waits(sale: Sale) -> Table:
    """Times that are not those of one answer."""
    to_page, to_call, to_go_in, to_ticket = [], [], [], []
    for visitor in sale.books.visitors:
        if visitor.page_ms:
            to_page.append((visitor.page_ms - visitor.due_ms) / 1e3)
        call = sale.auditor.calls.get(visitor.numbers[0]) if visitor.numbers else None
        if call and visitor.admitted_ms:
            to_call.append((call.by_ms - visitor.page_ms) / 1e3)
            to_go_in.append((visitor.admitted_ms - call.by_ms) / 1e3)
        if visitor.fate == "ticket":
            to_ticket.append((visitor.served_ms - visitor.admitted_ms) / 1e3)
    rows = [
        ("from the arrival to the page", to_page),
        ("from the page to the call", to_call),
        ("from the call to the site: the poll that tells of it, and the way in", to_go_in),
        ("from the site to the ticket, thinking included", to_ticket),
    ]
    return Table(
        "The time that each part of the way takes (s)",
        ("", "visitors", "p50", "p90", "p99", "most"),
        [(said, f"{len(times):,}", *_seconds(Quantiles.of([max(0, time) for time in times]))) for said, times in rows],
    )


def _steps(sale: Sale) -> Table:
    told = sale.told
    rows = [(said, f"{told.counts[step]:,}", *_ms(told.times[step])) for step, said in STEPS if step in told.times]
    late = [
        ("how late the crowd itself came", f"{len(sale.books.visitors):,}", *_ms(told.late)),
        ("how late it polled", f"{told.counts.get('poll', 0):,}", *_ms(told.late_polls)),
    ]
    return Table(
        "Answers, from when they were due to their last byte (ms)",
        ("", "answers", "p50", "p90", "p99", "p99.9", "most"),
        rows + late,
    )


def _costs(sale: Sale) -> Table:
    rows = [
        (name, f"{spent:.1f}", f"{spent / sale.took_s:.2f}")
        for name, spent in sorted(sale.cpu_s.items(), key=lambda cost: -cost[1])
    ]
    return Table("What each took", ("", "CPU (s)", "cores"), rows)


def _line(sale: Sale, limits: Limits) -> Table:
    line = sale.books.line
    most = max((len(sample.inside) for sample in line), default=0)
    minutes = (line[-1].at_ms - line[0].at_ms) / 60_000 if line else 0
    called = line[-1].called if line else 0
    waiting = len(sale.books.present.numbers())
    return Table(
        "The line",
        ("", "seen", "allowed"),
        [
            ("most inside at once", f"{most}", f"{limits.cap}"),
            ("called", f"{called:,}", f"{limits.burst + limits.rate_per_minute * minutes:,.0f}"),
            ("waiting at the end", f"{waiting:,}", ""),
        ],
    )


def _targets(sale: Sale) -> Iterator[Target]:
    for promise, breaches in sale.breaches.items():
        yield Target(promise, "at most", 0, len(breaches), "breaches")
    yield Target("tickets sold", "at least", 1, sum(visitor.fate == "ticket" for visitor in sale.books.visitors))
    yield Target("requests that were never answered", "at most", 0, sum(sale.told.failed.values()))


def _remarks(sale: Sale) -> Iterator[str]:
    sent_back = sum(visitor.sent_back for visitor in sale.books.visitors)
    admitted = sum(visitor.admitted_ms > 0 for visitor in sale.books.visitors)
    yield (
        "How many have a ticket says nothing of waitroom: that is the rate and the cap, which are set to what booking "
        "bears on the share of the cores that is left to it."
    )
    yield (
        "p99 of a step is on cores that a whole sale shares, generator included: the row of how late it came itself "
        "belongs to every other row. The times count from when a step was due, so that its own lateness is in them."
    )
    yield (
        f"{sent_back} times a visitor who had seen that it was called, of {admitted} who went in, met a worker that "
        "had not heard of it yet, was shown the waiting page once more, and went in by its next poll. The place is "
        "kept meanwhile. A balancer that keeps a visitor at one worker avoids it."
    )
    yield (
        "One run, which fills most of two cores for five minutes; other work on the machine has to give way. One that "
        "got a third of the CPU could not answer such a crowd: polls took half a minute, so that visitors who were "
        "there counted as absent, and many got no page within the time. Cap, rate, order and seats held all the same."
    )
    yield (
        "The visitors think for a second where people think for a minute, so that trips end within five minutes; a cap "
        "of people would be far larger at the same rate."
    )


def _ms(times: Quantiles) -> tuple[str, ...]:
    return tuple(f"{time:,.1f}" for time in (times.p50, times.p90, times.p99, times.p999, times.most))


def _seconds(times: Quantiles) -> tuple[str, ...]:
    """Quantiles are in milliseconds."""
    return tuple(f"{time / 1e3:,.1f}" for time in (times.p50, times.p90, times.p99, times.most))
