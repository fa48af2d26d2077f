"""One worker: a process that serves on sockets which its supervisor has opened, until that stops it, or dies."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path

from waitroom.app import Inherited, running
from waitroom.config_file import ConfigFile
from waitroom.errors import WaitroomError
from waitroom.fronts import Fronts
from waitroom.orders import READY, Orders

# Objects made, and not yet let go, between two looks of the garbage collector.
GARBAGE = 20_000


async def work(orders: Orders) -> None:
    """Serves until SIGTERM, or until standard input ends, which is the supervisor's end; then lets requests finish.

    Raises WaitroomError where it can't serve; the supervisor was told.
    """
    stop, now = asyncio.Event(), asyncio.Event()
    with os.fdopen(orders.ready, "wb") as ready:
        try:
            config = ConfigFile(Path(orders.config))
            async with _serving(config, orders) as fronts:
                _listen_for_the_end(stop, now)
                _settle()
                ready.write(READY)
                ready.close()
                await stop.wait()
                await _either(fronts.drain(config.settings.server.drain_s), now.wait())
        except WaitroomError as exc:
            if not ready.closed:
                ready.write(str(exc).encode())
            raise


@contextlib.asynccontextmanager
async def _serving(config: ConfigFile, orders: Orders) -> AsyncIterator[Fronts]:
    sockets = {address: [socket.socket(fileno=one) for one in some] for address, some in orders.sockets.items()}
    async with running(config, Inherited(sockets, orders.store_url, orders.generation, orders.worker_deaths)) as fronts:
        yield fronts


def _listen_for_the_end(stop: asyncio.Event, now: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def end() -> None:
        (now if stop.is_set() else stop).set()

    def orphaned() -> None:
        loop.remove_reader(sys.stdin)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    # Nobody writes to it: it is ready when it ends.
    loop.add_reader(sys.stdin, orphaned)


def _settle() -> None:
    """What a process has once it serves, it has for good: the collector need not look at it again and again. A request
    leaves no cycles behind, so that it need not look often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


async def _either(*work: Coroutine[object, object, object]) -> None:
    """Returns when one of them has; the others are cancelled."""
    tasks = [asyncio.create_task(one) for one in work]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
