"""The supervisor: opens the sockets, starts the embedded Redis, and keeps the workers that serve.

The sockets are its own, so that a visitor who is queued in one is served by whichever worker comes next.
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from waitroom import settings, sockets
from waitroom.embedded import EmbeddedRedis
from waitroom.errors import ConfigError, Fault, WaitroomError, WorkerError
from waitroom.settings import Settings
from waitroom.sockets import Sockets
from waitroom.takeover import Estate, Predecessor, Successor
from waitroom.worker_process import WorkerProcess

log = logging.getLogger(__name__)

# A worker that dies is replaced at once; if it dies young, again and again, ever later.
YOUNG_S = 10.0
FIRST_DELAY_S, LONGEST_DELAY_S = 0.2, 10.0
# How much longer than `drain_s` a worker may take to end.
GRACE_S = 15.0


async def supervise(config: Path, *, take_over: bool) -> None:
    """Runs a waitroom until SIGINT or SIGTERM, or until the next one has taken over. Raises WaitroomError where
    something needed can't be had."""
    supervisor = Supervisor(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, supervisor.stop)
    loop.add_signal_handler(signal.SIGHUP, supervisor.reload)
    await supervisor.run(take_over=take_over)


@dataclass(frozen=True, slots=True)
class Plan:
    """What workers are started by."""

    settings: Settings
    sockets: Sockets
    store_url: str
    generation: int = 0

    def sockets_of(self, index: int) -> Sockets:
        """Those from which one of the workers accepts; the first of them serves the operators."""
        public = {address: self.sockets[address] for address in self.settings.public_addresses}
        own = sockets.share(public, index, self.settings.server.workers)
        admin = self.settings.admin.listen
        return own | {admin: self.sockets[admin]} if index == 0 else own


