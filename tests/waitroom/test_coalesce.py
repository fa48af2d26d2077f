"""Calls of one kind go together."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest

from tests.servers import PATIENCE_S
from waitroom.coalesce import ENOUGH_ITEMS, MOST_ITEMS, Coalescer


class Sender:
    """Doubles numbers; each batch waits until the test lets it go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()

    async def __call__(self, items: list[int]) -> Sequence[int]:
        self.batches.append(items)
        await self.gate.wait()
        if -13 in items:
            raise ValueError("unlucky")
        return [item * 2 for item in items]


async def test_calls_that_arrive_while_one_is_under_way_share_the_next() -> None:
    sender = Sender()
    double = Coalescer[int, int](sender)
    calls = [asyncio.create_task(double(0))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    calls += [asyncio.create_task(double(i)) for i in range(1, 50)]
    sender.gate.set()
    assert await asyncio.gather(*calls) == [i * 2 for i in range(50)]
    assert [len(batch) for batch in sender.batches] == [1, 49]


async def test_a_batch_is_bounded() -> None:
    sender = Sender()
    sender.gate.set()
    double = Coalescer[int, int](sender)
    await asyncio.gather(*(double(i) for i in range(100, 100 + 2 * MOST_ITEMS + 1)))
    assert max(map(len, sender.batches)) == MOST_ITEMS


async def test_an_error_reaches_all_of_its_batch_and_nobody_else() -> None:
    sender = Sender()
    double = Coalescer[int, int](sender)
    alone = asyncio.create_task(double(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    unlucky = [asyncio.create_task(double(i)) for i in (-13, 14)]
    sender.gate.set()
    assert await alone == 2
    for call in unlucky:
        with pytest.raises(ValueError, match="unlucky"):
            await call
    assert await double(4) == 8


async def test_a_caller_who_goes_away_takes_nobody_along() -> None:
    sender = Sender()
    double = Coalescer[int, int](sender)
    gone, stays = asyncio.create_task(double(1)), asyncio.create_task(double(2))
    await asyncio.sleep(0)
    gone.cancel()
    sender.gate.set()
    assert await stays == 4


class Timed(Sender):
    """Notes when each batch left, by the loop's clock."""

    def __init__(self) -> None:
        super().__init__()
        self.gate.set()
        self.left_s: list[float] = []

    async def __call__(self, items: list[int]) -> Sequence[int]:
        self.left_s.append(asyncio.get_running_loop().time())
        return await super().__call__(items)


async def test_batches_leave_no_more_often_than_asked_for() -> None:
    """However long each call waits for the next: the first goes at once."""
    sender = Timed()
    double = Coalescer[int, int](sender, every_s=0.05)
    calls = []
    for number in range(30):
        calls.append(asyncio.create_task(double(number)))
        await asyncio.sleep(0.005)
    assert await asyncio.gather(*calls) == [number * 2 for number in range(30)]
    assert sender.batches[0] == [0]
    assert len(sender.batches) > 1
    # The loop's timers are good to a millisecond.
    assert all(later - sooner > 0.048 for sooner, later in pairwise(sender.left_s))


async def test_who_are_enough_wait_for_nobody() -> None:
    """An hour would not be over in time."""
    sender = Timed()
    double = Coalescer[int, int](sender, every_s=3600)
    await double(0)
    async with asyncio.timeout(PATIENCE_S):
        calls = [double(number) for number in range(1, ENOUGH_ITEMS + 1)]
        assert await asyncio.gather(*calls) == [number * 2 for number in range(1, ENOUGH_ITEMS + 1)]
    assert [len(batch) for batch in sender.batches] == [1, ENOUGH_ITEMS]
