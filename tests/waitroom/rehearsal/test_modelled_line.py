"""The line of a plan, and the transitions in Redis: told the same story, they call the same numbers at each tick."""

import random
from typing import Any

import pytest

from tests.servers import PrivateRedis
from tests.waitroom.line_bench import LineBench
from waitroom.limits import TICK_MS
from waitroom.rehearsal.modelled_line import ModelledLine
from waitroom.standing import Called

TICKS = 240
PRESENCE_MS = 6_000
# Of those who wait, each polls so often: well within a presence window.
POLL_TICKS = 7


class Story:
    """Visitors who come, wait, vanish and return, claim, and leave or not: by chance, and the same to both lines."""

    def __init__(self, redis: PrivateRedis, seed: int, limits: dict[str, Any]) -> None:
        self.chance = random.Random(seed)
        self.real = LineBench(redis, presence_ms=PRESENCE_MS, claim_ms=3_000, session_ms=10_000, **limits)
        self.model = ModelledLine(self.real.limits, self.real.now_ms)
        self.real.advance()
        self.seen_ms: dict[int, int] = {}  # of those who wait: when they polled last
        self.gone: set[int] = set()
        self.claimed: set[int] = set()

    @property
    def now_ms(self) -> int:
        return self.real.now_ms

    def step(self, tick: int) -> None:
        """One tick, of both."""
        self.real.pass_ms(TICK_MS)
        joiners = self._join() if self.chance.random() < 0.5 else []
        self.real.advance()
        self.model.advance(self.now_ms)
        self._note_called()
        self._poll(tick, joiners)
        self._vanish()
        self._return()
        self._go_on()

    def state(self) -> tuple[Any, ...]:
        return sorted(self.model.leases), self.model.head, self.model.called, self.model.waiting

    def true_state(self) -> tuple[Any, ...]:
        seen = self.real.advance(tick_ms=TICK_MS)
        return self.real.inside(), seen.head, seen.called, seen.waiting

    def _join(self) -> list[int]:
        numbers, called = self.real.join(n := self.chance.randint(1, 6))
        given = self.model.join(n, self.now_ms)
        assert [number for number in given if number >= numbers[0]] == called
        return [number for number in numbers if number not in called and self.chance.random() < 0.9]

    def _note_called(self) -> None:
        for number in [number for number in self.seen_ms if number in self.model.leases]:
            del self.seen_ms[number]

    def _poll(self, tick: int, joiners: list[int]) -> None:
        due = [number for number in self.seen_ms if (number + tick) % POLL_TICKS == 0]
        for number in [*due, *joiners]:
            self._see(number)

    def _see(self, number: int) -> None:
        (standing,) = self.real.poll(number)
        assert self.model.see(number, self.now_ms) == standing
        if not isinstance(standing, Called):
            self.seen_ms[number] = self.now_ms

    def _vanish(self) -> None:
        for number in [number for number in self.seen_ms if self.chance.random() < 0.02 and number > self.model.head]:
            self.model.vanish(number, self.seen_ms.pop(number))
            self.gone.add(number)

    def _return(self) -> None:
        for number in [number for number in sorted(self.gone) if self.chance.random() < 0.02]:
            self.gone.remove(number)
            (standing,) = self.real.poll(number)
            assert self.model.see(number, self.now_ms) == standing
            if not isinstance(standing, Called):
                self.seen_ms[number] = self.now_ms

    def _go_on(self) -> None:
        """Those inside claim, stay active, leave, or let it lapse."""
        for number in sorted(self.model.leases):
            if number in self.gone:
                continue
            luck = self.chance.random()
            if luck < 0.15:
                self.real.claim(number)
                assert self.model.claim(number, self.now_ms)
                self.claimed.add(number)
            elif luck < 0.2 and number in self.claimed:
                self.real.release(number)
                self.model.release(number)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "limits",
    [
        {"mode": "auto", "rate_per_minute": 300, "burst": 6, "cap": 40},
        {"mode": "auto", "rate_per_minute": 737, "burst": 14, "cap": 25},
        {"mode": "queue", "rate_per_minute": 6_000, "burst": 101, "cap": 8},
    ],
    ids=["the rate binds", "now one, now the other", "the cap binds"],
)
def test_told_the_same_story_the_model_calls_whom_the_transitions_call(
    redis: PrivateRedis, seed: int, limits: dict[str, Any]
) -> None:
    story = Story(redis, seed, limits)
    states = []
    for tick in range(TICKS):
        story.step(tick)
        states.append(story.state())
        assert states[-1] == story.true_state(), f"tick {tick}"
    assert states[-1][2] > 50, "a story in which nobody is called says nothing"
    assert story.model.missed > 0
