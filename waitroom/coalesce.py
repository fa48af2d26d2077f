"""Calls of one kind go together: those that arrive while one is under way share the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Taken_contra = TypeVar("Taken_contra", contravariant=True)

# Items in one call: bounds the time that Redis spends on it.
MOST_ITEMS = 1000
# Who shares a call with so many gains next to nothing by more.
ENOUGH_ITEMS = 128


class Taker(Protocol[Taken_contra]):
    """Who is told what came of an item, in the turn of the event loop in which all of its batch are."""

    def take(self, result: Taken_contra) -> None: ...
    def fail(self, error: Exception) -> None: ...


class Coalescer(Generic[Item, Result]):
    """Turns single calls into batches for `send`, which gives one result for each item, in order.

    Nothing is delayed while the load is low: a call that finds none under way goes at once, unless the last batch left
    less than `every_s` ago: what a call takes by itself is shared by those who come within that time, or by enough of
    them. If `send` raises, all calls of that batch raise the same.
    """

    def __init__(self, send: Callable[[list[Item]], Awaitable[Sequence[Result]]], every_s: float = 0.0) -> None:
        self._send = send
        self._every_s = every_s
        self._next_s = 0.0  # when the next batch may leave, by the loop's clock
        self._pending: list[tuple[Item, Taker[Result]]] = []
        self._sender: asyncio.Task[None] | None = None
        self._pausing: asyncio.Future[None] | None = None

    async def __call__(self, item: Item) -> Result:
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.ask(item, Waiter(future))
        return await future

    def ask(self, item: Item, taker: Taker[Result]) -> None:
        """The same for who is told the result, and waits in no task for it."""
        self._pending.append((item, taker))
        if self._sender is None:
            self._sender = asyncio.create_task(self._drain())
        elif self._pausing and len(self._pending) >= ENOUGH_ITEMS:
            self._go()

    async def _drain(self) -> None:
        try:
            while self._pending:
                if self._every_s:
                    await self._pause()
                batch, self._pending = self._pending[:MOST_ITEMS], self._pending[MOST_ITEMS:]
                await self._settle(batch)
        finally:
            self._sender = None

    async def _pause(self) -> None:
        """Waits until the next batch may leave, or there are enough who wait for it."""
        loop = asyncio.get_running_loop()
        left_s = self._next_s - loop.time()
        if left_s > 0 and len(self._pending) < ENOUGH_ITEMS:
            self._pausing = loop.create_future()
            timer = loop.call_later(left_s, self._go)
            await self._pausing
            timer.cancel()
        self._next_s = loop.time() + self._every_s

    def _go(self) -> None:
        pausing, self._pausing = self._pausing, None
        if pausing and not pausing.done():
            pausing.set_result(None)

    async def _settle(self, batch: list[tuple[Item, Taker[Result]]]) -> None:
        try:
            results = await self._send([item for item, _ in batch])
        except Exception as exc:  # noqa: BLE001 - whatever it is, it belongs to those who wait for the batch
            for _, taker in batch:
                taker.fail(exc)
            return
        for (_, taker), result in zip(batch, results, strict=True):
            taker.take(result)


class Waiter(Generic[Result]):
    """One who waits in a task, which may have been cancelled meanwhile."""

    def __init__(self, future: asyncio.Future[Result]) -> None:
        self._future = future

    def take(self, result: Result) -> None:
        if not self._future.done():
            self._future.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self._future.done():
            self._future.set_exception(error)
