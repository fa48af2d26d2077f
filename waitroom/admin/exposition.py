"""What this machine's workers expose: metrics for Prometheus, and how each sees the rooms, as one."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from operator import itemgetter
from typing import Any

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from waitroom.config_file import ConfigFile
from waitroom.desk.in_force import InForce
from waitroom.line import Line
from waitroom.lines import Lines
from waitroom.merged_metrics import merged
from waitroom.metrics import Metrics
from waitroom.origins import OriginState
from waitroom.rooms import Room
from waitroom.siblings import Siblings


class Exposition:
    """Handlers for operators, and for the siblings of this worker."""

    def __init__(
        self,
        config: ConfigFile,
        in_force: InForce,
        lines: Lines,
        metrics: Metrics,
        origins: Callable[[], Sequence[OriginState]],
        siblings: Siblings | None = None,
    ) -> None:
        """With `siblings`, it answers for them too."""
        self._origins = origins
        self._config = config
        self._in_force = in_force
        self._lines = lines
        self._metrics = metrics
        self._siblings = siblings
        # What each of them counted when it was asked last: it must not be missed when one dies.
        self._told: dict[str, str] = {}

    async def metrics(self, request: web.Request) -> web.Response:
        """`GET /metrics`, in the format that is asked for: OpenMetrics, or Prometheus's text."""
        registry = self._metrics.registry
        others = await self._ask("/metrics")
        if self._told or others:
            gone = [text for name, text in self._told.items() if name not in others]
            registry = merged([self._metrics.expose(), *others.values()], gone)
            self._told |= others
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    async def status(self, _: web.Request) -> web.Response:
        """`GET /api/status`: what `waitroom status` shows."""
        others = map(json.loads, (await self._ask("/status")).values())
        return web.json_response(
            {
                "workers": [os.getpid(), *(pid for other in others for pid in other["workers"])],
                "config": str(self._config.path),
                "config_faults": [str(fault) for fault in self._config.faults],
                "store_lost": self._lines.store_lost,
                "origins": [asdict(origin) for origin in self._origins()],
                "rooms": [self._row(room, key, line) for room in self._in_force.rooms for key, line in self._of(room)],
            }
        )

    async def _ask(self, path: str) -> dict[str, str]:
        return await self._siblings.ask(path) if self._siblings else {}

    def _of(self, room: Room) -> list[tuple[str, Line | None]]:
        """The lines of a room by key; a room with keys in which nobody is has none, and is shown all the same."""
        return sorted(self._lines.of_room(room), key=itemgetter(0)) or [("", None)]

    def _row(self, room: Room, key: str, line: Line | None) -> dict[str, Any]:
        limits = line.in_force if line else room.limits
        seen = line.snapshot if line else None
        measured = line.rate.per_minute if line else None
        return {
            "room": room.name,
            "key": key,
            "store_lost": line is not None and self._lines.is_lost(line),
            "version": limits.version,
            "mode": limits.mode,
            "rate_per_minute": limits.rate_per_minute,
            "measured_per_minute": None if measured is None else round(measured, 1),
            "cap": limits.cap,
            "seen_ms": seen.now_ms if seen else None,
            "inside": seen.inside if seen else None,
            "waiting": seen.waiting if seen else None,
            "late": seen.late if seen else None,
            "joined": seen.joined if seen else None,
            "called": seen.called if seen else None,
            "claimed": seen.claimed if seen else None,
        }

    def routes(self) -> list[web.RouteDef]:
        """For siblings: at a socket that only the same user may open, and that needs no token."""
        return [web.get("/metrics", self.metrics), web.get("/status", self.status)]
