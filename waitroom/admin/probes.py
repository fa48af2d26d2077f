"""Probes on the admin listener, for those who watch processes: they need no token, and tell nothing else."""

from aiohttp import web

from waitroom.lines import Lines


class Probes:
    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    async def live(self, _: web.Request) -> web.Response:
        """`GET /healthz`: the process answers."""
        return web.Response(text="live\n")

    async def ready(self, _: web.Request) -> web.Response:
        """`GET /readyz`: every line was seen once; a store lost since leaves it ready, since places are kept here."""
        if not self._lines.all_seen:
            return web.Response(status=503, text="not ready: the store has not been reached yet\n")
        text = "ready, but the store is lost\n" if self._lines.store_lost else "ready\n"
        return web.Response(text=text)

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/healthz", self.live), web.get("/readyz", self.ready)]
