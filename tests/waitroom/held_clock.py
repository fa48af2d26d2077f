"""A store whose Redis is told the time by the test: nothing that it decides hangs on how fast the machine is."""

from collections.abc import Sequence
from typing import Any

from tests.waitroom.line_bench import START_MS
from tests.waitroom.running import TIMEOUT_MS
from waitroom.line import REDIS_CLOCK
from waitroom.store import Store


class HeldClock(Store):
    """Only the test moves `now_ms`."""

    def __init__(self, url: str) -> None:
        super().__init__(url, TIMEOUT_MS)
        self.now_ms = START_MS

    async def run(self, transition: str, line: str, arguments: Sequence[int | str | bytes]) -> Any:
        """Transitions that would ask Redis for the time take the test's."""
        if arguments and arguments[0] == REDIS_CLOCK:
            arguments = [self.now_ms, *arguments[1:]]
        return await super().run(transition, line, arguments)
