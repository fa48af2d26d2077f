"""One of several processes that drive one line for a crowd: `python -m tests.waitroom.crowd_process PLAN`.

It ticks as waitroom does, and lives the visitors that came to it. PLAN is JSON, a `Plan`; what became of each visitor
is written to the file that it names, also as JSON. Times are of Redis's clock: all run on one machine.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import uvloop

from waitroom.errors import StoreLostError
from waitroom.limits import TICK_MS, Limits
from waitroom.line import Line
from waitroom.place import Outlook
from waitroom.standing import Called, Standing, Unreachable, Waiting
from waitroom.store import Store

LINE = "crowd"
PROCESSES = 4
VISITORS = 3_000
COMING = 2_100
CAP = 50
# The sale opens to those who have gathered. Each wait is then many presence windows long, as it is in a real one.
GATHERING_MS = (15_500, 14_000)
STAY_MS = (40, 160)
LIMITS = Limits(
    version=1,
    edited_ms=0,
    mode="auto",
    rate_per_minute=4_800,
    burst=81,
    cap=CAP,
    claim_ms=2_000,
    presence_ms=700,
    session_ms=20_000,
)
# So that a process ends even if the test that started it was killed.
LONGEST_S = 150
# Visitors live so much faster than people, as if the presence window were a minute: the pace is asked in their time,
# and kept in ours.
SCALE = 60_000 // LIMITS.presence_ms


@dataclass(frozen=True, slots=True)
class Visitor:
    """When it comes, how long it stays inside, and after which share of its wait it vanishes, if it does: it polls no
    more, and does not come even if it was called before."""

    arrives_ms: int
    stay_ms: int
    vanishes_at: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one process has to do: it lives each visitor of the crowd whose index leaves `process` by PROCESSES."""

    redis_url: str
    process: int
    seed: int
    opens_ms: int
    report: str


@dataclass(slots=True)
class Fate:
    """What became of a visitor.

    `called_ms` is the last call that it saw, `left_ms` when it had given its place back; 0 if never. `present_ms` are
    the times, each from when to when, in which it was present for certain.
    """

    number: int
    vanishes: bool
    called_ms: int = 0
    left_ms: int = 0
    present_ms: list[list[int]] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What a process saw: when it asked for the line to be advanced, and how many were inside then at most, counted
    together with the calls. `longest_halt_s` is how long it did not run at a time."""

    fates: list[Fate]
    steps_ms: list[int]
    most_inside: int
    longest_halt_s: float

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Report":
        told = json.loads(text)
        return cls(**told | {"fates": [Fate(**fate) for fate in told["fates"]]})


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def crowd(seed: int, opens_ms: int) -> list[Visitor]:
    """The same crowd for the same seed. The moments at which visitors vanish are spread evenly over their waits."""
    chance = random.Random(seed)
    vanishing = VISITORS - COMING
    shares = [(i + chance.random()) / vanishing for i in range(vanishing)]
    vanishes_at = shares + [None] * COMING
    chance.shuffle(vanishes_at)
    first, last = (opens_ms - before for before in GATHERING_MS)
    return [Visitor(chance.randint(first, last), chance.randint(*STAY_MS), at) for at in vanishes_at]


class Attentive:
    """The store, which also notes what Redis has heard of whom: a silence that may have been longer than the presence
    window ends the time in which a number was present for certain."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.present_ms: dict[int, list[list[int]]] = {}

    async def run(self, transition: str, line: str, arguments: Sequence[int | str | bytes]) -> Any:
        before_ms = now_ms()
        reply = await self._store.run(transition, line, arguments)
        if transition == "poll":
            after_ms = now_ms() + 1
            for number in arguments[1:]:
                self._note(int(number), before_ms, after_ms)
        return reply

    def _note(self, number: int, before_ms: int, after_ms: int) -> None:
        """Redis heard of it at a moment between the two."""
        times = self.present_ms.setdefault(number, [])
        if not times or times[-1][1] < after_ms:
            times.append([after_ms, after_ms])
        times[-1][1] = before_ms + LIMITS.presence_ms


