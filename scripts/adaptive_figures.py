"""Measures adaptive admission beside a fixed rate: the same crowd, before an origin that slows down under load.

The origin has twenty workers that take about 200 ms for each request: it bears 100 requests a second, and what is
beyond queues. Twice as many visitors come as it bears; halfway, half of its workers are taken away. Waitroom, its Redis
and the origin are processes of their own, and visitors come by HTTP. Prints a table, and draws both runs.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import click
from rich.console import Console

from scripts.curves import Curve, Mark, Panel, picture
from tests.servers import PrivateRedis, free_port
from tests.waitroom.adaptive.crowd import Crowd
from tests.waitroom.proxy.process import process_of, serving
from tests.waitroom.running import Waitroom

PICTURE = Path(__file__).parent.parent / "docs" / "images" / "adaptive.svg"
WORKERS, FEWER_WORKERS, SERVICE_S = 20, 10, 0.2
TARGET_MS = 500
RATE_PER_MINUTE, STAY_S, THINK_S = 1_200, 12.0, 1.0
ROOM: dict[str, Any] = {
    "mode": "queue",
    "rate_per_minute": RATE_PER_MINUTE,
    "cap": 10_000,
    "session_s": 30,
    "claim_s": 10,
}
ADAPTIVE = {"rate_min": 120, "target_ms": TARGET_MS, "settle_s": 15}
# A point of the curves stands for so long.
GRAIN_S = 5.0
console = Console(highlight=False)


@dataclass(frozen=True)
class Run:
    """What was seen, by end of each grain of time: p95 of the time for a page (ms), visitors let in a minute, pages a
    second."""

    p95_ms: Sequence[tuple[float, float]]
    calls_per_minute: Sequence[tuple[float, float]]
    pages_per_s: Sequence[tuple[float, float]]

    @property
    def pages(self) -> int:
        return round(sum(per_s for _, per_s in self.pages_per_s) * GRAIN_S)

    @property
    def visitors(self) -> int:
        return round(sum(per_minute for _, per_minute in self.calls_per_minute) * GRAIN_S / 60)

    def settled_s(self, since_s: float, until_s: float) -> float:
        """How long it took until p95 stayed within twice its target."""
        over = [at for at, p95 in self.p95_ms if since_s < at <= until_s and p95 > 2 * TARGET_MS]
        return max(over, default=since_s) - since_s

    def share_over(self, since_s: float, until_s: float) -> float:
        """Of the time, in which p95 was over twice its target."""
        p95s = [p95 for at, p95 in self.p95_ms if since_s < at <= until_s]
        return sum(p95 > 2 * TARGET_MS for p95 in p95s) / len(p95s)


async def run(folder: Path, seconds: int, **adaptive: Any) -> Run:
    """One run from the first visitor on."""
    folder.mkdir()
    redis = PrivateRedis(folder / "redis")
    redis.start()
    try:
        waitroom = Waitroom(folder / "waitroom", redis.url, free_port())
        waitroom.set(**ROOM, **adaptive)
        origin = f"http://127.0.0.1:{waitroom.origin_port}"
        pool = ("-m", "tests.waitroom.adaptive.pooled_origin", str(waitroom.origin_port), str(WORKERS), str(SERVICE_S))
        async with process_of((sys.executable, *pool), folder / "origin.log", origin), serving(waitroom):
            crowd = Crowd(waitroom.url, RATE_PER_MINUTE, STAY_S, THINK_S)
            begun_s = time.monotonic()
            async with crowd.coming(), aiohttp.ClientSession() as session:
                await asyncio.sleep(seconds / 2)
                await session.put(f"{origin}/workers", params={"n": FEWER_WORKERS})
                await asyncio.sleep(seconds / 2)
    finally:
        redis.close()
    return _run(crowd, begun_s, seconds)


def _run(crowd: Crowd, begun_s: float, seconds: int) -> Run:
    grains = [(index + 1) * GRAIN_S for index in range(int(seconds / GRAIN_S))]

    def within(at: float, moment: float) -> bool:
        return at - GRAIN_S < moment - begun_s <= at

    answers = {at: [took for moment, took, _ in crowd.answers if within(at, moment)] for at in grains}
    entries = {at: sum(within(at, moment) for moment in crowd.entries) for at in grains}
    return Run(
        [(at, _p95_ms(took)) for at, took in answers.items()],
        [(at, count * 60 / GRAIN_S) for at, count in entries.items()],
        [(at, len(took) / GRAIN_S) for at, took in answers.items()],
    )


def _p95_ms(took_s: Sequence[float]) -> float:
    return sorted(took_s)[int(0.95 * len(took_s))] * 1000 if took_s else 0.0


def _draw(runs: dict[str, Run], seconds: int) -> str:
    colors = dict(zip(runs, ("#0f766e", "#b45309"), strict=True))

    def curves(points: Callable[[Run], Sequence[tuple[float, float]]]) -> list[Curve]:
        return [Curve(name, colors[name], points(one)) for name, one in runs.items()]

    return picture(
        [
            Panel(
                "p95 of the time for a page (ms)",
                (100, 200, 500, 1_000, 2_000, 5_000, 10_000),
                curves(lambda one: one.p95_ms),
                [Mark("target", TARGET_MS), Mark("twice the target", 2 * TARGET_MS)],
                is_logarithmic=True,
            ),
            Panel(
                "visitors let in per minute",
                range(0, RATE_PER_MINUTE + 201, 200),
                curves(lambda one: one.calls_per_minute),
            ),
            Panel("pages served per second", (0, 50, 100, 150), curves(lambda one: one.pages_per_s)),
        ],
        seconds,
        [Mark("half of the workers are taken away", seconds / 2)],
    )


def _table(runs: dict[str, Run], seconds: int) -> list[str]:
    half = seconds / 2
    rows: list[tuple[str, Callable[[Run], str]]] = [
        ("until p95 stays within twice its target (s)", lambda one: _settled(one, 0, half)),
        ("p95, the worst 5 s from the second minute on (ms)", lambda one: f"{_worst(one, 60, half):,.0f}"),
        ("time over twice the target from the second minute on", lambda one: f"{one.share_over(60, half):.0%}"),
        ("half of the workers gone: until p95 stays within (s)", lambda one: _settled(one, half, seconds)),
        ("p95, the worst 5 s from a minute later on (ms)", lambda one: f"{_worst(one, half + 60, seconds):,.0f}"),
        ("time over twice the target from then on", lambda one: f"{one.share_over(half + 60, seconds):.0%}"),
        ("pages served in all", lambda one: f"{one.pages:,}"),
        ("visitors let in, in all", lambda one: f"{one.visitors:,}"),
    ]
    head = [f"| | {' | '.join(runs)} |", "|---|" + "---:|" * len(runs)]
    return head + [f"| {name} | {' | '.join(value(one) for one in runs.values())} |" for name, value in rows]


def _settled(one: Run, since_s: float, until_s: float) -> str:
    took_s = one.settled_s(since_s, until_s)
    return "never" if since_s + took_s >= until_s else f"{took_s:.0f}"


def _worst(one: Run, since_s: float, until_s: float) -> float:
    return max(p95 for at, p95 in one.p95_ms if since_s < at <= until_s)


@click.command()
@click.option("--seconds", default=300, show_default=True, type=click.IntRange(200, 1_200), help="Of each run.")
def main(seconds: int) -> None:
    """Print the figures of both runs as Markdown, and draw them into docs/images."""
    kinds: dict[str, dict[str, Any]] = {"adaptive": {"adaptive": ADAPTIVE}, "fixed rate": {}}
    runs = {}
    with tempfile.TemporaryDirectory(prefix="waitroom-adaptive-") as folder:
        for name, options in kinds.items():
            with console.status(f"{name}, {seconds} s"):
                runs[name] = asyncio.run(run(Path(folder) / name.replace(" ", "-"), seconds, **options))
    console.print("\n".join(_table(runs, seconds)), soft_wrap=True)
    PICTURE.write_text(_draw(runs, seconds))


if __name__ == "__main__":
    main()
