"""Loads a server with wrk, and takes the time of its processes: what one run did, and what it cost."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click

from scripts.benches.findings import Spread

CONNECTIONS = 64
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# Requests are written once, and dealt out evenly to threads, each of which sends its own in turn. Latencies are in µs.
SCRIPT = """
local visitors = %s
local requests, turn, threads = {}, 0, 0
setup = function(thread)
    thread:set("first", threads + 1)
    threads = threads + 1
end
init = function()
    for i = first, #visitors, %d do
        requests[#requests + 1] = wrk.format("GET", %s, visitors[i])
    end
end
request = function()
    turn = turn %% #requests + 1
    return requests[turn]
end
done = function(summary, latency)
    local e = summary.errors
    io.write(string.format(
        '\\nfigures {"requests": %%d, "duration_us": %%d, "p50_us": %%d, "p99_us": %%d, ' ..
            '"errors": %%d, "refused": %%d}\\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        e.connect + e.read + e.write + e.timeout, e.status))
end
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for again and again by visitors who are known by their cookies: by all of them in turn on every
    connection, or, as browsers do, by each on connections of its own. That takes a thread each, and many threads leave
    the server to wait for them. `fields` are what each says besides; `is_refused` says that the answer is none of
    success. All have so many `connections` together."""

    path: str
    accept: str
    cookies: Sequence[str]
    has_own_connections: bool = False
    fields: Sequence[Mapping[str, str]] = ()
    is_refused: bool = False
    connections: int = CONNECTIONS

    def visitors(self) -> list[Mapping[str, str]]:
        """The fields of each."""
        more = self.fields or [{}] * len(self.cookies)
        known = [{"Cookie": cookie} if cookie else {} for cookie in self.cookies]
        return [{"Accept": self.accept, **own, **told} for own, told in zip(known, more, strict=True)]


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `cpu_us` is what the server took per request, `busy` the share of a core that it had; `beside_us` is
    what another process took for it."""

    per_s: float
    cpu_us: float
    busy: float
    p50_us: int
    p99_us: int
    beside_us: float = 0.0


def medians(runs: Sequence[Run]) -> Run:
    """Each figure by itself."""
    return Run(
        per_s=median(one.per_s for one in runs),
        cpu_us=median(one.cpu_us for one in runs),
        busy=median(one.busy for one in runs),
        p50_us=round(median(one.p50_us for one in runs)),
        p99_us=round(median(one.p99_us for one in runs)),
    )


def times_as_fast(ours: Sequence[Run], theirs: Sequence[Run]) -> Spread:
    """How many requests of ours the CPU time of one of theirs is enough for, round by round: a fast contender waits for
    the load, so that throughput would flatter the slow ones."""
    return Spread.of([their.cpu_us / our.cpu_us for our, their in zip(ours, theirs, strict=True)])


def run(port: int, pid: int, asked: Asked, seconds: int, core: int, beside: int | None = None) -> Run:
    """Asks the server at `port`, whose processes are `pid` and its children, as fast as it answers; `beside` is
    another that works for it. Raises ClickException where it gave errors."""
    before_s, before_beside_s = cpu_s(pid), cpu_s(beside) if beside else 0.0
    told = _wrk(port, asked, seconds, core)
    took_s = cpu_s(pid) - before_s
    took_beside_s = cpu_s(beside) - before_beside_s if beside else 0.0
    errors = told["errors"] + abs(told["refused"] - (told["requests"] if asked.is_refused else 0))
    if errors or not told["requests"]:
        raise click.ClickException(f"port {port}, {asked.path}: {errors} errors, {told['requests']} requests")
    elapsed_s = told["duration_us"] / 1e6
    return Run(
        per_s=told["requests"] / elapsed_s,
        cpu_us=took_s / told["requests"] * 1e6,
        busy=took_s / elapsed_s,
        p50_us=told["p50_us"],
        p99_us=told["p99_us"],
        beside_us=took_beside_s / told["requests"] * 1e6,
    )


def cpu_s(pid: int) -> float:
    """The CPU time of a process and its children since they began, in seconds."""
    stats = [_stat(path) for path in Path("/proc").glob("[0-9]*/stat")]
    family = {pid}
    while more := {child for child, parent, _ in stats if parent in family} - family:
        family |= more
    return sum(ticks for child, _, ticks in stats if child in family) / TICKS_PER_S


def _stat(path: Path) -> tuple[int, int, int]:
    """proc(5): a process, its parent, and the ticks that it has run."""
    try:
        before, _, after = path.read_text().rpartition(")")
    except OSError:  # it has ended meanwhile
        return 0, 0, 0
    fields = after.split()
    return int(before.split()[0]), int(fields[1]), int(fields[11]) + int(fields[12])


def _wrk(port: int, asked: Asked, seconds: int, core: int) -> dict[str, int]:
    program = shutil.which("wrk")
    if not program:
        raise click.ClickException("wrk is missing: install it (apt-get install wrk)")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        visitors = ", ".join(_table(fields) for fields in asked.visitors())
        threads = len(asked.cookies) if asked.has_own_connections else 1
        script.write(SCRIPT % ("{" + visitors + "}", threads, json.dumps(asked.path)))
        script.flush()
        command = [
            "taskset",
            "-c",
            str(core),
            program,
            f"-t{threads}",
            f"-c{asked.connections}",
            f"-d{seconds}s",
            "--timeout",
            "10s",
        ]
        url = f"http://127.0.0.1:{port}"
        told = subprocess.run([*command, "-s", script.name, url], capture_output=True, text=True, check=True).stdout
    figures: dict[str, int] = json.loads(told.partition("\nfigures ")[2])
    return figures


def _table(fields: Mapping[str, str]) -> str:
    """As Lua writes it."""
    return "{" + ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in fields.items()) + "}"
