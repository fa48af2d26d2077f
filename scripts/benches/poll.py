"""What a poll costs: the place of who waits, asked for in lines of a thousand to a million, beside nginx with an answer
that is fixed, and beside a ZRANK for each."""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import click
from redis import Redis

from scripts.benches.findings import Bar, Chart, Finding, Spread, Table, Target
from scripts.benches.long_lines import let_come, spread
from scripts.benches.machine import OTHERS, machine, need_two_cores, packages, told
from scripts.benches.rounds import console, deliver, in_turn, out_option, rounds_option, seconds_option
from scripts.benches.servers import APP, Contenders, Reply, Server, get, program
from scripts.benches.wrk import CONNECTIONS, Asked, Run, cpu_s, medians, run, times_as_fast
from tests.servers import free_port
from waitroom.cookies import ticket_cookie
from waitroom.embedded import find_server
from waitroom.keys import TICKET_FILE
from waitroom.store_keys import line_keys
from waitroom.ticket import Ticket, TicketSigner

SIZES = (1_000, 100_000, 1_000_000)
# Of those who poll through shared connections.
CROWD = 10_000
# So many at the front poll not: they are called while others are measured.
CALLED_MEANWHILE = 100
ROOM = "line"
COOKIE = ticket_cookie(ROOM, "", secure=False)
PATH = f"/.waitroom/rooms/{ROOM}/place"
ZRANK_KEY = "zrank-polls"
# A line that moves, so that there is a wait to tell, but hardly while it is measured.
CONFIG = """
version = 1
[server]
listen = ["127.0.0.1:{port}"]
state = "{folder}/state"
[admin]
listen = "127.0.0.1:{admin}"
[store]
url = "{redis}"
timeout_ms = 5000
[[rooms]]
name = "line"
origins = ["http://127.0.0.1:9"]
mode = "queue"
rate_per_minute = 6
cap = 100000
presence_s = 3600
"""
SEEN_WITHIN_S = 20.0
ZADD_BATCH = 10_000
WAITROOM, NGINX, ZRANK = "waitroom", "nginx `return`", "aiohttp, a ZRANK for each"
OWN, SHARED = "own", "shared"
SETTING = f"""
Lines of {", ".join(f"{size:,}" for size in SIZES)} visitors who wait, each in a Redis and a process of its own, were
built by the scripts of the line itself: each number was joined for, one in four then left, and who stayed has polled.
Their tickets are signed with the waitroom's own secret. Of each line, {CONNECTIONS} visitors spread over all of it poll
as fast as they are answered, each on a connection of its own, as browsers do (`wrk -t{CONNECTIONS} -c{CONNECTIONS}`).
In a second row {CROWD:,} visitors poll in turn over {CONNECTIONS} connections that they share, as behind a balancer
(`wrk -t1 -c{CONNECTIONS}`): no connection brings the same request twice in a row, and each ticket is verified anew.
nginx answers the same bytes from its configuration, and finds out nothing. The rival with a sorted set is aiohttp, and
does as little as one can: it verifies the ticket, asks one ZRANK of a set of {SIZES[-1]:,} numbers by redis-py, and
answers the same JSON. Who is measured has a core to itself; wrk and Redis share the other.
""".strip()
REMARKS = (
    "Ratios are of CPU time per request, round by round: a contender that is faster than wrk waits for it.",
    "No answer is remembered from one poll to the next: position, wait, when to ask again and until when the place is "
    "kept are found out and written for each. What follows from the bytes of a request alone (whose ticket it is, that "
    "we have signed it, which line it asks about) is remembered by its connection while the same bytes come, and no "
    "longer: a browser's next poll is the same as its last.",
    "We lose to nginx, which reads a request and copies an answer: a poll of ours is Python from the bytes of the one "
    "to those of the other, and a place is found out besides. Over shared connections each request must be read, and "
    "its ticket verified (HMAC-SHA-256).",
    "Redis's time beside waitroom is that of its ticks, four a second, and of telling it who is present, each once a "
    "tick. It is least where few poll often; that of the shared row is nearer to what a crowd costs.",
    "A real crowd polls from more connections than these, and each of them seldom: that costs more system calls per "
    "poll, here and in nginx alike.",
)


@dataclass(frozen=True, slots=True)
class Polled:
    """One run, and what Redis took per poll."""

    run: Run
    redis_us: float


