"""Where the time goes: what the CPU does while waitroom forwards, is polled, or gives places, by `perf`; and what Redis
says of its own commands meanwhile. Compiled modules show their functions as `CPyDef_…`, interpreted ones as the
interpreter's: run both (`COMPILED=false`) to see what is which."""

import subprocess
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import click
from redis import Redis

from scripts.benches import join, poll
from scripts.benches.forward import VISITORS
from scripts.benches.holding import family
from scripts.benches.machine import OTHERS, need_two_cores
from scripts.benches.rounds import console, seconds_option
from scripts.benches.servers import APP, Contenders, Server, admitted, program
from scripts.benches.wrk import CONNECTIONS, Asked, run

WAITING = 100_000
# Often enough, and not in step with what comes a thousand times a second.
HERTZ = "499"
# Of each stack, what is kept: Python's own go deep.
STACK_BYTES = 8192
MOST_ROWS = 60
SLOW_US = 1_000


@dataclass(frozen=True)
class Subject:
    """Who is looked at, what it is asked, and the port of its Redis."""

    server: Server
    asked: Asked
    redis: int


def forwarding(stack: ExitStack) -> Subject:
    """Admitted GETs of 1 KB."""
    contenders, port, redis = _contenders(stack)
    server = contenders.waitroom(port, f"redis://127.0.0.1:{redis}/0")
    everybody = admitted(server.port)
    asked = replace(everybody, cookies=everybody.cookies[:VISITORS], has_own_connections=True)
    return Subject(server, asked, redis)


def polled(stack: ExitStack) -> Subject:
    """Polls of visitors who have connections of their own."""
    lines = stack.enter_context(poll.Lines(_folder(stack)))
    server, redis, cookies = lines.line(WAITING)
    asked = Asked(poll.PATH, APP, cookies(CONNECTIONS), has_own_connections=True)
    return Subject(server, asked, redis.port)


def joined(stack: ExitStack, *, anew: bool = False) -> Subject:
    """Newcomers on connections that are kept."""
    contenders, port, redis = _contenders(stack)
    server = contenders.waitroom(port, f"redis://127.0.0.1:{redis}/0")
    return Subject(server, join.newcomers(anew=anew), redis)


def joined_anew(stack: ExitStack) -> Subject:
    """Newcomers, each on a connection of its own."""
    return joined(stack, anew=True)


TASKS: dict[str, Callable[[ExitStack], Subject]] = {
    "forward": forwarding,
    "poll": polled,
    "join": joined,
    "join-anew": joined_anew,
}


def _folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="waitroom-profile-")))


def _contenders(stack: ExitStack) -> tuple[Contenders, int, int]:
    """Those to start, the port of an origin, and that of a Redis."""
    contenders = stack.enter_context(Contenders(_folder(stack)))
    return contenders, contenders.origin().port, int(contenders.redis().rsplit(":", 1)[1].partition("/")[0])


def recorded(subject: Subject, seconds: int, out: Path) -> None:
    """Records what its processes do under load. Raises ClickException where the system lets nobody look."""
    graph = f"dwarf,{STACK_BYTES}"
    options = ["-e", "cpu-clock", "-F", HERTZ, "--call-graph", graph, "-o", str(out)]
    command = [program("perf", "linux-perf"), "record", *options, "-p", ",".join(map(str, family(subject.server.pid)))]
    with subprocess.Popen([*command, "--", "sleep", str(seconds)], stderr=subprocess.PIPE, text=True) as recorder:
        ran = run(subject.server.port, subject.server.pid, subject.asked, seconds + 1, OTHERS)
        _, told = recorder.communicate()
    if recorder.returncode or not out.exists():
        raise click.ClickException(f"perf could record nothing (kernel.perf_event_paranoid?): {told.strip()}")
    console.print(f"{ran.per_s:,.0f} a second, {ran.cpu_us:.1f} µs of CPU each", markup=False)


def reported(data: Path) -> list[str]:
    """The functions that took the most, with what they called."""
    command = [program("perf", "linux-perf"), "report", "-i", str(data), "--children", "--sort", "symbol", "-g", "none"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.rstrip() for line in done.stdout.splitlines() if line and not line.startswith("#")][:MOST_ROWS]


def told_by(redis: Redis) -> list[str]:
    """What Redis has done meanwhile: calls, their time, and the slowest."""
    stats = redis.info("commandstats")
    rows = [
        f"{name.removeprefix('cmdstat_')}: {one['calls']:,} calls, {one['usec_per_call']} µs each"
        for name, one in sorted(stats.items(), key=lambda item: -item[1]["usec"])[:5]
    ]
    slow = [f"{entry['duration']:,} µs: {entry['command'][:60]!r}" for entry in redis.slowlog_get(5)]
    return [*rows, f"slower than {SLOW_US:,} µs: {', '.join(slow) or 'none'}"]


@click.command(help=__doc__)
@click.argument("task", type=click.Choice(list(TASKS)))
@seconds_option(5)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Keeps what perf has recorded there.")
def command(task: str, seconds: int, out: Path | None) -> None:
    need_two_cores()
    with ExitStack() as stack:
        data = out or _folder(stack) / "perf.data"
        subject = TASKS[task](stack)
        run(subject.server.port, subject.server.pid, subject.asked, 1, OTHERS)  # warms up
        redis = stack.enter_context(Redis(port=subject.redis))
        redis.config_set("slowlog-log-slower-than", SLOW_US)
        redis.config_resetstat()
        recorded(subject, seconds, data)
        lines = ["", "with what it calls, and by itself:", *reported(data), "", "Redis:", *told_by(redis)]
        console.print("\n".join(lines), soft_wrap=True, markup=False)
