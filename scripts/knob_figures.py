"""Measures how exactly a rate is kept that is changed at run time: `python -m scripts.knob_figures`.

A waitroom with four workers and a Redis of its own, a line that never ends, and an operator who turns the knob by
command. Redis tells how many were called, and when. A pace is measured from call to call over 30 seconds; the calls in
any time are held against what the settings allowed in it (I2).
"""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table

from tests.servers import PrivateRedis, free_port, stop, wait_until
from waitroom import settings
from waitroom.desk.overrides import Overrides, burst_for
from waitroom.line import Line
from waitroom.store import Store

RATES = (600, 1_200, 60)  # from that of the configuration, 300
EACH_S, SETTLES_S, WINDOW_S = 75.0, 2.0, 30.0
CROWD = 3_000
POLL_S, LOOK_S = 5.0, 0.02
CONFIG = """
version = 1
[server]
listen = ["127.0.0.1:{port}"]
workers = 4
state = "{folder}"
[admin]
listen = "127.0.0.1:{admin}"
[store]
url = "{redis}"
[[rooms]]
name = "site"
origins = []
mode = "hold"
cap = 1000000
rate_per_minute = 300
"""


@dataclass(frozen=True)
class Look:
    """What Redis said: when the line was advanced (ms), how many were called by then, at which rate a minute."""

    at_ms: int
    called: int
    rate: int


def look(redis: PrivateRedis) -> Look:
    fields: Any = redis.client.hmget("wr:{site}:state", ["advanced_ms", "called", "rate"])
    return Look(*map(int, fields))


async def watch(redis: PrivateRedis, looks: list[Look]) -> None:
    while True:
        seen = look(redis)
        if not looks or seen.at_ms != looks[-1].at_ms:
            looks.append(seen)
        await asyncio.sleep(LOOK_S)


async def wait_in_line(config: Path, redis: PrivateRedis) -> None:
    """A crowd that never goes away."""
    [room] = settings.load(config)[0].to_rooms(edited_ms=0)
    line = Line("site", room.limits, Store(redis.url))
    joined = await asyncio.gather(*(line.join("") for _ in range(CROWD)))
    numbers = [one.number for one in joined if one]
    while True:
        await line.tick()
        for number in numbers:
            if line.standing(number):
                line.poll(number)
        await asyncio.sleep(POLL_S)


async def command(config: Path, *words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "waitroom", *words, "--config", str(config), stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0


def pace(looks: Sequence[Look]) -> Iterator[float]:
    """Calls a minute from call to call, over each 30 seconds."""
    steps = [after for before, after in pairwise(looks) if after.called > before.called]
    for first, start in enumerate(steps):
        for end in steps[first + 1 :]:
            if end.at_ms - start.at_ms >= WINDOW_S * 1_000:
                yield (end.called - start.called) * 60_000 / (end.at_ms - start.at_ms)
                break


def most_over(looks: Sequence[Look]) -> float:
    """By how many calls the bound was exceeded at most, in any time: the highest burst and the rates over time, of the
    settings that were in force. Negative: so many were left."""
    worst = float("-inf")
    for first, start in enumerate(looks):
        allowed, burst = 0.0, burst_for(start.rate)
        for before, after in pairwise(looks[first:]):
            # The time up to a change is filled up at the rate before.
            allowed += before.rate * (after.at_ms - before.at_ms) / 60_000
            burst = max(burst, burst_for(after.rate))
            worst = max(worst, after.called - start.called - allowed - burst)
    return worst


async def measure(config: Path, redis: PrivateRedis) -> Table:
    looks: list[Look] = []
    crowd, watching = asyncio.create_task(wait_in_line(config, redis)), asyncio.create_task(watch(redis, looks))
    table = Table("Set (a minute)", "Measured over 30 s: least", "most", "Off by at most", "Windows", "Held after (ms)")
    await asyncio.sleep(5)
    await command(config, "queue", "site")
    for rate in RATES:
        await command(config, "set", "site", f"rate={rate}", "--why", "measured")
        await asyncio.sleep(SETTLES_S)
        turned_ms = Overrides.from_json(cast("bytes", redis.client.get("wr:{site}:desk"))).revision
        held_ms = next(seen.at_ms for seen in looks if seen.rate == rate and seen.at_ms >= turned_ms) - turned_ms
        start = len(looks)
        await asyncio.sleep(EACH_S)
        paces = list(pace(looks[start:]))
        off = max(abs(one / rate - 1) for one in paces)
        table.add_row(
            f"{rate:,}", f"{min(paces):,.1f}", f"{max(paces):,.1f}", f"{off:.1%}", f"{len(paces)}", f"{held_ms:,}"
        )
    for task in (crowd, watching):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    over = most_over(looks)
    table.caption = f"Calls over the bound of I2, in any time: at most {over:+.1f} of {looks[-1].called:,}."
    return table


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="waitroom-figures-") as name:
        folder = Path(name)
        redis = PrivateRedis(folder / "redis")
        redis.start()
        config = folder / "waitroom.toml"
        config.write_text(CONFIG.format(port=free_port(), admin=free_port(), folder=folder / "state", redis=redis.url))
        serving = subprocess.Popen(
            [sys.executable, "-m", "waitroom", "serve", "--config", str(config)], stderr=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: redis.client.exists("wr:{site}:state") == 1)
            Console(width=120).print(asyncio.run(measure(config, redis)))
        finally:
            stop(serving)
            redis.close()


if __name__ == "__main__":
    main()
