"""How fast waitroom forwards: what the GET of an admitted visitor costs it, beside other proxies."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import click

from scripts.benches.findings import Bar, Chart, Finding, Spread, Table, Target, number
from scripts.benches.machine import OTHERS, is_compiled, machine, need_two_cores, packages, told
from scripts.benches.peers import VERSIONS
from scripts.benches.rounds import console, deliver, in_turn, out_option, rounds_option, seconds_option
from scripts.benches.servers import (
    BODY,
    HUGE,
    HUGE_PATH,
    LARGE,
    LARGE_PATH,
    NOTHING_PATH,
    STREAM_PATH,
    Contenders,
    Server,
    admitted,
    get,
    program,
)
from scripts.benches.wrk import CONNECTIONS, Asked, Run, medians, run, times_as_fast

OURS, SOURCE = "waitroom", "waitroom, not compiled"
TWO, ANYWHERE = "waitroom, 2 workers", "waitroom, 1 worker on both cores"
NGINX, TUNED, HAPROXY, CATCH_ALL = "nginx", "nginx, 16 KB buffers", "HAProxy", "aiohttp catch-all"
MITMPROXY, PROXY_PY = "mitmproxy", "proxy.py"
PEERS = (CATCH_ALL, MITMPROXY, PROXY_PY)
SMALL, LARGER = "1 KB", "64 KB"
# Each has a thread of wrk. The more of them, the more nginx wakes for each request by itself, and is slower by it.
VISITORS = 4
Cell = tuple[str, str]


@dataclass(frozen=True)
class Task:
    """What is asked for. No path: the page by which visitors came in."""

    name: str
    path: str
    size: int

    @property
    def is_large(self) -> bool:
        return self.size > len(BODY)


TASKS = (
    Task("0 bytes", NOTHING_PATH, 0),
    Task(SMALL, "", len(BODY)),
    Task(LARGER, LARGE_PATH, LARGE),
    Task("1 MB", HUGE_PATH, HUGE),
    Task("1 MB in chunks", STREAM_PATH, HUGE),
)


@dataclass(frozen=True)
class Contender:
    """One that forwards, asked by visitors whom it has admitted, or who look the same."""

    name: str
    server: Server
    visitors: Asked

    def asked(self, task: Task) -> Asked:
        return replace(self.visitors, path=task.path or self.visitors.path)

    def does(self, task: Task) -> bool:
        """Where it has something to show that others don't."""
        return {ANYWHERE: task.name == SMALL, SOURCE: task.name == SMALL, TUNED: task.is_large}.get(self.name, True)

    def run(self, task: Task, seconds: int) -> Run:
        """Large bodies, and slow contenders, take half the time for figures that are as sure."""
        if task.is_large or self.name in PEERS:
            seconds = max(1, seconds // 2)
        try:
            return run(self.server.port, self.server.pid, self.asked(task), seconds, OTHERS)
        except click.ClickException as exc:
            raise click.ClickException(f"{self.name}, {task.name}: {exc.message}") from exc


@click.command()
@rounds_option()
@seconds_option(2)
@out_option
def command(rounds: int, seconds: int, out: Path) -> None:
    """Admitted GETs of 0 bytes, 1 KB, 64 KB and 1 MB: waitroom, nginx, HAProxy, and proxies in Python."""
    need_two_cores()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="waitroom-bench-") as folder, Contenders(Path(folder)) as contenders:
        started, missing = start(contenders)
        agree(started)
        ran = measure(started, rounds, seconds)
    finding = found(ran, missing, rounds, seconds)
    deliver(replace(finding, took_s=round(time.monotonic() - began_s, 1)), out)


