"""What polls cost Redis: a process tells of its visitors together, so that a crowd costs less per poll, not more."""

import asyncio
from dataclasses import replace

from tests.servers import PrivateRedis
from tests.waitroom.line_bench import LIMITS
from tests.waitroom.running import TIMEOUT_MS
from waitroom.limits import TICK_MS
from waitroom.line import Line
from waitroom.store import Store

TICKS_PER_S = 1000 // TICK_MS


def scripts_run(redis: PrivateRedis) -> int:
    """How many commands lines have sent: all of them are scripts."""
    count: int = redis.client.info("commandstats")["cmdstat_evalsha"]["calls"]
    return count


async def commands_in_a_second(redis: PrivateRedis, polls_per_second: int) -> int:
    """Of one process, with so many visitors who poll once each, spread over the second's ticks."""
    store = Store(redis.url, TIMEOUT_MS)
    line = Line(f"polls-{polls_per_second}", replace(LIMITS, mode="hold"), store)
    joined = await asyncio.gather(*(line.join("") for _ in range(polls_per_second)))
    numbers = [visitor.number for visitor in joined if visitor]
    line.poll(numbers[0])
    await line.tick()  # now Redis has the scripts
    before = scripts_run(redis)
    for tick in range(TICKS_PER_S):
        for number in numbers[tick::TICKS_PER_S]:
            line.poll(number)
        await line.tick()
    sent = scripts_run(redis) - before
    await line.tick()
    await store.close()
    assert line.snapshot
    assert line.snapshot.waiting == polls_per_second  # all were told of
    return sent


async def test_the_more_poll_the_fewer_commands_a_poll_costs(redis: PrivateRedis) -> None:
    """Per 1,000 polls: an advance and a batch each tick at 200 polls a second, at most 5 commands at 20,000."""
    few = await commands_in_a_second(redis, 200) * 1000 / 200
    many = await commands_in_a_second(redis, 20_000) * 1000 / 20_000
    assert few == 2 * TICKS_PER_S * 1000 / 200
    assert many < few
    assert many <= 5


async def test_a_poll_by_itself_asks_redis_nothing(redis: PrivateRedis) -> None:
    """Between ticks any number of polls costs no command, and a visitor that polls twice is told of once."""
    store = Store(redis.url, TIMEOUT_MS)
    line = Line("polls", replace(LIMITS, mode="hold"), store)
    joined = await line.join("")
    assert joined
    line.poll(joined.number)
    await line.tick()  # now Redis has the scripts
    before = scripts_run(redis)
    for _ in range(1_000):
        line.poll(joined.number)
    assert scripts_run(redis) == before
    await line.tick()
    assert scripts_run(redis) == before + 2
    await store.close()
