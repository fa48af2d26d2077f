"""Slow attacks by slowhttptest: who holds many connections, and hardly uses them, keeps nobody from being served."""

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.servers import PrivateRedis, eventually, free_port
from tests.waitroom.proxy.process import serving
from tests.waitroom.running import Waitroom

SLOWHTTPTEST = shutil.which("slowhttptest")
pytestmark = pytest.mark.skipif(
    SLOWHTTPTEST is None and os.environ.get("CI") != "true",
    reason="no slowhttptest on PATH (Debian's package: slowhttptest)",
)

# Each reader fills the system's buffers, so that more of them would try the machine's memory, and not ours.
ATTACKERS = {"slow heads": 400, "slow bodies": 400, "slow readers": 200}
VISITS, AT_ONCE = 300, 10
# Longer than what comes of it is waited for: no attacker leaves by itself.
LONGEST_S, PATIENCE_S = 300, 120
LISTENING, TIME_WAIT = "0A", "06"
PAGE = b"a page\n" * 100
# More than the buffers on the way hold: who reads it slowly is still to be served.
LARGE_PAGE = bytes(4_000_000)
ATTACKS = {
    "slow heads": ["-H", "-i", "1"],
    "slow bodies": ["-B", "-i", "1", "-s", "100000"],
    "slow readers": ["-X", "-n", "1", "-w", "512", "-y", "1024", "-z", "32"],
}
# The same, with pauses longer than a waitroom with short limits waits.
SILENT = {
    "slow heads": ["-H", "-i", "30"],
    "slow bodies": ["-B", "-i", "30", "-s", "100000"],
    "slow readers": ["-X", "-n", "30", "-w", "512", "-y", "1024", "-z", "32"],
}


@asynccontextmanager
async def an_origin(port: int) -> AsyncIterator[None]:
    """Answers each request once it has read the body: at /large with a large page."""

    async def answer(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response(body=LARGE_PAGE if request.path == "/large" else PAGE)

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def attack(attackers: int, options: Sequence[str], url: str, output: Path) -> AsyncIterator[None]:
    """Runs slowhttptest: it opens all its connections within a second, and holds them for as long as it can."""
    assert SLOWHTTPTEST, "with CI=true nothing may skip: install slowhttptest"
    count = ["-c", str(attackers), "-r", str(attackers), "-l", str(LONGEST_S), "-u", url]
    with output.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            SLOWHTTPTEST, *options, *count, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def connections(port: int) -> int:
    """How many the system has to a port on this machine: all but those of which only the memory is kept."""
    here = f":{port:04X} "
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines() if here in line]
    return sum(f"{row[1]} ".endswith(here) and row[3] not in (LISTENING, TIME_WAIT) for row in rows)


async def visits(url: str) -> Counter[int]:
    """Ordinary visitors, each on a connection of its own; gives the statuses that they got, whole pages only."""
    statuses: Counter[int] = Counter()
    turn = asyncio.Semaphore(AT_ONCE)

    async def visit() -> None:
        async with turn, aiohttp.ClientSession() as session, session.get(url) as response:
            statuses[response.status if await response.read() == PAGE else 0] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(VISITS):
            group.create_task(visit())
    return statuses


@pytest.fixture
def waitroom(tmp_path: Path, redis: PrivateRedis) -> Waitroom:
    waitroom = Waitroom(tmp_path, redis.url, free_port())
    waitroom.set(mode="open")
    return waitroom


@pytest.mark.parametrize("name", ATTACKS)
async def test_others_are_served_while_it_lasts(waitroom: Waitroom, tmp_path: Path, name: str) -> None:
    with waitroom.config.open("a") as config:
        config.write("[server.limits]\nhead_s = 60\n")
    async with (
        an_origin(waitroom.origin_port),
        serving(waitroom),
        attack(ATTACKERS[name], ATTACKS[name], f"{waitroom.url}/large", tmp_path / "attack"),
    ):
        await eventually(lambda: connections(waitroom.port) >= ATTACKERS[name], PATIENCE_S)
        assert await visits(waitroom.url) == {200: VISITS}
        assert connections(waitroom.port) > ATTACKERS[name] // 2, (tmp_path / "attack").read_text()


@pytest.mark.parametrize("name", SILENT)
async def test_attackers_are_thrown_out_after_a_limit(waitroom: Waitroom, tmp_path: Path, name: str) -> None:
    """Nothing of them stays, neither a connection nor, in the system's buffers, what a reader did not take."""
    with waitroom.config.open("a") as config:
        config.write("[server.limits]\nhead_s = 2\nidle_s = 2\nbody_s = 2\nsend_s = 2\n")
    async with (
        an_origin(waitroom.origin_port),
        serving(waitroom),
        attack(ATTACKERS[name], SILENT[name], f"{waitroom.url}/large", tmp_path / "attack"),
    ):
        await eventually(lambda: connections(waitroom.port) > ATTACKERS[name] // 4, PATIENCE_S)
        await eventually(lambda: connections(waitroom.port) == 0, PATIENCE_S)
