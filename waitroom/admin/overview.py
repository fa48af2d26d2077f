"""What operators see of the rooms: put together from the lines, what all processes have counted, and what was set."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import cast

from waitroom.admin.shapes import (
    AdaptedFigures,
    ConfigFigures,
    Knob,
    LimitFigures,
    LineFigures,
    OriginFault,
    OriginFigures,
    OverrideFigures,
    ProcessFigures,
    RoomFigures,
    State,
    WaitFigures,
)
from waitroom.admin.watched_lines import Watched, WatchedLines
from waitroom.admin.watched_vitals import WatchedVitals
from waitroom.config_file import ConfigFile
from waitroom.desk.in_force import InForce
from waitroom.desk.knobs import values_of
from waitroom.desk.overrides import Overrides
from waitroom.desk.pulse import Heard
from waitroom.errors import StoreLostError
from waitroom.limits import Limits
from waitroom.lines import Lines
from waitroom.origins import OriginState
from waitroom.pace import CallRate
from waitroom.rooms import Room
from waitroom.store import Store

# Of a room with keys; of more, the ones in which most wait.
MOST_LINES = 200
# One look serves all who ask within this time.
FRESH_S = 0.5
# Vitals are asked for while somebody watches, and else as often as the history needs them.
WATCHED_S = 5.0
SELDOM_S = 5.0


class Overview:
    """It hears the pulse of this process (see desk/pulse.py). `now_s` is a steady clock."""

    def __init__(
        self,
        config: ConfigFile,
        in_force: InForce,
        lines: Lines,
        store: Store,
        origins: Callable[[], Sequence[OriginState]],
        now_s: Callable[[], float],
    ) -> None:
        self._config = config
        self._in_force = in_force
        self._lines = lines
        self._store = store
        self._origins = origins
        self._now_s = now_s
        self._of_lines: dict[str, WatchedLines] = {}
        self._of_vitals: dict[str, WatchedVitals] = {}
        self._looked_s: dict[str, float] = {}
        self._heard_s: dict[str, float] = {}
        self._watched_s = -WATCHED_S

    def wants(self, room: Room) -> bool:
        now_s = self._now_s()
        is_watched = now_s - self._watched_s < WATCHED_S
        return is_watched or now_s - self._heard_s.get(room.name, -SELDOM_S) >= SELDOM_S

    async def hear(self, room: Room, heard: Heard) -> None:
        self._heard_s[room.name] = self._now_s()
        self._vitals(room).note(heard.now_ms, heard.vitals)

    async def state(self) -> State:
        """All of it, as it is now; what Redis can't say, as it was last."""
        self._watched_s = self._now_s()
        rooms = [await self.room(room) for room in self._in_force.configured]
        return State(
            now_ms=time.time_ns() // 1_000_000,
            version=self._config.settings.version,
            processes=self._processes(),
            config_faults=[str(fault) for fault in self._config.faults],
            origin_faults=[_fault(state) for state in self._origins() if state.why_not],
            rooms=rooms,
        )

    async def room(self, configured: Room) -> RoomFigures:
        """A room of the configuration, as it is now."""
        lines = self._of_lines.setdefault(configured.name, WatchedLines(self._lines, self._store))
        if self._now_s() - self._looked_s.get(configured.name, -FRESH_S) >= FRESH_S:
            self._looked_s[configured.name] = self._now_s()
            with suppress(StoreLostError):
                await lines.look(configured)
        room = self._in_force.rooms.named(configured.name) or configured
        return self._figures(configured, room, lines)

    def _figures(self, configured: Room, room: Room, lines: WatchedLines) -> RoomFigures:
        watched, vitals = lines.by_key, self._vitals(room)
        each = list(watched.values())
        limits = max([room.limits, *(line.seen.limits for line in each)], key=lambda limits: limits.edition)
        now_ms = max([line.seen.now_ms for line in each], default=time.time_ns() // 1_000_000)
        overrides = self._in_force.overrides(room.name)
        waits = vitals.waits()
        return RoomFigures(
            name=room.name,
            title=room.title,
            has_keys=room.has_keys,
            mode=limits.mode,
            limits=_limits(limits),
            config=_config(configured),
            overrides=override_figures(overrides, now_ms),
            adaptive=_adapted(overrides) if room.is_adaptive else None,
            message=room.message,
            phase=limits.phase(now_ms),
            store_lost=self._is_lost(room),
            inside=sum(line.seen.inside for line in each),
            waiting=sum(line.waiting for line in each),
            late=sum(line.seen.late for line in each),
            joined=sum(line.seen.joined for line in each),
            called=sum(line.seen.called for line in each),
            claimed=sum(line.seen.claimed for line in each),
            released=sum(line.seen.released for line in each),
            missed=sum(line.seen.missed for line in each),
            measured_per_minute=_sum(line.calls for line in each),
            joins_per_minute=_sum(line.joins for line in each),
            no_show_share=_no_shows(each),
            wait_s=WaitFigures(p50=_rounded(waits.wait_s(0.5)), p90=_rounded(waits.wait_s(0.9))),
            origin=_origin(vitals),
            lines=_lines(watched),
            line_count=lines.count,
        )

    def _vitals(self, room: Room) -> WatchedVitals:
        return self._of_vitals.setdefault(room.name, WatchedVitals())

    def _is_lost(self, room: Room) -> bool:
        own = [line for _, line in self._lines.of_room(room)]
        return any(map(self._lines.is_lost, own)) or self._store.is_lost(room.name)

    def _processes(self) -> list[ProcessFigures]:
        seen_ms: dict[str, int] = {}
        for room in self._in_force.configured:
            for process, at_ms in self._vitals(room).seen_ms.items():
                seen_ms[process] = max(at_ms, seen_ms.get(process, 0))
        return [ProcessFigures(id=process, seen_ms=at_ms) for process, at_ms in sorted(seen_ms.items())]


def override_figures(overrides: Overrides, now_ms: int) -> list[OverrideFigures]:
    return [
        OverrideFigures(
            knob=cast(Knob, knob),
            value="" if one.value is None else one.value,
            since_ms=one.since_ms,
            until_ms=one.until_ms,
            who=one.who,
            why=one.why,
        )
        for knob, one in overrides.holding(now_ms).items()
    ]


def _limits(limits: Limits) -> LimitFigures:
    return LimitFigures(
        rate_per_minute=limits.rate_per_minute,
        burst=limits.burst,
        cap=limits.cap,
        session_s=limits.session_ms // 1000,
        claim_s=limits.claim_ms // 1000,
        presence_s=limits.presence_ms // 1000,
    )


def _config(room: Room) -> ConfigFigures:
    return cast(ConfigFigures, values_of(room))


def _adapted(overrides: Overrides) -> AdaptedFigures | None:
    decided = overrides.adapted
    if decided is None:
        return None
    return AdaptedFigures(
        rate_per_minute=decided.rate_per_minute,
        state=decided.state,
        reason=decided.reason,
        since_ms=decided.since_ms,
    )


def _origin(vitals: WatchedVitals) -> OriginFigures:
    window = vitals.origin()
    return OriginFigures(
        requests_per_second=round(window.per_second, 2),
        p50_ms=_ms(window.latency_s(0.5)),
        p95_ms=_ms(window.latency_s(0.95)),
        error_share=_rounded(window.error_share, 5),
        busy=window.busy,
        up=window.up,
        of=window.of,
    )


def _lines(watched: dict[str, Watched]) -> list[LineFigures]:
    fullest = sorted(watched.items(), key=lambda item: (-item[1].waiting, -item[1].seen.inside, item[0]))
    return [
        LineFigures(
            key=key,
            mode=line.seen.limits.mode,
            inside=line.seen.inside,
            waiting=line.waiting,
            late=line.seen.late,
            measured_per_minute=_rounded(line.calls.per_minute),
        )
        for key, line in fullest[:MOST_LINES]
    ]


def _no_shows(lines: Iterable[Watched]) -> float | None:
    """Of the calls of the last minute whose outcome is known."""
    claims = misses = 0.0
    for line in lines:
        claims += line.claims.per_minute or 0.0
        misses += line.misses.per_minute or 0.0
    return round(misses / (claims + misses), 4) if claims + misses else None


def _sum(rates: Iterable[CallRate]) -> float | None:
    known = [rate.per_minute for rate in rates if rate.per_minute is not None]
    return round(sum(known), 1) if known else None


def _fault(state: OriginState) -> OriginFault:
    return OriginFault(url=state.url, rooms=list(state.rooms), why_not=state.why_not, fault=state.fault)


def _rounded(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
