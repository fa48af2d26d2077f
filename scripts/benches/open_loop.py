"""An open loop: asks at moments that were set before, however long the answers take, and counts each answer's time
from the moment at which it should have been asked for. So nothing is left out while a server is stuck, as it is where
the next request waits for the answer to the last one ("coordinated omission"). How late the loop itself was is told
along with it: one that can't keep up is seen.
"""

import asyncio
import json
import math
import subprocess
import sys
import time
from array import array
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from random import Random
from typing import Literal, TypeAlias

import click
import uvloop

from scripts.benches.arrivals import by_chance, evenly
from scripts.benches.raw_http import Connection, OnReply, Reply

# How long the loop waits, when all was asked, for the answers that are missing.
PATIENCE_S = 10.0
# A loop wakes up no oftener: to be more exact would keep a core busy, and others off it.
GRAIN_S = 0.001
# How much longer a process that loads may take before it is ended, to start and to add up.
MARGIN_S = 30.0

Address: TypeAlias = tuple[str, int]
# In seconds.
Times: TypeAlias = "array[float]"


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of some times, in milliseconds, by nearest rank."""

    p50: float
    p90: float
    p99: float
    p999: float
    most: float

    @classmethod
    def of(cls, times_s: Sequence[float]) -> "Quantiles":
        """0 where there are none."""
        ranked = sorted(times_s) or [0.0]
        places = (math.ceil(len(ranked) * share) for share in (0.5, 0.9, 0.99, 0.999, 1))
        return cls(*(round(ranked[place - 1] * 1e3, 3) for place in places))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for, how often, and by whom: of each visitor's Cookie field in turn, with each of `fields`,
    what browsers say besides. `connections` are kept, so
    many at the most; a request that finds none free waits for one, and its time runs. 0: each request has one of its
    own, and its time is with that of the handshake. The moments are by chance, or evenly spread."""

    port: int
    path: str
    accept: str
    per_s: float
    seconds: float
    connections: int = 0
    cookies: Sequence[str] = ("",)
    moments: Literal["by chance", "evenly"] = "by chance"
    seed: int = 1
    fields: Sequence[Mapping[str, str]] = ()

    def starts_s(self) -> list[float]:
        if self.moments == "evenly":
            return evenly(self.per_s, self.seconds)
        return by_chance(self.per_s, self.seconds, Random(self.seed))

    def requests(self) -> list[bytes]:
        more = self.fields or ({},)
        return [get(self.path, self.accept, cookie, fields=fields) for cookie in self.cookies for fields in more]


@dataclass(slots=True)
class Load:
    """What an open loop saw. `first` and `whole` are the times to the first and the last byte of an answer, from when
    it should have been asked for; `late` how much later than that it was. `unanswered` are those that were given up.
    `busy` is the share of a core that the loop had: near 1, it measures itself."""

    asked: int
    answered: int
    failed: int
    unanswered: int
    statuses: Mapping[str, int]
    per_s: float
    took_s: float
    busy: float
    first: Quantiles
    whole: Quantiles
    late: Quantiles


def get(
    path: str, accept: str, cookie: str = "", host: str = "127.0.0.1", fields: Mapping[str, str] | None = None
) -> bytes:
    """A GET as it is sent."""
    cookies = f"Cookie: {cookie}\r\n" if cookie else ""
    more = "".join(f"{name}: {value}\r\n" for name, value in (fields or {}).items())
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\n{more}{cookies}\r\n".encode()


async def at(starts_s: Sequence[float], do: Callable[[int, float], None]) -> Times:
    """Calls `do(index, moment)` for each of the moments as it comes, by the monotonic clock; how late each call was, in
    seconds. Those that are overdue come one after the other, without a pause."""
    late, begun_s = array("d"), time.monotonic()
    for index, start_s in enumerate(starts_s):
        due_s = begun_s + start_s
        while (left_s := due_s - time.monotonic()) > 0:
            await asyncio.sleep(max(left_s, GRAIN_S))
        late.append(-left_s)
        do(index, due_s)
        if index % 64 == 63:  # answers are read also while it is behind
            await asyncio.sleep(0)
    return late


