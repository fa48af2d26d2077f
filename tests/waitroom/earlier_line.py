"""A line driven by the transitions of an earlier version, which are kept in `earlier/` as they were.

Two versions meet at one Redis whenever one relieves the other. What the earlier one takes and answers is written down
here, apart from today's code, which may change.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tests.servers import PrivateRedis
from tests.waitroom.line_bench import FIRST, LineBench
from waitroom.standing import Standing, from_reply
from waitroom.store_keys import line_keys

LUA = Path(__file__).parent / "earlier"
PARTS = {
    "advance": ("_line", "_advance", "advance"),
    "join": ("_line", "_advance", "join"),
    **{name: ("_line", name) for name in ("poll", "claim", "release", "revoke", "restore", "remind", "reset")},
}
# In the order in which the earlier transitions take them.
LIMITS = (
    "version", "edited_ms", "mode", "rate_per_minute", "burst", "cap", "claim_ms", "presence_ms", "session_ms",
    "opens_ms", "closes_ms", "draw", "draw_size", "idle_ms",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What the earlier advance answers, as far as it is asked for here."""

    tail: int
    head: int
    inside: int
    called: int
    claimed: int


class EarlierBench(LineBench):
    """As `LineBench`, by the earlier transitions; what it is given as limits and knowledge is the same."""

    def __init__(self, redis: PrivateRedis, **limits: Any) -> None:
        super().__init__(redis, **limits)
        self._scripts = {
            name: redis.client.register_script("\n".join((LUA / f"{part}.lua").read_text() for part in parts))
            for name, parts in PARTS.items()
        }

    def claim(self, *numbers: int) -> list[Standing]:
        return from_reply(self._run("claim", self.now_ms, *[number + FIRST for number in numbers]))

    def _places(self, reply: list[int]) -> Iterator[tuple[int, int]]:
        yield from zip(reply[::2], reply[1::2], strict=True)

    def look(self) -> Seen:
        """Brings the line up to now."""
        reply = self._run("advance", self.now_ms, 0, *self._own())
        return Seen(reply[4] - FIRST, reply[5] - FIRST, reply[7], reply[10], reply[11])

    def _own(self) -> tuple[int | str, ...]:
        epoch, tail, head = self.known
        known = (tail + FIRST, head + FIRST) if tail else (0, 0)
        limits = (getattr(self.limits, name) for name in LIMITS)
        return *limits, epoch, *known, *self.known_arrivals, int(self.is_new)


def fields(redis: PrivateRedis) -> dict[str, str]:
    """The state of the line, as Redis has it."""
    state = cast("dict[bytes, bytes]", redis.client.hgetall(line_keys("test")[0]))
    return {name.decode(): value.decode() for name, value in state.items()}