def start(contenders: Contenders) -> tuple[list[Contender], list[str]]:
    """All contenders, and why some are left out."""
    origin, redis = contenders.origin(), contenders.redis()
    started = [
        _ours(OURS, contenders.waitroom(origin.port, redis)),
        _ours(TWO, contenders.waitroom(origin.port, redis, name="waitroom-two", workers=2, core=None), workers=2),
        _ours(ANYWHERE, contenders.waitroom(origin.port, redis, name="waitroom-anywhere", core=None)),
    ]
    if is_compiled():
        started.append(_ours(SOURCE, contenders.waitroom(origin.port, redis, name="waitroom-source", is_source=True)))
    visitors = started[0].visitors
    others: Mapping[str, Callable[[int], Server]] = {
        NGINX: contenders.nginx,
        TUNED: contenders.nginx_with_larger_buffers,
        HAPROXY: contenders.haproxy,
        CATCH_ALL: contenders.catch_all,
        MITMPROXY: contenders.mitmproxy,
        PROXY_PY: contenders.proxy_py,
    }
    missing = []
    for name, begin in others.items():
        try:
            started.append(Contender(name, begin(origin.port), visitors))
        except click.ClickException as exc:
            if name not in (MITMPROXY, PROXY_PY):
                raise
            missing.append(f"{name} is left out: {exc.message}")
            console.print(missing[-1], markup=False)
    return started, missing


def _ours(name: str, server: Server, workers: int = 1) -> Contender:
    everybody, connections = admitted(server.port), workers * CONNECTIONS
    few = replace(everybody, cookies=everybody.cookies[:VISITORS], has_own_connections=True, connections=connections)
    return Contender(name, server, few)


def agree(contenders: Sequence[Contender]) -> None:
    """Makes sure that all pass on all that the origin says. Raises ClickException."""
    for contender in contenders:
        for task in TASKS:
            reply = get(contender.server.port, contender.asked(task))
            if reply.status != 200 or len(reply.body) != task.size:
                told = f"{reply.status} and {len(reply.body)} bytes"
                raise click.ClickException(f"{contender.name} answers {told}, not 200 and {task.size}, for {task.name}")


def measure(contenders: Sequence[Contender], rounds: int, seconds: int) -> dict[Cell, list[Run]]:
    """The runs of each task with each contender."""
    with console.status("warming up"):
        for contender in contenders:
            contender.run(TASKS[1], 1)
    cells = [(task, contender) for task in TASKS for contender in contenders if contender.does(task)]
    turns = {f"{contender.name}, {task.name}": partial(contender.run, task, seconds) for task, contender in cells}
    ran = in_turn(turns, rounds)
    return {(task.name, contender.name): ran[f"{contender.name}, {task.name}"] for task, contender in cells}


