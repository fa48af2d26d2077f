"""Measures what a line costs, on a Redis of its own: memory, Redis's time per transition, Python's time per look.

Lines of about a thousand to ten million waiting visitors are built by joining and polling, with a clock that stands
still between steps; only the longest is written into its bitmaps at once. One number in four is of a visitor who left.
Redis's time is what `INFO commandstats` adds to `evalsha` over one call: the script's own time, from its start to its
reply, without the network. Python's side is measured as CPU time. Each figure is the median of some runs on one line.
"""

import asyncio
import os
import platform
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any

import click
from redis import Redis
from redis.exceptions import RedisError
from rich.console import Console

from waitroom.embedded import find_server
from waitroom.limits import TICK_MS, Limits
from waitroom.line import Line
from waitroom.snapshot import Snapshot
from waitroom.store import TRANSITIONS, Store, script
from waitroom.store_keys import line_keys

SIZES = (1_000, 100_000, 1_000_000, 10_000_000)
# A larger line is written into its bitmaps at once: its visitors would need minutes to come.
MOST_BY_TRANSITIONS = 1_000_000
BATCH = 1_000
POLLS_PER_SECOND = (200, 2_000, 20_000)
START_MS = 1_800_000_000_000
START_TIMEOUT_S = 20.0
# Calls 1,000 in a step as soon as the mode lets it.
LIMITS = Limits(
    version=1,
    edited_ms=0,
    mode="hold",
    rate_per_minute=60_000 * BATCH,
    burst=BATCH,
    cap=10**9,
    claim_ms=60_000,
    presence_ms=60_000,
    session_ms=600_000,
)
CALLING = replace(LIMITS, version=2, mode="queue")
console = Console(highlight=False)


@dataclass(frozen=True)
class Figures:
    """Of one line. Times are in ms of Redis, but for `python_ms` (a snapshot) and `position_us` (a poll)."""

    waiting: int
    bytes_per_visitor: float
    join_ms: float
    poll_ms: float
    snapshot_ms: float
    call_ms: float
    turn_ms: float
    python_ms: float
    position_us: float
    exact: str


