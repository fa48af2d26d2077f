"""What who waits, who is connected and who is inside take: bytes of Redis, and of the waitroom process.

A line grows from a thousand to a million, and each of its visitors asks for the place once, with a ticket of its own
and a head as browsers send it. Nothing here is a matter of time: other work on the machine changes no figure.
"""

import asyncio
import re
import resource
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

import click
import uvloop
from redis import Redis

from scripts.benches.findings import Bar, Chart, Finding, Spread, Table, Target
from scripts.benches.kept_connections import PAGE, KeptConnections, cookie_field, cookies_of, request_of
from scripts.benches.long_lines import numbers_of
from scripts.benches.machine import machine, packages, told
from scripts.benches.rounds import console, deliver, out_option, rounds_option
from scripts.benches.servers import Contenders
from tests.servers import Authority, free_port
from waitroom import settings
from waitroom.embedded import find_server
from waitroom.keys import TICKET_FILE
from waitroom.store import script
from waitroom.store_keys import line_keys
from waitroom.ticket import Ticket, TicketSigner

LINE = "held"
PLACE = f"/.waitroom/rooms/{LINE}/place"
READY = "/.waitroom/ready"
SIZES = (1_000, 100_000, 1_000_000)
# Connections: a handshake takes thirty times as long as a poll.
IDLE, IDLE_TLS, INSIDE = 5_000, 1_000, 10_000
# So many have asked before anything is counted: what a process has once, it has then.
WARM = 2_000
# By which a crowd asks, and whose replies are held at a time here.
CONNECTIONS, MOST_AT_ONCE = 64, 20_000
BATCH = 1_000
SETTLES_S = 1.5
START_TIMEOUT_S, PRESENT_TIMEOUT_S = 60.0, 60.0
MIB, KIB = 1024**2, 1024
CONFIG = """
version = 1
[server]
listen = ["127.0.0.1:{port}"]
state = "{folder}"
[server.limits]
connections = 100000
[server.tls]
listen = ["127.0.0.1:{tls}"]
certificate = "{authority.certificate}"
key = "{authority.key}"
[admin]
listen = "127.0.0.1:{admin}"
[store]
url = "{redis}"
timeout_ms = 5000
[[rooms]]
name = "held"
paths = ["/held/*"]
mode = "hold"
# A window in which everybody polls once, however slow the machine.
presence_s = 3600
origins = ["http://127.0.0.1:{origin}"]
[[rooms]]
name = "site"
origins = ["http://127.0.0.1:{origin}"]
rate_per_minute = 6000000
cap = 100000
claim_s = 3600
session_s = 86400
"""


@dataclass(frozen=True, slots=True)
class Grown:
    """A line of so many: the bytes of its keys, and those of the process."""

    waiting: int
    redis: int
    process: int


@dataclass(frozen=True, slots=True)
class Line:
    """As it grew: the bytes of the process before anybody came, and from then on."""

    empty: int
    grown: Sequence[Grown]

    @property
    def growth(self) -> int:
        """Of the process, from the shortest to the longest."""
        return self.grown[-1].process - self.grown[0].process


class Measured:
    """A waitroom that runs by itself, with a Redis of its own; and visitors who ask it by a few connections."""

    def __init__(self, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="waitroom-memory-")))
        contenders = stack.enter_context(Contenders(folder))
        url, origin, self.tls_port = contenders.redis(), contenders.origin().port, free_port()
        self.server = contenders.configured(
            CONFIG, redis=url, origin=origin, tls=self.tls_port, authority=Authority(folder / "tls")
        )
        self.redis = stack.enter_context(Redis.from_url(url))
        self.asking = KeptConnections(self.server.port)
        self._state = folder / "configured"
        self._join = self.redis.register_script(script("join"))

    async def begin(self) -> None:
        """Returns when it is ready, and so has its keys."""
        await self.asking.open(CONNECTIONS)
        until_s = time.monotonic() + START_TIMEOUT_S
        while (await self.asking.ask(request_of(0, READY))).status != 200:
            if time.monotonic() > until_s:
                raise click.ClickException(f"waitroom is not ready after {START_TIMEOUT_S:.0f} s: is the machine idle?")
            await asyncio.sleep(0.1)
        self._signer = TicketSigner([bytes.fromhex((self._state / TICKET_FILE).read_text())])

    async def process_bytes(self) -> int:
        """What only this process has, once it has done what it does at its ease."""
        await asyncio.sleep(SETTLES_S)
        return sum(private_bytes(pid) for pid in family(self.server.pid))

    def line_bytes(self) -> int:
        """All keys of the line, to the byte."""
        return sum(self.redis.memory_usage(key, samples=0) or 0 for key in line_keys(LINE))

    def join(self, count: int) -> list[int]:
        """Lets so many join, and gives their numbers."""
        rooms = settings.load(self._state / "waitroom.toml")[0].to_rooms(edited_ms=0)
        limits = next(room.limits for room in rooms if room.name == LINE)
        numbers: list[int] = []
        while len(numbers) < count:
            own = *limits.to_arguments(), 0, 0, 0, 0, "", 1
            _epoch, _lease_end_ms, *runs = self._join(
                keys=line_keys(LINE), args=["", min(BATCH, count - len(numbers)), *own]
            )
            numbers += numbers_of(runs)
        return numbers

    async def poll(self, numbers: Sequence[int], by: KeptConnections | None = None) -> None:
        """Each asks for the place, and is told that it waits."""
        for reply in await (by or self.asking).ask_all(map(self._poll_of, numbers)):
            if b'"state": "waiting"' not in reply.body:
                raise click.ClickException(f"who waits was told {reply.body.decode()}")

    async def until_present(self, count: int) -> None:
        """Returns when Redis knows of so many."""
        until_s = time.monotonic() + PRESENT_TIMEOUT_S
        while (present := self.redis.bitcount(f"wr:{{{LINE}}}:here")) < count:
            if time.monotonic() > until_s:
                raise click.ClickException(f"Redis knows of {present:,} of the {count:,} who polled")
            await asyncio.sleep(0.05)

    async def let_in(self, count: int) -> None:
        """So many come in, and ask for a page: that makes a session of it."""
        replies = await self.asking.ask_all(request_of(i, "/page", kind=PAGE) for i in range(count))
        fields = [cookie_field(cookies_of(reply)) for reply in replies]
        replies = await self.asking.ask_all(request_of(i, "/page", field, kind=PAGE) for i, field in enumerate(fields))
        if any(reply.status != 200 for reply in replies) or self.redis.zcard("wr:{site}:inside") < count:
            raise click.ClickException("not all who came are inside")

    def _poll_of(self, number: int) -> bytes:
        """The request of who has this number: the ticket is there for plain HTTP, and for TLS."""
        ticket = self._signer.sign(Ticket(LINE, 1, number, int(time.time()), f"visitor{number % 10**9:09d}"))
        return request_of(number, PLACE, f"wr-{LINE}={ticket}; __Host-wr-{LINE}={ticket}")