def found(ran: Mapping[Cell, list[Run]], missing: Sequence[str], rounds: int, seconds: int) -> Finding:
    """What the runs say."""
    return Finding(
        name="forward",
        question="How fast does it forward?",
        command="scripts/bench forward",
        setting=SETTING.format(rounds=rounds, seconds=seconds, half=max(1, seconds // 2)),
        machine=machine(),
        versions={
            **packages("aiohttp", "uvloop"),
            "nginx": told([program("nginx"), "-v"]),
            "HAProxy": told([program("haproxy"), "-v"]),
            "wrk": told([program("wrk"), "-v"]),
            **{name: VERSIONS[name] for name in (MITMPROXY, PROXY_PY) if (SMALL, name) in ran},
        },
        took_s=0.0,
        tables=[*(_table(task, ran) for task in TASKS), _two_workers(ran)],
        charts=[_chart(task, ran) for task in TASKS if task.name in (SMALL, LARGER)],
        targets=targets(ran),
        remarks=[*missing, *REMARKS],
        losses=_losses(ran),
        runs=[
            {"task": task, "contender": name, "runs": [asdict(each) for each in own]}
            for (task, name), own in ran.items()
        ],
    )


def targets(ran: Mapping[Cell, list[Run]]) -> list[Target]:
    """What was aimed at; of the peers, only those that ran."""

    peers = [name for name in PEERS if (SMALL, name) in ran]
    least = min((_speed(ran, task.name, name), name, task.name) for name in peers for task in TASKS)
    return [
        Target("of nginx's speed at 1 KB, by CPU time", "at least", 0.6, _speed(ran, SMALL, NGINX)),
        Target("of nginx's speed at 64 KB, by CPU time", "at least", 0.8, _speed(ran, LARGER, NGINX)),
        Target("two workers, times one, at 1 KB", "at least", 1.7, 2 * _speed(ran, SMALL, ANYWHERE, TWO)),
        Target("times the catch-all's speed at 1 KB, by CPU time", "at least", 6, _speed(ran, SMALL, CATCH_ALL)),
        Target(f"times the fastest peer in Python ({least[1]}, {least[2]}), by CPU time", "at least", 1, least[0]),
    ]


def _speed(ran: Mapping[Cell, list[Run]], task: str, other: str, ours: str = OURS) -> float:
    return times_as_fast(ran[task, ours], ran[task, other]).median


def _table(task: Task, ran: Mapping[Cell, list[Run]]) -> Table:
    own = {name: runs for (of, name), runs in ran.items() if of == task.name and name != ANYWHERE}
    head = ["", "requests/s", "CPU µs/request", "least to most", "of nginx's speed", "of its core", "p50 ms", "p99 ms"]
    return Table(f"A GET of {task.name}", head, [_row(name, runs, own[NGINX]) for name, runs in own.items()])


def _row(name: str, runs: Sequence[Run], of_nginx: Sequence[Run]) -> list[str]:
    middle, cost = medians(runs), Spread.of([each.cpu_us for each in runs])
    return [
        name,
        f"{middle.per_s:,.0f}",
        number(cost.median),
        f"{number(cost.least)} to {number(cost.most)}",
        f"{times_as_fast(runs, of_nginx).median:.2f}",
        f"{middle.busy:.0%}",
        f"{middle.p50_us / 1000:.2f}",
        f"{middle.p99_us / 1000:.2f}",
    ]


def _two_workers(ran: Mapping[Cell, list[Run]]) -> Table:
    rows = []
    for workers, name in ((1, ANYWHERE), (2, TWO)):
        runs = ran[SMALL, name]
        capacity = workers * times_as_fast(runs, ran[SMALL, ANYWHERE]).median
        middle = medians(runs)
        rows.append(
            [str(workers), f"{middle.per_s:,.0f}", number(middle.cpu_us), f"{middle.busy:.0%}", f"{capacity:.2f}"]
        )
    head = ["workers", "requests/s", "CPU µs/request", "of a core", "times as many requests with a core each"]
    return Table("A second worker, both on both cores, at 1 KB", head, rows)


def _chart(task: Task, ran: Mapping[Cell, list[Run]]) -> Chart:
    bars = [
        Bar(name, Spread.of([1e6 / each.cpu_us for each in runs]))
        for (of, name), runs in ran.items()
        if of == task.name and name not in (TWO, ANYWHERE)
    ]
    return Chart(f"GETs of {task.name} for one second of CPU time", "", bars)


def _losses(ran: Mapping[Cell, list[Run]]) -> list[str]:
    return [
        "Beside nginx and HAProxy, which are C: the system's share of a request, reading and writing sockets, is as "
        "high in all three, and the rest is Python in ours. Only waitroom, of all, looks for the visitor's admission "
        "and tells the origin whom it admitted.",
        f"As it comes, nginx passes 64 KB on in pages of 4 KB. Told to use buffers of 16 KB it is faster, and waitroom "
        f"has {_speed(ran, LARGER, TUNED):.2f} of its speed there.",
    ]


REMARKS = (
    "Two workers on two cores share these with the load and the origin, so that requests/s can't double here. What "
    "the second brings is counted by CPU time: as many requests again, if each costs what it costs with one.",
    "p50 and p99 are of a closed loop at full load, with 64 requests always under way, or 128 before two workers: they "
    "tell of throughput, and nothing of how long a visitor waits at a load that leaves time.",
)
SETTING = """\
Four visitors whom waitroom has admitted ask again and again, each on 16 connections of its own, or on 32 where two
workers are asked, so that each of these has as many as one alone. Every contender gets the same requests, cookies
included, and forwards them to the same origin: nginx, which has the first two answers in its configuration and the
others in files, the last of which it sends in chunks, without a length. Each contender has core 0 to itself; wrk, the
origin and Redis share core 1. All have one process, but for waitroom's second worker, which runs with the first on both
cores.

nginx keeps 64 connections to the origin; HAProxy has one thread and reuses connections; the catch-all is
`scripts/benches/catch_all.py`, aiohttp's server on uvloop with one handler over `ClientSession`; mitmproxy is
`mitmdump` in reverse mode, quiet, with bodies streamed; proxy.py is its reverse proxy with one route, one process and a
thread for each connection, as its other way breaks at the second request of one.

{rounds} rounds of {seconds} s, and of {half} s for large bodies and proxies in Python."""
