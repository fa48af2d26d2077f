"""Work beside the requests, and how it is stopped."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

# A cancellation that a library has swallowed is repeated: redis-py does so where it meets it while it connects.
AGAIN_S = 1.0


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Has work done that has no end, for as long as the context lasts. Raises what it failed with."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await stop(task)
    if not task.cancelled():
        task.result()


async def stop(task: asyncio.Task[None]) -> None:
    """Returns once a task has ended, which is cancelled until it does."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN_S)