class Pool:
    """Connections to one server, by one or several of its addresses in turn: beyond 28,000 connections a system has no
    more ports for one. Opened as they are needed, and kept if `most` is not 0."""

    def __init__(self, addresses: Sequence[Address], most: int = 0) -> None:
        self._addresses = cycle(addresses)
        self._most = most
        # The one that rested longest is asked first, so that all processes behind one port get their share.
        self._idle: deque[Connection] = deque()
        self._waiting: deque[tuple[bytes, OnReply]] = deque()
        self._open: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()

    def ask(self, request: bytes, on_reply: OnReply) -> None:
        """`on_reply` gets None where the connection could not be made, or was lost."""
        while self._idle:
            if (connection := self._idle.popleft()).is_idle:
                self._ask(connection, request, on_reply)
                return
        if self._most and len(self._open) + len(self._opening) >= self._most:
            self._waiting.append((request, on_reply))
        else:
            self._begin(request, on_reply)

    def close(self) -> None:
        """Gives up what is under way."""
        self._waiting.clear()
        for task in self._opening:
            task.cancel()
        for connection in list(self._open):
            connection.close()

    def _begin(self, request: bytes, on_reply: OnReply) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(request, on_reply))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, request: bytes, on_reply: OnReply) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: Connection(self._lose), *next(self._addresses))
        except OSError:
            on_reply(None)
            self._replace()
            return
        self._open.add(connection)
        self._ask(connection, request, on_reply)

    def _ask(self, connection: Connection, request: bytes, on_reply: OnReply) -> None:
        def replied(reply: Reply | None) -> None:
            if not self._most:
                connection.close()
            elif connection.is_idle:
                self._go_on(connection)
            on_reply(reply)

        connection.ask(request, replied)

    def _go_on(self, connection: Connection) -> None:
        if self._waiting:
            self._ask(connection, *self._waiting.popleft())
        else:
            self._idle.append(connection)

    def _lose(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._replace()

    def _replace(self) -> None:
        """One connection less: whoever waits for one gets a new one."""
        if self._waiting:
            self._begin(*self._waiting.popleft())


@dataclass(slots=True)
class Seen:
    """The answers of a load, as they come."""

    first_s: Times = field(default_factory=lambda: array("d"))
    whole_s: Times = field(default_factory=lambda: array("d"))
    statuses: Counter[int] = field(default_factory=Counter)
    failed: int = 0

    def note(self, due_s: float, reply: Reply | None) -> None:
        if not reply:
            self.failed += 1
            return
        self.first_s.append(reply.first_s - due_s)
        self.whole_s.append(reply.whole_s - due_s)
        self.statuses[reply.status] += 1


async def load(plan: Plan) -> Load:
    """Loads a server by a plan."""
    pool, seen = Pool([("127.0.0.1", plan.port)], plan.connections), Seen()
    requests = plan.requests()
    begun_s, cpu_s = time.monotonic(), time.process_time()

    def ask(index: int, due_s: float) -> None:
        pool.ask(requests[index % len(requests)], lambda reply: seen.note(due_s, reply))

    late = await at(plan.starts_s(), ask)
    patient_until_s = time.monotonic() + PATIENCE_S
    while seen.failed + len(seen.whole_s) < len(late) and time.monotonic() < patient_until_s:
        await asyncio.sleep(0.01)
    took_s = time.monotonic() - begun_s
    answered, failed = len(seen.whole_s), seen.failed
    pool.close()
    return Load(
        asked=len(late),
        answered=answered,
        failed=failed,
        unanswered=len(late) - answered - failed,
        statuses={str(status): count for status, count in sorted(seen.statuses.items())},
        per_s=answered / took_s,
        took_s=took_s,
        busy=(time.process_time() - cpu_s) / took_s,
        first=Quantiles.of(seen.first_s),
        whole=Quantiles.of(seen.whole_s),
        late=Quantiles.of(late),
    )


def run(plan: Plan, core: int) -> Load:
    """Loads a server from a process on that core. Raises ClickException where that fails, or takes far too long."""
    command = ["taskset", "-c", str(core), sys.executable, "-m", "scripts.benches.open_loop"]
    most_s = plan.seconds + PATIENCE_S + MARGIN_S
    try:
        done = subprocess.run(
            command, input=json.dumps(asdict(plan)), capture_output=True, text=True, timeout=most_s, check=True
        )
    except subprocess.CalledProcessError as exc:
        raise click.ClickException(f"the open loop for port {plan.port}, {plan.path} failed:\n{exc.stderr}") from exc
    except subprocess.TimeoutExpired as exc:
        raise click.ClickException(f"the open loop for port {plan.port} took more than {most_s:.0f} s") from exc
    told = json.loads(done.stdout)
    return Load(**told | {name: Quantiles(**told[name]) for name in ("first", "whole", "late")})


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(uvloop.run(load(Plan(**json.load(sys.stdin)))))))
