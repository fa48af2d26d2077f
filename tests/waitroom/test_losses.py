"""The four losses, with real processes: two waitrooms, a Redis that loses what it had, and a crowd that never stops.

Each time: no number is given twice, no ticket changes its number, never more are inside than the cap, nobody who waits
is overtaken by a later number, and everybody comes in.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import aiohttp
import pytest

from tests.servers import PATIENCE_S, PrivateRedis, PrivateSentinel, eventually
from tests.waitroom.crowd import Crowd
from tests.waitroom.running import Origin, Waitroom
from tests.waitroom.serving import kill
from waitroom import keys
from waitroom.line import Knowledge
from waitroom.memory import Memory
from waitroom.store_keys import line_keys

CAP, WAITING, NEWCOMERS = 3, 9, 6
STATE, INSIDE = (line_keys("site")[i] for i in (0, 5))


@dataclass
class Site:
    """Two processes of a waitroom, one Redis, and a record of the order in which numbers were called."""

    redis: PrivateRedis
    waitrooms: list[Waitroom]
    called: dict[int, int] = field(default_factory=dict)  # number to the look at Redis at which it was inside first
    looks: int = 0
    most_in_redis: int = 0
    comes: Callable[[], object] = lambda: None  # lets somebody more come
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        for waitroom in self.waitrooms:
            arguments = [sys.executable, "-m", "waitroom", "serve", "--config", str(waitroom.config)]
            with (waitroom.folder / "log").open("ab") as log:
                self._processes.append(subprocess.Popen(arguments, stderr=log, env=os.environ))

    def kill(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                kill(process.pid)
            process.wait()
        self._processes.clear()

    async def until_ready(self) -> None:
        async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as session:
            for waitroom in self.waitrooms:
                while not await _is_ready(session, waitroom):
                    for process, one in zip(self._processes, self.waitrooms, strict=True):
                        assert process.poll() is None, (one.folder / "log").read_text()
                    await asyncio.sleep(0.05)

    async def watch(self) -> None:
        """Looks at Redis all the time: a tick is long in comparison."""
        while True:
            try:
                members = await asyncio.to_thread(self.redis.client.zrange, INSIDE, 0, -1)
            except Exception:  # noqa: BLE001 - it is being killed, which shows in many ways
                continue
            finally:
                await asyncio.sleep(0.01)
            self.looks += 1
            numbers = [int(member) for member in cast("list[bytes]", members)]
            self.most_in_redis = max(self.most_in_redis, len(numbers))
            for number in numbers:
                self.called.setdefault(number, self.looks)


async def _is_ready(session: aiohttp.ClientSession, waitroom: Waitroom) -> bool:
    try:
        async with session.get(f"{waitroom.url}/.waitroom/ready") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


@contextmanager
def a_site(folder: Path, redis: PrivateRedis, url: str, origin: Origin) -> Iterator[Site]:
    """Two processes with the same keys, each with a folder of its own, that reach Redis by `url`."""
    keys.load([], [], folder / "keys")
    waitrooms = []
    for name in ("one", "two"):
        shutil.copytree(folder / "keys", folder / name / "state")
        (folder / name / "state" / "lines.json").write_text("{}")  # nobody need wait for who knew an earlier line
        waitroom = Waitroom(folder / name, url, origin.port)
        # Longer than a machine stands still: nobody is absent, or outlives a lease, but by the loss.
        waitroom.set(cap=CAP, rate_per_minute=600, presence_s=10, claim_s=20, session_s=120)
        waitrooms.append(waitroom)
    site = Site(redis, waitrooms)
    try:
        yield site
    finally:
        site.kill()


@pytest.fixture
def site(tmp_path: Path, own_redis: PrivateRedis, origin: Origin) -> Iterator[Site]:
    with a_site(tmp_path, own_redis, own_redis.url, origin) as site:
        yield site


Loss = Callable[[Site], Awaitable[None]]


async def emptied(site: Site) -> None:
    """FLUSHALL in mid-run."""
    site.redis.client.flushall()


async def killed_without_persistence(site: Site) -> None:
    site.redis.kill()
    await asyncio.sleep(1)
    site.redis.start()


async def everything_at_once(site: Site) -> None:
    """Redis is emptied, and every process is killed and started again; each has the file that it kept."""
    site.kill()
    site.redis.client.flushall()
    site.start()


async def everything_and_all_memory(site: Site) -> None:
    """The same, on machines without a disk: nobody knows anything but the visitors."""
    site.kill()
    site.redis.client.flushall()
    for waitroom in site.waitrooms:
        (waitroom.folder / "state" / "lines.json").unlink()
    site.start()


@pytest.mark.parametrize("lose", [emptied, killed_without_persistence, everything_at_once, everything_and_all_memory])
async def test_a_loss_costs_nobody_a_place(site: Site, lose: Loss) -> None:
    """I1, I3, I4, I5."""
    await play(site, lose)


async def test_a_failover_that_lost_the_last_writes_costs_nobody_a_place(
    tmp_path: Path, own_redis: PrivateRedis, origin: Origin
) -> None:
    """I1, I3, I4, I5: the replica hears of nothing any more; visitors join and are called; then the primary is killed,
    and sentinels promote the replica."""
    replica = PrivateRedis(tmp_path / "replica", primary=own_redis)
    # Slow to judge: on a busy machine it would promote the replica before anything was lost.
    sentinel = PrivateSentinel(tmp_path / "sentinel", own_redis, down_after_ms=5_000)

    async def fail_over(site: Site) -> None:
        await asyncio.to_thread(replica.pause)
        site.comes()  # those who were about to may have come while the replica could hear of them
        await eventually(lambda: _tail(own_redis) > _tail(replica))
        own_redis.kill()
        await asyncio.to_thread(replica.promote)
        site.redis = replica

    with closing(replica), closing(sentinel):
        replica.start()
        sentinel.start()
        with a_site(tmp_path, own_redis, sentinel.url, origin) as site:
            await play(site, fail_over)


async def play(site: Site, lose: Loss) -> None:
    """Three are inside and active, nine wait, others go on coming; then the loss; then the three leave."""
    site.start()
    await site.until_ready()
    crowd = Crowd([waitroom.url for waitroom in site.waitrooms])
    leave = asyncio.Event()
    async with asyncio.timeout(4 * PATIENCE_S), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(site.watch())
        visits = [tasks.create_task(crowd.visit(leave)) for _ in range(CAP)]
        await eventually(lambda: len(crowd.inside) == CAP)
        visits += [tasks.create_task(crowd.visit()) for _ in range(WAITING)]
        await eventually(lambda: len(crowd.waiting) == WAITING)
        waited = {next(iter(crowd.numbers[who])) for who in crowd.waiting}
        await all_is_known(site, max(waited))
        site.comes = lambda: visits.append(tasks.create_task(crowd.visit()))
        coming = tasks.create_task(come(site))
        await lose(site)
        await coming
        leave.set()
        await asyncio.wait(visits)
        watching.cancel()
    assert len(visits) >= CAP + WAITING + NEWCOMERS
    numbers = [number for every in crowd.numbers.values() for number in every]
    assert all(len(every) == 1 for every in crowd.numbers.values()), "a ticket changed its number"
    assert len(set(numbers)) == len(numbers) == len(visits), "a number was given twice"
    assert crowd.most_inside <= CAP
    assert site.most_in_redis <= CAP
    in_turn = sorted((look, number) for number, look in site.called.items())
    for look, number in in_turn:
        overtaken = {waiting for waiting in waited if waiting < number and site.called[waiting] > look}
        assert not overtaken, f"{number} was called before {overtaken}"


async def all_is_known(site: Site, last: int) -> None:
    """Returns when each process has seen all who wait, and has the last number in its memory."""
    for waitroom in site.waitrooms:
        async with asyncio.timeout(PATIENCE_S):
            while (await waitroom.status())["rooms"][0]["waiting"] != WAITING:
                await asyncio.sleep(0.05)
        memory = Memory(waitroom.folder / "state")
        await eventually(lambda memory=memory: memory.recall().get("site", Knowledge()).tail >= last)  # type: ignore[misc]


async def come(site: Site) -> None:
    """Newcomers, before, during and after the loss."""
    for _ in range(NEWCOMERS):
        site.comes()
        await asyncio.sleep(0.5)


def _tail(redis: PrivateRedis) -> int:
    return int(cast(bytes, redis.client.hget(STATE, "tail")))
