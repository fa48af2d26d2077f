"""The origins of all rooms: which of them serves a request, and what is done for them beside."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic

from waitroom.addresses import Resolve, resolve
from waitroom.origin import Origin, T, WhyNot
from waitroom.origin_terms import OriginTerms
from waitroom.rooms import Room

# How often the pools are tidied, and how finely checks are timed.
TICK_S = 0.25


@dataclass(frozen=True, slots=True)
class OriginState:
    """How an origin does, for those who watch: `fault` is what its last health check found, "" if it passed."""

    rooms: tuple[str, ...]
    url: str
    busy: int
    idle: int
    is_available: bool
    why_not: WhyNot
    fault: str


class Origins(Generic[T]):
    """Rooms that name an origin with the same URL and the same terms share it, its pool and what is known of it."""

    def __init__(
        self,
        connect: Callable[[], T],
        now_s: Callable[[], float],
        chance: Callable[[], float],
        resolve: Resolve = resolve,
    ) -> None:
        """`connect` makes a connection's protocol; `now_s` is the loop's clock; `chance` gives from 0 up to 1."""
        self._connect = connect
        self._now_s = now_s
        self._chance = chance
        self._resolve = resolve
        self._origins: dict[tuple[str, OriginTerms], Origin[T]] = {}
        self._by_room: dict[str, tuple[Origin[T], ...]] = {}
        self._next_check_s: dict[Origin[T], float] = {}

    def choose(self, room: Room, excluded: Origin[T] | None = None) -> Origin[T] | None:
        """The available origin with the least requests under way for its weight, or None; of several, any.

        Where all that are healthy have been ejected, the one with the least failures in a row is the last resort, so
        that no guess about origins closes a site. With `excluded`, which has just failed, there is none.
        """
        origins = self._by_room.get(room.name, ())
        if len(origins) == 1 and excluded is None:
            origin = origins[0]
            if origin.health.is_well and origin.busy < origin.terms.connections:
                return origin
        best, least, tied, now_s = None, float("inf"), 0.0, self._now_s()
        for origin in origins:
            weight = origin.weight(now_s)
            if not weight or origin is excluded:
                continue
            load = origin.busy / weight
            if load < least:
                best, least, tied = origin, load, weight
            elif load == least:
                tied += weight
                best = origin if self._chance() * tied < weight else best
        return best if best or excluded else _last_resort(origins)

    def apply(self, rooms: Iterable[Room]) -> None:
        """These rooms are in force from now on."""
        rooms = list(rooms)
        keys = {(url, room.origin_terms) for room in rooms for url in room.origins}
        gone = [origin for key, origin in self._origins.items() if key not in keys]
        self._origins = {key: self._origins.get(key) or self._new(*key) for key in keys}
        self._by_room = {
            room.name: tuple(self._origins[url, room.origin_terms] for url in dict.fromkeys(room.origins))
            for room in rooms
        }
        for origin in gone:
            self._next_check_s.pop(origin, None)
            origin.retire()

    def up_of(self, room: str) -> tuple[int, int]:
        """How many origins of a room may be asked, and how many it has."""
        origins = self._by_room.get(room, ())
        return sum(not origin.why_not() for origin in origins), len(origins)

    def states(self) -> list[OriginState]:
        """All of them, in the order of the rooms."""
        rooms: dict[Origin[T], list[str]] = {}
        for name, origins in self._by_room.items():
            for origin in origins:
                rooms.setdefault(origin, []).append(name)
        return [_state(origin, tuple(names)) for origin, names in rooms.items()]

    async def run(self) -> None:
        """Checks the health of origins, tidies their pools and looks their hosts up anew, until it is cancelled."""
        async with asyncio.TaskGroup() as checks:
            while True:
                for origin in list(self._origins.values()):
                    origin.tidy()
                    if self._is_check_due(origin):
                        checks.create_task(origin.check())
                await asyncio.sleep(TICK_S)

    async def close(self) -> None:
        """Closes what is idle; what is busy closes once it is given back."""
        self.apply([])
        await asyncio.sleep(0)  # a transport closes in the loop's next round

    def _new(self, url: str, terms: OriginTerms) -> Origin[T]:
        return Origin(url, terms, self._connect, self._now_s, self._resolve)

    def _is_check_due(self, origin: Origin[T]) -> bool:
        """Since `health_timeout_s` is within `health_interval_s`, there is one check of an origin at a time."""
        interval_s, now_s = origin.terms.health_interval_s, self._now_s()
        # Processes that begin together do not ask together.
        due_s = self._next_check_s.setdefault(origin, now_s + interval_s * self._chance())
        if not origin.terms.health_path or now_s < due_s:
            return False
        self._next_check_s[origin] = now_s + interval_s
        return True


def _last_resort(origins: Iterable[Origin[T]]) -> Origin[T] | None:
    ejected = (origin for origin in origins if origin.why_not() == "ejected")
    return min(ejected, key=lambda origin: (origin.failures, origin.busy), default=None)


def _state(origin: Origin[T], rooms: tuple[str, ...]) -> OriginState:
    why_not = origin.why_not()
    return OriginState(rooms, origin.url, origin.busy, origin.idle, not why_not, why_not, origin.fault)
