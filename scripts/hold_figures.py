"""Measures the sale of a hot flight on a MariaDB of its own: our conditional UPDATE beside `SELECT … FOR UPDATE`.

All run the very same code, statement for statement; the rivals only lock what they read: the seats, or the flight.
Forty buyers at a time want a seat each, of one flight, and go for it by chance among those that they have not found
taken, until it is sold out. A round of each follows a round of each; the table has the medians.
"""

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import click
from rich.console import Console
from sqlalchemy import Executable, Select, Table, event, insert, select

from booking import holds, schema
from booking.cabins import Aircraft
from booking.db import Attempt, Database
from booking.errors import SeatTaken
from booking.holds import Buyer, Wish
from booking.tables import accounts, flights, seats
from tests.booking.bench import HOLD_S, NOW_S, add_flight, departure
from tests.booking.mariadb import PrivateMariaDB

BUYERS = 40
# What each way locks as it reads.
WAYS: dict[str, Table | None] = {
    "one conditional UPDATE (ours)": None,
    "seats `FOR UPDATE`": seats,
    "flight `FOR UPDATE`": flights,
}
console = Console(highlight=False)


@dataclass(frozen=True)
class Round:
    """One flight sold out. Times in ms, per seat that was held."""

    holds_per_second: float
    p50_ms: float
    p99_ms: float
    retries: int
    conflicts: int


def locking(db: Database, table: Table) -> None:
    """Has every reading of a table lock its rows."""

    def lock(_connection: object, clause: Executable, many: Any, one: Any, _options: object) -> Any:
        if isinstance(clause, Select) and clause.get_final_froms() == [table]:
            clause = clause.with_for_update()
        return clause, many, one

    event.listen(db.engine.sync_engine, "before_execute", lock, retval=True)


async def sell_out(db: Database, number: int, rows: int, account_ids: Sequence[int]) -> Round:
    """A new flight, sold seat by seat to who comes first."""
    flight_id = await add_flight(db, replace(departure(), number=f"H7 {number}", aircraft=Aircraft("Hot", 0, rows)))
    async with db.engine.connect() as connection:
        labels = list(await connection.scalars(select(seats.c.label).where(seats.c.flight_id == flight_id)))
    attempts: Counter[Attempt] = Counter()

    def count(name: str, _seconds: float, outcome: Attempt, _cause: str) -> None:
        attempts[outcome] += name == "take_seats"

    db.observe = count
    waiting = iter(account_ids[: len(labels)])
    took_ms: list[float] = []
    started = time.perf_counter()
    await asyncio.gather(*(_buy(db, flight_id, labels, waiting, took_ms) for _ in range(BUYERS)))
    seconds = time.perf_counter() - started
    cuts = quantiles(took_ms, n=100)
    return Round(len(took_ms) / seconds, cuts[49], cuts[98], attempts[Attempt.RETRIED], attempts[Attempt.REFUSED])


async def _buy(db: Database, flight_id: int, labels: Sequence[str], waiting: Any, took_ms: list[float]) -> None:
    """One buyer after another, each until a seat is held."""
    untried = random.sample(labels, len(labels))
    for account_id in waiting:
        started = time.perf_counter()
        while untried:
            wish = Wish(flight_id, ((untried.pop(), None),), "saver")
            try:
                await db.write(
                    holds.take_seats, Buyer(account_id, f"{flight_id}:{account_id}"), wish, NOW_S, HOLD_S, None
                )
            except SeatTaken:
                continue
            took_ms.append((time.perf_counter() - started) * 1000)
            break


