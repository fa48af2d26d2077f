"""What crowds of one million, ten million and a hundred million take: measured on a Redis of its own, and worked out.

Measured are one line of each size, written into its bitmaps at once, and a stretch of the traffic that its crowd makes:
each process asks for a snapshot four times a second, and the polls come in batches of a thousand numbers from all over
the line. Redis's time is that of its process. Worked out, by the rules of waitroom/pace.py and of the page, are the
polls, the readings of the public status, the processes and the bandwidth. Each table says which of the two it is.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import click
from redis import Redis
from rich.console import Console

from scripts.benches.machine import machine
from scripts.line_figures import BATCH, LIMITS, MeasuredLine, private_redis
from waitroom.estimate import LONGER, SHORTER, Estimate
from waitroom.limits import TICK_MS
from waitroom.pace import least_polls_per_second, poll_after_ms
from waitroom.place import Outlook
from waitroom.status import status

SIZES = (1_000_000, 10_000_000, 100_000_000)
PRESENCE_S = (60, 600, 3_600)
STATUS_S = 5
# A page reads the status at least so often: templates/status.js.
LONGEST_LOOK_S = 60
# A line that empties within this time.
SERVED_S = 8 * 3_600
# Of a second's traffic, so many batches of polls and so many snapshots are asked for at most; more are reckoned from
# these.
MOST_BATCHES = 40
MOST_SNAPSHOTS = 8
RUNS = 5
# Of a core that serves, this much may be used.
USED = 0.5
# As sent, with their header fields and those of the request.
POLL_BYTES, STATUS_BYTES = 1_100, 2_000
SHARED_MS = 200
console = Console(highlight=False)


@dataclass(frozen=True)
class Measured:
    """Of one line. Times are in ms of CPU: of Redis, and of Python in what begins with its name."""

    waiting: int
    memory_mb: float
    snapshot_mb: float
    snapshot_ms: float
    call_ms: float
    turn_ms: float
    polls_ms: float
    python_snapshot_ms: float
    python_status_ms: float
    status_bytes: int


class LongLine(MeasuredLine):
    """A line whose numbers were never given one by one."""

    def measured(self) -> Measured:
        self._keep()
        memory = sum(self._redis.memory_usage(key, samples=0) or 0 for key in self._keys)
        snapshot = self.advance()
        self._waiting = snapshot.waiting
        rate = snapshot.waiting / SERVED_S
        estimate = Estimate(rate, 0, rate / 2, rate)
        outlook = Outlook(snapshot, estimate, LIMITS, 1, "")

        def prepare() -> int:
            return len(status(snapshot, outlook, estimate, 0, lost=False).to_json())

        return Measured(
            waiting=snapshot.waiting,
            memory_mb=memory / 1e6,
            snapshot_mb=len(snapshot.here) / 1e6,
            snapshot_ms=self._median_ms(self.advance),
            call_ms=self._median_ms(self._call),
            turn_ms=self._median_ms(self._pass_window),
            polls_ms=self._median_ms(lambda: self._run("poll", self._now_ms, *self._some_present())),
            python_snapshot_ms=median(self._python_ms() for _ in range(self._runs)),
            python_status_ms=median(_cpu_ms(prepare) for _ in range(self._runs)),
            status_bytes=prepare(),
        )

    def redis_share(self, polls_per_s: float, processes: int) -> float:
        """How much of a core Redis takes for a second of so many polls from so many processes."""
        self._bring_back()
        self.advance()
        batches = math.ceil(polls_per_s / BATCH)
        numbers = [self._some_present() for _ in range(min(batches, MOST_BATCHES))]
        polls_s = self._redis_s(lambda: [self._run("poll", self._now_ms, *each) for each in numbers])
        ticks = processes * (1_000 // TICK_MS)
        few = min(ticks, MOST_SNAPSHOTS)
        arguments = self._now_ms, SHARED_MS, *self.own()
        snapshots_s = self._redis_s(lambda: [self._run("advance", *arguments) for _ in range(few)])
        return polls_s * batches / len(numbers) + snapshots_s * ticks / few

    def _redis_s(self, work: Callable[[], object]) -> float:
        before = self._cpu_s()
        work()
        return self._cpu_s() - before

    def _cpu_s(self) -> float:
        used = self._redis.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

    def _let_come(self) -> None:
        self._write()

    def _script_us(self) -> int:
        """Of Redis, with what it takes to read a command and to send its reply: of a long line that is most of it."""
        return round(self._cpu_s() * 1_000_000)


@dataclass(frozen=True)
class Traffic:
    """Each second, of one line."""

    polls: float
    looks: float


def traffic(waiting: int, presence_s: int, *, by_status: bool) -> Traffic:
    """What a crowd asks that is served at a steady rate: all of the line itself, or those who are far of its status."""
    rate = waiting / SERVED_S
    if not by_status:
        return Traffic(sum(_often(waiting, rate, presence_s)), 0)
    near = rate * STATUS_S * 10 / SHORTER
    polls = sum(_often(min(waiting, near), rate, presence_s))
    far = max(0.0, waiting - near)
    looks = sum(count / _look_s(shortest_s) for count, shortest_s in _stretches(near, waiting, rate))
    return Traffic(polls + least_polls_per_second(int(far), presence_s * 1_000) / 1.2, looks)


def _often(waiting: float, rate: float, presence_s: int) -> Iterator[float]:
    """How often each stretch of the line asks it, in all, each second."""
    for count, shortest_s in _stretches(0, waiting, rate):
        wait = math.floor(shortest_s), math.ceil(shortest_s * LONGER / SHORTER)
        after_ms = poll_after_ms(wait, 0, presence_ms=presence_s * 1_000, polls_per_second=1, chance=0.5)
        yield count * 1_000 / after_ms


def _look_s(shortest_s: float) -> float:
    return min(LONGEST_LOOK_S, max(STATUS_S, shortest_s / 10))


def _stretches(start: float, end: float, rate: float) -> Iterator[tuple[float, float]]:
    """How many stand in each of a few hundred stretches, and the shortest wait in its midst."""
    at = start
    while at < end:
        following = min(end, at + max(1.0, at / 64))
        yield following - at, SHORTER * (at + following) / 2 / rate
        at = following


def _cpu_ms(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1_000


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _measured_table(columns: Sequence[Measured]) -> str:
    rows: list[tuple[str, Callable[[Measured], str]]] = [
        ("Redis: memory (MB)", lambda m: f"{m.memory_mb:,.1f}"),
        ("a snapshot, as sent to each process four times a second (MB)", lambda m: f"{m.snapshot_mb:,.2f}"),
        ("Redis: snapshot (ms)", lambda m: f"{m.snapshot_ms:,.1f}"),
        ("Redis: advance that calls 1,000 (ms)", lambda m: f"{m.call_ms:,.1f}"),
        ("Redis: advance that turns the presence window (ms)", lambda m: f"{m.turn_ms:,.1f}"),
        ("Redis: 1,000 polls (ms)", lambda m: f"{m.polls_ms:,.1f}"),
        ("Python: a snapshot, read and counted (ms)", lambda m: f"{m.python_snapshot_ms:,.1f}"),
        ("Python: the public status (ms)", lambda m: f"{m.python_status_ms:,.1f}"),
        ("the public status (bytes)", lambda m: f"{m.status_bytes:,}"),
    ]
    head = ["measured", *(f"{m.waiting:,}" for m in columns)]
    return _table(head, [[name, *(value(m) for m in columns)] for name, value in rows])


def _crowd_rows(line: LongLine, waiting: int, figures: Measured, poll_us: float) -> Iterator[list[str]]:
    # What a process has left beside its snapshots.
    left = USED - figures.python_snapshot_ms / TICK_MS
    for presence_s in PRESENCE_S:
        for by_status in (False, True):
            asked = traffic(waiting, presence_s, by_status=by_status)
            processes = max(2, math.ceil(asked.polls * poll_us / 1e6 / left))
            snapshots = processes * figures.snapshot_mb * 8e6 * 1_000 / TICK_MS
            yield [
                f"{waiting:,}",
                f"{presence_s:,}",
                "the status" if by_status else "the line",
                f"{asked.polls:,.0f}",
                f"{asked.polls * POLL_BYTES * 8 / 1e9:,.2f}",
                f"{processes:,}",
                f"{line.redis_share(asked.polls, processes):,.2f}",
                f"{snapshots / 1e9:,.2f}",
                f"{asked.looks:,.0f}" if by_status else "",
                f"{asked.looks * STATUS_BYTES * 8 / 1e9:,.2f}" if by_status else "",
            ]


@click.command()
@click.option("--runs", default=RUNS, show_default=True, type=click.IntRange(1, 101), help="Each time is their median.")
@click.option(
    "--poll-us",
    default=34.3,
    show_default=True,
    help="CPU time of a poll, where visitors share connections.",
)
@click.option("--size", "sizes", multiple=True, type=int, default=SIZES, show_default=True, help="Of a crowd.")
def main(runs: int, poll_us: float, sizes: Sequence[int]) -> None:
    """Print the figures of large crowds, as Markdown."""
    columns: list[Measured] = []
    crowds: list[list[str]] = []
    with private_redis() as url:
        redis = Redis.from_url(url)
        version = redis.info("server")["redis_version"]
        for size in sizes:
            with console.status(f"{size:,} waiting"):
                line = LongLine(redis, size, runs)
                figures = line.measured()
                columns.append(figures)
                crowds += _crowd_rows(line, size, figures, poll_us)
                redis.flushall()
        redis.close()
    told = machine()
    head = [
        "waiting",
        "presence_s",
        "far pages ask",
        "polls/s",
        "polls, Gbit/s",
        "processes",
        "Redis, cores",
        "snapshots, Gbit/s",
        "readings of the status/s",
        "these, Gbit/s",
    ]
    lines = [
        f"{told['processor']}, {told['Python']}, Redis {version}",
        "",
        _measured_table(columns),
        "",
        _table(head, crowds),
    ]
    console.print("\n".join(lines), soft_wrap=True)


if __name__ == "__main__":
    main()