@dataclass(frozen=True, slots=True)
class Contender:
    """One that is polled. `connections` says whether visitors have their own, or share them."""

    name: str
    waiting: int
    connections: str
    server: Server
    asked: Asked
    redis: Server | None = None

    @property
    def title(self) -> str:
        return f"{self.name}, {self.waiting:,} waiting, {self.connections} connections"

    def polled(self, seconds: int) -> Polled:
        before_s = cpu_s(self.redis.pid) if self.redis else 0.0
        ran = run(self.server.port, self.server.pid, self.asked, seconds, OTHERS)
        took_s = cpu_s(self.redis.pid) - before_s if self.redis else 0.0
        return Polled(ran, took_s / (ran.per_s * seconds) * 1e6)


class Lines(Contenders):
    """Lines that wait, each in a waitroom and a Redis of its own, and who is compared with them."""

    def line(self, size: int) -> tuple[Server, Server, Callable[[int], list[str]]]:
        """A waitroom, its Redis, and what gives the Cookie fields of so many who wait in a line of that size."""
        redis = self._redis(f"redis-{size}")
        port, admin, folder = free_port(), free_port(), self._own(f"waitroom-{size}")
        config = folder / "waitroom.toml"
        config.write_text(CONFIG.format(port=port, admin=admin, folder=folder, redis=_url(redis)))
        command = [sys.executable, "-m", "waitroom", "serve", "--config", str(config)]
        server = self._start(f"waitroom-{size}", command, port)
        client = Redis(port=redis.port)
        state = line_keys(ROOM)[0]
        _until(lambda: bool(client.exists(state)), "the line has not begun")
        numbers = let_come(client, ROOM, size)
        epoch = int(client.hget(state, "epoch") or 0)
        client.close()
        signer = TicketSigner([bytes.fromhex((folder / "state" / TICKET_FILE).read_text().strip())])
        cookies = partial(_cookies, signer, epoch, numbers)
        asked = Asked(PATH, APP, cookies(1))
        _until(lambda: _is_seen(get(server.port, asked), size), f"{size:,} waiting were not seen")
        return server, redis, cookies

    def zrank(self, numbers: int) -> tuple[Server, Server, list[str]]:
        """The rival, its Redis, and the Cookie fields of visitors spread over its line."""
        redis, folder = self._redis("redis-zrank"), self._own("zrank")
        client = Redis(port=redis.port)
        for start in range(0, numbers, ZADD_BATCH):
            client.zadd(ZRANK_KEY, {str(number): number for number in range(start, min(numbers, start + ZADD_BATCH))})
        client.close()
        secret = folder / TICKET_FILE
        secret.write_text("5e" * 32)
        port = free_port()
        command = [sys.executable, "-m", "scripts.benches.zrank_polls"]
        told_it = [str(port), PATH, _url(redis), ZRANK_KEY, str(numbers), COOKIE, str(secret)]
        server = self._start("zrank", [*command, *told_it], port)
        signer = TicketSigner([bytes.fromhex(secret.read_text())])
        return server, redis, _cookies(signer, 1, range(numbers), CONNECTIONS)

    def _redis(self, name: str) -> Server:
        """One with the settings of the embedded one."""
        port, folder = free_port(), self._own(name)
        options = ["--port", str(port), "--dir", str(folder), "--appendonly", "yes", "--save", ""]
        return self._start(name, [find_server(), *options], port, OTHERS)


def contenders(lines: Lines) -> list[Contender]:
    """All of them, running, and answering the same."""
    built = []
    for size in SIZES:
        with console.status(f"{size:,} visitors come"):
            built.append((size, *lines.line(size)))
    found = [
        Contender(WAITROOM, size, OWN, server, _own(cookies(CONNECTIONS)), redis)
        for size, server, redis, cookies in built
    ]
    size, server, redis, cookies = built[-1]
    crowd = Asked(PATH, APP, cookies(CROWD))
    fixed = lines.nginx_return(get(server.port, found[-1].asked))
    rival, its_redis, its_cookies = lines.zrank(size)
    found += [
        Contender(NGINX, size, OWN, fixed, found[-1].asked),
        Contender(ZRANK, size, OWN, rival, _own(its_cookies), its_redis),
        Contender(WAITROOM, size, SHARED, server, crowd, redis),
        Contender(NGINX, size, SHARED, fixed, crowd),
    ]
    for one in found:
        if not _is_seen(get(one.server.port, one.asked), one.waiting):
            raise click.ClickException(f"{one.title}: it does not answer as the others do")
    return found


def _own(cookies: Sequence[str]) -> Asked:
    return Asked(PATH, APP, cookies, has_own_connections=True)


def _cookies(signer: TicketSigner, epoch: int, numbers: Sequence[int], count: int) -> list[str]:
    """Of so many visitors, spread over all the numbers but those that may be called meanwhile."""
    issued_s = int(time.time())
    tickets = (
        Ticket(ROOM, epoch, number, issued_s, f"visitor{i:09d}")
        for i, number in enumerate(spread(numbers, count, CALLED_MEANWHILE))
    )
    return [f"{COOKIE}={signer.sign(ticket)}" for ticket in tickets]