def family(pid: int) -> list[int]:
    """A process, and those that it has started (proc(5))."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def private_bytes(pid: int) -> int:
    """Of the pages of a process, those that no other has."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kib) * KIB for kib in re.findall(r"^Private_(?:Clean|Dirty):\s*(\d+) kB", text, re.MULTILINE))


def data_bytes(redis: Redis) -> int:
    """What Redis has allocated for data: without what it began with, and without clients, log and scripts."""
    told = redis.memory_stats()
    other = ("startup.allocated", "clients.normal", "aof.buffer", "lua.caches", "functions.caches")
    return int(told["total.allocated"]) - sum(int(told.get(name, 0)) for name in other)  # not all count functions


@asynccontextmanager
async def measured() -> AsyncIterator[Measured]:
    """One that is ready."""
    with ExitStack() as stack:
        one = Measured(stack)
        try:
            await one.begin()
            yield one
        finally:
            one.asking.close()


async def grow(sizes: Sequence[int]) -> Line:
    """A line that grows in one process."""
    async with measured() as one:
        empty, grown = await one.process_bytes(), []
        for before, size in pairwise((0, *sizes)):
            numbers = one.join(size - before)
            for start in range(0, len(numbers), MOST_AT_ONCE):
                await one.poll(numbers[start : start + MOST_AT_ONCE])
            await one.until_present(size)
            grown.append(Grown(size, one.line_bytes(), await one.process_bytes()))
        return Line(empty, grown)


async def hold_idle(count: int, *, tls: bool) -> float:
    """Bytes of the process for one more connection that is kept, after its visitor has asked once."""
    async with measured() as one:
        numbers = one.join(WARM + count)
        await one.poll(numbers[:WARM])
        kept = KeptConnections(one.tls_port, believing()) if tls else KeptConnections(one.server.port)
        try:
            before = await one.process_bytes()
            await kept.open(count)
            await one.poll(numbers[WARM:], kept)
            return (await one.process_bytes() - before) / count
        finally:
            kept.close()


async def hold_inside(count: int) -> tuple[float, float]:
    """Bytes of Redis, and of the process, for one more inside."""
    async with measured() as one:
        await one.let_in(WARM)
        before = data_bytes(one.redis), await one.process_bytes()
        await one.let_in(count)
        return (data_bytes(one.redis) - before[0]) / count, (await one.process_bytes() - before[1]) / count


def believing() -> ssl.SSLContext:
    """Believes whoever answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def sets(redis: Redis, sessions: Sequence[str]) -> None:
    """Two sorted sets: who came when, and who was heard of when."""
    now_s = time.time()
    redis.zadd("line", {session: now_s + i / 1000 for i, session in enumerate(sessions)})
    redis.zadd("seen", {session: now_s + i / 1000 for i, session in enumerate(sessions)})


def set_and_keys(redis: Redis, sessions: Sequence[str]) -> None:
    """A sorted set of who came when, and a key for each that goes away if nothing is heard."""
    now_s = time.time()
    redis.zadd("line", {session: now_s + i / 1000 for i, session in enumerate(sessions)})
    with redis.pipeline(transaction=False) as pipeline:
        for session in sessions:
            pipeline.set(f"seen:{session}", "1", ex=3_600)
        pipeline.execute()


DESIGNS: dict[str, Callable[[Redis, Sequence[str]], None]] = {
    "two sorted sets: places, heartbeats": sets,
    "a sorted set of places, a key per heartbeat": set_and_keys,
}


def design_bytes(come: Callable[[Redis, Sequence[str]], None], sizes: Sequence[int]) -> list[int]:
    """What a line of another design takes of Redis, as it grows to each of the sizes."""
    taken: list[int] = []
    with (
        tempfile.TemporaryDirectory(prefix="waitroom-memory-") as name,
        Contenders(Path(name)) as contenders,
        Redis.from_url(contenders.redis()) as redis,
    ):
        empty, chance = data_bytes(redis), Random(1)
        for before, size in pairwise((0, *sizes)):
            for start in range(before, size, BATCH):
                come(redis, [f"{chance.getrandbits(128):032x}" for _ in range(min(BATCH, size - start))])
            taken.append(data_bytes(redis) - empty)
    return taken


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
