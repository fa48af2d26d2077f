"""Work beside the requests ends when it is told to."""

import asyncio

import pytest

from booking import background


async def test_work_that_swallows_a_cancellation_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As redis-py does now and then while it connects."""
    monkeypatch.setattr(background, "AGAIN_S", 0.01)
    swallowed = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            swallowed.set()
        await asyncio.sleep(3600)

    async with background.running(work()):
        await asyncio.sleep(0)
    assert swallowed.is_set()


async def test_work_that_failed_says_so_at_the_end() -> None:
    async def work() -> None:
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        async with background.running(work()):
            await asyncio.sleep(0)