class Supervisor:
    """Of one waitroom on one machine."""

    def __init__(self, config: Path) -> None:
        """Raises ConfigError."""
        self._config = config
        self._plan = Plan(settings.load(config)[0], {}, "")
        self._state = Path(self._plan.settings.server.state)
        self._redis: EmbeddedRedis | None = None
        self._workers: dict[int, WorkerProcess] = {}
        self._dismissed: set[WorkerProcess] = set()
        self._delays_s: dict[int, float] = {}
        self._worker_deaths = 0
        self._tasks: set[asyncio.Task[None]] = set()
        # Workers are changed by one at a time.
        self._changing = asyncio.Lock()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """The second time, without waiting for requests under way."""
        self._stopping.set()
        for worker in self._dismissed:
            worker.dismiss()

    def reload(self) -> None:
        """Applies all of the configuration anew, by new workers."""
        self._spawn(self._reload())

    async def run(self, *, take_over: bool) -> None:
        """Returns when it has been stopped, or relieved, and all its workers have ended."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._end)
            async with self._changing:
                await self._start(await Predecessor.meet(self._state) if take_over else None)
            successor = Successor(self._state, self._estate, self._relieved)
            stack.callback(successor.close)
            successor.start()
            log.info("waitroom listens on %s", ", ".join(self._plan.settings.public_addresses))
            await self._stopping.wait()
            log.info("waitroom stops: what was accepted is answered yet")

    async def _start(self, predecessor: Predecessor | None) -> None:
        estate = predecessor.estate if predecessor else Estate({}, "", None)
        read = self._plan.settings
        adopts = not read.store.url and estate.lock is not None
        opened = _open(read, estate.sockets)
        self._plan = Plan(read, opened, estate.store_url if adopts else "")
        sockets.close(estate.sockets, kept=opened)
        if not read.store.url and not adopts:
            self._plan = Plan(read, opened, await self._start_redis())
        # The first by itself: what is wrong with it is wrong with all.
        self._put(await self._hire(self._plan, 0))
        others = (self._hire(self._plan, index) for index in range(1, read.server.workers))
        for worker in await asyncio.gather(*others):
            self._put(worker)
        if predecessor:
            await predecessor.relieve(with_redis=adopts)
        if adopts and estate.lock is not None:
            self._redis = EmbeddedRedis(self._state, estate.store_url)
            self._redis.adopt(estate.lock)

    async def _start_redis(self) -> str:
        """Gives its URL. Raises EmbeddedStoreError."""
        redis = EmbeddedRedis(self._state)
        await redis.start()
        self._redis = redis
        return redis.url

    async def _hire(self, plan: Plan, index: int) -> WorkerProcess:
        """Raises WorkerError."""
        return await WorkerProcess.start(
            index,
            self._config,
            plan.sockets_of(index),
            plan.store_url,
            plan.generation,
            self._worker_deaths,
        )

    def _put(self, worker: WorkerProcess) -> None:
        """Gives a worker its place; who had it is dismissed."""
        if old := self._workers.get(worker.index):
            self._dismiss(old)
        self._workers[worker.index] = worker
        self._spawn(self._watch(worker))

    def _dismiss(self, worker: WorkerProcess) -> None:
        worker.dismiss()
        self._dismissed.add(worker)
        self._spawn(self._see_off(worker, self._plan.settings.server.drain_s + GRACE_S))

    async def _see_off(self, worker: WorkerProcess, patience_s: float) -> None:
        try:
            async with asyncio.timeout(patience_s):
                await worker.ended()
        except TimeoutError:
            log.error("a worker did not end in time: it is killed")
            worker.kill()
            await worker.ended()
        self._dismissed.discard(worker)

    async def _watch(self, worker: WorkerProcess) -> None:
        code = await worker.ended()
        if worker.is_dismissed:
            return
        self._worker_deaths += 1
        log.error("worker %s died (exit code %s): another takes its place", worker.index, code)
        await self._fill(worker.index, worker, self._delays_s.get(worker.index, 0.0) if worker.age_s < YOUNG_S else 0.0)

    async def _fill(self, index: int, before: WorkerProcess | None, delay_s: float) -> None:
        """Puts a new worker in a place, trying on until it serves, unless another was put there meanwhile."""
        while not self._stopping.is_set():
            self._delays_s[index] = min(max(FIRST_DELAY_S, delay_s * 2), LONGEST_DELAY_S)
            await self._pause(delay_s)
            if await self._replace(index, before):
                return
            delay_s = self._delays_s[index]

    async def _pause(self, delay_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._stopping.wait()

    async def _replace(self, index: int, before: WorkerProcess | None) -> bool:
        """False where another could not be started; what to do about it is logged."""
        async with self._changing:
            if self._stopping.is_set() or self._workers.get(index) is not before:
                return True
            try:
                self._put(await self._hire(self._plan, index))
            except WorkerError as exc:
                log.error("a worker can't serve, and is tried again: %s", exc)
                return False
            return True

    async def _reload(self) -> None:
        async with self._changing:
            if self._stopping.is_set():
                return
            try:
                plan = await self._new_plan()
            except WaitroomError as exc:
                log.error("the new configuration is refused, all stays as it was: %s", exc)
                return
            if await self._roll(plan):
                log.info("configuration version %s is in force, with new workers", plan.settings.version)
            if self._plan.settings.store.url and self._redis:
                redis, self._redis = self._redis, None
                self._spawn(self._stop_redis(redis))

    async def _new_plan(self) -> Plan:
        """Raises WaitroomError, and then has changed nothing."""
        old = self._plan
        new, _ = settings.load(self._config)
        if new.server.state != old.settings.server.state:
            raise ConfigError(str(self._config), [Fault("server.state", "can't change while it runs: start it anew")])
        opened = _open(new, old.sockets)
        try:
            url = "" if new.store.url else self._redis.url if self._redis else await self._start_redis()
        except WaitroomError:
            sockets.close(opened, kept=old.sockets)
            raise
        return Plan(new, opened, url, old.generation + 1)

    async def _roll(self, plan: Plan) -> bool:
        """Puts new workers in the place of the old, each once it serves. False if they can't serve: the old stay."""
        old = self._plan
        for index in range(plan.settings.server.workers):
            try:
                worker = await self._hire(plan, index)
            except WorkerError as exc:
                if index == 0:
                    log.error("workers with the new configuration can't serve, the old ones stay: %s", exc)
                    sockets.close(plan.sockets, kept=old.sockets)
                    return False
                log.error("a worker can't serve, and is tried again: %s", exc)
                self._spawn(self._fill(index, self._workers.get(index), FIRST_DELAY_S))
            else:
                self._plan = plan
                self._put(worker)
        for index in [index for index in self._workers if index >= plan.settings.server.workers]:
            self._dismiss(self._workers.pop(index))
        sockets.close(old.sockets, kept=plan.sockets)
        return True

    async def _stop_redis(self, redis: EmbeddedRedis) -> None:
        """Once those who use it have ended."""
        await asyncio.gather(*(worker.ended() for worker in self._dismissed))
        await redis.stop()

    def _estate(self) -> Estate:
        return Estate(self._plan.sockets, self._plan.store_url, self._redis.lock if self._redis else None)

    def _relieved(self, has_redis: bool) -> None:
        if has_redis and self._redis:
            self._redis.release()
            self._redis = None
        self._stopping.set()

    async def _end(self) -> None:
        self._stopping.set()
        # Who would be queued in them, and nobody would answer, is better refused.
        sockets.close(self._plan.sockets)
        async with self._changing:
            for worker in list(self._workers.values()):
                self._dismiss(worker)
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._redis:
            await self._redis.stop()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()):
            log.critical("the supervisor failed at a task", exc_info=exc)


def _open(read: Settings, held: Sockets) -> Sockets:
    """Raises ListenError. Of the address for operators, one socket is enough."""
    public = sockets.open_sockets(read.public_addresses, read.server.workers, held)
    try:
        return public | sockets.open_sockets([read.admin.listen], 1, held)
    except WaitroomError:
        sockets.close(public, held)
        raise
