"""Measures what traces cost a request that waitroom forwards: the table in docs/traces.md, in two minutes.

Each waitroom has a core that it shares only with others who are idle; wrk, the origin and a collector that takes
everything share the other one. They take turns, round by round. The CPU time is that of all threads of a process: with
traces, one of them packs and sends spans.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import click

from scripts.benches.machine import OTHERS
from scripts.benches.rounds import console, in_turn, rounds_option, seconds_option
from scripts.benches.servers import Contenders, admitted
from scripts.benches.wrk import Run, medians, run

SAMPLER = "OTEL_TRACES_SAMPLER"
RATIO, SHARE = "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG"
# How each is told to trace; the first is not.
WAYS: Mapping[str, Mapping[str, str]] = {
    "no traces": {},
    "none sampled": {SAMPLER: RATIO, SHARE: "0"},
    "1 in 100": {SAMPLER: RATIO, SHARE: "0.01"},
    "1 in 10": {SAMPLER: RATIO, SHARE: "0.1"},
    "all": {SAMPLER: "always_on"},
}


@click.command()
@rounds_option()
@seconds_option(3)
def main(rounds: int, seconds: int) -> None:
    """Compare waitrooms that trace more and less."""
    with tempfile.TemporaryDirectory(prefix="waitroom-traces-") as folder, ExitStack() as stack:
        asks = {name: _start(stack, Path(folder) / name.replace(" ", "-"), way) for name, way in WAYS.items()}
        for ask in asks.values():
            ask(1)  # to warm up
        runs = in_turn({name: partial(ask, seconds) for name, ask in asks.items()}, rounds)
    figures = {name: medians(own) for name, own in runs.items()}
    for line in _table(figures):
        console.print(line)


def _start(stack: ExitStack, folder: Path, way: Mapping[str, str]) -> Callable[[int], Run]:
    """What asks it for so many seconds."""
    folder.mkdir()
    contenders = stack.enter_context(Contenders(folder))
    collector = contenders.origin()
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}"} if way else {}
    with _told({**endpoint, **way}):
        server = contenders.waitroom(collector.port, contenders.redis())
    visitors = admitted(server.port)
    return lambda seconds: run(server.port, server.pid, visitors, seconds, OTHERS)


@contextmanager
def _told(variables: Mapping[str, str]) -> Iterator[None]:
    """What is started meanwhile has these in its environment."""
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]


def _table(figures: Mapping[str, Run]) -> list[str]:
    first = next(iter(figures.values()))
    rows = [
        f"| {name} | {run.cpu_us:.1f} | {run.cpu_us / first.cpu_us:.2f} | {run.per_s:,.0f} | {run.p50_us / 1000:.2f} "
        f"| {run.p99_us / 1000:.2f} |"
        for name, run in figures.items()
    ]
    return [
        "| sampled | CPU µs/request | ratio | requests/s | p50 ms | p99 ms |",
        "|---|---:|---:|---:|---:|---:|",
        *rows,
    ]


if __name__ == "__main__":
    main()
