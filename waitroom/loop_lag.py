"""How late the event loop is: a sleeper asks to be woken, and what it is woken too late is what everybody waits."""

import asyncio
from collections.abc import Callable

from waitroom.desk.vitals import Durations

EVERY_S = 0.25
# Upper bounds, in seconds. Below a millisecond nobody notices; from a second on, leases and checks come late.
LAG_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class LoopLag:
    """`lags` has one observation for each quarter of a second. `now_s` is the loop's clock."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.lags = Durations(LAG_S)
        self._now_s = now_s

    async def run(self) -> None:
        """Measures until cancelled."""
        while True:
            due_s = self._now_s() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self.lags.note(max(0.0, self._now_s() - due_s))
