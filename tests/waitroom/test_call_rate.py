"""What a process measures of a line: calls, and under which terms."""

from dataclasses import replace

from tests.servers import PrivateRedis
from tests.waitroom.held_clock import HeldClock
from tests.waitroom.line_bench import LIMITS, START_MS
from waitroom.limits import TICK_MS
from waitroom.line import Line


async def test_the_time_before_the_opening_does_not_slow_what_is_measured(redis: PrivateRedis) -> None:
    """A sale opens after a minute of waiting: its calls are then measured by the time since, so that who is next is
    told a short wait, and polls soon."""
    opens_ms = START_MS + 60_000
    limits = replace(LIMITS, opens_ms=opens_ms, cap=1_000)
    clock = HeldClock(redis.url)
    line = Line("sale", limits, clock)
    joined = [await line.join("") for _ in range(600)]
    measured = []
    while clock.now_ms < opens_ms + 3_000:
        for visitor in joined:
            assert visitor
            if line.standing(visitor.number):
                line.poll(visitor.number)
        await line.tick()
        clock.now_ms += TICK_MS
        measured.append(line.rate.per_minute)
    await clock.close()
    assert measured[-1] == limits.rate_per_minute


async def test_a_quiet_minute_before_a_rush_does_not_slow_what_is_measured(redis: PrivateRedis) -> None:
    """Whoever comes in the first seconds of a rush is told the pace at which its line moves, and not that at which so
    few had come before."""
    clock = HeldClock(redis.url)
    line = Line("rush", replace(LIMITS, cap=1_000, burst=1), clock)
    for _ in range(60_000 // TICK_MS):
        await line.tick()
        clock.now_ms += TICK_MS
    quiet = line.rate.per_minute
    joined = [await line.join("") for _ in range(600)]
    for _ in range(5_000 // TICK_MS):
        for visitor in joined:
            if visitor and line.standing(visitor.number):
                line.poll(visitor.number)
        await line.tick()
        clock.now_ms += TICK_MS
    await clock.close()
    assert (quiet, line.rate.per_minute) == (0, 240), "one call a tick, and no more"


async def test_small_steps_of_the_rate_go_on_with_what_was_measured_and_large_ones_do_not(
    redis: PrivateRedis,
) -> None:
    """Adaptive admission moves the rate every few seconds; an operator who doubles it wants to see that soon."""
    clock = HeldClock(redis.url)
    line = Line("steps", replace(LIMITS, cap=100), clock)

    async def ticks(count: int) -> None:
        for _ in range(count):
            await line.tick()
            clock.now_ms += TICK_MS

    await ticks(20)
    line.limits = replace(line.limits, rate_per_minute=6_600, revision=1)
    await ticks(1)
    measured = [line.rate.per_minute]
    line.limits = replace(line.limits, rate_per_minute=60, revision=2)
    await ticks(1)
    measured.append(line.rate.per_minute)
    assert [rate is None for rate in measured] == [False, True]
    await clock.close()
