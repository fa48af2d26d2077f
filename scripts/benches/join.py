"""A stampede: new visitors who all come at once. How many a second are given a number and the page that tells it,
beside nginx, which sends the same bytes from memory and gives nobody anything."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median

import click
from redis import Redis

from scripts.benches.findings import Bar, Chart, Finding, Spread, Table, Target
from scripts.benches.machine import OTHERS, machine, need_two_cores, packages, told
from scripts.benches.open_loop import Load, Plan
from scripts.benches.open_loop import run as run_open
from scripts.benches.rounds import deliver, in_turn, out_option, rounds_option, seconds_option
from scripts.benches.servers import APP, Contenders, Reply, Server, get
from scripts.benches.wrk import Asked, Run, run, times_as_fast

# A line in which everybody waits.
LINE = "/held/sale?day=1"
ACCEPT = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
LANGUAGES = ("en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.8", "fr,en;q=0.5", "es-ES,es;q=0.9", "ja", "ko-KR,ko;q=0.9")
SYSTEMS = (
    ("Windows", "Windows NT 10.0; Win64; x64"),
    ("macOS", "Macintosh; Intel Mac OS X 10_15_7"),
    ("Linux", "X11; Linux x86_64"),
)
VERSIONS = range(138, 142)
KEPT, ANEW, JSON = "a page, connections kept", "a page, each on a new connection", "an app's join, connections kept"
OURS, THEIRS = "waitroom", "nginx"
# A stampede: so many ask at any moment.
CONNECTIONS = 256
# Of the most that it can do, what the open loop asks for.
SHARE = 0.8
LEAST, MOST_MS = 0.3, 100.0

SETTING = f"""New visitors without cookies ask for a page, as Chromium does: {len(VERSIONS)} versions on {len(SYSTEMS)}
systems in {len(LANGUAGES)} languages, in turn. Each is given a number by Redis, a signed ticket, and the waiting page,
as gzip and in its own language. nginx sends the bytes of one such answer, head and all, out of a file in /dev/shm with
`open_file_cache` (its `return` can't hold a gzip stream), and for the app's join out of its configuration. wrk keeps
{CONNECTIONS} requests under way; a new connection for each is one that the server closes behind the answer. Ratios are
of CPU time, with all that Python takes; Redis's is shown apart. Then new visitors come by chance at {SHARE:.0%} of what
was measured with a new connection for each, and the time to the first byte counts from when each was due, handshake
included."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One that is asked for something."""

    name: str
    task: str
    server: Server
    asked: Asked

    def run(self, seconds: int, redis: int) -> Run:
        beside = redis if self.name == OURS else None
        return run(self.server.port, self.server.pid, self.asked, seconds, OTHERS, beside)


def browsers() -> list[Mapping[str, str]]:
    """What Chromium says as it opens a page by an address."""
    return [
        {
            "sec-ch-ua": f'"Chromium";v="{version}", "Not=A?Brand";v="24"',
            "sec-ch-ua-mobile": "?0",
            "sec-ch-ua-platform": f'"{platform}"',
            "Upgrade-Insecure-Requests": "1",
            "User-Agent": f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 "
            "Safari/537.36",
            "Sec-Fetch-Site": "none",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-User": "?1",
            "Sec-Fetch-Dest": "document",
            "Accept-Encoding": "gzip, deflate, br, zstd",
            "Accept-Language": language,
        }
        for version, (platform, system), language in product(VERSIONS, SYSTEMS, LANGUAGES)
    ]


def newcomers(*, anew: bool = False) -> Asked:
    """Browsers that come for the first time; `anew` each on a connection of its own."""
    more = {"Connection": "close"} if anew else {}
    fields = [{**browser, **more} for browser in browsers()]
    return Asked(LINE, ACCEPT, [""] * len(fields), fields=fields, connections=CONNECTIONS)


def start(contenders: Contenders) -> tuple[list[Contender], int, Reply]:
    """All that are measured, the process of Redis, and the page."""
    origin, redis = contenders.origin(), contenders.redis()
    waitroom = contenders.waitroom(origin.port, redis)
    pages, apps = newcomers(), Asked(LINE, APP, [""], is_refused=True, connections=CONNECTIONS)
    page, place = get(waitroom.port, pages), get(waitroom.port, apps)
    if page.status != 200 or ("Content-Encoding", "gzip") not in page.fields or "Set-Cookie" not in dict(page.fields):
        raise click.ClickException(f"waitroom gave no number and no page: {page.status}, {page.fields}")
    static, answering = contenders.nginx_page(page), contenders.nginx_return(place)
    started = [
        Contender(OURS, KEPT, waitroom, pages),
        Contender(THEIRS, KEPT, static, pages),
        Contender(OURS, ANEW, waitroom, newcomers(anew=True)),
        Contender(THEIRS, ANEW, static, newcomers(anew=True)),
        Contender(OURS, JSON, waitroom, apps),
        Contender(THEIRS, JSON, answering, replace(apps, is_refused=False)),
    ]
    with Redis.from_url(redis) as client:
        return started, int(client.info("server")["process_id"]), page


def ratio(ran: Mapping[str, Sequence[Run]], task: str) -> Spread:
    """How many answers of waitroom's the CPU time of one of nginx's is enough for."""
    return times_as_fast(ran[f"{OURS}: {task}"], ran[f"{THEIRS}: {task}"])


def shown(ran: Mapping[str, Sequence[Run]]) -> Table:
    """The closed loops."""
    rows = []
    for name, runs in ran.items():
        contender, _, task = name.partition(": ")
        cpu = Spread.of([one.cpu_us for one in runs])
        redis = f"{median(one.beside_us for one in runs):.1f}" if contender == OURS else "-"
        of_it = f"{ratio(ran, task).median:.2f}" if contender == OURS else "1"
        per_s = median(one.per_s for one in runs)
        spread = f"{cpu.median:.1f} ({cpu.least:.1f} to {cpu.most:.1f})"
        rows.append((task, contender, f"{per_s:,.0f}", f"{1e6 / cpu.median:,.0f}", spread, redis, of_it))
    head = ("what", "by", "per s", "per s of a whole core", "CPU µs each", "Redis's µs each", "of nginx by CPU")
    return Table("Joins, one core", head, rows)


def shown_open(loads: Sequence[Load], per_s: float) -> Table:
    """The open loops."""
    rows = [
        (
            str(number),
            f"{per_s:,.0f}",
            f"{load.answered:,}",
            str(load.failed + load.unanswered),
            f"{load.first.p50:.1f}",
            f"{load.first.p99:.1f}",
            f"{load.first.p999:.1f}",
            f"{load.late.p99:.1f}",
        )
        for number, load in enumerate(loads, 1)
    ]
    head = ("round", "asked per s", "answered", "not answered", "p50 ms", "p99 ms", "p99.9 ms", "loop late, p99 ms")
    return Table(f"Time to the first byte at {SHARE:.0%} of the most", head, rows)


def remarks(page: Reply, ran: Mapping[str, Sequence[Run]]) -> list[str]:
    """What is to be known besides."""
    redis = median(one.beside_us for one in ran[f"{OURS}: {KEPT}"])
    answered = {
        task: median(one.per_s for one in ran[f"{OURS}: {task}"])
        / median(one.per_s for one in ran[f"{THEIRS}: {task}"])
        for task in (KEPT, ANEW)
    }
    return [
        f"The page is {len(page.body):,} bytes of gzip, most of which was compressed once: a visitor's own figures go "
        "between the parts as stored blocks, and the checksum of the long parts is looked up, not computed again.",
        "nginx is the faster at this, and will be: it sends the same bytes to all, while each of ours is a place in a "
        "line, a ticket under a MAC and a page of one's own with a nonce, put together by an interpreter whose hot "
        "modules are compiled.",
        f"In pages answered a second we have {answered[KEPT]:.2f} of nginx's on kept connections, and "
        f"{answered[ANEW]:.2f} on new ones. That flatters us: wrk, which has one core, can't ask nginx any faster.",
        "Before us wrk now and then waits, and is woken by what we write, at our cost: in a virtual machine this takes "
        "some µs. Before nginx it never sleeps.",
        "All who come within eight milliseconds, or 128 of them, join by one call of Redis and are answered together: "
        f"{redis:.0f} µs of Redis's time each here. It, wrk and the open loop share the other core.",
        "Where the machine is shared, processes with more code in the caches lose more to the neighbours than nginx.",
    ]


def finding(
    page: Reply, ran: Mapping[str, Sequence[Run]], loads: Sequence[Load], per_s: float, took_s: float
) -> Finding:
    """All of it."""
    p99 = median(load.first.p99 for load in loads)
    bars = [Bar(task, ratio(ran, task)) for task in (KEPT, ANEW, JSON)]
    return Finding(
        name="join",
        question="How many new visitors a second are given a place, and the page that says so?",
        command="scripts/bench join",
        setting=SETTING,
        machine=machine(),
        versions={
            **packages("uvloop", "redis"),
            "nginx": told(["/usr/sbin/nginx", "-v"]),
            "wrk": told(["wrk", "-v"]),
            "Redis": told(["redis-server", "--version"]),
        },
        took_s=took_s,
        tables=[shown(ran), shown_open(loads, per_s)],
        charts=[Chart("Of nginx sending the same page from memory, by CPU", "ratio", bars)],
        targets=[
            Target(f"{KEPT}, of nginx", "at least", LEAST, round(bars[0].value.median, 3)),
            Target(f"{ANEW}, of nginx", "at least", LEAST, round(bars[1].value.median, 3)),
            Target(f"time to the first byte at {SHARE:.0%} of the most, p99", "at most", MOST_MS, round(p99, 1), "ms"),
        ],
        remarks=remarks(page, ran),
        runs={
            "closed": {name: [asdict(one) for one in runs] for name, runs in ran.items()},
            "open": [asdict(load) for load in loads],
        },
    )


@click.command()
@rounds_option()
@seconds_option(4)
@out_option
def command(rounds: int, seconds: int, out: Path) -> None:
    """Let new visitors come all at once, beside nginx sending them the same page."""
    need_two_cores()
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="waitroom-bench-") as folder, Contenders(Path(folder)) as contenders:
        started, redis, page = start(contenders)
        for one in started:
            one.run(1, redis)
        ran = in_turn({f"{one.name}: {one.task}": partial(one.run, seconds, redis) for one in started}, rounds)
        per_s = SHARE * median(one.per_s for one in ran[f"{OURS}: {ANEW}"])
        plan = Plan(started[0].server.port, LINE, ACCEPT, per_s, seconds, fields=browsers())
        loads = in_turn({"open loop": partial(run_open, plan, OTHERS)}, rounds)["open loop"]
    deliver(finding(page, ran, loads, per_s, time.monotonic() - started_s), out)
