"""What Prometheus is shown: a waitroom and a booking site that serve, each in a process of its own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.booking.bench import Room
from tests.booking.test_cli import Served as Booking
from tests.prometheus.server import Prometheus
from tests.servers import PrivateRedis
from tests.waitroom.running import Origin, Waitroom
from tests.waitroom.running import origin as an_origin
from tests.waitroom.serving import serve
from tests.waitroom.visitors import Come, coming


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[PrivateRedis]:
    """A Redis that the test may kill."""
    redis = PrivateRedis(tmp_path / "redis")
    redis.start()
    yield redis
    redis.close()


@pytest.fixture
async def come() -> AsyncIterator[Come]:
    async with AsyncExitStack() as stack:
        yield coming(stack)


@dataclass(frozen=True)
class Scene:
    """All of it, running."""

    prometheus: Prometheus
    waitroom: Waitroom
    booking: Booking
    origin: Origin
    redis: PrivateRedis


@pytest.fixture
async def scene(tmp_path: Path, own_redis: PrivateRedis) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(an_origin())
        waitroom = Waitroom(tmp_path / "waitroom", own_redis.url, origin.port, server={"workers": 2})
        waitroom.set()
        await stack.enter_async_context(serve(waitroom))
        # What is ten minutes to the rules is ten seconds here.
        booking = Booking(tmp_path, Room(tmp_path), own_redis.url, BOOKING_SWEEP_S="1")
        stack.callback(booking.kill)
        booking.wait_until_healthy()
        prometheus = Prometheus(tmp_path / "prometheus")
        prometheus.configure(
            {"127.0.0.1:9180": f"127.0.0.1:{waitroom.admin_port}", "127.0.0.1:9181": f"127.0.0.1:{booking.admin_port}"}
        )
        await stack.enter_async_context(prometheus.running())
        yield Scene(prometheus, waitroom, booking, origin, own_redis)
