"""Two waitrooms at one Redis, of which one relieves the other behind a balancer, and back, while a sale goes on."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import aiohttp

from tests.proxies import needs, proxy
from tests.servers import PrivateRedis, eventually, free_port
from tests.waitroom.running import PAGE, Origin, Waitroom, number_of, visitor
from tests.waitroom.serving import Served, serve
from waitroom import keys
from waitroom.store_keys import line_keys

pytestmark = needs("haproxy")

STATE, INSIDE = (line_keys("site")[i] for i in (0, 5))
VISITORS = 60
CAP = 8
# By blue's rate the rate is what binds, by green's the cap.
BLUE_PER_MINUTE, GREEN_PER_MINUTE = 300, 1200
STAY_S = (0.3, 1.0)
POLL_S = 0.3
# Calls that each state of affairs must bring, so that there is something to judge.
CALLS = 12


@dataclass
class Balancer:
    """HAProxy by the example configuration, and the commands of the runbook."""

    port: int
    socket: Path

    async def set(self, server: str, state: str) -> None:
        """ready, drain or maint."""
        answer = await self._tell(f"set server waitroom/{server} state {state}")
        assert not answer.strip(), answer

    async def serves(self, server: str) -> bool:
        """Whether a server is up, by its health checks, and gets visitors."""
        return (await self._row(server))["status"] == "UP"

    async def sessions(self, server: str) -> int:
        """Requests under way at a server."""
        return int((await self._row(server))["scur"])

    async def _row(self, server: str) -> dict[str, str]:
        head, *rows = (await self._tell("show stat")).removeprefix("# ").strip().splitlines()
        found = [dict(zip(head.split(","), row.split(","), strict=False)) for row in rows]
        return next(row for row in found if (row["pxname"], row["svname"]) == ("waitroom", server))

    async def _tell(self, command: str) -> str:
        reader, writer = await asyncio.open_unix_connection(self.socket)
        try:
            writer.write(f"{command}\n".encode())
            return (await reader.read()).decode()
        finally:
            writer.close()


@dataclass
class Sale:
    """Visitors who come, wait, go in, look around and leave, one after the other, through the balancer."""

    url: str
    numbers: list[set[int]] = field(default_factory=list)  # of each visitor: all that its ticket ever had
    failures: list[str] = field(default_factory=list)
    came_in: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        places = [asyncio.create_task(self._visitors(stop)) for _ in range(VISITORS)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*places)

    async def _visitors(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            async with visitor() as session:
                try:
                    await self._visit(session, stop)
                except (aiohttp.ClientError, TimeoutError, AssertionError) as exc:
                    self.failures.append(repr(exc))

    async def _visit(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        numbers: set[int] = set()
        self.numbers.append(numbers)
        while not await self._is_in(session, numbers):
            state = "waiting"
            while state == "waiting":
                if stop.is_set():
                    return
                async with session.get(f"{self.url}/.waitroom/rooms/site/place") as response:
                    assert response.status == 200, response.status
                    state = (await response.json())["state"]
                await asyncio.sleep(POLL_S)
            assert state == "called", state
        self.came_in += 1
        leaves_s = asyncio.get_running_loop().time() + random.uniform(*STAY_S)
        while asyncio.get_running_loop().time() < leaves_s:
            assert await self._is_in(session, numbers), "somebody who was inside was sent back"
            await asyncio.sleep(0.05)
        async with session.post(f"{self.url}/.waitroom/rooms/site/leave") as response:
            assert response.status == 200, response.status

    async def _is_in(self, session: aiohttp.ClientSession, numbers: set[int]) -> bool:
        async with session.get(f"{self.url}/seats", headers=PAGE) as response:
            text = await response.text()
            assert response.status == 200, (response.status, text)
        numbers.add(number_of(session))
        return '"path"' in text


@dataclass(frozen=True)
class Sight:
    """The line as Redis has it at a moment, with the limits in force."""

    refilled_ms: int  # until when the bucket was filled: what was called by then
    version: int
    called: int
    per_minute: int
    burst: int
    inside: tuple[int, ...]


@dataclass
class Watch:
    """What Redis says all the time."""

    redis: PrivateRedis
    sights: list[Sight] = field(default_factory=list)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def more_calls(self, version: int) -> None:
        """Waits until so many were called under the limits of a version."""

        def are_called() -> bool:
            of_version = [sight.called for sight in self.sights if sight.version == version]
            return bool(of_version) and of_version[-1] - of_version[0] >= CALLS

        await eventually(are_called)

    async def _run(self) -> None:
        while True:
            pipeline = self.redis.client.pipeline()
            pipeline.hmget(STATE, "refilled_ms", "version", "called", "rate", "burst")
            pipeline.zrange(INSIDE, 0, -1)
            state, inside = pipeline.execute()
            refilled_ms, version, called, per_minute, burst = map(int, state)
            seen = tuple(sorted(map(int, inside)))
            self.sights.append(Sight(refilled_ms, version, called, per_minute, burst, seen))
            await asyncio.sleep(0.02)

    def beyond_the_rate(self) -> float:
        """By how many calls the rate was exceeded at most, in any interval whatever: below 0 is within (I2)."""
        allowed, most, worst = 0.0, float("inf"), float("-inf")
        for before, after in pairwise(self.sights):
            most = min(most, before.called + before.burst - allowed)
            allowed += max(before.per_minute, after.per_minute) * (after.refilled_ms - before.refilled_ms) / 60_000
            worst = max(worst, after.called - allowed - most)
        return worst

    def overtaken(self) -> list[int]:
        """Numbers that were called after a higher one."""
        highest, seen, found = 0, set[int](), []
        for sight in self.sights:
            new = [number for number in sight.inside if number not in seen]
            found += [number for number in new if number < highest]
            seen.update(new)
            highest = max(highest, *new) if new else highest
        return found


def colour(folder: Path, name: str, redis: PrivateRedis, origin: Origin, per_minute: int, version: int) -> Waitroom:
    """One of the two: with a state folder of its own; keys and Redis are the same."""
    shared = folder / "keys"
    if not shared.exists():
        keys.make_pair(shared)
    waitroom = Waitroom(folder / name, redis.url, origin.port, version=version - 1)
    waitroom.server = {"trusted_proxies": ["127.0.0.1"]}
    waitroom.keys = {"admission": [str(shared / keys.ADMISSION_FILE)], "ticket": [str(shared / keys.TICKET_FILE)]}
    waitroom.set(cap=CAP, rate_per_minute=per_minute, session_s=60, claim_s=20, presence_s=10)
    return waitroom


@asynccontextmanager
async def balanced(folder: Path, blue: Waitroom, green: Waitroom) -> AsyncIterator[Balancer]:
    balancer = Balancer(free_port(), folder / "admin.sock")
    changes = {
        "bind :443 ssl crt /etc/haproxy/site.pem": f"bind 127.0.0.1:{balancer.port}",
        "/run/haproxy/admin.sock": balancer.socket,
        "server blue 127.0.0.1:8080": f"server blue 127.0.0.1:{blue.port}",
        "server green 127.0.0.1:8090": f"server green 127.0.0.1:{green.port}",
    }
    async with proxy("haproxy", folder / "haproxy", "haproxy-blue-green.cfg", balancer.port, changes):
        yield balancer


async def move(balancer: Balancer, last: tuple[str, Served], next_: tuple[str, Waitroom]) -> None:
    """The steps of the runbook: the next one is ready, and gets visitors; the last one gets no more, and stops when it
    is idle."""
    await until_ready(next_[1])
    await balancer.set(next_[0], "ready")
    async with asyncio.timeout(60):
        while not await balancer.serves(next_[0]):
            await asyncio.sleep(0.05)
        await balancer.set(last[0], "drain")
        while await balancer.sessions(last[0]):
            await asyncio.sleep(0.05)
    last[1].signal(signal.SIGTERM)
    assert await last[1].ended() == 0


async def until_ready(waitroom: Waitroom) -> None:
    async with asyncio.timeout(60), visitor() as session:
        while True:
            async with session.get(f"{waitroom.url}/.waitroom/ready") as response:
                if response.status == 200:
                    return
            await asyncio.sleep(0.05)


async def test_nobody_notices_that_green_relieves_blue_nor_that_blue_comes_back(
    tmp_path: Path, redis: PrivateRedis, origin: Origin
) -> None:
    """Same numbers, no failed request, nobody overtaken; cap and rate as they are in force, by what Redis has."""
    blue = colour(tmp_path, "blue", redis, origin, BLUE_PER_MINUTE, version=1)
    green = colour(tmp_path, "green", redis, origin, GREEN_PER_MINUTE, version=2)
    watch = Watch(redis)
    async with AsyncExitStack() as running:
        first = await running.enter_async_context(serve(blue))
        await until_ready(blue)
        balancer = await running.enter_async_context(balanced(tmp_path, blue, green))
        sale = Sale(f"http://127.0.0.1:{balancer.port}")
        async with watch.running(), sale.running():
            await watch.more_calls(1)
            second = await running.enter_async_context(serve(green))
            await move(balancer, ("blue", first), ("green", green))
            await watch.more_calls(2)
            # Back: blue's old settings under a version that is new.
            blue.version = green.version
            blue.set(cap=CAP, rate_per_minute=BLUE_PER_MINUTE, session_s=60, claim_s=20, presence_s=10)
            await running.enter_async_context(serve(blue))
            await move(balancer, ("green", second), ("blue", blue))
            await watch.more_calls(3)
    assert sale.failures == []
    assert all(len(numbers) == 1 for numbers in sale.numbers)
    given = [number for numbers in sale.numbers for number in numbers]
    assert len(set(given)) == len(given) > VISITORS
    assert sale.came_in >= 3 * CALLS
    assert max(len(sight.inside) for sight in watch.sights) == CAP
    assert watch.beyond_the_rate() <= 0
    assert watch.overtaken() == []
    assert [version for version in (1, 2, 3) if any(sight.version == version for sight in watch.sights)] == [1, 2, 3]
