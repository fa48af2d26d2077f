"""What a waitroom process and its Redis hold, by what the system says: before visitors come, and after."""

import asyncio
import re
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import click
from redis import Redis

from scripts.benches.kept_connections import PAGE, KeptConnections, cookie_field, cookies_of, request_of
from scripts.benches.long_lines import numbers_of
from scripts.benches.servers import OPEN_ROOM, Contenders
from tests.servers import Authority, free_port
from waitroom import settings
from waitroom.keys import TICKET_FILE
from waitroom.store import script
from waitroom.store_keys import line_keys
from waitroom.ticket import Ticket, TicketSigner

LINE = "held"
PLACE = f"/.waitroom/rooms/{LINE}/place"
READY = "/.waitroom/ready"
# So many have asked before anything is counted: what a process has once, it has then.
WARM = 2_000
# By which a crowd asks, and whose replies are held at a time here.
CONNECTIONS, MOST_AT_ONCE = 64, 20_000
BATCH = 1_000
SETTLES_S = 1.5
START_TIMEOUT_S, PRESENT_TIMEOUT_S = 60.0, 60.0
KIB = 1024
CONFIG = (
    """
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
"""
    + OPEN_ROOM
)


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
