"""Calls of one kind go together: those that arrive while one is under way share the next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items in one call: bounds the time that Redis spends on it.
MOST_ITEMS = 1000


class Coalescer(Generic[Item, Result]):
    """Turns single calls into batches for `send`, which gives one result for each item, in order.

    Nothing is delayed while the load is low: a call that finds none under way goes at once. If `send` raises, all calls
    of that batch raise the same.
    """

    def __init__(self, send: Callable[[list[Item]], Awaitable[Sequence[Result]]]) -> None:
        self._send = send
        self._pending: list[tuple[Item, asyncio.Future[Result]]] = []
        self._sender: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Result:
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._pending.append((item, future))
        if self._sender is None:
            self._sender = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        try:
            while self._pending:
                batch, self._pending = self._pending[:MOST_ITEMS], self._pending[MOST_ITEMS:]
                await self._settle(batch)
        finally:
            self._sender = None

    async def _settle(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._send([item for item, _ in batch])
        except Exception as exc:  # noqa: BLE001 - whatever it is, it belongs to those who wait for the batch
            for _, future in batch:
                if not future.done():  # done: its caller was cancelled
                    future.set_exception(exc)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
