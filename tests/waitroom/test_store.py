"""The store's own end: nothing of it is left."""

import asyncio

import pytest

from tests.servers import PrivateRedis, eventually
from waitroom.errors import StoreLostError
from waitroom.store import NoLineError, Store


@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 20])
async def test_a_store_that_closes_leaves_no_connection_behind(own_redis: PrivateRedis, steps: int) -> None:
    """Also one that is just being made, for a call that nobody awaits any more."""
    store = Store(own_redis.url)
    call = asyncio.create_task(store.run("release", "site", []))
    for _ in range(steps):
        await asyncio.sleep(0)
    await store.close()
    with pytest.raises((StoreLostError, NoLineError)):  # the other is an answer, where there was time for one
        await call
    await eventually(lambda: len(own_redis.client.client_list()) == 1)  # the one that asks


async def test_a_closed_store_connects_no_more(own_redis: PrivateRedis) -> None:
    store = Store(own_redis.url)
    await store.close()
    with pytest.raises(StoreLostError):
        await store.run("release", "site", [])