class CrowdProcess:
    """One process: its line, and its share of the crowd."""

    def __init__(self, plan: Plan) -> None:
        self._limits = replace(LIMITS, opens_ms=plan.opens_ms)
        self._visitors = crowd(plan.seed, plan.opens_ms)[plan.process :: PROCESSES]
        self._chance = random.Random(f"{plan.seed} {plan.process}")
        self._store = Store(plan.redis_url)
        self._heard = Attentive(self._store)
        self._line = Line(LINE, self._limits, self._heard)
        self._outlook = self._slowly()
        self._steps_ms: list[int] = []
        self._most_inside = 0
        self._longest_halt_s = 0.0
        self._is_over = False

    async def run(self) -> Report:
        ticking = asyncio.create_task(self._tick())
        fates = await asyncio.gather(*(self._visit(visitor) for visitor in self._visitors))
        self._is_over = True  # not cancelled: redis-py swallows a cancellation that meets it while it connects
        await ticking
        await self._store.close()
        for fate in fates:
            fate.present_ms = self._heard.present_ms.get(fate.number, [])
        return Report(fates, self._steps_ms, self._most_inside, self._longest_halt_s)

    async def _tick(self) -> None:
        """As Lines.run does."""
        while not self._is_over:
            started = time.monotonic()
            try:
                if self._store.lost:
                    await self._store.ping()
                await self._line.tick()
            except StoreLostError:
                pass  # too late an answer of a busy machine: the next tick tries again
            self._outlook = self._slowly()
            if self._line.snapshot:
                self._steps_ms.append(self._line.snapshot.now_ms)
                self._most_inside = max(self._most_inside, self._line.snapshot.inside)
            await asyncio.sleep(max(0.0, TICK_MS / 1000 - (time.monotonic() - started)))
            self._longest_halt_s = max(self._longest_halt_s, time.monotonic() - started - TICK_MS / 1000)

    def _slowly(self) -> Outlook:
        """The line as a place is told from it, in the visitors' time."""
        snapshot, estimate, limits = self._line.snapshot, self._line.estimate, self._limits
        seen_ms = snapshot.now_ms if snapshot else now_ms()
        slow = replace(
            limits,
            presence_ms=limits.presence_ms * SCALE,
            rate_per_minute=limits.rate_per_minute // SCALE,
            opens_ms=seen_ms + (limits.opens_ms - seen_ms) * SCALE,
        )
        if estimate:
            estimate = replace(
                estimate,
                rate_per_s=estimate.rate_per_s / SCALE,
                slow_per_s=estimate.slow_per_s / SCALE,
                fast_per_s=estimate.fast_per_s / SCALE,
                vanishing_per_s=estimate.vanishing_per_s / SCALE,
            )
        return Outlook(snapshot, estimate, slow, polls_per_second=10_000, message="")

    async def _visit(self, visitor: Visitor) -> Fate:
        await _until(visitor.arrives_ms)
        while (fate := await self._join(visitor)) is None:
            await asyncio.sleep(0.1)
        goes_ms = self._goes_ms(visitor, fate.number)
        standing: Standing = Waiting()
        while now_ms() < goes_ms:
            place = self._outlook.place(fate.number, standing, self._chance.random())
            await asyncio.sleep(place.poll_after_ms / SCALE / 1000)
            try:
                standing = await self._poll(fate)
                if isinstance(standing, Called):
                    if fate.vanishes:
                        break
                    standing = await self._line.claim((fate.number, 0))
                if isinstance(standing, Called):
                    await asyncio.sleep(visitor.stay_ms / 1000)
                    await self._leave(fate)
                    break
            except StoreLostError:
                standing = Unreachable()
        return fate

    async def _join(self, visitor: Visitor) -> Fate | None:
        try:
            joined = await self._line.join("")
        except StoreLostError:
            return None
        if joined is None:
            return None
        self._line.poll(joined.number)
        return Fate(joined.number, visitor.vanishes_at is not None)

    def _goes_ms(self, visitor: Visitor, number: int) -> float:
        """When the visitor stops polling for good: after its share of the wait that lies before it."""
        if visitor.vanishes_at is None:
            return float("inf")
        snapshot = self._line.snapshot
        ahead = (number - snapshot.head) * COMING / VISITORS if snapshot else 0
        called_ms = self._limits.opens_ms + max(0, ahead - LIMITS.burst) * 60_000 / LIMITS.rate_per_minute
        return visitor.arrives_ms + visitor.vanishes_at * (called_ms - visitor.arrives_ms)

    async def _poll(self, fate: Fate) -> Standing:
        if self._line.standing(fate.number):
            self._line.poll(fate.number)
            return Waiting()
        standing = await self._line.look(fate.number)
        # A longer lease was claimed, and the answer was lost.
        if isinstance(standing, Called) and standing.lease_end_ms <= now_ms() + LIMITS.claim_ms:
            fate.called_ms = standing.lease_end_ms - LIMITS.claim_ms
        return standing

    async def _leave(self, fate: Fate) -> None:
        while True:
            try:
                await self._line.release(fate.number)
            except StoreLostError:
                await asyncio.sleep(0.05)
                continue
            fate.left_ms = now_ms()
            return


async def _until(moment_ms: int) -> None:
    await asyncio.sleep(max(0, moment_ms - now_ms()) / 1000)


async def _lived(plan: Plan) -> Report:
    async with asyncio.timeout(LONGEST_S):
        return await CrowdProcess(plan).run()


def main() -> None:
    plan = Plan(**json.loads(sys.argv[1]))
    report = uvloop.run(_lived(plan))
    Path(plan.report).write_text(report.to_json())


if __name__ == "__main__":
    main()
