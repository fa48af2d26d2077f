"""The admin listener, for operators and not for the public: metrics, and whether this process can serve."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from booking.errors import DatabaseUnavailable, Problem
from booking.figures import Figures, Unfinished
from booking.metrics import Metrics
from booking.schema import SchemaBehindError

OK = "ok"
# What must hold for visitors to be served: raises what is wrong.
Check = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Admin:
    """`/readyz` asks what is `needed`, without which no visitor is served, and shows what is `helpful`: without that
    much works still, and were this process taken out of service for want of it, so would be all others.
    Once it `is_stopping`, it wants no more visitors."""

    metrics: Metrics
    unfinished: Unfinished
    needed: dict[str, Check]
    helpful: dict[str, Check]
    is_stopping: bool = False

    async def expose(self, request: web.Request) -> web.Response:
        """`GET /metrics`, in the format that is asked for: OpenMetrics, or Prometheus's text."""
        redis_answers = await _said(self.helpful["redis"]) == OK
        self.metrics.note_stores(await self._figures(), redis_answers=redis_answers)
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self.metrics.registry), headers={"Content-Type": content_type})

    async def is_alive(self, _request: web.Request) -> web.Response:
        """`GET /healthz`: the process answers. Nothing else is asked, since a restart would mend nothing else."""
        return web.json_response({"status": OK})

    async def is_ready(self, _request: web.Request) -> web.Response:
        """`GET /readyz`: 200 if all that is needed serves, else 503; either way what each part says."""
        needed = {name: await _said(check) for name, check in self.needed.items()}
        needed["process"] = "stopping" if self.is_stopping else OK
        helpful = {name: await _said(check) for name, check in self.helpful.items()}
        is_ready = all(said == OK for said in needed.values())
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return web.json_response({"status": OK if is_ready else "unready", "parts": needed | helpful}, status=status)

    async def _figures(self) -> Figures | None:
        try:
            return await self.unfinished.figures()
        except DatabaseUnavailable:
            return None

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/metrics", self.expose),
                web.get("/healthz", self.is_alive),
                web.get("/readyz", self.is_ready),
            ]
        )
        return app


async def _said(check: Check) -> str:
    try:
        await check()
    except (Problem, SchemaBehindError) as exc:
        return str(exc)
    return OK