async def alone(db: Database, number: int, rows: int, account_ids: Sequence[int]) -> tuple[float, float]:
    """What one hold takes where nobody else buys, in ms, and what of it passes outside driver and database."""
    flight_id = await add_flight(db, replace(departure(), number=f"H7 {number}", aircraft=Aircraft("Cold", 0, rows)))
    async with db.engine.connect() as connection:
        labels = list(await connection.scalars(select(seats.c.label).where(seats.c.flight_id == flight_id)))
    spent_s = 0.0
    begun_s = 0.0

    def begin(*_: object) -> None:
        nonlocal begun_s
        begun_s = time.perf_counter()

    def end(*_: object) -> None:
        nonlocal spent_s
        spent_s += time.perf_counter() - begun_s

    for name, call in (("before_cursor_execute", begin), ("after_cursor_execute", end)):
        event.listen(db.engine.sync_engine, name, call)
    started = time.perf_counter()
    for account_id, label in zip(account_ids, labels, strict=False):
        wish = Wish(flight_id, ((label, None),), "saver")
        await db.write(holds.take_seats, Buyer(account_id, f"{flight_id}:{account_id}"), wish, NOW_S, HOLD_S, None)
    each_s = (time.perf_counter() - started) / min(len(account_ids), len(labels))
    return each_s * 1000, (each_s - spent_s / min(len(account_ids), len(labels))) * 1000


@asynccontextmanager
async def databases(url: str) -> AsyncIterator[dict[str, Database]]:
    """One for each way, on the same server."""
    opened: dict[str, Database] = {}
    try:
        for way, table in WAYS.items():
            opened[way] = db = Database(url)
            if table is not None:
                locking(db, table)
        yield opened
    finally:
        for db in opened.values():
            await db.engine.dispose()


async def measure(url: str, runs: int, rows: int) -> None:
    async with databases(url) as opened:
        ours = next(iter(opened.values()))
        await schema.migrate(ours)
        account_ids = await _add_accounts(ours, rows * 6)
        rounds: dict[str, list[Round]] = {way: [] for way in opened}
        for run in range(runs):
            for place, (way, db) in enumerate(opened.items()):
                rounds[way].append(await sell_out(db, 1000 + run * len(opened) + place, rows, account_ids))
        async with Database(url) as quiet:
            each_ms, outside_ms = await alone(quiet, 999, rows, account_ids)
    _show(rounds)
    console.print(
        f"\nAlone, a hold takes {each_ms:.1f} ms; {outside_ms:.1f} ms of it pass in SQLAlchemy, in our own code, and "
        "in BEGIN and COMMIT, the rest in the driver and the database."
    )


def _show(rounds: dict[str, list[Round]]) -> None:
    first = median(each.holds_per_second for each in next(iter(rounds.values())))
    console.print("| | holds/s | of ours | p50 ms | p99 ms | retries | conflicts |\n|---|---|---|---|---|---|---|")
    for way, many in rounds.items():
        figures = [
            median(getattr(each, name) for each in many)
            for name in ("holds_per_second", "p50_ms", "p99_ms", "retries", "conflicts")
        ]
        rate, p50, p99, retries, conflicts = figures
        console.print(
            f"| {way} | {rate:.0f} | {rate / first:.2f} | {p50:.0f} | {p99:.0f} | {retries:.0f} | {conflicts:.0f} |"
        )


async def _add_accounts(db: Database, count: int) -> list[int]:
    values = [
        {"email": f"{n}@example.org", "name": "Ada", "language": "en", "password_hash": "-", "created_s": NOW_S}
        for n in range(count)
    ]
    async with db.engine.begin() as connection:
        await connection.execute(insert(accounts), values)
        return list(await connection.scalars(select(accounts.c.id).order_by(accounts.c.id)))


@click.command()
@click.option("--runs", default=5, show_default=True, type=click.IntRange(1, 50), help="Rounds of each way.")
@click.option("--rows", default=60, show_default=True, type=click.IntRange(10, 500), help="Rows of six seats.")
def main(runs: int, rows: int) -> None:
    """Print a table of holds per second, times, retries and conflicts, in about two minutes."""
    with tempfile.TemporaryDirectory() as folder:
        server = PrivateMariaDB(Path(folder))
        server.install()
        server.start()
        try:
            server.execute("CREATE DATABASE booking CHARACTER SET utf8mb4")
            asyncio.run(measure(server.url("booking"), runs, rows))
        finally:
            server.remove()


if __name__ == "__main__":
    main()
