"""The admin listener: metrics for Prometheus, and the state of all rooms as JSON."""

from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from waitroom.config_file import ConfigFile
from waitroom.lines import Lines
from waitroom.metrics import Metrics
from waitroom.rooms import Room


class Admin:
    """Handlers for operators. They are not for the public: the listener is."""

    def __init__(self, config: ConfigFile, lines: Lines, metrics: Metrics) -> None:
        self._config = config
        self._lines = lines
        self._metrics = metrics

    async def metrics(self, _: web.Request) -> web.Response:
        """`GET /metrics`."""
        return web.Response(body=self._metrics.expose(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def status(self, _: web.Request) -> web.Response:
        """`GET /status`: what `waitroom status` shows."""
        return web.json_response(
            {
                "config": str(self._config.path),
                "config_faults": [str(fault) for fault in self._config.faults],
                "store_lost": self._lines.store_lost,
                "rooms": [self._room(room) for room in self._config.rooms],
            }
        )

    def _room(self, room: Room) -> dict[str, Any]:
        line = self._lines.of(room)
        limits, seen, measured = line.in_force, line.snapshot, line.rate.per_minute
        return {
            "room": room.name,
            "store_lost": self._lines.is_lost(line),
            "version": limits.version,
            "mode": limits.mode,
            "rate_per_minute": limits.rate_per_minute,
            "measured_per_minute": None if measured is None else round(measured, 1),
            "cap": limits.cap,
            "inside": seen.inside if seen else None,
            "waiting": seen.waiting if seen else None,
            "late": seen.late if seen else None,
            "joined": seen.joined if seen else None,
            "called": seen.called if seen else None,
            "claimed": seen.claimed if seen else None,
        }

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/metrics", self.metrics), web.get("/status", self.status)]