class MeasuredLine:
    """A line whose clock stands still. Bit i of `present`, the high bit first, says that the number head + i waits;
    head is a multiple of 8, so that `present` is what Redis has as `here`.
    """

    def __init__(self, redis: Redis, size: int, runs: int) -> None:
        self._redis = redis
        self._runs = runs
        self._keys = line_keys(f"figures-{size}")
        self._scripts = {name: redis.register_script(script(name)) for name in TRANSITIONS}
        self._now_ms = START_MS
        self._chance = random.Random(size)
        self._head = self.advance().head
        self._present = self._some_of(size * 4 // 3)
        if size > MOST_BY_TRANSITIONS:
            self._write()
        else:
            self._let_come()

    def advance(self, limits: Limits = LIMITS) -> Snapshot:
        return Snapshot.from_reply(self._run("advance", self._now_ms, 0, *_own(limits)))

    def figures(self) -> Figures:
        memory = sum(self._redis.memory_usage(key, samples=0) or 0 for key in self._keys)
        snapshot = self.advance()
        waiting = self._waiting = snapshot.waiting
        exact = self._exact(snapshot)
        self._keep()
        return Figures(
            waiting=waiting,
            bytes_per_visitor=memory / waiting,
            poll_ms=self._median_ms(lambda: self._run("poll", self._now_ms, *self._some_present())),
            snapshot_ms=self._median_ms(self.advance),
            call_ms=self._median_ms(self._call),
            turn_ms=self._median_ms(self._pass_window),
            join_ms=self._median_ms(lambda: self._run("join", self._now_ms, BATCH, *_own(LIMITS))),
            python_ms=median(self._python_ms() for _ in range(self._runs)),
            position_us=self._position_us(snapshot),
            exact=exact,
        )

    def own(self) -> tuple[int | str | bytes, ...]:
        """What a process sends with each advance."""
        return _own(LIMITS)

    def _some_of(self, numbers: int) -> bytes:
        """Three in four, by chance."""
        length = -(-numbers // 8)
        either = int.from_bytes(self._chance.randbytes(length)) | int.from_bytes(self._chance.randbytes(length))
        return (either & ~(1 << length * 8 - 1)).to_bytes(length)  # the first bit stands for head itself: not given

    def _let_come(self) -> None:
        """Each joins, and who is present polls, a thousand at a time."""
        for start in range(0, len(self._present) * 8, BATCH):
            self._run("join", self._now_ms, BATCH, *_own(LIMITS))
            numbers = [self._head + i for i in range(start, start + BATCH) if self._is_present(i)]
            self._run("poll", self._now_ms, *numbers)

    def _write(self) -> None:
        state, here, seen = self._keys[:3]
        self._redis.hset(state, "tail", self._head + len(self._present) * 8)
        self._redis.setrange(here, 0, self._present)
        self._redis.setrange(seen, 0, self._present)

    def _is_present(self, i: int) -> bool:
        return i < len(self._present) * 8 and bool(self._present[i // 8] & 0x80 >> i % 8)

    def _some_present(self) -> list[int]:
        numbers: list[int] = []
        while len(numbers) < BATCH:
            i = self._chance.randrange(len(self._present) * 8)
            if self._is_present(i):
                numbers.append(self._head + i)
        return numbers

    def _exact(self, snapshot: Snapshot) -> str:
        """How many of a thousand random visitors are told their true position, counted bit by bit."""
        before = list(accumulate((byte.bit_count() for byte in self._present), initial=0))
        asked = [number - self._head for number in self._some_present()]
        truth = {i: before[i // 8] + sum(map(self._is_present, range(i // 8 * 8, i))) + 1 for i in asked}
        right = sum(snapshot.position(self._head + i) == position for i, position in truth.items())
        return f"{right:,} of {len(truth):,}"

    def _keep(self) -> None:
        for key in self._keys[:3]:
            self._redis.copy(key, f"{key}:kept", replace=True)

    def _bring_back(self) -> None:
        """The line as it was before any measurement."""
        self._redis.delete(*self._keys)
        for key in self._keys[:3]:
            self._redis.copy(f"{key}:kept", key)
        self._now_ms = START_MS

    def _call(self) -> None:
        called = self.advance(CALLING).called
        assert called == min(BATCH, self._waiting), f"{called} were called"

    def _pass_window(self) -> None:
        self._now_ms += LIMITS.presence_ms
        self.advance()

    def _median_ms(self, step: Callable[[], object]) -> float:
        times = []
        for _ in range(self._runs):
            self._bring_back()
            before = self._script_us()
            step()
            times.append((self._script_us() - before) / 1000)
        return median(times)

    def _script_us(self) -> int:
        statistics = self._redis.info("commandstats")
        return int(statistics["cmdstat_evalsha"]["usec"])

    def _python_ms(self) -> float:
        """The CPU time of one snapshot: the call, its reply, and the counts that all positions are looked up in."""
        start = time.process_time()
        assert self.advance().waiting
        return (time.process_time() - start) * 1000

    def _position_us(self, snapshot: Snapshot) -> float:
        numbers = self._some_present()
        times = []
        for _ in range(self._runs):
            start = time.process_time()
            for number in numbers:
                snapshot.position(number)
            times.append((time.process_time() - start) / len(numbers) * 1_000_000)
        return median(times)

    def _run(self, transition: str, *arguments: int | str | bytes) -> Any:
        return self._scripts[transition](keys=self._keys, args=arguments)


def _own(limits: Limits) -> tuple[int | str | bytes, ...]:
    """What a process sends that knows nothing of the line yet, but that there was none before."""
    return *limits.to_arguments(), 0, 0, 0, 0, "", 1


async def commands_per_1000_polls(redis: Redis, url: str, polls_per_second: int) -> float:
    """What one process sends to Redis in a second of polls and ticks, per 1,000 polls. Each visitor polls once."""
    store = Store(url)
    line = Line(f"polls-{polls_per_second}", LIMITS, store)
    joined = await asyncio.gather(*(line.join("") for _ in range(polls_per_second)))
    numbers = [visitor.number for visitor in joined if visitor]
    line.poll(numbers[0])
    await line.tick()  # now Redis has the scripts
    before = _commands(redis)
    ticks = 1000 // TICK_MS
    for tick in range(ticks):
        for number in numbers[tick::ticks]:
            line.poll(number)
        await line.tick()
    sent = _commands(redis) - before
    await store.close()
    return sent * 1000 / polls_per_second


def _commands(redis: Redis) -> int:
    """All that a line sends is scripts."""
    statistics = redis.info("commandstats")
    return int(statistics["cmdstat_evalsha"]["calls"])


@contextmanager
def private_redis() -> Iterator[str]:
    """The URL of a Redis with the settings of the embedded one, append-only file included."""
    with tempfile.TemporaryDirectory(prefix="waitroom-figures-") as folder:
        socket = f"{folder}/redis.sock"
        options = ["--port", "0", "--unixsocket", socket, "--dir", folder, "--appendonly", "yes", "--save", ""]
        with subprocess.Popen([find_server(), *options], stdout=subprocess.DEVNULL) as process:
            try:
                _wait_for(Path(socket))
                yield f"unix://{socket}"
            finally:
                process.kill()


def _wait_for(socket: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            Redis(unix_socket_path=str(socket)).ping()
        except RedisError:
            time.sleep(0.02)
        else:
            return
    raise click.ClickException("redis-server did not start")


def _table(columns: Sequence[Figures]) -> list[str]:
    rows: list[tuple[str, Callable[[Figures], str]]] = [
        ("bytes of Redis per waiting visitor", lambda f: f"{f.bytes_per_visitor:.2f}"),
        ("Redis: advance that calls 1,000 (ms)", lambda f: f"{f.call_ms:.2f}"),
        ("Redis: advance that calls nobody, the snapshot (ms)", lambda f: f"{f.snapshot_ms:.2f}"),
        ("Redis: advance that turns the presence window (ms)", lambda f: f"{f.turn_ms:.2f}"),
        ("Redis: 1,000 polls (ms)", lambda f: f"{f.poll_ms:.2f}"),
        ("Redis: 1,000 join (ms)", lambda f: f"{f.join_ms:.2f}"),
        ("Python: a snapshot, read and counted (ms of CPU)", lambda f: f"{f.python_ms:.2f}"),
        ("Python: the position for one poll (µs of CPU)", lambda f: f"{f.position_us:.1f}"),
        ("positions that are exact", lambda f: f.exact),
    ]
    head = ["| waiting | " + " | ".join(f"{f.waiting:,}" for f in columns) + " |", "|---|" + "---:|" * len(columns)]
    return head + [f"| {name} | " + " | ".join(value(f) for f in columns) + " |" for name, value in rows]


def _polls_table(sent: Sequence[float]) -> list[str]:
    return [
        "| polls a second | " + " | ".join(f"{polls:,}" for polls in POLLS_PER_SECOND) + " |",
        "|---|" + "---:|" * len(sent),
        "| commands to Redis per 1,000 polls | " + " | ".join(f"{figure:.1f}" for figure in sent) + " |",
    ]


def _machine(redis: Redis) -> str:
    server = redis.info("server")
    return f"{os.cpu_count()} cores, Redis {server['redis_version']}, Python {platform.python_version()}"


@click.command()
@click.option("--runs", default=11, show_default=True, type=click.IntRange(9, 101), help="Each figure is their median.")
def main(runs: int) -> None:
    """Print the figures of lines of 1,000 to 10,000,000 waiting visitors, as Markdown."""
    with private_redis() as url:
        redis = Redis.from_url(url)
        columns = []
        for size in SIZES:
            with console.status(f"{size:,} waiting"):
                columns.append(MeasuredLine(redis, size, runs).figures())
        sent = [asyncio.run(commands_per_1000_polls(redis, url, polls)) for polls in POLLS_PER_SECOND]
        lines = [_machine(redis), "", *_table(columns), "", *_polls_table(sent)]
        redis.close()
    console.print("\n".join(lines), soft_wrap=True)


if __name__ == "__main__":
    main()