def _is_seen(reply: Reply, size: int) -> bool:
    """Whether a reply tells a place in a line of about that size."""
    place = json.loads(reply.body) if reply.status == 200 else {}
    return place.get("state") == "waiting" and place["position"] and abs(place["waiting"] - size) <= CALLED_MEANWHILE


def _url(redis: Server) -> str:
    return f"redis://127.0.0.1:{redis.port}/0"


def _until(is_so: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + SEEN_WITHIN_S
    while not is_so():
        if time.monotonic() > deadline:
            raise click.ClickException(f"{otherwise} within {SEEN_WITHIN_S:.0f} s")
        time.sleep(0.1)


def dearer(runs: Sequence[Run], than: Sequence[Run]) -> float:
    """How much more CPU time a request takes than in other runs: the median of the rounds."""
    return median(one.cpu_us / other.cpu_us for one, other in zip(runs, than, strict=True))


def tables(found: Sequence[Contender], polled: dict[str, list[Polled]]) -> list[Table]:
    """What was measured, by contender."""
    rows = []
    for one in found:
        runs = [each.run for each in polled[one.title]]
        figures, cpu = medians(runs), Spread.of([each.cpu_us for each in runs])
        redis_us = median(each.redis_us for each in polled[one.title])
        rows.append(
            [
                one.name,
                f"{one.waiting:,}",
                one.connections,
                f"{figures.per_s:,.0f}",
                f"{cpu.median:.1f}",
                f"{cpu.least:.1f} to {cpu.most:.1f}",
                f"{figures.busy:.0%}",
                f"{figures.p50_us / 1000:.2f}",
                f"{figures.p99_us / 1000:.2f}",
                f"{redis_us:.1f}" if one.redis else "none",
            ]
        )
    head = (
        *("contender", "waiting", "connections", "polls/s", "CPU µs/poll", "of rounds"),
        *("of its core", "p50 ms", "p99 ms", "Redis CPU µs/poll"),
    )
    return [Table("A poll", head, rows)]


def targets(found: Sequence[Contender], polled: dict[str, list[Polled]]) -> list[Target]:
    """What was aimed at."""
    runs = {(one.name, one.waiting, one.connections): [each.run for each in polled[one.title]] for one in found}
    ours = {size: runs[WAITROOM, size, OWN] for size in SIZES}
    longest = SIZES[-1]
    nginx, zrank = runs[NGINX, longest, OWN], runs[ZRANK, longest, OWN]
    dearest = max(dearer(ours[size], ours[SIZES[0]]) for size in SIZES)
    return [
        Target("times as fast as nginx `return`", "at least", 0.6, times_as_fast(ours[longest], nginx).median),
        Target("times as fast as with a ZRANK for each", "at least", 8.0, times_as_fast(ours[longest], zrank).median),
        Target(f"dearest line, of that of {SIZES[0]:,}", "at most", 1.05, dearest, "times"),
    ]


def chart(found: Sequence[Contender], polled: dict[str, list[Polled]]) -> Chart:
    bars = [Bar(one.title, Spread.of([each.run.cpu_us for each in polled[one.title]])) for one in found]
    return Chart("CPU time of a poll", "µs", bars)


@click.command()
@rounds_option()
@seconds_option(3)
@out_option
def command(rounds: int, seconds: int, out: Path) -> None:
    """What a poll costs, whatever the length of the line."""
    need_two_cores()
    started_s = time.monotonic()
    with ExitStack() as stack:
        lines = Lines(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="waitroom-bench-"))))
        stack.enter_context(lines)
        found = contenders(lines)
        for one in found:
            one.polled(1)  # warms up
        polled = in_turn({one.title: partial(one.polled, seconds) for one in found}, rounds)
    finding = Finding(
        name="poll",
        question="What does a poll cost, and does it depend on how many wait?",
        command="scripts/bench poll",
        setting=SETTING,
        machine=machine(),
        versions={
            **packages("waitroom", "uvloop", "aiohttp", "redis"),
            "Redis": told([find_server(), "--version"]),
            "nginx": told([program("nginx"), "-v"]),
            "wrk": told(["wrk", "-v"]),
        },
        took_s=time.monotonic() - started_s,
        tables=tables(found, polled),
        charts=[chart(found, polled)],
        targets=targets(found, polled),
        remarks=REMARKS,
        runs={title: [asdict(each) for each in runs] for title, runs in polled.items()},
    )
    deliver(finding, out)


if __name__ == "__main__":
    command()
