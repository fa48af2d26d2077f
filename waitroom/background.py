"""Work beside the serving of requests: it is begun, stopped, and missed if it ends by itself."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack

log = logging.getLogger(__name__)

# A cancellation that a library has swallowed is repeated: redis-py does so where it meets it while it connects.
AGAIN_S = 1.0


async def in_background(stack: AsyncExitStack, work: Coroutine[object, object, None]) -> None:
    """Runs something beside; when the stack unwinds, it is cancelled until it has ended."""
    task = asyncio.create_task(work)
    task.add_done_callback(_report)

    async def end() -> None:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=AGAIN_S)

    stack.push_async_callback(end)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (exc := task.exception()):
        log.critical("a background task ended: waitroom should be restarted", exc_info=exc)
